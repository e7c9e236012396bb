//! Tool names that fit the format's pattern, and the way back.
//!
//! What does not fit is shortened and gets a hash of the whole as its tail, so that the same name always becomes the
//! same one and different names stay different.

use std::borrow::Cow;

use weir_sdk::json::{RawValue, Str, object, parse};

use crate::wire::Unnamed;

/// The longest tool name; it begins with a letter or `_` and has letters, digits, `_`, `.`, `:` and `-`.
const LIMIT: usize = 64;
const HASH_LENGTH: usize = 13;

/// A tool's name as the format allows it.
fn fitting(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    if name.len() <= LIMIT && name.starts_with(begins) && name.chars().all(fits) {
        return Cow::Borrowed(name);
    }
    let mut short = String::from(if name.starts_with(begins) { "" } else { "_" });
    short.extend(name.chars().map(|c| if fits(c) { c } else { '_' }));
    short.truncate(LIMIT - HASH_LENGTH);
    short.push('_');
    push_hash(&mut short, name);
    Cow::Owned(short)
}

/// Appends twelve hex digits of a 64-bit FNV-1a hash.
fn push_hash(out: &mut String, text: &str) {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    for shift in (0..12).rev() {
        let digit = (hash >> (shift * 4)) as u32 & 0xf;
        out.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}

/// The names that were changed, for the way back.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<(String, String)>);

impl Names {
    /// The name to send; remembered if it is not the client's.
    pub(crate) fn send<'a>(&mut self, name: &'a str) -> Cow<'a, str> {
        let sent = fitting(name);
        if let Cow::Owned(short) = &sent
            && !self.0.iter().any(|(known, _)| known == short)
        {
            self.0.push((short.clone(), name.to_owned()));
        }
        sent
    }

    /// The memo: empty where no name was changed.
    pub(crate) fn to_memo(&self) -> String {
        let mut memo = String::new();
        if !self.0.is_empty() {
            object(&mut memo, |o| self.0.iter().for_each(|(short, name)| o.str(short, name)));
        }
        memo
    }

    /// Reads a memo; an unreadable one is as good as none.
    pub(crate) fn from_memo(memo: &str) -> Self {
        if memo.is_empty() {
            return Self::default();
        }
        let read = parse::<Unnamed<'_>>(memo).unwrap_or_default();
        let name = |raw: &RawValue| parse::<Str<'_>>(raw.get()).map(Str::into_string).ok();
        Self(read.rest.0.into_iter().filter_map(|(short, raw)| Some((short.into_string(), name(raw)?))).collect())
    }

    /// The client's name for the one that came back.
    pub(crate) fn restore(&self, name: String) -> String {
        match self.0.iter().find(|(short, _)| *short == name) {
            Some((_, original)) => original.clone(),
            None => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c47_long_and_odd_names_are_shortened_with_a_hash_and_restored() {
        let (odd, digit, long) = ("mcp/tool é", "7up", "x".repeat(300));
        let mut names = Names::default();
        let sent: Vec<String> = [odd, digit, &long].iter().map(|name| names.send(name).into_owned()).collect();
        assert!(sent.iter().all(|name| name.len() <= LIMIT && !name.starts_with('7')));
        assert_ne!(sent[2], names.send(&"x".repeat(301)).into_owned());
        assert_eq!(names.send("mcp.server:get-weather"), "mcp.server:get-weather");
        let back = Names::from_memo(&names.to_memo());
        for (short, name) in sent.into_iter().zip([odd, digit, &long]) {
            assert_eq!(back.restore(short), name);
        }
        assert_eq!(back.restore("plain".into()), "plain");
    }

    #[test]
    fn unchanged_names_need_no_memo() {
        let mut names = Names::default();
        names.send("get_weather");
        assert_eq!(names.to_memo(), "");
    }
}
