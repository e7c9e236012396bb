//! Changes ids and names that a format would refuse, so that each stays distinct, and restores them.
//!
//! A name that does not fit is shortened and ends in a hash of the whole, so that the same name always gives the same
//! result and different names stay different.

use std::borrow::Cow;

use crate::json::{RawValue, Str, object, parse};

crate::wire! {
    /// Members of any name.
    struct Memo<'a> {}
}

/// The rule for an id or a name.
#[derive(Debug, Clone, Copy)]
pub struct IdRule {
    /// The most characters.
    pub max: usize,
    /// Allowed characters besides letters and digits; `None` allows any.
    pub also: Option<&'static str>,
    /// Whether it must have exactly `max` characters.
    pub exact: bool,
}

impl IdRule {
    /// Allows any name.
    pub const ANY: Self = Self { max: usize::MAX, also: None, exact: false };
    /// OpenAI's rule for names of tools.
    pub const NAME: Self = Self { max: 64, also: Some("_-"), exact: false };

    /// Whether the rule allows `text`.
    pub fn fits(&self, text: &str) -> bool {
        let length = text.chars().count();
        length <= self.max
            && (!self.exact || length == self.max)
            && !text.is_empty()
            && text.chars().all(|c| self.allows(c))
    }

    fn allows(&self, character: char) -> bool {
        let known = |also: &str| also.chars().any(|c| c == character);
        character.is_ascii_alphanumeric() || self.also.is_none_or(known)
    }

    /// `text` changed to fit the rule, always in the same way; different texts stay different. A text that fits is
    /// unchanged.
    pub fn fit(&self, text: &str) -> String {
        if self.fits(text) { text.to_owned() } else { self.fit_always(text) }
    }

    fn fit_always(&self, text: &str) -> String {
        let hash = hex(fnv(text));
        if self.exact || self.max <= hash.len() {
            return hash.chars().take(self.max.min(16)).collect();
        }
        let separator = if self.allows('_') { "_" } else { "" };
        let hash = hash.get(..12).unwrap_or(&hash);
        let room = self.max.saturating_sub(hash.len() + separator.len()).min(128);
        let replacement = if self.allows('_') { '_' } else { 'x' };
        let clean = |c: char| if self.allows(c) { c } else { replacement };
        let mut fitting: String = text.chars().map(clean).take(room).collect();
        fitting.push_str(separator);
        fitting.push_str(hash);
        fitting
    }
}

/// FNV-1a, so that the same text always gives the same name.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn hex(hash: u64) -> String {
    let digit = |shift: u32| char::from_digit((hash >> (shift * 4)) as u32 & 0xf, 16).unwrap_or('0');
    (0..16).rev().map(digit).collect()
}

/// The changed names of a request's tools, kept in the memo to restore them.
#[derive(Debug)]
pub struct Names {
    rule: IdRule,
    letter_first: bool,
    changed: Vec<(String, String)>,
}

impl Names {
    /// Starts without changes.
    pub const fn new(rule: IdRule) -> Self {
        Self { rule, letter_first: false, changed: Vec::new() }
    }

    /// Requires that names begin with a letter or `_`.
    #[must_use]
    pub fn letter_first(self) -> Self {
        Self { letter_first: true, ..self }
    }

    /// The name to send; a changed one is remembered.
    pub fn send<'a>(&mut self, name: &'a str) -> Cow<'a, str> {
        let sent = self.fitting(name);
        if let Cow::Owned(short) = &sent
            && !self.changed.iter().any(|(known, _)| known == short)
        {
            self.changed.push((short.clone(), name.to_owned()));
        }
        sent
    }

    fn fitting<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let begins = !self.letter_first || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if begins && self.rule.fits(name) {
            return Cow::Borrowed(name);
        }
        let mut short = self.rule.fit_always(name);
        if self.letter_first && !short.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            short.insert(0, '_');
            // The hash at the end stays; a character before it is removed.
            if short.len() > self.rule.max {
                short.remove(1);
            }
        }
        Cow::Owned(short)
    }

    /// The name of a tool that represents the answer's format. Its name for the client is empty.
    pub fn answer(&mut self, name: &str) -> String {
        let sent = self.fitting(name).into_owned();
        self.changed.push((sent.clone(), String::new()));
        sent
    }

    /// The memo; empty if no name was changed.
    pub fn to_memo(&self) -> String {
        let mut memo = String::new();
        if !self.changed.is_empty() {
            object(&mut memo, |o| self.changed.iter().for_each(|(short, name)| o.str(short, name)));
        }
        memo
    }

    /// Parses a memo; an unreadable one counts as empty.
    #[must_use]
    pub fn with_memo(mut self, memo: &str) -> Self {
        if !memo.is_empty() {
            let read = parse::<Memo<'_>>(memo).unwrap_or_default();
            let name = |raw: &RawValue| parse::<Str<'_>>(raw.get()).map(Str::into_string).ok();
            let pairs = read.rest.0.into_iter().filter_map(|(short, raw)| Some((short.into_string(), name(raw)?)));
            self.changed = pairs.collect();
        }
        self
    }

    /// The names from a memo.
    pub fn from_memo(rule: IdRule, memo: &str) -> Self {
        Self::new(rule).with_memo(memo)
    }

    /// The client's name for a name in an answer; an empty one for the call that represents the answer.
    pub fn restore(&self, name: String) -> String {
        match self.changed.iter().find(|(short, _)| *short == name) {
            Some((_, original)) => original.clone(),
            None => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: IdRule = IdRule { max: 128, also: Some("_-"), exact: false };

    #[test]
    fn c46_exact_ids_have_exactly_that_length() {
        let rule = IdRule { max: 9, also: Some(""), exact: true };
        assert!(rule.fits(&rule.fit("toolu_01ABC")));
        assert_eq!(rule.fit("abcdefghi"), "abcdefghi");
    }

    #[test]
    fn c46_ids_outside_the_pattern_become_the_same_fitting_id_each_time() {
        assert_eq!(LONG.fit("toolu_01AbC-9"), "toolu_01AbC-9");
        let id = LONG.fit("functions.get:0|x");
        assert_eq!(id, LONG.fit("functions.get:0|x"));
        assert_ne!(id, LONG.fit("functions.get:0|y"));
        assert!(LONG.fits(&id), "{id}");
        assert!(LONG.fits(&LONG.fit("")));
    }

    #[test]
    fn c47_long_and_odd_names_are_shortened_with_a_hash_and_restored() {
        let (odd, digit, long) = ("mcp.server/tool \u{e9}", "7up", "x".repeat(300));
        let mut names = Names::new(LONG).letter_first();
        let sent: Vec<String> = [odd, digit, &long].iter().map(|name| names.send(name).into_owned()).collect();
        assert!(sent.iter().all(|name| LONG.fits(name) && !name.starts_with('7')), "{sent:?}");
        assert_ne!(sent[2], names.send(&"x".repeat(301)).into_owned());
        assert_eq!(names.send("plain"), "plain");
        let back = Names::from_memo(LONG, &names.to_memo());
        for (short, name) in sent.into_iter().zip([odd, digit, &long]) {
            assert_eq!(back.restore(short), name);
        }
        assert_eq!(back.restore("plain".into()), "plain");
    }

    #[test]
    fn a_full_name_that_begins_with_a_digit_keeps_its_length() {
        let rule = IdRule { max: 64, also: Some("_"), exact: false };
        let mut names = Names::new(rule).letter_first();
        let digits = "7".repeat(64);
        assert!(rule.fits(&names.send(&digits)) && names.send(&digits).starts_with('_'));
    }

    #[test]
    fn unchanged_names_need_no_memo() {
        let mut names = Names::new(LONG);
        names.send("get_weather");
        assert_eq!(names.to_memo(), "");
    }
}
