//! Looks for the ids of other clients' objects in the bodies of requests.

use bytes::Bytes;

use super::recorder::SHORTEST_ID;
use super::short_strings::{ShortStrings, short_strings};
use super::words::Words;
use super::{Owners, may_be_owned};

/// The first word of a JSON body's strings that is the id of another client's object, even within a path (`things/ID`).
/// Strings with spaces are prose, in which an id names nothing.
pub(crate) fn anothers(owners: &Owners, tenant: &str, body: &[Bytes]) -> Option<String> {
    let mut seen = Anothers::new(owners, tenant);
    short_strings(body, &mut |string| seen.look_in(string));
    seen.found
}

/// Searches texts that arrive in pieces, such as the messages of a session, as [`anothers`] does.
#[derive(Debug, Default)]
pub(crate) struct OthersSearch {
    strings: ShortStrings,
    found: Option<String>,
}

impl OthersSearch {
    /// Searches a piece; with the last one of a text, returns what the text has, and begins with the next text.
    pub(crate) fn push(&mut self, owners: &Owners, tenant: &str, piece: &[u8], is_last: bool) -> Option<String> {
        if self.found.is_none() {
            let mut seen = Anothers::new(owners, tenant);
            self.strings.push(piece, &mut |string| seen.look_in(string));
            self.found = seen.found;
        }
        if is_last { std::mem::take(self).found } else { None }
    }
}

/// Finds another's object in the text of a form's field.
pub(crate) fn anothers_in_field(owners: &Owners, tenant: &str, text: &str) -> Option<String> {
    let mut seen = Anothers::new(owners, tenant);
    seen.look_in(text.as_bytes());
    seen.found
}

/// Finds another's object in any text, such as a file of requests, where every word counts.
pub(crate) fn anothers_in_text(owners: &Owners, tenant: &str, body: &[Bytes]) -> Option<String> {
    let (mut seen, mut words) = (Anothers::new(owners, tenant), Words::default());
    for chunk in body {
        words.push(chunk, &mut |word| seen.look(word));
    }
    words.end(&mut |word| seen.look(word));
    seen.found
}

/// A search for the id of another client's object.
struct Anothers<'a> {
    owners: &'a Owners,
    tenant: &'a str,
    found: Option<String>,
    /// The words of the string that is looked at.
    words: Words,
}

impl<'a> Anothers<'a> {
    fn new(owners: &'a Owners, tenant: &'a str) -> Self {
        Self { owners, tenant, found: None, words: Words::default() }
    }

    /// Looks at a string, unless it is prose.
    fn look_in(&mut self, string: &[u8]) {
        let string = string.trim_ascii();
        if string.len() >= SHORTEST_ID && !string.contains(&b' ') {
            let mut words = std::mem::take(&mut self.words);
            words.push(string, &mut |word| self.look(word));
            words.end(&mut |word| self.look(word));
            self.words = words;
        }
    }

    fn look(&mut self, word: &[u8]) {
        if self.found.is_none() && may_be_owned(word) && self.owners.is_anothers(word, self.tenant) {
            self.found = Some(String::from_utf8_lossy(word).into_owned());
        }
    }
}
