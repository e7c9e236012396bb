//! `[[clients]]`: callers, their keys and their limits.

use std::sync::Arc;

use crate::client::{KeyHash, Priority};
use crate::raw::Node;
use crate::section::{
    Count, Entry, Given, Located, Name, Section, SeveralSecrets, Take, joined, part, section, take_table,
};
use crate::{Alias, ClientPassRule, Place, Problem, Secret};

/// The length in bytes below which a key causes a warning: shorter keys can be guessed.
const MIN_KEY: usize = 16;

part! {
    /// The name and the keys that identify a client.
    #[derive(Debug)]
    struct Identity {
        /// A name of your choice. It is a label in metrics and appears in the log.
        name: Option<String> as Option<Name> => required "a name of your choice, which stands in metrics and the log",
        /// The key: `"env:NAME"`, `"file:PATH"`, or the key itself (not recommended).
        key: Option<Given<Secret>>,
        /// Several keys, so that one can be replaced without an interruption.
        keys: Option<Given<Vec<Secret>>> as Option<Given<SeveralSecrets>>,
        /// SHA-256 hashes of the keys, as `weir client-key` prints them. The file then holds no secret.
        hashes: Option<Given<Vec<KeyHash>>>,
    }
}

part! {
    /// A caller, identified by its keys (`[[clients]]`), with its permissions and limits.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Client {
        /// The models that the client may use: aliases, or patterns with `*`.
        models: Vec<Alias> => "all",
        /// The operations that the client may use, by their names in metrics (`chat`, `embeddings`, `moderations`,
        /// `files-create`, ...), or patterns with `*`. If unset, a client may use all operations; a client with
        /// `models` may use only operations that name a model (no files, batches or stored answers). A list of the
        /// account's contents, such as `files-list`, shows what other clients made, so a client with `models` or
        /// `operations` may use it only if it is named in full.
        operations: Option<Vec<Alias>>,
        /// The endpoints of providers that the client may use under `/passthrough/`, as far as the provider's own
        /// `passthrough` allows: provider, method and path, in which `*` stands for any text. None by default.
        passthrough: Vec<ClientPassRule>,
        /// Whether the client's requests are answered by kept answers, where a model keeps them (`cache`).
        cache: bool = true,
        /// The team that the client belongs to, for budgets.
        team: Option<Arc<str>>,
        /// The organisation that the team belongs to, for budgets.
        organisation: Option<Arc<str>>,
        /// Tags of the client's requests, for budgets.
        tags: Vec<Arc<str>>,
        /// Limits of the client; see `limits`.
        limits: Limits,
        /// The client's priority when requests have to wait.
        priority: Priority,
        /// Whether the client's requests may choose their target (`x-weir-target`), or their provider if they name no
        /// model (`x-weir-provider`).
        may_choose: bool,
    } beside {
        /// The client's unique name, a label in metrics and the log. Instances and limits are separated by it.
        name: Arc<str> = Arc::from(""),
        /// Hashes of the client's keys.
        keys: Vec<KeyHash> = Vec::new(),
        /// Where the client stands in the file.
        place: Place = Place::Unset,
    }
}

joined! {
    /// A caller and its keys. If there are no clients, Weir serves only requests from this machine (see
    /// `server.anonymous`). A request carries its key where its format has it, or in one of `server.key_headers`.
    CLIENT = "[[clients]]": Identity::KEYS, Client::KEYS;
}

take_table!(Client, CLIENT, by Client::of_table);

impl Client {
    fn of_table(section: &mut Section<'_>) -> Option<Self> {
        let identity = Identity::read(section, Identity::default());
        let client = Self::read(section, Self::default());
        let keys = identity.key_hashes(section);
        let place = section.place.clone();
        Some(Self { name: Arc::from(identity.name?), keys: keys?, place, ..client })
    }
}

impl Identity {
    /// The hashes from `key`, `keys` and `hashes` together; reports a mistake if all three are missing.
    fn key_hashes(&self, section: &Section<'_>) -> Option<Vec<KeyHash>> {
        if self.key.is_none() && self.keys.is_none() && self.hashes.is_none() {
            section.missing(
                "key",
                "such as `key = \"env:TEAM_A_KEY\"`, or `hashes = [\"sha256:...\"]` from `weir client-key`",
            );
            return None;
        }
        let one = self.key.iter().flat_map(|key| &key.value);
        let several = self.keys.iter().flat_map(|keys| &keys.value).flatten();
        let secrets: Vec<&Secret> = one.chain(several).collect();
        if secrets.iter().any(|secret| secret.expose().len() < MIN_KEY) {
            let message = format!("a key has fewer than {MIN_KEY} characters");
            let problem = Problem::warning(&section.place, message);
            section.reader.report(problem.with_help("`weir client-key` makes one that cannot be guessed"));
        }
        let hashes = self.hashes.iter().flat_map(|hashes| &hashes.value).flatten();
        Some(secrets.into_iter().map(KeyHash::from).chain(hashes.copied()).collect())
    }
}

/// A hash is masked like the key itself: of a key that can be guessed it is as good.
impl Take for KeyHash {
    type Value = Self;
    const TAKES: &'static str = "hash of a secret";
    const LIST: &'static str = "list of hashes of secrets";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let hash = Self::parse(&text.value);
        if hash.is_none() {
            let message = format!("`{}`: not the hash of a key", entry.name);
            entry.error_with(&text.place, message, "`sha256:` and 64 hexadecimal digits, as `weir client-key` prints");
        }
        hash
    }

    fn example() -> String {
        format!("\"{}\"", Self::of("a key"))
    }
}

/// The name of a model or an operation, or a pattern.
impl Take for Alias {
    type Value = Self;
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        String::take(entry, node).map(|text| Self::parse(&text))
    }

    fn example() -> String {
        "\"name-*\"".to_owned()
    }
}

/// A limit: at least 1.
type Most = Count<u64, 1, 1_000_000_000_000>;

section! {
    /// Limits of a client, a model, a provider, or an address (`server.address_limits`). What a burst uses up is
    /// refilled evenly. Tokens are reserved by an estimate when a request arrives, and settled when its answer has
    /// ended.
    LIMITS = "limits = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Limits {
        /// Requests per minute.
        requests "requests_per_minute": Option<u64> as Option<Most>,
        /// Input and output tokens per minute.
        tokens "tokens_per_minute": Option<u64> as Option<Most>,
        /// Input tokens per minute.
        input_tokens "input_tokens_per_minute": Option<u64> as Option<Most>,
        /// Output tokens per minute.
        output_tokens "output_tokens_per_minute": Option<u64> as Option<Most>,
        /// Concurrent streams.
        streams: Option<u64> as Option<Most>,
    }
}
