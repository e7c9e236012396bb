//! Tool names and ids that fit the format's patterns, and the way back.
//!
//! What does not fit is shortened and gets a hash of the whole as its tail, so that the same name always becomes the
//! same one and different names stay different.

use std::borrow::Cow;

use weir_sdk::json::{RawValue, Str, object, parse};

use crate::wire::Unnamed;

/// The longest tool name: `^[a-zA-Z0-9_-]{1,128}$`.
const NAME_LIMIT: usize = 128;
/// The longest id that is passed on; the format sets the pattern `^[a-zA-Z0-9_-]+$` and no limit.
const ID_LIMIT: usize = 256;
const HASH_LENGTH: usize = 13;

/// A tool's name as the format allows it.
pub(crate) fn fitting_name(name: &str) -> Cow<'_, str> {
    fitting(name, NAME_LIMIT)
}

/// A tool call's id as the format allows it.
pub(crate) fn fitting_id(id: &str) -> Cow<'_, str> {
    fitting(id, ID_LIMIT)
}

fn fitting(text: &str, limit: usize) -> Cow<'_, str> {
    let fits = |c: &u8| c.is_ascii_alphanumeric() || *c == b'_' || *c == b'-';
    if !text.is_empty() && text.len() <= limit && text.as_bytes().iter().all(fits) {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().map(|c| if c.is_ascii() && fits(&(c as u8)) { c } else { '_' }).collect();
    short.truncate(limit - HASH_LENGTH);
    short.push('_');
    push_hash(&mut short, text);
    Cow::Owned(short)
}

/// Appends twelve hex digits of a 64-bit FNV-1a hash.
pub(crate) fn push_hash(out: &mut String, text: &str) {
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
        let sent = fitting_name(name);
        if let Cow::Owned(short) = &sent
            && !self.0.iter().any(|(known, _)| known == short)
        {
            self.0.push((short.clone(), name.to_owned()));
        }
        sent
    }

    /// The name of a tool that stands for the format of the answer. Its name for the client is none.
    pub(crate) fn answer(&mut self, name: &str) -> String {
        let sent = fitting_name(name).into_owned();
        self.0.push((sent.clone(), String::new()));
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

    /// The client's name for the one that came back; an empty one for the call that is the answer.
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
    fn c46_ids_outside_the_pattern_become_the_same_fitting_id_each_time() {
        assert_eq!(fitting_id("toolu_01AbC-9"), "toolu_01AbC-9");
        let id = fitting_id("functions.get:0|x");
        assert_eq!(id, fitting_id("functions.get:0|x"));
        assert_ne!(id, fitting_id("functions.get:0|y"));
        assert!(id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-'), "{id}");
        assert_eq!(fitting_id(""), fitting_id(""));
        assert!(!fitting_id("").is_empty());
    }

    #[test]
    fn c47_long_and_odd_names_are_shortened_with_a_hash_and_restored() {
        let (dotted, long) = ("mcp.server/tool é", "x".repeat(300));
        let mut names = Names::default();
        let (short, cut) = (names.send(dotted).into_owned(), names.send(&long).into_owned());
        assert!(cut.len() <= NAME_LIMIT && cut != names.send(&"x".repeat(301)));
        assert_eq!(names.send("plain"), "plain");
        let back = Names::from_memo(&names.to_memo());
        assert_eq!(back.restore(short), dotted);
        assert_eq!(back.restore(cut), long);
        assert_eq!(back.restore("plain".into()), "plain");
    }

    #[test]
    fn unchanged_names_need_no_memo() {
        let mut names = Names::default();
        names.send("get_weather");
        assert_eq!(names.to_memo(), "");
    }
}
