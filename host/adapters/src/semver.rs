//! Compares versions of adapters by the rules of semantic versioning.

use std::cmp::Ordering;

/// Whether a version is certainly older than another. A text that is not a version is never older or newer.
pub fn is_older(version: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (Parsed::of(version), Parsed::of(other)) else { return false };
    one.cmp(&other) == Ordering::Less
}

struct Parsed<'a> {
    numbers: Vec<u64>,
    /// Pre-release identifiers; `None` for a release.
    before: Option<Vec<&'a str>>,
}

impl<'a> Parsed<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, before) = match text.split_once('-') {
            Some((numbers, before)) => (numbers, Some(before.split('.').collect())),
            None => (text, None),
        };
        let numbers = numbers.split('.').map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()?;
        Some(Self { numbers, before })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let len = self.numbers.len().max(other.numbers.len());
        let padded = |one: &Self| (0..len).map(|at| one.numbers.get(at).copied().unwrap_or(0)).collect::<Vec<_>>();
        padded(self).cmp(&padded(other)).then_with(|| match (&self.before, &other.before) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => identifiers(one, other),
        })
    }
}

/// Compares pre-release identifiers: numbers by value and before words, words by their bytes, fewer before more.
fn identifiers(one: &[&str], other: &[&str]) -> Ordering {
    let by_kind = |(one, other): (&&str, &&str)| match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => one.cmp(other),
    };
    let differs = one.iter().zip(other).map(by_kind).find(|order| *order != Ordering::Equal);
    differs.unwrap_or_else(|| one.len().cmp(&other.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_and_other_texts_are_not() {
        let ascending =
            ["0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1", "1.10.0"];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                assert_eq!(is_older(one, other), at < other_at, "{one} and {other}");
            }
        }
        for (one, other) in
            [("1.0", "1.0.0"), ("1.0.0+a", "1.0.0+b"), ("v1.2.3", "1.2.3"), ("nightly", "1.0"), ("1", "x")]
        {
            assert!(!is_older(one, other) && !is_older(other, one), "{one} and {other}");
        }
    }
}
