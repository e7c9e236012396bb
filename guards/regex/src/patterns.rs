//! The operator's patterns, compiled once for each instance.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use weir_sdk::guard::find::second;
use weir_sdk::guard::{Configured, Finder, Found, OptionValues, ScreenWords, Setup};

use crate::required;

/// The message of a refusal, unless the option `message` sets another.
const MESSAGE: &str = "this contains something that is not allowed here";
/// The option that has the patterns.
const OPTION: &str = "patterns";
/// The most patterns.
const MAX_PATTERNS: usize = 64;
/// The most bytes that one compiled pattern may take.
const SIZE: usize = 1 << 20;

/// A pattern as the option has it.
#[derive(Debug, Deserialize)]
struct Written {
    name: String,
    pattern: String,
}

/// Compiled patterns, each with its name.
#[derive(Debug, Default)]
pub(crate) struct Patterns(Vec<(String, Regex)>);

thread_local! {
    /// The patterns of the last call, with the text of the option that they were compiled from.
    static LAST: RefCell<(String, Rc<Patterns>)> = RefCell::default();
}

/// The compiled patterns of the option. An instance that serves several exchanges compiles them once.
fn compiled(options: OptionValues<'_>) -> Result<Rc<Patterns>, String> {
    let json = options.json(OPTION).ok_or("the option `patterns` is missing")?;
    LAST.with_borrow_mut(|(known, patterns)| {
        if known != json {
            *patterns = Rc::new(Patterns::new(options.get(OPTION)?.unwrap_or_default())?);
            json.clone_into(known);
        }
        Ok(Rc::clone(patterns))
    })
}

impl Patterns {
    fn new(written: Vec<Written>) -> Result<Self, String> {
        if written.is_empty() || written.len() > MAX_PATTERNS {
            return Err(format!("the option `patterns` needs 1 to {MAX_PATTERNS} patterns"));
        }
        let compile = |Written { name, pattern }| match RegexBuilder::new(&pattern).size_limit(SIZE).build() {
            Ok(regex) => Ok((name, regex)),
            Err(error) => Err(format!("the pattern `{name}` is wrong: {error}")),
        };
        written.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }
}

/// Compiled patterns that several exchanges of one instance use.
#[derive(Debug)]
pub(crate) struct Shared(Rc<Patterns>);

impl Configured for Shared {
    const NAME: &'static str = "regex";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "finds your own patterns in requests and answers";
    const SETTINGS: &'static str = include_str!("settings.json");

    fn setup(options: OptionValues<'_>) -> Result<Setup<Self>, String> {
        Ok(Setup {
            finder: Self(compiled(options)?),
            action: options.get("action")?.unwrap_or_default(),
            message: options.get("message")?.unwrap_or_else(|| MESSAGE.to_owned()),
            restores: false,
        })
    }
}

/// The places where a pattern fits from one on, in order. What fits nothing is no finding.
fn places(regex: &Regex, text: &str, mut at: usize) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    while at <= text.len()
        && let Some(found) = regex.find_at(text, at)
    {
        at = found.end();
        if found.is_empty() {
            at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        } else {
            all.push(found.range());
        }
    }
    all
}

impl Shared {
    /// Finds everything from a place on.
    fn find_from(&self, text: &str, at: usize) -> Vec<Found> {
        let of_one = |(name, regex): &'_ (String, Regex)| {
            let found = places(regex, text, at).into_iter();
            found.map(|range| Found { range, label: name.clone() }).collect::<Vec<_>>()
        };
        let mut all: Vec<Found> = self.0.0.iter().flat_map(of_one).collect();
        all.sort_by_key(|found| (found.range.start, usize::MAX - found.range.end));
        let mut end = 0;
        all.retain(|found| {
            let is_free = found.range.start >= end;
            if is_free {
                end = found.range.end;
            }
            is_free
        });
        all
    }
}

impl Finder for Shared {
    fn find(&self, text: &str) -> Vec<Found> {
        self.find_from(text, 0)
    }

    fn find_behind_first(&self, text: &str) -> Vec<Found> {
        self.find_from(text, second(text))
    }

    fn words(&self) -> Option<ScreenWords> {
        required::words(self.0.0.iter().map(|(_, regex)| regex.as_str())).map(ScreenWords::spelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(all: &[(&str, &str)]) -> Result<Patterns, String> {
        let written = |(name, pattern): &(&str, &str)| Written { name: (*name).into(), pattern: (*pattern).into() };
        Patterns::new(all.iter().map(written).collect())
    }

    #[test]
    fn overlapping_findings_are_one_and_empty_ones_none() {
        let patterns =
            patterns(&[("word", "[a-z]+"), ("number", "[0-9]+"), ("long", "abc 1"), ("empty", "x*")]).unwrap();
        let found: Vec<_> =
            Shared(Rc::new(patterns)).find("abc 12 de").into_iter().map(|one| (one.range, one.label)).collect();
        assert_eq!(found, [(0..5, "long".into()), (7..9, "word".into())]);
    }

    #[test]
    fn what_was_judged_before_is_looked_back_at_and_not_found_again() {
        let patterns =
            patterns(&[("four", "[0-9]{4}"), ("head", "^b"), ("word", r"\bcat\b"), ("empty", "z*")]).unwrap();
        let shared = Shared(Rc::new(patterns));
        for (text, expected) in [
            ("12345 yé", vec![(1..5, "four")]),
            ("1234", vec![]),
            ("abc", vec![]),
            ("xcat", vec![]),
            ("é cat", vec![(3..6, "word")]),
            ("-cat", vec![(1..4, "word")]),
            ("", vec![]),
        ] {
            let found = shared.find_behind_first(text);
            let found: Vec<_> = found.iter().map(|one| (one.range.clone(), one.label.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn wrong_patterns_are_named() {
        assert!(patterns(&[("odd", "(")]).unwrap_err().contains("`odd`"));
        assert!(patterns(&[("big", "\\w{5000}")]).unwrap_err().contains("`big`"));
        assert!(patterns(&[]).is_err());
    }
}
