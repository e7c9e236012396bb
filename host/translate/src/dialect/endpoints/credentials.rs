//! The places of clients' credentials, and their removal from a request's head.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use memchr::memmem;
use smallvec::SmallVec;

use weir_types::contract::about::{AuthScheme, CredentialPlace, Manifest};
use weir_types::query;

/// Headers that carry credentials in every format.
const USUAL: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
/// The least length of a credential, in bytes, that is searched for in other headers and parameters.
const MIN_CREDENTIAL_BYTES: usize = 8;

/// The places of credentials. Those that known adapters declare apply to every request; those of an unknown adapter
/// apply to requests to itself only.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    shared: Places,
    own: HashMap<Arc<str>, Places, RandomState>,
}

/// Names of headers and of query parameters.
#[derive(Debug, Clone, Default)]
struct Places {
    headers: BTreeSet<String>,
    /// The lengths of the headers' names, a bit for each up to 63. They alone rule out most headers.
    lengths: u64,
    queries: BTreeSet<String>,
}

/// Where a handshake offers subprotocols, of which one may be a credential.
const SUBPROTOCOLS: &str = "sec-websocket-protocol";

impl Places {
    /// The places that an adapter declares, including those of its provider's keys: clients that were written for
    /// that provider put their own keys there.
    fn of(manifest: &Manifest) -> Self {
        let mut places = Self::default();
        for place in manifest.faces.iter().flat_map(|face| &face.credentials) {
            match place {
                CredentialPlace::Header(header) => places.add_header(header.name.to_ascii_lowercase()),
                CredentialPlace::Query(name) => _ = places.queries.insert(name.clone()),
                CredentialPlace::Subprotocol(_) => places.add_header(SUBPROTOCOLS.to_owned()),
            }
        }
        for auth in &manifest.auth {
            match &auth.scheme {
                AuthScheme::Header(header) => places.add_header(header.name.to_ascii_lowercase()),
                AuthScheme::Query(name) => _ = places.queries.insert(name.clone()),
                _ => {}
            }
        }
        places
    }

    fn add_header(&mut self, name: String) {
        self.lengths |= length_bit(&name);
        self.headers.insert(name);
    }

    fn extend(&mut self, more: Self) {
        self.lengths |= more.lengths;
        self.headers.extend(more.headers);
        self.queries.extend(more.queries);
    }

    /// Whether a header, by its name in lower case, is a place.
    fn has_header(&self, name: &str) -> bool {
        self.lengths & length_bit(name) != 0 && self.headers.contains(name)
    }
}

impl Credentials {
    /// Adds the places that an adapter declares.
    pub(super) fn declare(&mut self, adapter: &Arc<str>, manifest: &Manifest, is_known: bool) {
        let places = Places::of(manifest);
        if is_known {
            self.shared.extend(places);
        } else {
            self.own.insert(Arc::clone(adapter), places);
        }
    }

    /// Headers in which credentials may stand in a request to any adapter.
    pub(super) fn headers(&self) -> impl Iterator<Item = &str> {
        self.shared.headers.iter().map(String::as_str)
    }

    #[cfg(test)]
    pub(super) fn is_query(&self, name: &str) -> bool {
        self.shared.queries.contains(name)
    }

    /// Removes credentials from the head of a request to this adapter: the values of all credential places and of the
    /// `named` headers, and any other header or parameter that contains the same text.
    pub(super) fn remove(
        &self,
        adapter: &str,
        named: &[String],
        mut headers: HeaderMap,
        query: &str,
    ) -> (HeaderMap, String) {
        let own = self.own.get(adapter);
        let mut held = SmallVec::<[HeaderValue; 2]>::new();
        let is_place = |name: &str| {
            USUAL.contains(&name)
                || self.shared.has_header(name)
                || own.is_some_and(|own| own.has_header(name))
                || named.iter().any(|named| named.eq_ignore_ascii_case(name))
        };
        let places: SmallVec<[HeaderName; 2]> =
            headers.keys().filter(|name| is_place(name.as_str())).cloned().collect();
        for name in places {
            if name != header::COOKIE {
                held.extend(headers.get_all(&name).iter().cloned());
            }
            headers.remove(name);
        }
        let is_place =
            |name: &str| self.shared.queries.contains(name) || own.is_some_and(|own| own.queries.contains(name));
        let (bare, queried) = without(query, is_place);
        let keys = held.iter().map(key_in).chain(queried.iter().map(String::as_bytes));
        let keys: SmallVec<[&[u8]; 2]> = keys.filter(|key| key.len() >= MIN_CREDENTIAL_BYTES).collect();
        if keys.is_empty() {
            return (headers, bare);
        }
        // Most values are shorter than a key, and no search begins.
        let holds = |value: &[u8], key: &[u8]| value.len() >= key.len() && memmem::find(value, key).is_some();
        let repeats = |value: &[u8]| keys.iter().any(|key| holds(value, key));
        let found = headers.iter().filter(|(_, value)| repeats(value.as_bytes()));
        for name in found.map(|(name, _)| name.clone()).collect::<Vec<HeaderName>>() {
            headers.remove(name);
        }
        if bare.is_empty() {
            return (headers, bare);
        }
        let is_bare = |(name, value): (String, String)| !repeats(name.as_bytes()) && !repeats(value.as_bytes());
        let is_clean = |pair: &&str| query::pairs(pair).all(is_bare);
        let clean = bare.split('&').filter(is_clean).collect::<Vec<_>>().join("&");
        (headers, clean)
    }
}

/// The bit of a name's length.
fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// The credential in a header's value: the text after the scheme, if there is one.
fn key_in(value: &HeaderValue) -> &[u8] {
    value.as_bytes().trim_ascii().rsplit(|byte| *byte == b' ').next().unwrap_or_default()
}

/// Splits a query into the parameters outside these places and the values of those inside.
fn without(query: &str, is_place: impl Fn(&str) -> bool) -> (String, Vec<String>) {
    if query.is_empty() {
        return (String::new(), Vec::new());
    }
    let mut held = Vec::new();
    let is_bare = |pair: &&str| {
        query::pairs(pair).all(|(name, value)| {
            let is_place = is_place(&name);
            if is_place {
                held.push(value);
            }
            !is_place
        })
    };
    let bare = query.split('&').filter(is_bare).collect::<Vec<_>>().join("&");
    (bare, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_behind_as_a_name_of_a_parameter_and_as_a_value() {
        let (name, value) = (header::AUTHORIZATION, HeaderValue::from_static("Bearer weir-0123456789"));
        for query in ["weir-0123456789&x=1", "x=1&a-weir%2D0123456789=2", "x=1&y=weir-0123456789"] {
            let headers = HeaderMap::from_iter([(name.clone(), value.clone())]);
            let (headers, clean) = Credentials::default().remove("a", &[], headers, query);
            assert_eq!((headers.len(), clean.as_str()), (0, "x=1"), "{query}");
        }
    }
}
