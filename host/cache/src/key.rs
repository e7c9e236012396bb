//! Keys of requests.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::canonical;

/// Who may get an answer: the callers of one tenant. There is no scope of all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The scope of a tenant.
    pub fn of(tenant: &Arc<str>) -> Self {
        Self(Arc::clone(tenant))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The hash of everything that an answer depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = [0u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(key))
    }

    pub(crate) fn from_bytes(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// A body as it is compared with others: JSON whatever the order of its members and the space between them, anything
/// else byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparedBody {
    is_json: bool,
    digest: [u8; 32],
}

impl ComparedBody {
    /// Reads a body. A long one takes tens of milliseconds.
    pub fn of(body: &[u8]) -> Self {
        match canonical::digest(body) {
            Some(digest) => Self { is_json: true, digest },
            None => Self { is_json: false, digest: Sha256::digest(body).into() },
        }
    }

    /// Whether it is JSON that all readers understand alike.
    pub fn is_clear(&self) -> bool {
        self.is_json
    }
}

/// Makes a key from the parts of a request. Each part has a name and a length, so that no two lists of parts are alike.
#[derive(Debug)]
pub struct KeyWriter(Sha256);

impl KeyWriter {
    /// Begins a key of this scope, in a generation of the cache.
    pub fn new(scope: &Scope, generation: u64) -> Self {
        let mut writer = Self(Sha256::new());
        writer.part("scope", scope.0.as_bytes());
        writer.part("generation", &generation.to_le_bytes());
        writer
    }

    /// Adds a part.
    pub fn part(&mut self, name: &str, bytes: &[u8]) {
        for text in [name.as_bytes(), bytes] {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text);
        }
    }

    /// Adds a body.
    pub fn body(&mut self, body: &ComparedBody) {
        self.part(if body.is_json { "json" } else { "bytes" }, &body.digest);
    }

    /// Ends the key.
    pub fn finish(self) -> Key {
        Key(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, generation: u64, body: &str) -> Key {
        let mut writer = KeyWriter::new(&Scope::of(&Arc::from(tenant)), generation);
        writer.part("model", b"m");
        writer.body(&ComparedBody::of(body.as_bytes()));
        writer.finish()
    }

    #[test]
    fn equal_requests_have_one_key_and_anything_else_another() {
        let first = key("a", 0, r#"{"x":1,"y":[1,2],"z":{"a":"\u00e9","b":null}}"#);
        assert_eq!(first, key("a", 0, r#"{ "z": {"b":null, "a":"é"}, "y":[1,2], "x":1 }"#));
        for (tenant, generation, body) in [
            ("b", 0, r#"{"x":1,"y":[1,2],"z":{"a":"é","b":null}}"#),
            ("a", 1, r#"{"x":1,"y":[1,2],"z":{"a":"é","b":null}}"#),
            ("a", 0, r#"{"x":1,"y":[2,1],"z":{"a":"é","b":null}}"#),
            ("a", 0, r#"{"x":1.5,"y":[1,2],"z":{"a":"é","b":null}}"#),
            ("a", 0, r#"{"x":1,"y":[1,2],"z":{"a":"é","b":null},"unknown":0}"#),
            ("a", 0, r#"{"x":1,"y":[1,2],"z":{"a":"é","b":false}}"#),
            ("a", 0, r#"{"x":"1","y":[1,2],"z":{"a":"é","b":null}}"#),
        ] {
            assert_ne!(first, key(tenant, generation, body), "{tenant} {generation} {body}");
        }
    }

    #[test]
    fn parts_do_not_run_into_one_another() {
        let of = |parts: &[(&str, &str)]| {
            let mut writer = KeyWriter::new(&Scope::of(&Arc::from("")), 0);
            for (name, text) in parts {
                writer.part(name, text.as_bytes());
            }
            writer.finish()
        };
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_ne!(of(&[("a", "b"), ("a", "c")]), of(&[("a", "bc")]));
    }

    #[test]
    fn a_key_reads_back() {
        let key = key("a", 0, "{}");
        assert_eq!(Key::parse(&key.to_string()), Some(key));
        assert!(Key::parse("ff").is_none() && Key::parse(&"g".repeat(64)).is_none());
    }
}
