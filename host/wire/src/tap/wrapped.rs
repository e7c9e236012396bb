//! Frames that wrap the data of another format, as base64 in one of their members.
//!
//! Source: Amazon Bedrock's `InvokeModelWithResponseStream`, whose events are `{"bytes":"…"}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::peek::{PointerError, Wanted};

/// The pointer at the base64.
#[derive(Debug)]
pub(super) struct Wrapped(String);

impl Wrapped {
    pub(super) fn new(pointer: &str) -> Result<Self, PointerError> {
        let mut wanted = Wanted::default();
        wanted.add(pointer);
        wanted.compile().map(|_| Self(pointer.to_owned()))
    }

    /// What the frame wraps; `None` if nothing is found there that is base64.
    pub(super) fn within(&self, data: &[u8]) -> Option<Vec<u8>> {
        let frame: Value = serde_json::from_slice(data).ok()?;
        STANDARD.decode(frame.pointer(&self.0)?.as_str()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_base64_at_the_pointer_is_not_taken_out() {
        let wrapped = Wrapped::new("/bytes").unwrap();
        assert_eq!(wrapped.within(br#"{"bytes":"eyJhIjox\u0066Q=="}"#).as_deref(), Some(&br#"{"a":1}"#[..]));
        assert_eq!(wrapped.within(br#"{"p":"ab","bytes":"eyJhIjoxfQ=="}"#).as_deref(), Some(&br#"{"a":1}"#[..]));
        for other in ["", "[", "{}", r#"{"bytes":1}"#, r#"{"bytes":"?"}"#, r#"{"message":"bytes"}"#] {
            assert_eq!(wrapped.within(other.as_bytes()), None, "{other}");
        }
        assert!(Wrapped::new("bytes").is_err());
    }
}
