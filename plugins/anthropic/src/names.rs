//! Rules for names of tools and ids of their calls.

use std::borrow::Cow;

use weir_sdk::names::{IdRule, Names};

/// The pattern of tools: `^[a-zA-Z0-9_-]{1,128}$`.
const NAME: IdRule = IdRule { max: 128, also: Some("_-"), exact: false };
/// The pattern of ids is `^[a-zA-Z0-9_-]+$`; the format has no limit of length, so this one is the adapter's.
pub(crate) const ID: IdRule = IdRule { max: 256, also: Some("_-"), exact: false };

/// The names of a request, without changes yet.
pub(crate) fn names() -> Names {
    Names::new(NAME)
}

/// A tool's name as the format allows it.
pub(crate) fn fitting_name(name: &str) -> Cow<'_, str> {
    fitting(&NAME, name)
}

/// A tool call's id as the format allows it.
pub(crate) fn fitting_id(id: &str) -> Cow<'_, str> {
    fitting(&ID, id)
}

fn fitting<'a>(rule: &IdRule, text: &'a str) -> Cow<'a, str> {
    if rule.fits(text) { Cow::Borrowed(text) } else { Cow::Owned(rule.fit(text)) }
}
