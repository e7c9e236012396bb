//! `additionalModelRequestFields`: a model's parameters outside the format, in the vendor's spelling.

use weir_sdk::json::{Object, Rest};
use weir_sdk::types::{ChatRequest, Extension};

use crate::FORMAT;

/// Prefix of such members' keys among the extensions.
pub(crate) const ADDITIONAL: &str = "additionalModelRequestFields";

/// The members to write, each once; a client's own take precedence over those of the adapter.
#[derive(Debug, Default)]
pub(super) struct Additional(Vec<(String, String)>);

impl Additional {
    /// The members from a client of this format.
    pub(super) fn read(request: &ChatRequest) -> Self {
        let members = request.extensions.iter().filter_map(|own| Some((name(own)?, &own.json)));
        Self(members.map(|(name, json)| (name.to_owned(), json.clone())).collect())
    }

    /// Adds a member unless it is present.
    pub(super) fn add(&mut self, name: &str, json: String) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.to_owned(), json));
        }
    }

    /// Writes all members, if there are any. A value that is not an object is written unchanged.
    pub(super) fn write(&self, o: &mut Object<'_>, request: &ChatRequest) {
        let whole = request.extensions.iter().find(|own| own.format == FORMAT && own.key == ADDITIONAL);
        if let Some(whole) = whole.filter(|whole| Rest::parse(&whole.json).is_err()) {
            o.raw(ADDITIONAL, &whole.json);
        } else if !self.0.is_empty() {
            o.object(ADDITIONAL, |o| self.0.iter().for_each(|(name, json)| o.raw(name, json)));
        }
    }
}

/// The name of an additional member, if the extension is one; notes are not.
fn name(own: &Extension) -> Option<&str> {
    let ours = own.format == FORMAT && own.json != "null";
    own.key.strip_prefix(ADDITIONAL)?.strip_prefix('.').filter(|_| ours)
}

/// Whether an extension of a request is written here.
pub(super) fn is_additional(own: &Extension) -> bool {
    own.key.starts_with(ADDITIONAL)
}
