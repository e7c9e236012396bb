//! Clients: their keys, permissions and priorities.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::section::words;
use super::{Alias, Client, Limits, Secret};

/// The SHA-256 of a client's key. The key itself is dropped once the configuration has been read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Parses `sha256:` and 64 hexadecimal digits.
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

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    pub fn is(&self, other: &Self) -> bool {
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

/// Hides even the hash: for a short key it is as good as the key.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hash of a key]")
    }
}

impl Limits {
    /// Whether tokens are limited.
    pub fn count_tokens(&self) -> bool {
        self.tokens.or(self.input_tokens).or(self.output_tokens).is_some()
    }
}

words! {
    /// The order of requests that have to wait.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
    pub enum Priority {
        /// Before all others.
        High = "high",
        /// As most.
        #[default]
        Normal = "normal",
        /// After all others.
        Low = "low",
    }
}

impl Client {
    /// Whether the client may use a model.
    pub fn may_use(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|alias| alias.matches(model))
    }

    /// Whether the client may use an operation, in a request with or without a model's name.
    pub fn may_do(&self, operation: &str, names_a_model: bool) -> bool {
        match &self.operations {
            Some(allowed) => allowed.iter().any(|allowed| allowed.matches(operation)),
            None => names_a_model || self.models.is_empty(),
        }
    }

    /// Whether the client may use an operation that shows what other clients made. A restricted client needs its full
    /// name in the list: a pattern that matches is not enough.
    pub fn may_list(&self, operation: &str) -> bool {
        let mut named = self.operations.iter().flatten().filter_map(Alias::exact);
        !self.is_restricted() || named.any(|name| name == operation)
    }

    /// Whether the client may use an endpoint of a provider by pass-through.
    pub fn may_pass(&self, provider: &str, method: &str, path: &str) -> bool {
        self.passthrough.iter().any(|rule| rule.admits(provider, method, path))
    }

    /// Whether the client is restricted to a part of the account.
    pub fn is_restricted(&self) -> bool {
        !self.models.is_empty() || self.operations.is_some()
    }
}

/// All clients, found by key.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    list: Vec<Arc<Client>>,
    by_key: HashMap<KeyHash, Arc<Client>>,
}

impl Clients {
    /// Builds the index. Of two clients with the same key, the first is found.
    pub fn new(list: Vec<Arc<Client>>) -> Self {
        let mut by_key = HashMap::new();
        for client in &list {
            for key in &client.keys {
                by_key.entry(*key).or_insert_with(|| Arc::clone(client));
            }
        }
        Self { list, by_key }
    }

    /// The client with this key. The look-up uses the hash, so its time reveals nothing about keys.
    pub fn find(&self, key: &str) -> Option<&Arc<Client>> {
        self.find_by_hash(&KeyHash::of(key))
    }

    /// The client whose key has this hash.
    pub fn find_by_hash(&self, hash: &KeyHash) -> Option<&Arc<Client>> {
        let (known, client) = self.by_key.get_key_value(hash)?;
        known.is(hash).then_some(client)
    }

    /// All clients, in the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Client>> {
        self.list.iter()
    }

    /// Whether there are no clients, so that no request needs a key.
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
    use crate::Place;

    /// A client without keys, which may use whatever there is.
    fn client() -> Client {
        Client {
            name: "a".into(),
            keys: Vec::new(),
            models: Vec::new(),
            operations: None,
            passthrough: Vec::new(),
            cache: true,
            team: None,
            organisation: None,
            tags: Vec::new(),
            limits: Limits::default(),
            priority: Priority::Normal,
            may_choose: false,
            place: Place::Unset,
        }
    }

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
        let keys = vec![KeyHash::of("one"), KeyHash::of("two")];
        let client = Client { keys, models: vec![Alias::parse("fast"), Alias::parse("gpt-*")], ..client() };
        assert!(client.may_use("fast") && client.may_use("gpt-5") && !client.may_use("slow"));
        let clients = Clients::new(vec![Arc::new(client)]);
        assert!(clients.find("one").is_some() && clients.find("two").is_some());
        assert!(clients.find("").is_none() && clients.find("three").is_none());
    }

    #[test]
    fn what_names_no_model_is_closed_to_a_client_with_models_unless_it_is_allowed() {
        let aliases = |texts: &[&str]| texts.iter().map(|text| Alias::parse(text)).collect();
        let client = |models: &[&str], operations: Option<&[&str]>| Client {
            models: aliases(models),
            operations: operations.map(aliases),
            ..client()
        };
        let free = client(&[], None);
        assert!(!free.is_restricted() && free.may_do("files-list", false) && free.may_list("files-list"));
        let closed = client(&["fast"], None);
        assert!(closed.is_restricted() && closed.may_do("chat", true) && !closed.may_do("files-get", false));
        let some = client(&["fast"], Some(&["chat", "files-*"]));
        assert!(some.may_do("files-get", false) && some.may_do("chat", true));
        assert!(!some.may_do("embeddings", true) && !some.may_do("batches-get", false));
        assert!(!some.may_list("files-list"), "a pattern is not enough");
        assert!(client(&[], Some(&["files-list"])).may_list("files-list"));
        assert!(!client(&[], Some(&[])).may_do("chat", true), "an empty list allows nothing");
    }
}
