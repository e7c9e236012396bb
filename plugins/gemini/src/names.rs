//! Rules for names of tools.

use weir_sdk::names::{IdRule, Names};

/// Names begin with a letter or `_` and have letters, digits, `_`, `.`, `:` and `-`.
const NAME: IdRule = IdRule { max: 64, also: Some("_.:-"), exact: false };

/// The names of a request, without changes yet.
pub(crate) fn names() -> Names {
    Names::new(NAME).letter_first()
}
