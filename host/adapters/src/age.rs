//! Which of two versions of an adapter is the older one, as semantic versioning has it.

use std::cmp::Ordering;

/// Whether a version is certainly older than another. What is no version is of no age.
pub fn is_older(version: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (Parsed::of(version), Parsed::of(other)) else { return false };
    one.cmp(&other) == Ordering::Less
}

struct Parsed<'a> {
    numbers: Vec<u64>,
    /// None for a release.
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

/// Numbers by their value and before words, words by their letters, fewer before more.
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
    fn versions_have_an_order_and_what_is_none_has_no_age() {
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
