//! Those who may ask: their keys, and what they may have.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Alias, Place, Secret};

/// A client's key as it is kept: its SHA-256. The key itself is forgotten when the configuration has been read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix("sha256:")?;
        let mut hash = [0u8; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return None;
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// Takes as long whatever differs.
    fn is(&self, other: &Self) -> bool {
        let difference = self.0.iter().zip(&other.0).fold(0u8, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        difference == 0
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Not even the hash is shown: of a short key it is as good as the key.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hash of a key]")
    }
}

/// How much may be had in a minute, and at once. What is none is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests a minute.
    pub requests: Option<u64>,
    /// Tokens a minute, input and output together.
    pub tokens: Option<u64>,
    /// Input tokens a minute.
    pub input_tokens: Option<u64>,
    /// Output tokens a minute.
    pub output_tokens: Option<u64>,
    /// Streams at the same time.
    pub streams: Option<u64>,
}

impl Limits {
    /// Whether tokens are limited.
    pub fn count_tokens(&self) -> bool {
        self.tokens.or(self.input_tokens).or(self.output_tokens).is_some()
    }
}

/// Who goes first where requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Priority {
    /// Before all others.
    High,
    /// As most.
    #[default]
    Normal,
    /// After all others.
    Low,
}

/// Somebody who may ask (`[[clients]]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Unique; a label in metrics and the log, and what separates instances and limits.
    pub name: Arc<str>,
    /// Its keys.
    pub keys: Vec<KeyHash>,
    /// The models that it may use, by the names that clients say; all if empty.
    pub models: Vec<Alias>,
    /// What it may have.
    pub limits: Limits,
    /// When it is its turn.
    pub priority: Priority,
    /// Whether its requests may choose where they go.
    pub may_choose: bool,
    /// The client in the file.
    pub place: Place,
}

impl Client {
    /// Whether it may use a model.
    pub fn may_use(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|alias| alias.matches(model))
    }
}

/// Everybody who may ask, found by key.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    list: Vec<Arc<Client>>,
    by_key: HashMap<KeyHash, Arc<Client>>,
}

impl Clients {
    /// Of two clients with the same key the first is found.
    pub fn new(list: Vec<Arc<Client>>) -> Self {
        let mut by_key = HashMap::new();
        for client in &list {
            for key in &client.keys {
                by_key.entry(*key).or_insert_with(|| Arc::clone(client));
            }
        }
        Self { list, by_key }
    }

    /// Whose key this is. How long it takes tells nothing about keys: they are found by their hash.
    pub fn find(&self, key: &str) -> Option<&Arc<Client>> {
        let hash = KeyHash::of(key);
        let (known, client) = self.by_key.get_key_value(&hash)?;
        known.is(&hash).then_some(client)
    }

    /// In the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Client>> {
        self.list.iter()
    }

    /// Whether nobody needs a key.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<'a> IntoIterator for &'a Clients {
    type Item = &'a Arc<Client>;
    type IntoIter = std::slice::Iter<'a, Arc<Client>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<&Secret> for KeyHash {
    fn from(secret: &Secret) -> Self {
        Self::of(secret.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_and_is_not_shown() {
        let hash = KeyHash::of("weir-1");
        assert_eq!(KeyHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(format!("{hash:?}"), "[hash of a key]");
        for wrong in ["", "sha256:", "sha256:xy", &format!("sha256:{}", "é".repeat(32)), &"a".repeat(64)] {
            assert_eq!(KeyHash::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_client_is_found_by_any_of_its_keys_and_by_nothing_else() {
        let client = Client {
            name: "a".into(),
            keys: vec![KeyHash::of("one"), KeyHash::of("two")],
            models: vec![Alias::parse("fast"), Alias::parse("gpt-*")],
            limits: Limits::default(),
            priority: Priority::Normal,
            may_choose: false,
            place: Place::Unset,
        };
        assert!(client.may_use("fast") && client.may_use("gpt-5") && !client.may_use("slow"));
        let clients = Clients::new(vec![Arc::new(client)]);
        assert!(clients.find("one").is_some() && clients.find("two").is_some());
        assert!(clients.find("").is_none() && clients.find("three").is_none());
    }
}
