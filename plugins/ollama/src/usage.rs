//! Token counts: the format's counts to the unified buckets and back.
//!
//! The server only counts the prompt and the answer, thinking included. The other members of an answer's last line
//! (durations, the legacy `context`) are extensions of the usage.

use weir_sdk::json::Object;
use weir_sdk::types::{Extension, Usage};

use crate::is_own;

/// The usage of an answer; `None` if it has none. An absent count is unknown, not zero.
pub(crate) fn read(prompt: Option<u32>, output: Option<u32>, extensions: Vec<Extension>) -> Option<Usage> {
    let known = prompt.is_some() || output.is_some() || !extensions.is_empty();
    known.then(|| Usage { input: prompt, output, extensions, ..Usage::default() })
}

/// Writes what the end of an answer says: the counts, and members of this family. Buckets of the cache go into the
/// prompt's count, thinking into the answer's: there is no place for either alone.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage) {
    let members = || usage.extensions.iter().filter(|extension| is_own(extension) && extension.json != "null");
    members().for_each(|extension| o.raw(&extension.key, &extension.json));
    o.opt_num("prompt_eval_count", usage.input_total());
    o.opt_num("eval_count", usage.output_total());
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::object;

    #[test]
    fn c60_all_buckets_are_in_the_two_counts_and_what_is_unknown_stays_so() {
        let usage = Usage {
            input: Some(10),
            cache_read: Some(5),
            cache_write: Some(1),
            output: Some(7),
            reasoning: Some(3),
            ..Usage::default()
        };
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage));
        assert_eq!(out, r#"{"prompt_eval_count":16,"eval_count":10}"#);
        assert_eq!(read(None, Some(2), Vec::new()).unwrap().input, None);
        assert_eq!(read(None, None, Vec::new()), None);
    }

    #[test]
    fn c82_a_later_report_replaces_only_what_it_names() {
        let mut known = read(Some(1), None, Vec::new()).unwrap();
        known.update(read(None, Some(2), Vec::new()).unwrap());
        assert_eq!((known.input, known.output), (Some(1), Some(2)));
    }
}
