//! Patterns of model names.

use std::fmt;

/// A model's name, in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: Box<str>,
    /// The place of the first `*`.
    star: Option<usize>,
}

impl Pattern {
    /// A pattern of this text.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), star: text.find('*') }
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a name without `*`.
    pub(crate) fn is_exact(&self) -> bool {
        self.star.is_none()
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        let Some(star) = self.star else { return name == &*self.text };
        let (first, others) = (&self.text[..star], &self.text[star + 1..]);
        // Most names differ from most patterns here.
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut parts = others.split('*');
        let Some(last) = parts.next_back() else { return false };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// The number of literal characters; the most for an exact name.
    pub(super) fn specificity(&self) -> u16 {
        if self.is_exact() {
            return u16::MAX;
        }
        let literal = self.text.bytes().filter(|byte| *byte != b'*').count();
        u16::try_from(literal).unwrap_or(u16::MAX - 1).min(u16::MAX - 1)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, does) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*b", "ab", true),
            ("a*a", "a", false),
            ("*-mini-*", "x-mini-2", true),
            ("*b*b", "ab", false),
            ("a**b", "axb", true),
            ("", "", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), does, "{pattern} {name}");
        }
    }

    #[test]
    fn an_exact_name_is_the_most_specific() {
        let rank = ["*", "a*", "*ab", "ab"].map(|text| Pattern::new(text).specificity());
        assert!(rank.is_sorted() && rank.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
