//! `[[clients]]` and limits.

use std::sync::Arc;

use crate::client::{KeyHash, Priority};
use crate::raw::Node;
use crate::section::{
    Count, Entry, Given, Located, Name, Section, SeveralSecrets, Take, joined, part, section, take_table,
};
use crate::{Alias, Place, Problem, Secret};

/// Shorter keys are guessed.
const SHORTEST_KEY: usize = 16;

part! {
    /// How a client is known.
    #[derive(Debug)]
    struct Identity {
        /// A name of your choice. It is a label in metrics and stands in the log.
        name: Option<String> as Option<Name> => required "a name of your choice, which stands in metrics and the log",
        /// The key: `"env:NAME"`, `"file:PATH"`, or the key itself, which is not wise.
        key: Option<Given<Secret>>,
        /// Several, so that one can be replaced without a pause.
        keys: Option<Given<Vec<Secret>>> as Option<Given<SeveralSecrets>>,
        /// Keys by their SHA-256, as `weir key` prints it: then this file holds no secret.
        hashes: Option<Given<Vec<KeyHash>>>,
    }
}

part! {
    /// A caller that is known by its keys (`[[clients]]`), and what it may have.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Client {
        /// The models that it may use: aliases, or patterns with `*`.
        models: Vec<Alias> => "all",
        /// The operations that it may use, by their names in metrics (`chat`, `embeddings`, `moderations`,
        /// `files-create`, ...), or patterns with `*`. Without it a client may use all; one with `models` may use all
        /// that name a model, and none that does not (files, batches, stored answers). A list of what the account has,
        /// such as `files-list`, has to be named in full for a client with `models` or `operations`: it shows what
        /// others made.
        operations: Option<Vec<Alias>>,
        /// What it may have; see `limits`.
        limits: Limits,
        /// When it is its turn, where requests have to wait.
        priority: Priority,
        /// Whether its requests may choose where they go (`x-weir-target`; `x-weir-provider` where they are about no
        /// model).
        may_choose: bool,
    } beside {
        /// Unique; a label in metrics and the log, and what separates instances and limits.
        name: Arc<str> = Arc::from(""),
        /// Its keys.
        keys: Vec<KeyHash> = Vec::new(),
        /// The client in the file.
        place: Place = Place::Unset,
    }
}

joined! {
    /// Somebody who may ask. Without any, whoever asks from this machine is served, and nobody else. A request brings
    /// its key where its format has it, or in one of `server.key_headers`.
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
    /// `key`, `keys` and `hashes` together; none where there is none at all.
    fn key_hashes(&self, section: &Section<'_>) -> Option<Vec<KeyHash>> {
        if self.key.is_none() && self.keys.is_none() && self.hashes.is_none() {
            section
                .missing("key", "such as `key = \"env:TEAM_A_KEY\"`, or `hashes = [\"sha256:...\"]` from `weir key`");
            return None;
        }
        let one = self.key.iter().flat_map(|key| &key.value);
        let several = self.keys.iter().flat_map(|keys| &keys.value).flatten();
        let secrets: Vec<&Secret> = one.chain(several).collect();
        if secrets.iter().any(|secret| secret.expose().len() < SHORTEST_KEY) {
            let message = format!("a key has fewer than {SHORTEST_KEY} characters");
            let problem = Problem::warning(&section.place, message);
            section.reader.report(problem.with_help("`weir key` makes one that nobody guesses"));
        }
        let hashes = self.hashes.iter().flat_map(|hashes| &hashes.value).flatten();
        Some(secrets.into_iter().map(KeyHash::from).chain(hashes.copied()).collect())
    }
}

impl Take for KeyHash {
    type Value = Self;
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let hash = Self::parse(&text.value);
        if hash.is_none() {
            let message = format!("`{}`: not the hash of a key", entry.name);
            entry.error_with(&text.place, message, "`sha256:` and 64 hexadecimal digits, as `weir key` prints");
        }
        hash
    }

    fn example() -> String {
        format!("\"{}\"", Self::of("a key"))
    }
}

/// A model's name or an operation's, or a pattern of such.
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

/// A limit.
type Most = Count<u64, 1, 1_000_000_000_000>;

section! {
    /// How much may be had: by a client, of a model, of a provider, or from one address (`server.address_limits`). What
    /// is used up in a burst grows back evenly. Tokens are reserved by estimate when a request comes and settled when
    /// its answer has ended.
    LIMITS = "limits = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Limits {
        /// Requests.
        requests "requests_per_minute": Option<u64> as Option<Most>,
        /// Tokens of input and output together.
        tokens "tokens_per_minute": Option<u64> as Option<Most>,
        /// Tokens of input.
        input_tokens "input_tokens_per_minute": Option<u64> as Option<Most>,
        /// Tokens of output.
        output_tokens "output_tokens_per_minute": Option<u64> as Option<Most>,
        /// Streams at the same time.
        streams: Option<u64> as Option<Most>,
    }
}
