//! Members that the unified model does not have, kept as extensions under their camelCase names; and notes for this
//! format, which are extensions with the value `null` that other formats do not report as lost.

use weir_sdk::json::Rest;
use weir_sdk::types::Extension;

use crate::FORMAT;

/// A member's name in camelCase.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' && !out.is_empty() {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// Keeps members as extensions; `place` is the prefix of their names (`generationConfig.`).
pub(crate) fn extensions(place: &str, rest: Rest<'_>) -> Vec<Extension> {
    let known = rest.0.into_iter().filter(|(_, raw)| raw.get() != "null");
    known.map(|(key, raw)| own(format!("{place}{}", camel(&key)), raw.get())).collect()
}

/// An extension of this format.
pub(crate) fn own(key: impl Into<String>, json: impl Into<String>) -> Extension {
    Extension { format: FORMAT.into(), key: key.into(), json: json.into() }
}

/// An extension under this adapter's name, which only it reads back.
pub(crate) fn note(key: &str) -> Extension {
    own(key, "null")
}

/// Whether a note is there.
pub(crate) fn is_noted(extensions: &[Extension], key: &str) -> bool {
    extensions.iter().any(|note| note.format == FORMAT && note.json == "null" && note.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c87_snake_case_becomes_camel_case() {
        assert_eq!(camel("safety_settings"), "safetySettings");
        assert_eq!(camel("googleSearch"), "googleSearch");
        assert_eq!(camel("_response_json_schema"), "_responseJsonSchema");
    }
}
