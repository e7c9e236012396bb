//! The words that a pattern needs: every text that it fits has one of them, so that others need not be searched.

use std::collections::BTreeSet;

use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};

/// The most words of all patterns together. A guard whose patterns need more judges everything.
const MAX_WORDS: usize = 1024;
/// A class of more characters, such as that of the digits, is none of a word's letters in several spellings.
const MAX_SPELLINGS: usize = 4;

/// Words of which each text has one that any of the patterns fits; `None` if a pattern fits texts without such a word.
pub(crate) fn words<'p>(patterns: impl Iterator<Item = &'p str>) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for pattern in patterns {
        all.extend(of_pattern(&regex_syntax::parse(pattern).ok()?)?);
    }
    Some(all).filter(|words| words.len() <= MAX_WORDS)
}

/// The words with which all matches begin, or those with which they end: whichever are longer at least.
fn of_pattern(pattern: &Hir) -> Option<Vec<String>> {
    let words = |kind| of_seq(&Extractor::new().kind(kind).limit_class(MAX_SPELLINGS).extract(pattern));
    let shortest = |words: &Vec<String>| words.iter().map(String::len).min().unwrap_or(usize::MAX);
    [words(ExtractKind::Prefix), words(ExtractKind::Suffix)].into_iter().flatten().max_by_key(shortest)
}

/// The literals of a sequence; `None` if it has others, or one that every text has.
fn of_seq(seq: &Seq) -> Option<Vec<String>> {
    let word = |literal: &regex_syntax::hir::literal::Literal| {
        let text = std::str::from_utf8(literal.as_bytes()).ok()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    seq.literals()?.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn of(pattern: &str) -> Option<Vec<String>> {
        words([pattern].into_iter()).map(|words| words.into_iter().collect())
    }

    #[test]
    fn the_words_of_a_pattern_are_those_that_it_cannot_do_without() {
        for (pattern, expected) in [
            ("project-[0-9]{4}-(north|south)", &["project-"][..]),
            (r"\bAKIA[0-9A-Z]{16}\b", &["AKIA"]),
            ("(?:alpha|beta)+ [a-z]*", &["alpha", "beta"]),
            (r"[a-z.]+@corp\.example", &["@corp.example"]),
            ("(?i)No", &["NO", "No", "nO", "no"]),
            ("^größe$", &["größe"]),
        ] {
            assert_eq!(of(pattern).unwrap_or_default(), expected, "{pattern}");
        }
        for pattern in [r"\d{3}-\d{2}", ".*", "", "a?b?", "(?i)[a-z]+", "x|", "(?s)..", r"\b"] {
            assert_eq!(of(pattern), None, "{pattern}");
        }
        assert_eq!(words(["sure", r"\d"].into_iter()), None, "one that fits anything is enough");
    }

    #[test]
    fn a_text_that_a_pattern_fits_has_one_of_its_words() {
        for (pattern, text) in [
            ("project-[0-9]{4}-(north|south)", "see project-1234-south."),
            ("(?i)straße|passwor(t|d)", "Das PASSWORT ist geheim, die STRASSE nicht, die \u{17f}traße auch"),
            ("(?i)kelvin", "273 \u{212a}elvin"),
            ("(foo|bar)(baz)?|qux{2,3}", "a barbaz and quxx"),
            (r"(?m)^key:\s+\w+$", "x\nkey:\t value\n"),
            ("(?x) a b c # comment", "zabcz"),
            ("[ab]c|d[ef]", "xac df"),
        ] {
            let words = of(pattern).unwrap_or_default();
            let regex = Regex::new(pattern).unwrap();
            let found: Vec<&str> = regex.find_iter(text).map(|found| found.as_str()).collect();
            assert!(!found.is_empty(), "{pattern}");
            for one in found {
                assert!(words.iter().any(|word| one.contains(word.as_str())), "{pattern}: {one} has none of {words:?}");
            }
        }
    }
}
