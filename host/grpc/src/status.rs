//! Failures as gRPC has them: a code, and a `google.rpc.Status` with an `ErrorInfo` and a `RetryInfo`.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side, error_kind_name};

/// The domain of the reasons.
const DOMAIN: &str = "weir";
/// The most bytes of a message, which is sent as a header.
const MESSAGE: usize = 2_048;

/// A failure as a status.
pub(crate) fn of(fault: &Fault, request_id: &str) -> Status {
    let error = &fault.error;
    let name = error.code.as_deref().unwrap_or_else(|| error_kind_name(error.kind));
    let mut about: HashMap<String, String> = HashMap::new();
    let mut tell = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            about.insert(name.to_owned(), value.to_owned());
        }
    };
    tell("kind", Some(error_kind_name(error.kind)));
    tell("source", Some(fault.side.as_str()));
    tell("code", error.code.as_deref());
    tell("param", error.param.as_deref());
    tell("request_id", Some(request_id));
    tell("http_status", error.status.map(|status| status.to_string()).as_deref());
    let mut details = ErrorDetails::with_error_info(reason(name), DOMAIN, about);
    // A budget that is used up stays so: to repeat the request would not help.
    let is_used_up = error.kind == ErrorKind::Quota && fault.side == Side::Client;
    if let Some(millis) = error.retry_after_ms.filter(|_| !is_used_up) {
        details.set_retry_info(Some(Duration::from_millis(millis.into())));
    }
    let message = error.message.get(..error.message.floor_char_boundary(MESSAGE)).unwrap_or_default();
    Status::with_error_details(code(error.kind), message, details)
}

fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength => Code::InvalidArgument,
        ErrorKind::ContentFiltered => Code::FailedPrecondition,
        ErrorKind::Authentication => Code::Unauthenticated,
        ErrorKind::Permission => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::TooLarge | ErrorKind::RateLimited | ErrorKind::Quota => Code::ResourceExhausted,
        ErrorKind::Overloaded | ErrorKind::Upstream => Code::Unavailable,
        ErrorKind::Timeout => Code::DeadlineExceeded,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::Internal => Code::Internal,
    }
}

/// A reason in the spelling of `ErrorInfo`: at most 63 capital letters, digits and underscores.
fn reason(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().take(63).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_why_and_when_to_try_again() {
        let fault = Fault::overloaded("busy", Duration::from_millis(1500)).with_code("store-unavailable").at("model");
        let status = of(&fault, "r1");
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "busy"));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("STORE_UNAVAILABLE", "weir"));
        let about = |name: &str| info.metadata.get(name).map(String::as_str);
        let texts = ["kind", "source", "code", "param", "request_id", "http_status"].map(about);
        let wanted = ["overloaded", "gateway", "store-unavailable", "model", "r1", "503"];
        assert_eq!(texts, wanted.map(Some));
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_used_up_budget_names_no_time() {
        let fault = Fault::new(Side::Client, ErrorKind::Quota, "used up").with_retry_after(Duration::from_secs(1));
        let status = of(&fault, "r1");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_error_details().retry_info().is_none());
    }
}
