//! How a call ended: `grpc-status`, its message and its details, and what HTTP calls that.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode;
use prost::Message as _;
use serde_json::{Value, json};

/// Both with padding and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The codes: their names, and the status of HTTP for each. A server that cancels a call which was not cancelled here
/// has failed.
const CODES: [(&str, StatusCode); 17] = [
    ("OK", StatusCode::OK),
    ("CANCELLED", StatusCode::INTERNAL_SERVER_ERROR),
    ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
    ("INVALID_ARGUMENT", StatusCode::BAD_REQUEST),
    ("DEADLINE_EXCEEDED", StatusCode::GATEWAY_TIMEOUT),
    ("NOT_FOUND", StatusCode::NOT_FOUND),
    ("ALREADY_EXISTS", StatusCode::CONFLICT),
    ("PERMISSION_DENIED", StatusCode::FORBIDDEN),
    ("RESOURCE_EXHAUSTED", StatusCode::TOO_MANY_REQUESTS),
    ("FAILED_PRECONDITION", StatusCode::BAD_REQUEST),
    ("ABORTED", StatusCode::CONFLICT),
    ("OUT_OF_RANGE", StatusCode::BAD_REQUEST),
    ("UNIMPLEMENTED", StatusCode::NOT_IMPLEMENTED),
    ("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR),
    ("UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
    ("DATA_LOSS", StatusCode::INTERNAL_SERVER_ERROR),
    ("UNAUTHENTICATED", StatusCode::UNAUTHORIZED),
];
/// What a code that is no code counts as.
const UNKNOWN: usize = 2;

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    code: usize,
    /// What the server says of it.
    message: String,
    /// `ErrorInfo`'s, if there is one.
    reason: Option<String>,
    domain: Option<String>,
    /// `RetryInfo`'s, if there is one.
    retry_after: Option<Duration>,
}

impl Status {
    /// Reads the status from trailers, or from the headers of an answer that has nothing else. `None` if it is not
    /// there. `hide` removes secrets from what was decoded.
    pub fn read(trailers: &HeaderMap, hide: impl Fn(&mut String)) -> Option<Self> {
        let code = trailers.get("grpc-status")?.to_str().ok().and_then(|code| code.parse().ok());
        let code = code.filter(|code| *code < CODES.len()).unwrap_or(UNKNOWN);
        let message = trailers.get("grpc-message").map(|text| percent_decode(text.as_bytes()).decode_utf8_lossy());
        let mut status = Self { code, message: message.unwrap_or_default().into_owned(), ..Self::default() };
        if let Some(details) = trailers.get("grpc-status-details-bin")
            && let Ok(bytes) = BASE64.decode(details.as_bytes())
            && let Ok(rich) = wire::Status::decode(bytes.as_slice())
        {
            status.take(rich);
        }
        hide(&mut status.message);
        [&mut status.reason, &mut status.domain].into_iter().flatten().for_each(hide);
        Some(status)
    }

    fn take(&mut self, rich: wire::Status) {
        if self.message.is_empty() {
            self.message = rich.message;
        }
        for any in rich.details {
            let bytes = any.value.as_slice();
            match any.type_url.rsplit('/').next().unwrap_or_default() {
                "google.rpc.ErrorInfo" => {
                    let Ok(info) = wire::ErrorInfo::decode(bytes) else { continue };
                    (self.reason, self.domain) = (Some(info.reason), Some(info.domain));
                }
                "google.rpc.RetryInfo" => {
                    let delay = wire::RetryInfo::decode(bytes).ok().and_then(|info| info.retry_delay);
                    self.retry_after = delay.and_then(wire::Delay::time).or(self.retry_after);
                }
                _ => {}
            }
        }
    }

    /// Whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        self.code == 0
    }

    /// What HTTP calls it.
    pub fn http(&self) -> StatusCode {
        self.row().1
    }

    /// How long to wait before the next try, if the server says so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The status as JSON, as services that answer in both ways spell it.
    pub fn json(&self) -> String {
        let (name, http) = self.row();
        let mut error = json!({"code": http.as_u16(), "message": self.message, "status": name});
        if let (Some(reason), Some(error)) = (&self.reason, error.as_object_mut()) {
            let kind = "type.googleapis.com/google.rpc.ErrorInfo";
            let info = json!({"@type": kind, "reason": reason, "domain": self.domain});
            error.insert("details".to_owned(), Value::Array(vec![info]));
        }
        json!({ "error": error }).to_string()
    }

    fn row(&self) -> (&'static str, StatusCode) {
        CODES.get(self.code).copied().unwrap_or(("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR))
    }
}

/// The messages of `google.rpc`, with the fields that are read.
mod wire {
    use std::time::Duration;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Status {
        #[prost(string, tag = "2")]
        pub(super) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(super) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Any {
        #[prost(string, tag = "1")]
        pub(super) type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) value: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ErrorInfo {
        #[prost(string, tag = "1")]
        pub(super) reason: String,
        #[prost(string, tag = "2")]
        pub(super) domain: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        pub(super) retry_delay: Option<Delay>,
    }

    #[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
    pub(super) struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }

    impl Delay {
        /// `None` if it is negative.
        pub(super) fn time(self) -> Option<Duration> {
            let nanos = u32::try_from(self.nanos).ok()?;
            Duration::from_secs(u64::try_from(self.seconds).ok()?).checked_add(Duration::from_nanos(nanos.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn trailers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn status(pairs: &[(&'static str, &str)]) -> Status {
        Status::read(&trailers(pairs), |_| ()).unwrap()
    }

    #[test]
    fn each_code_has_a_status_of_http() {
        for (code, expected) in [(0, 200), (3, 400), (4, 504), (7, 403), (8, 429), (12, 501), (14, 503), (16, 401)] {
            assert_eq!(status(&[("grpc-status", &code.to_string())]).http().as_u16(), expected, "{code}");
        }
        for wrong in ["17", "-1", "", "x", "99999999999999999999"] {
            let status = status(&[("grpc-status", wrong)]);
            assert!(!status.is_ok() && status.http() == StatusCode::INTERNAL_SERVER_ERROR, "{wrong}");
        }
        assert_eq!(Status::read(&HeaderMap::new(), |_| ()), None);
    }

    #[test]
    fn messages_are_percent_decoded_and_hidden_after_that() {
        let given = trailers(&[("grpc-status", "3"), ("grpc-message", "no%20%73ecret %C3%A9 %zz")]);
        let read = Status::read(&given, |text| *text = text.replace("secret", "******")).unwrap();
        let json: Value = serde_json::from_str(&read.json()).unwrap();
        assert_eq!(json["error"]["message"], "no ****** é %zz");
        assert_eq!(json["error"]["status"], "INVALID_ARGUMENT");
        assert_eq!(json["error"]["code"], 400);
    }

    #[test]
    fn details_say_why_and_when_to_try_again() {
        let any = |name: &str, value| wire::Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value };
        let retry = [&[0x0a, 2, 0x08, 7][..], &[]].concat();
        let info = wire::ErrorInfo { reason: "BUSY".into(), domain: "engine".into() }.encode_to_vec();
        let details = vec![any("RetryInfo", retry), any("ErrorInfo", info), any("Help", vec![1, 2, 3])];
        let rich = wire::Status { message: "queue is full".into(), details }.encode_to_vec();
        let read = status(&[("grpc-status", "8"), ("grpc-status-details-bin", &BASE64.encode(rich))]);
        assert_eq!(read.retry_after(), Some(Duration::from_secs(7)));
        let json: Value = serde_json::from_str(&read.json()).unwrap();
        assert_eq!(json["error"]["message"], "queue is full");
        assert_eq!(json["error"]["details"][0]["reason"], "BUSY");
    }

    #[test]
    fn details_that_cannot_be_read_are_ignored() {
        let negative = wire::RetryInfo {
            retry_delay: wire::Delay::decode(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..]).ok(),
        };
        let any = wire::Any { type_url: "google.rpc.RetryInfo".into(), value: negative.encode_to_vec() };
        let rich = wire::Status { message: String::new(), details: vec![any] }.encode_to_vec();
        for details in ["?", "AAAA", BASE64.encode(rich).as_str()] {
            let read = status(&[("grpc-status", "14"), ("grpc-status-details-bin", details)]);
            assert_eq!((read.retry_after(), read.http().as_u16()), (None, 503));
        }
    }
}
