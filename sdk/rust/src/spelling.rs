//! How a client's format spells the fields of a request that the unified model names otherwise.
//!
//! Providers name what they lose by the unified model's places: `messages[1].content[0].cache_control`. A dialect whose
//! format has other names tells them along with the request, so that the client reads of `system[0].cache_control`.

use crate::json;
use crate::types::Extension;

/// The format of the note; the host takes it out before any provider sees the request.
pub const FORMAT: &str = "weir";
const KEY: &str = "names";

/// Patterns and their replacements. In a pattern `#` stands for a number, in a replacement `#0` for the first of them,
/// `#1` for the second, `#0-1` for one less than the first. The first pattern that fits a field's beginning counts.
pub type Rules<'r> = &'r [(&'r str, &'r str)];

/// The note of these rules, in order.
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
