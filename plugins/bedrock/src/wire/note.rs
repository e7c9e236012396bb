//! Members that the unified model does not have, kept as extensions; and notes for this format, which are extensions
//! with the value `null` that other formats do not report as lost.

use weir_sdk::json::Rest;
use weir_sdk::types::Extension;

use crate::FORMAT;

/// Keeps members as extensions; `place` is the prefix of their names.
pub(crate) fn extensions(place: &str, rest: Rest<'_>) -> Vec<Extension> {
    let known = rest.0.into_iter().filter(|(_, raw)| raw.get() != "null");
    known.map(|(key, raw)| own(format!("{place}{key}"), raw.get())).collect()
}

/// An extension of this format.
pub(crate) fn own(key: impl Into<String>, json: impl Into<String>) -> Extension {
    Extension { format: FORMAT.into(), key: key.into(), json: json.into() }
}

/// An extension under this adapter's name, which only it reads back.
pub(crate) fn note(key: &str) -> Extension {
    own(key, "null")
}

/// Key of the note on a request that came in this format.
pub(crate) const OWN_REQUEST: &str = "converse";

/// Whether a note is present.
pub(crate) fn is_noted(extensions: &[Extension], key: &str) -> bool {
    extensions.iter().any(|note| note.format == FORMAT && note.json == "null" && note.key == key)
}
