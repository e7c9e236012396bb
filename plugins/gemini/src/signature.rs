//! Signatures and encrypted thinking of other issuers, carried in `thoughtSignature`, which clients give back.
//!
//! The member holds bytes in base64, and official clients write it anew in the URL-safe alphabet. A foreign value
//! travels in it as the base64 of `weir.ISSUER.USE.ID.VALUE`; `USE` is `s` for a value that vouches for its part and `e`
//! for one that is the thinking itself, `ID` the reasoning part's id and often empty. Values of this family stand as
//! they are.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use weir_sdk::types::Signature;

use crate::FAMILY;

/// How every wrapped value begins: `weir.` in base64.
const HEAD: &str = "d2Vpci";
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A value taken out of its wrapping.
#[derive(Debug, PartialEq)]
pub(crate) struct Carried {
    pub(crate) signature: Signature,
    /// It is the thinking itself.
    pub(crate) encrypted: bool,
    /// The id that travelled with it.
    pub(crate) id: Option<String>,
}

/// Wraps a value for the way to a client and back.
pub(crate) fn wrap(signature: &Signature, encrypted: bool, id: Option<&str>) -> String {
    if signature.issuer == FAMILY {
        return signature.value.clone();
    }
    let id = id.filter(|id| !id.contains('.')).unwrap_or_default();
    let purpose = if encrypted { "e" } else { "s" };
    STANDARD.encode(["weir", &signature.issuer, purpose, id, &signature.value].join("."))
}

/// Takes a value that a client gave back out of its wrapping.
pub(crate) fn unwrap(value: &str) -> Carried {
    foreign(value).unwrap_or_else(|| Carried {
        signature: Signature { issuer: FAMILY.into(), value: value.to_owned() },
        encrypted: false,
        id: None,
    })
}

fn foreign(value: &str) -> Option<Carried> {
    let text = decoded(value.strip_prefix(HEAD).map(|_| value)?)?;
    let mut pieces = text.strip_prefix("weir.")?.splitn(4, '.');
    let issuer = pieces.next()?.to_owned();
    let encrypted = match pieces.next()? {
        "e" => true,
        "s" => false,
        _ => return None,
    };
    let id = Some(pieces.next()?.to_owned()).filter(|id| !id.is_empty());
    Some(Carried { signature: Signature { issuer, value: pieces.next()?.to_owned() }, encrypted, id })
}

/// The text behind base64 of either alphabet; none where there is none.
pub(crate) fn decoded(value: &str) -> Option<String> {
    let standard = value.replace('-', "+").replace('_', "/");
    String::from_utf8(LENIENT.decode(standard).ok()?).ok()
}

/// A text in base64.
pub(crate) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// Whether this family made the signature.
pub(crate) fn own(signature: Option<&Signature>) -> Option<&str> {
    signature.filter(|signature| signature.issuer == FAMILY).map(|signature| signature.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(issuer: &str, value: &str) -> Signature {
        Signature { issuer: issuer.into(), value: value.into() }
    }

    #[test]
    fn c31_a_value_of_this_family_stands_as_it_is() {
        let own = signature(FAMILY, "EqQBCg+/x==");
        assert_eq!(wrap(&own, false, Some("id")), "EqQBCg+/x==");
        assert_eq!(unwrap("EqQBCg+/x=="), Carried { signature: own, encrypted: false, id: None });
    }

    #[test]
    fn c32_a_foreign_value_comes_back_to_its_issuer_whole() {
        let foreign = signature("anthropic", "a.b=.c/+?~ü");
        for (encrypted, id) in [(true, Some("rs_1")), (false, None)] {
            let wrapped = wrap(&foreign, encrypted, id);
            for sent in [wrapped.clone(), wrapped.replace('+', "-").replace('/', "_").replace('=', "")] {
                let carried = unwrap(&sent);
                assert_eq!((carried.encrypted, carried.id.as_deref()), (encrypted, id));
                assert_eq!(carried.signature, foreign);
            }
        }
    }
}
