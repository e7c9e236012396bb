//! Items of answers that clients name in a later request instead of sending them again.
//!
//! A service that stores its answers lets a client name an answer by its id. Some SDKs do so by default, also where
//! Weir translated the answer of another provider, so that no service has stored it. The host therefore keeps the items
//! of such answers as the dialect wrote them, and puts them in the place of their names in later requests, before
//! anything else reads these.
//!
//! No format has to be known: only ids count that the dialect made itself, which end in an underscore and the id of the
//! request that is answered, and only formats whose requests can name earlier answers (the feature `history` of a
//! face). Tenants are kept apart.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memmem, memrchr};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// The feature of faces whose requests can name earlier answers.
const NAMES_ANSWERS: &str = "history";
/// The most bytes of an item that is kept.
const ITEM_LIMIT: usize = 512 * 1024;
/// The average size of an item in bytes, by which the cache plans its slots.
const USUAL_ITEM: usize = 1024;
/// The overhead of an entry in bytes.
const ENTRY: usize = 192;
/// How deep in an answer, or in the last event of a stream, the list of its items is.
const DEPTH: usize = 2;
/// The most bytes of an object that is nothing but a name.
const NAME_LIMIT: usize = 1024;
/// The most names in one request that are looked up.
const MOST_NAMES: usize = 4096;

/// The kept items, bounded in bytes; the least recently used ones are evicted.
#[derive(Debug)]
pub struct EarlierItems {
    known: Cache<Key, Item, Weigher>,
    /// Whether any was ever kept, so that requests without a chance are not searched.
    any: AtomicBool,
}

/// A request is too large with the items that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request has more than {0} bytes with the items of earlier answers that it names (`server.max_body_bytes`): begin a \
     new conversation, or name fewer items"
)]
pub(crate) struct TooMany(usize);

impl From<TooMany> for Fault {
    fn from(too_many: TooMany) -> Self {
        Self::new(Side::Client, ErrorKind::TooLarge, too_many.to_string()).with_status(413)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: Box<str>,
    id: Box<str>,
}

#[derive(Debug, Clone)]
struct Item {
    format: Box<str>,
    /// The item in JSON. Empty if several have had this id, as those of a client that gives its requests the same id.
    json: Bytes,
}

#[derive(Debug, Clone)]
struct Weigher;

impl Weighter<Key, Item> for Weigher {
    fn weight(&self, key: &Key, item: &Item) -> u64 {
        (ENTRY + key.tenant.len() + key.id.len() + item.format.len() + item.json.len()) as u64
    }
}

impl EarlierItems {
    /// Creates a cache of about this many bytes.
    pub fn new(bytes: usize) -> Self {
        let known = Cache::with_weighter((bytes / USUAL_ITEM).max(16), bytes as u64, Weigher);
        Self { known, any: AtomicBool::new(false) }
    }

    fn keep(&self, tenant: &str, format: &str, id: &str, json: &RawValue) {
        if json.get().len() > ITEM_LIMIT {
            return;
        }
        let key = Key { tenant: tenant.into(), id: id.into() };
        let is_other = |known: &Item| known.json != json.get().as_bytes() || *known.format != *format;
        let json = match self.known.get(&key) {
            Some(known) if is_other(&known) => Bytes::new(),
            _ => Bytes::copy_from_slice(json.get().as_bytes()),
        };
        self.known.insert(key, Item { format: format.into(), json });
        // Written only once, so that the flag stays in every core's cache.
        if !self.any.load(Ordering::Relaxed) {
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// Puts known items in the place of their names in a request's body. `None` if it names none.
    ///
    /// # Errors
    ///
    /// The body would have more than `limit` bytes: a request may name an item many times.
    pub(crate) fn put_in(
        &self,
        tenant: &str,
        endpoint: &Endpoint,
        body: &[Bytes],
        limit: usize,
    ) -> Result<Option<Bytes>, TooMany> {
        if !self.any.load(Ordering::Relaxed) || !may_name_answers(endpoint) {
            return Ok(None);
        }
        let body: Cow<'_, [u8]> = match body {
            [one] => Cow::Borrowed(one),
            many => Cow::Owned(many.concat()),
        };
        let mut out = BytesMut::new();
        let mut from = 0;
        for (range, id) in names(&body) {
            let key = Key { tenant: tenant.into(), id: id.into() };
            let known = self.known.get(&key).filter(|item| *item.format == *endpoint.format() && !item.json.is_empty());
            let Some(item) = known else { continue };
            if out.len() + (range.start - from) + item.json.len() + (body.len() - range.end) > limit {
                return Err(TooMany(limit));
            }
            out.extend_from_slice(&body[from..range.start]);
            out.extend_from_slice(&item.json);
            from = range.end;
        }
        if from == 0 {
            return Ok(None);
        }
        out.extend_from_slice(&body[from..]);
        Ok(Some(out.freeze()))
    }
}

/// Keeps the items of one answer.
#[derive(Debug, Clone)]
pub struct ItemKeeper {
    items: Arc<EarlierItems>,
    tenant: Arc<str>,
    endpoint: Arc<Endpoint>,
    request_id: Arc<str>,
}

impl ItemKeeper {
    /// For the answer to a request, if its format's requests can name earlier answers.
    pub fn new(
        items: &Arc<EarlierItems>,
        tenant: &Arc<str>,
        endpoint: &Arc<Endpoint>,
        request_id: &Arc<str>,
    ) -> Option<Self> {
        may_name_answers(endpoint).then(|| Self {
            items: Arc::clone(items),
            tenant: Arc::clone(tenant),
            endpoint: Arc::clone(endpoint),
            request_id: Arc::clone(request_id),
        })
    }

    /// Keeps the items of a whole answer, or of an event with all of it.
    pub fn keep(&self, written: &str) {
        let own = format!("_{}", self.request_id);
        if memmem::find(written.as_bytes(), own.as_bytes()).is_none() {
            return;
        }
        let Ok(answer) = serde_json::from_str::<&RawValue>(written) else { return };
        each_item(answer, DEPTH, &mut |id, json| {
            if id.ends_with(&own) {
                self.items.keep(&self.tenant, self.endpoint.format(), id, json);
            }
        });
    }
}

fn may_name_answers(endpoint: &Endpoint) -> bool {
    endpoint.face.features.iter().any(|feature| feature.name == NAMES_ANSWERS)
}

/// The members of an object, as they stand.
struct Members<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut values = Vec::new();
                while let Some((_, value)) = map.next_entry::<IgnoredAny, &RawValue>()? {
                    values.push(value);
                }
                Ok(Members(values))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// An object with an id, which stands for itself.
#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Calls `each` with the objects that have an id, in lists that are members of an answer or of an object in it.
fn each_item(value: &RawValue, depth: usize, each: &mut dyn FnMut(&str, &RawValue)) {
    let Ok(Members(values)) = serde_json::from_str(value.get()) else { return };
    for value in values {
        let text = value.get();
        if text.starts_with('{') && depth > 1 {
            each_item(value, depth - 1, each);
        } else if text.starts_with('[')
            && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text)
        {
            for item in items {
                if let Ok(Identified { id }) = serde_json::from_str(item.get()) {
                    each(&id, item);
                }
            }
        }
    }
}

/// An object that is nothing but a name: an id, and at most its type and state.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    _kind: Option<IgnoredAny>,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

/// The elements of lists in a JSON text that are nothing but names, with their places. The text is not parsed as a
/// whole: quotes within strings are escaped, so that the member `"id"` cannot be part of one.
fn names(body: &[u8]) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    for at in memmem::find_iter(body, b"\"id\"") {
        if at < from || found.len() == MOST_NAMES {
            continue;
        }
        let least = at.saturating_sub(NAME_LIMIT).max(from);
        let Some(start) = memrchr(b'{', &body[least..at]).map(|start| least + start) else { continue };
        let most = body.len().min(start + NAME_LIMIT);
        let Some(end) = body.get(at..most).and_then(|rest| memchr(b'}', rest)).map(|end| at + end + 1) else {
            continue;
        };
        if !is_element(body, start, end) {
            continue;
        }
        if let Ok(Name { id, .. }) = serde_json::from_slice(&body[start..end]) {
            found.push((start..end, id.into_owned()));
            from = end;
        }
    }
    found
}

/// Whether what stands there in a JSON text is an element of a list: the value of a member has a colon before it.
fn is_element(body: &[u8], start: usize, end: usize) -> bool {
    let before = body[..start].iter().rev().find(|byte| !byte.is_ascii_whitespace());
    let after = body[end..].iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(before, Some(b'[' | b',')) && matches!(after, Some(b']' | b','))
}

#[cfg(test)]
mod tests;
