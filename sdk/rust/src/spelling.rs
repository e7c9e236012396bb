//! The names of fields in a client's format, if they differ from the unified model's.
//!
//! Providers name lost fields by the unified model's paths: `messages[1].content[0].cache_control`. A dialect whose
//! format has other names adds them to the request, so that the client gets `system[0].cache_control`.

use crate::json;
use crate::types::Extension;

/// The format of the note; the host removes it before a provider gets the request.
pub const FORMAT: &str = "weir";
const KEY: &str = "names";

/// Patterns and their replacements. In a pattern `#` stands for a number; in a replacement `#0` is the first number,
/// `#1` the second, `#0-1` one less than the first. The first pattern that matches a field's beginning counts.
pub type Rules<'r> = &'r [(&'r str, &'r str)];

/// The note with these rules, in order.
pub fn names(rules: &[Rules<'_>]) -> Extension {
    let mut json = String::with_capacity(1024);
    json::array(&mut json, |a| {
        for (pattern, replacement) in rules.iter().copied().flatten() {
            a.array(|a| {
                a.str(pattern);
                a.str(replacement);
            });
        }
    });
    Extension { format: FORMAT.to_owned(), key: KEY.to_owned(), json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_pairs_in_order() {
        let note = names(&[&[("messages[0].content", "system")], &[("stop", "stop_sequences")]]);
        assert_eq!((note.format.as_str(), note.key.as_str()), (FORMAT, KEY));
        assert_eq!(note.json, r#"[["messages[0].content","system"],["stop","stop_sequences"]]"#);
    }
}
