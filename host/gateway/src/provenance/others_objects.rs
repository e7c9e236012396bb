//! Looks for the ids of other clients' objects in the bodies of requests.

use bytes::Bytes;

use super::recorder::SHORTEST_ID;
use super::short_strings::short_strings;
use super::words::Words;
use super::{Owners, may_be_owned};

/// The first word that is the id of another client's object, in a string of a JSON body wherever that stands, also in a path
/// (`things/ID`). Strings with spaces are prose, in which an id names nothing.
pub(crate) fn anothers(owners: &Owners, tenant: &str, body: &[Bytes]) -> Option<String> {
    let mut seen = Anothers { owners, tenant, found: None };
    let mut words = Words::default();
    short_strings(body, &mut |string| {
        let string = string.trim_ascii();
        if string.len() >= SHORTEST_ID && !string.contains(&b' ') {
            words.push(string, &mut |word| seen.look(word));
            words.end(&mut |word| seen.look(word));
        }
    });
    seen.found
}

/// The same in any text, such as a file of requests, where every word counts.
pub(crate) fn anothers_in_text(owners: &Owners, tenant: &str, body: &[Bytes]) -> Option<String> {
    let mut seen = Anothers { owners, tenant, found: None };
    let mut words = Words::default();
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
}

impl Anothers<'_> {
    fn look(&mut self, word: &[u8]) {
        if self.found.is_none() && may_be_owned(word) && self.owners.is_anothers(word, self.tenant) {
            self.found = Some(String::from_utf8_lossy(word).into_owned());
        }
    }
}
