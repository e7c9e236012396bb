//! Searches texts for words.

/// Whether `words` occur in the text. The standard library's search is faster, which errors do not need, and would add
/// some ten kilobytes to each component: its panics print the text, with Unicode tables.
pub(super) fn has(text: &str, words: &str) -> bool {
    let (text, words) = (text.as_bytes(), words.as_bytes());
    (0..text.len()).any(|at| text.get(at..).is_some_and(|rest| rest.starts_with(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_wherever_they_stand() {
        assert!(has("abc", "abc") && has("xabc", "abc") && has("abcx", "abc") && has("aabc", "abc"));
        assert!(!has("ab", "abc") && !has("", "abc") && !has("acb", "ab"));
    }
}
