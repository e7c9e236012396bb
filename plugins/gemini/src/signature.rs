//! Signatures and encrypted thinking of other issuers, carried in `thoughtSignature`, which clients send back.
//!
//! The member holds bytes in base64, and official clients re-encode it in the URL-safe alphabet, so a wrapped value is
//! in base64 too. Values of this family are not wrapped.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
pub(crate) use weir_sdk::signature::Carried;
use weir_sdk::signature::{self, Use, is_wrapped, wrap_bytes};
use weir_sdk::types::Signature;

use crate::FAMILY;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Wraps a value that a client shall send back.
pub(crate) fn wrap(signature: &Signature, encrypted: bool, id: Option<&str>) -> String {
    let purpose = if encrypted { Use::Encrypted } else { Use::Thinking };
    own(Some(signature)).map_or_else(|| wrap_bytes(signature, purpose, id), str::to_owned)
}

/// Unwraps a value that a client sent back.
pub(crate) fn unwrap(value: &str) -> Carried {
    foreign(value).unwrap_or_else(|| Carried::bare(value, FAMILY))
}

fn foreign(value: &str) -> Option<Carried> {
    let text = is_wrapped(value).then(|| decoded(value)).flatten()?;
    signature::unwrap(&text).filter(|carried| matches!(carried.purpose, Some(Use::Thinking | Use::Encrypted)))
}

/// Decodes base64 of either alphabet to text; `None` if that fails.
pub(crate) fn decoded(value: &str) -> Option<String> {
    String::from_utf8(LENIENT.decode(with_standard_alphabet(value)).ok()?).ok()
}

/// Base64 of either alphabet in the standard one, with its padding.
pub(crate) fn standard(value: String) -> String {
    let mut standard = if value.contains(['-', '_']) { with_standard_alphabet(&value) } else { value };
    let unpadded = standard.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    match standard.len() % 4 {
        2 if unpadded => standard.push_str("=="),
        3 if unpadded => standard.push('='),
        _ => {}
    }
    standard
}

fn with_standard_alphabet(value: &str) -> String {
    value.replace('-', "+").replace('_', "/")
}

/// A text in base64.
pub(crate) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// The value of a signature that this family issued.
pub(crate) fn own(signature: Option<&Signature>) -> Option<&str> {
    signature::own_value(signature, &[FAMILY])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(issuer: &str, value: &str) -> Signature {
        Signature { issuer: issuer.into(), value: value.into() }
    }

    #[test]
    fn c31_a_value_of_this_family_is_not_wrapped() {
        let own = signature(FAMILY, "EqQBCg+/x==");
        assert_eq!(wrap(&own, false, Some("id")), "EqQBCg+/x==");
        assert_eq!(unwrap("EqQBCg+/x=="), Carried { signature: own, purpose: None, id: None });
    }

    #[test]
    fn c32_a_foreign_value_comes_back_to_its_issuer_whole() {
        let foreign = signature("anthropic", "a.b=.c/+?~ü");
        for (encrypted, id) in [(true, Some("rs_1")), (false, None)] {
            let wrapped = wrap(&foreign, encrypted, id);
            for sent in [wrapped.clone(), wrapped.replace('+', "-").replace('/', "_").replace('=', "")] {
                let carried = unwrap(&sent);
                assert_eq!((carried.is_encrypted(), carried.id.as_deref()), (encrypted, id));
                assert_eq!(carried.signature, foreign);
            }
        }
    }
}
