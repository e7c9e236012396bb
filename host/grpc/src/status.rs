//! Failures as gRPC has them: a code, and a `google.rpc.Status` with an `ErrorInfo` and a `RetryInfo`.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side, error_kind_name};

/// The domain of the reasons.
const DOMAIN: &str = "weir";
/// The most bytes of a message as it is sent: in a header, percent-encoded. It stands there once more within the
/// details, in base64, and many clients take no more than 8 KB of headers.
const MESSAGE: usize = 2_048;

/// A failure as a status.
pub(crate) fn of(fault: &Fault, request_id: &str) -> Status {
    let error = &fault.error;
    let name = error.code.as_deref().unwrap_or_else(|| error_kind_name(error.kind));
    let mut about: HashMap<String, String> = HashMap::new();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            about.insert(name.to_owned(), value.to_owned());
        }
    };
    add("kind", Some(error_kind_name(error.kind)));
    add("source", Some(fault.side.as_str()));
    add("code", error.code.as_deref());
    add("param", error.param.as_deref());
    add("request_id", Some(request_id));
    add("http_status", error.status.map(|status| status.to_string()).as_deref());
    let mut details = ErrorDetails::with_error_info(reason(name), DOMAIN, about);
    // A budget that is used up stays so: to repeat the request would not help.
    let is_used_up = error.kind == ErrorKind::Quota && fault.side == Side::Client;
    if let Some(millis) = error.retry_after_ms.filter(|_| !is_used_up) {
        details.set_retry_info(Some(Duration::from_millis(millis.into())));
    }
    Status::with_error_details(code(error.kind), shortened(&error.message), details)
}

/// As much of a message as may be sent.
fn shortened(message: &str) -> &str {
    let mut sent = 0;
    let ends = message.char_indices().find(|(_, c)| {
        sent += sent_len(*c);
        sent > MESSAGE
    });
    ends.and_then(|(at, _)| message.get(..at)).unwrap_or(message)
}

/// The bytes of a character in a header, percent-encoded.
fn sent_len(c: char) -> usize {
    let is_plain = c.is_ascii_graphic() && !matches!(c, '"' | '#' | '%' | '<' | '>' | '?' | '`' | '{' | '}');
    if is_plain { 1 } else { 3 * c.len_utf8() }
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
    fn the_largest_status_fits_into_the_headers_that_clients_take() {
        for message in ["é", "語", "a", " ", "a b", "%", "\u{1f600}"] {
            let fault = Fault::overloaded(message.repeat(8_000), Duration::from_secs(1));
            let mut fault = fault.with_code(&"c".repeat(256)).at("p".repeat(256));
            fault.error.status = Some(529);
            let status = of(&fault, &"r".repeat(128));
            assert!(message.repeat(8_000).starts_with(status.message()) && status.message().len() > 600);
            let mut sent = http::HeaderMap::new();
            status.add_header(&mut sent).unwrap();
            // As HTTP/2 counts them.
            let bytes: usize = sent.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
            assert!(bytes <= 7 << 10, "{message}: {bytes}");
        }
        assert_eq!(shortened("short é"), "short é");
    }

    #[test]
    fn a_used_up_budget_names_no_time() {
        let fault = Fault::new(Side::Client, ErrorKind::Quota, "used up").with_retry_after(Duration::from_secs(1));
        let status = of(&fault, "r1");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_error_details().retry_info().is_none());
    }
}
