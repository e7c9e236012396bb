//! Signatures and encrypted thinking of other issuers, carried in the place of this format's own signatures. Values of
//! this family are not wrapped.

pub(crate) use weir_sdk::signature::{Carried, Use};
use weir_sdk::signature::{own_value, unwrap as unwrapped, wrap as wrapped};
use weir_sdk::types::Signature;

use crate::FAMILY;

/// Wraps a signature that a client shall send back.
pub(crate) fn wrap(signature: &Signature, purpose: Use, id: Option<&str>) -> String {
    let direct = matches!(purpose, Use::Thinking | Use::Encrypted);
    let bare = own(Some(signature)).filter(|_| direct);
    bare.map_or_else(|| wrapped(signature, purpose, id), str::to_owned)
}

/// Unwraps a value that a client sent back.
pub(crate) fn unwrap(value: &str) -> Carried {
    unwrapped(value).unwrap_or_else(|| Carried::bare(value, FAMILY))
}

/// The value of a signature that this family issued.
pub(crate) fn own(signature: Option<&Signature>) -> Option<&str> {
    own_value(signature, &[FAMILY])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(issuer: &str, value: &str) -> Signature {
        Signature { issuer: issuer.into(), value: value.into() }
    }

    #[test]
    fn c29_a_value_of_this_family_is_not_wrapped() {
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
