//! Entries as bytes for a server that several nodes share. What such a server returns is believed only if it was sealed
//! for the very key and scope that are asked for, so that neither a mistaken nor a lying server makes one tenant see
//! another's answer, and cannot read what it keeps.

mod question;

use std::fmt;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::entry::TOO_LARGE;
use crate::shared::{Mark, Place};
use crate::{Entry, Key};

pub use question::{OpenedQuestion, sealed_question_bytes};

/// What every sealed entry begins with: its version.
const VERSION: &[u8] = b"weir-answer-1";
/// The bytes of a digest.
const DIGEST: usize = 32;
/// The most bytes of an entry besides its body.
const MAX_HEAD: usize = 64 << 10;
/// The most bytes of a sealed entry.
pub const MAX_SEALED: usize = 1 << 20;
/// How strongly entries are compressed: about as fast as they are sent.
const LEVEL: i32 = 1;

/// Seals entries, and opens them.
pub struct Seal(hmac::Key);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// What is written of an entry besides its body.
#[derive(Serialize, Deserialize)]
struct Head {
    model: String,
    headers: Vec<(String, Vec<u8>)>,
    /// Milliseconds since 1970.
    stored: u64,
    lifetime: u64,
    cost: Option<i64>,
    origin: Option<String>,
    mark: Mark,
}

/// An entry that was opened.
#[derive(Debug)]
pub struct Opened {
    /// What was sealed, with its age by this machine's clock.
    pub entry: Entry,
    /// The removals that the request which caused it knew of.
    pub mark: Mark,
}

impl Seal {
    /// Seals values with a secret: only holders of the secret can read or make them.
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// The name of a key for a server, which shows nothing of the request.
    pub fn name(&self, key: &Key) -> String {
        let mut name = String::with_capacity(2 * DIGEST);
        for byte in self.tag(&[b"name", key.bytes()]).as_ref() {
            // Writing to a text does not fail.
            let _written = write!(name, "{byte:02x}");
        }
        name
    }

    /// An entry as bytes. `unix_ms` is the time now in milliseconds since 1970, `random` must be new each time. None if
    /// it is too large.
    pub fn seal(
        &self,
        place: &Place,
        entry: &Entry,
        mark: &Mark,
        unix_ms: u64,
        random: [u8; NONCE_LEN],
    ) -> Option<Vec<u8>> {
        let head = Head {
            model: entry.model.as_ref().to_owned(),
            headers: entry.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            stored: unix_ms.saturating_sub(milliseconds(entry.age(Instant::now()))),
            lifetime: milliseconds(entry.lifetime),
            cost: entry.cost,
            origin: entry.origin.map(|key| key.to_string()),
            mark: mark.clone(),
        };
        let mut content = serde_json::to_vec(&head).ok().filter(|head| head.len() < MAX_HEAD)?;
        content.push(b'\n');
        content.extend_from_slice(&entry.body);
        let mut packed = zstd::bulk::compress(&content, LEVEL).ok()?;
        let nonce = Nonce::assume_unique_for_key(random);
        self.cipher(place)?.seal_in_place_append_tag(nonce, Aad::from(VERSION), &mut packed).ok()?;
        let sealed = [VERSION, &random, &packed].concat();
        (sealed.len() <= MAX_SEALED).then_some(sealed)
    }

    /// Opens what a server returned for a place; none unless it was sealed for this place.
    pub fn open(&self, place: &Place, sealed: &[u8], unix_ms: u64) -> Option<Opened> {
        let (random, rest) = sealed.strip_prefix(VERSION)?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(random).ok()?;
        let mut rest = rest.to_vec();
        let packed = self.cipher(place)?.open_in_place(nonce, Aad::from(VERSION), &mut rest).ok()?;
        let content = zstd::bulk::decompress(packed, TOO_LARGE + MAX_HEAD).ok()?;
        let end = content.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(content.get(..end)?).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &head.headers {
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        let age = Duration::from_millis(unix_ms.saturating_sub(head.stored));
        let entry = Entry {
            model: head.model.into(),
            headers,
            body: Bytes::from(content).slice(end + 1..),
            stored: Instant::now().checked_sub(age)?,
            lifetime: Duration::from_millis(head.lifetime),
            cost: head.cost,
            origin: head.origin.as_deref().and_then(Key::parse),
        };
        Some(Opened { entry, mark: head.mark })
    }

    /// The cipher of a place: no two places have the same.
    fn cipher(&self, place: &Place) -> Option<LessSafeKey> {
        self.cipher_of(&[b"place", place.scope.bytes(), place.key.bytes()])
    }

    fn cipher_of(&self, parts: &[&[u8]]) -> Option<LessSafeKey> {
        let tag = self.tag(parts);
        UnboundKey::new(&AES_256_GCM, tag.as_ref()).ok().map(LessSafeKey::new)
    }

    fn tag(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign()
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyWriter, Scope};
    use http::header;
    use std::sync::Arc;

    const NOW: u64 = 1_795_219_200_000;

    fn place(tenant: &str, what: &str) -> Place {
        let scope = Scope::of(&Arc::from(tenant));
        let mut writer = KeyWriter::new(&scope, 0);
        writer.part("what", what.as_bytes());
        Place { key: writer.finish(), scope, model: Arc::from("m") }
    }

    fn entry() -> Entry {
        Entry {
            model: Arc::from("m"),
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            body: Bytes::from("the answer\n".repeat(100)),
            stored: Instant::now(),
            lifetime: Duration::from_mins(5),
            cost: Some(7),
            origin: Some(place("a", "meaning").key),
        }
    }

    fn mark() -> Mark {
        Mark { all: 1, model: 2, key: 3, origin: Some(4) }
    }

    #[test]
    fn an_entry_opens_for_its_own_key_and_scope_only_and_as_it_was() {
        let seal = Seal::new("a secret of the operator");
        let place_of_it = place("a", "x");
        let sealed = seal.seal(&place_of_it, &entry(), &mark(), NOW, [7; 12]).unwrap();
        assert!(sealed.len() < 400, "it is compressed");
        let opened = seal.open(&place_of_it, &sealed, NOW + 1_000).unwrap();
        assert_eq!((&opened.entry.body, &opened.entry.headers), (&entry().body, &entry().headers));
        assert_eq!((opened.entry.cost, opened.entry.origin, opened.mark), (Some(7), entry().origin, mark()));
        assert_eq!(opened.entry.age(Instant::now()).as_secs(), 1);
        // The key of one tenant and the scope of another, too.
        let mixed = Place { scope: place("b", "x").scope, ..place("a", "x") };
        for other in [place("b", "x"), place("a", "y"), mixed] {
            assert!(seal.open(&other, &sealed, NOW).is_none());
        }
        for at in 0..sealed.len() {
            assert!(seal.open(&place_of_it, &sealed[..at], NOW).is_none(), "cut at {at}");
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(seal.open(&place_of_it, &changed, NOW).is_none(), "changed at {at}");
        }
    }

    #[test]
    fn who_has_another_secret_can_neither_name_nor_open_nor_make_it() {
        let (one, two) = (Seal::new("one"), Seal::new("two"));
        let place = place("a", "x");
        assert_ne!(one.name(&place.key), two.name(&place.key));
        assert_ne!(one.name(&place.key), place.key.to_string());
        let sealed = one.seal(&place, &entry(), &mark(), NOW, [1; 12]).unwrap();
        assert!(two.open(&place, &sealed, NOW).is_none());
    }

    #[test]
    fn what_is_too_large_is_not_sealed() {
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        let large = Entry { body: noise.take(MAX_SEALED + 1).collect(), ..entry() };
        assert!(Seal::new("one").seal(&place("a", "x"), &large, &mark(), NOW, [1; 12]).is_none());
    }
}
