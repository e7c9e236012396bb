//! Signatures and encrypted thinking of other issuers, carried in the place of this format's own signatures.
//!
//! Encrypted thinking is bytes here, so a value in its place is base64: of the wrapped text, or of the text that Claude
//! is given and gives elsewhere. Values that Bedrock itself may have issued are not wrapped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub(crate) use weir_sdk::signature::{Carried, Use, is_wrapped, own_value};
use weir_sdk::signature::{unwrap as unwrapped, wrap, wrap_bytes};
use weir_sdk::types::Signature;

/// The family that issues Claude's values.
pub(crate) const CLAUDE: &str = "anthropic";
/// Issuers whose values are not wrapped.
const BARE: [&str; 2] = [crate::FAMILY, CLAUDE];

/// The text of a signature for a client, which shall send it back.
pub(crate) fn text(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    bare(signature, purpose).unwrap_or_else(|| wrap(signature, purpose, id))
}

/// The same as bytes in base64, for the place of encrypted thinking.
pub(crate) fn bytes(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    match bare(signature, purpose) {
        Some(value) => encoded(&signature.issuer, value),
        None => wrap_bytes(signature, purpose, id),
    }
}

/// A value that is not wrapped in base64, for the place of encrypted thinking.
pub(crate) fn encoded(issuer: &str, value: String) -> String {
    if issuer == CLAUDE { STANDARD.encode(value) } else { value }
}

/// The value, if it is not wrapped.
fn bare(signature: &Signature, purpose: Use) -> Option<String> {
    let direct = matches!(purpose, Use::Thinking | Use::Encrypted);
    own_value(Some(signature), &BARE).filter(|_| direct).map(str::to_owned)
}

/// Whether the signature is one that is not wrapped.
pub(crate) fn is_bare(signature: &Signature) -> bool {
    BARE.contains(&signature.issuer.as_str())
}

/// Unwraps a value from the place of encrypted thinking. One that is not wrapped gets the given issuer; Claude's is the
/// text that the bytes are. Other bytes are Bedrock's own, which has them back as they came.
pub(crate) fn unwrap_bytes(value: &str, issuer: &str) -> Carried {
    let carried = unwrap(value, issuer);
    if carried.purpose.is_some() || issuer != CLAUDE {
        return carried;
    }
    let text = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let is_base64 = |text: &String| text.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/-_=".contains(&c));
    match text.filter(is_base64) {
        Some(text) => Carried::bare(&text, CLAUDE),
        None => Carried::bare(value, crate::FAMILY),
    }
}

/// Unwraps a value that a client sent back; one that is not wrapped gets the given issuer.
pub(crate) fn unwrap(value: &str, issuer: &str) -> Carried {
    let foreign = unwrapped(value).or_else(|| {
        let within = is_wrapped(value).then(|| STANDARD.decode(value).ok()).flatten()?;
        unwrapped(std::str::from_utf8(&within).ok()?)
    });
    foreign.unwrap_or_else(|| Carried::bare(value, issuer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(issuer: &str, value: &str) -> Signature {
        Signature { issuer: issuer.into(), value: value.into() }
    }

    #[test]
    fn c29_claudes_values_are_not_wrapped() {
        let own = signature("anthropic", "EqQBCgIYAhIM+/=");
        assert_eq!(text(&own, Use::Thinking, None), "EqQBCgIYAhIM+/=");
        assert_eq!(unwrap("EqQBCgIYAhIM+/=", "anthropic"), Carried { purpose: None, id: None, signature: own });
    }

    #[test]
    fn claudes_encrypted_thinking_is_the_text_that_the_bytes_are() {
        let (data, own) = ("EtMFCkgICxABGAIqQGqB", signature("anthropic", "EtMFCkgICxABGAIqQGqB"));
        assert_eq!(bytes(&own, Use::Encrypted, None), "RXRNRkNrZ0lDeEFCR0FJcVFHcUI=");
        assert_eq!(unwrap_bytes("RXRNRkNrZ0lDeEFCR0FJcVFHcUI=", "anthropic").signature, own);
        // Neither text in base64 nor Claude's: the bytes stay.
        for (value, issuer) in [(data, "anthropic"), ("weirblob0000", "anthropic"), ("RXRN", "bedrock")] {
            let carried = unwrap_bytes(value, issuer);
            assert_eq!(carried.signature, signature("bedrock", value));
            assert_eq!(bytes(&carried.signature, Use::Encrypted, None), value);
        }
    }

    #[test]
    fn c32_a_foreign_value_comes_back_to_its_issuer_whole() {
        let foreign = signature("gemini", "a.b=.c/+ü");
        for (purpose, id) in [(Use::NextCall, Some("call_1")), (Use::Encrypted, None), (Use::Previous, None)] {
            for sent in [text(&foreign, purpose, id), bytes(&foreign, purpose, id)] {
                let carried = unwrap(&sent, "bedrock");
                assert_eq!((carried.purpose, carried.id.as_deref()), (Some(purpose), id));
                assert_eq!(carried.signature, foreign);
            }
        }
    }
}
