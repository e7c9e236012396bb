//! Signatures and encrypted thinking of other issuers, carried in places that this format's clients give back.
//!
//! Clients return blocks of thinking untouched. So a value of another issuer is put where this format has a signature
//! of its own, as `weir.ISSUER.USE.ID.VALUE`, and taken out again when it comes back. `USE` is one of the letters below,
//! `ID` the reasoning part's or tool call's id and often empty. Unreadable thinking is bytes here, so there it is the
//! base64 of that text. Values that Bedrock itself may have made stand as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_sdk::types::Signature;

/// What a carried value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It vouches for the thinking beside it.
    Thinking,
    /// It is the thinking itself.
    Encrypted,
    /// It belongs to the tool call that follows.
    NextCall,
    /// It belongs to the part in front of it.
    Previous,
}

impl Use {
    const ALL: [Self; 4] = [Self::Thinking, Self::Encrypted, Self::NextCall, Self::Previous];

    const fn letter(self) -> &'static str {
        match self {
            Self::Thinking => "s",
            Self::Encrypted => "e",
            Self::NextCall => "t",
            Self::Previous => "p",
        }
    }
}

/// A value taken out of its wrapping.
#[derive(Debug, PartialEq)]
pub(crate) struct Carried {
    /// What it belongs to; none for a bare value.
    pub(crate) purpose: Option<Use>,
    /// The id that travelled with it.
    pub(crate) id: Option<String>,
    pub(crate) signature: Signature,
}

/// Issuers whose values are bare on this format's wire.
const BARE: [&str; 2] = [crate::FAMILY, "anthropic"];

/// The text of a signature, for the way to a client and back.
pub(crate) fn text(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    let direct = matches!(purpose, Use::Thinking | Use::Encrypted) && BARE.contains(&signature.issuer.as_str());
    if direct {
        return signature.value.clone();
    }
    let id = id.filter(|id| !id.contains('.')).unwrap_or_default();
    ["weir", &signature.issuer, purpose.letter(), id, &signature.value].join(".")
}

/// The same as bytes in base64, for the place of unreadable thinking.
pub(crate) fn bytes(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    let text = text(signature, purpose, id);
    if text.starts_with("weir.") { STANDARD.encode(text) } else { text }
}

/// Whether bytes in base64 begin as wrapped values do.
pub(crate) fn is_wrapped(value: &str) -> bool {
    value.starts_with("d2Vpci")
}

/// Takes a value that a client gave back out of its wrapping; a bare one gets the issuer that is given.
pub(crate) fn unwrap(value: &str, issuer: &str) -> Carried {
    let foreign = wrapped(value).or_else(|| {
        let within = is_wrapped(value).then(|| STANDARD.decode(value).ok()).flatten()?;
        wrapped(std::str::from_utf8(&within).ok()?)
    });
    foreign.unwrap_or_else(|| Carried {
        purpose: None,
        id: None,
        signature: Signature { issuer: issuer.to_owned(), value: value.to_owned() },
    })
}

fn wrapped(value: &str) -> Option<Carried> {
    let mut pieces = value.strip_prefix("weir.")?.splitn(4, '.');
    let issuer = pieces.next()?.to_owned();
    let letter = pieces.next()?;
    let purpose = Use::ALL.into_iter().find(|purpose| purpose.letter() == letter)?;
    let id = Some(pieces.next()?.to_owned()).filter(|id| !id.is_empty());
    Some(Carried { purpose: Some(purpose), id, signature: Signature { issuer, value: pieces.next()?.to_owned() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(issuer: &str, value: &str) -> Signature {
        Signature { issuer: issuer.into(), value: value.into() }
    }

    #[test]
    fn c29_claudes_values_stand_as_they_are() {
        let own = signature("anthropic", "EqQBCgIYAhIM+/=");
        assert_eq!(text(&own, Use::Thinking, None), "EqQBCgIYAhIM+/=");
        assert_eq!(bytes(&own, Use::Encrypted, None), "EqQBCgIYAhIM+/=");
        assert_eq!(unwrap("EqQBCgIYAhIM+/=", "anthropic"), Carried { purpose: None, id: None, signature: own });
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
