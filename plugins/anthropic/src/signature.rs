//! Signatures and encrypted thinking of other issuers, carried in places that this format's clients give back.
//!
//! Clients return thinking blocks untouched. So a value of another issuer is put where this format has a signature of
//! its own, as `weir.ISSUER.USE.ID.VALUE`, and taken out again when it comes back. `USE` is one of the letters below,
//! `ID` the reasoning part's or tool call's id and often empty. Values of this family stand as they are.

use weir_sdk::types::Signature;

use crate::FAMILY;

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
    const fn letter(self) -> &'static str {
        match self {
            Self::Thinking => "s",
            Self::Encrypted => "e",
            Self::NextCall => "t",
            Self::Previous => "p",
        }
    }

    fn from_letter(letter: &str) -> Option<Self> {
        [Self::Thinking, Self::Encrypted, Self::NextCall, Self::Previous].into_iter().find(|u| u.letter() == letter)
    }
}

/// A value taken out of its wrapping.
#[derive(Debug, PartialEq)]
pub(crate) struct Carried {
    /// What it belongs to; none for a value of this family.
    pub(crate) purpose: Option<Use>,
    /// The id that travelled with it.
    pub(crate) id: Option<String>,
    pub(crate) signature: Signature,
}

/// Wraps a signature for the way to a client and back.
pub(crate) fn wrap(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    let direct = matches!(purpose, Use::Thinking | Use::Encrypted);
    if direct && signature.issuer == FAMILY {
        return signature.value.clone();
    }
    let id = id.filter(|id| !id.contains('.')).unwrap_or_default();
    ["weir", &signature.issuer, purpose.letter(), id, &signature.value].join(".")
}

/// Takes a value that a client gave back out of its wrapping.
pub(crate) fn unwrap(value: &str) -> Carried {
    unwrap_foreign(value).unwrap_or_else(|| Carried {
        purpose: None,
        id: None,
        signature: Signature { issuer: FAMILY.into(), value: value.to_owned() },
    })
}

fn unwrap_foreign(value: &str) -> Option<Carried> {
    let mut pieces = value.strip_prefix("weir.")?.splitn(4, '.');
    let issuer = pieces.next()?.to_owned();
    let purpose = Use::from_letter(pieces.next()?)?;
    let id = pieces.next()?;
    let value = pieces.next()?.to_owned();
    let id = (!id.is_empty()).then(|| id.to_owned());
    Some(Carried { purpose: Some(purpose), id, signature: Signature { issuer, value } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(issuer: &str, value: &str) -> Signature {
        Signature { issuer: issuer.into(), value: value.into() }
    }

    #[test]
    fn c29_a_value_of_this_family_stands_as_it_is() {
        let own = signature(FAMILY, "EqQBCgIYAhIM.x");
        assert_eq!(wrap(&own, Use::Thinking, None), "EqQBCgIYAhIM.x");
        assert_eq!(unwrap("EqQBCgIYAhIM.x"), Carried { purpose: None, id: None, signature: own });
    }

    #[test]
    fn c32_a_foreign_value_comes_back_to_its_issuer_whole() {
        let foreign = signature("gemini", "a.b=.c/+");
        for (purpose, id) in [(Use::NextCall, Some("call_1")), (Use::Encrypted, None), (Use::Previous, None)] {
            let carried = unwrap(&wrap(&foreign, purpose, id));
            assert_eq!(carried.purpose, Some(purpose));
            assert_eq!(carried.id.as_deref(), id);
            assert_eq!(carried.signature, foreign);
        }
    }
}
