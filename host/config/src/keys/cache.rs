//! `[cache]`: kept answers that several nodes share.

use std::time::Duration;

use super::shared::ServerUrl;
use crate::Secret;
use crate::raw::Node;
use crate::section::{Entry, Take, section};

section! {
    /// Answers kept for equal requests (`cache` of a model) that several Weirs share through a Valkey or Redis. Without
    /// this table each keeps its own in memory, `server.cache_bytes`; see `docs/cache.md`.
    CACHE = "[cache]" at "cache";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CacheSettings {
        /// The server: `"redis://HOST:6379"`, or with TLS and a login `"rediss://USER:PASSWORD@HOST:6379/0"`;
        /// `valkey://` is the same. An address with a password is best written as `"env:NAME"` or `"file:PATH"`.
        url: Secret as ServerUrl = Secret::new("") => required "the address of a Valkey or Redis, such as \"redis://127.0.0.1:6379\"",
        /// What answers are encrypted with in the server: at least 32 characters, the same on each node, and known to
        /// no other program. Without it, the server can neither read an answer nor make one.
        secret: Secret as SealingSecret = Secret::new("") => required "a random text, such as `openssl rand -hex 32` prints: \"env:NAME\" or \"file:PATH\"",
        /// How long a request waits for the server at most. Then a provider is asked.
        wait: Duration = Duration::from_millis(10),
        /// What the names of all keys in the server begin with. Nodes with the same prefix and secret share.
        prefix: String = "weir".to_owned(),
    }
}

/// The fewest bytes of the secret.
const MIN_SECRET: usize = 32;

/// A secret that cannot be guessed.
#[derive(Debug)]
struct SealingSecret;

impl Take for SealingSecret {
    type Value = Secret;
    const TAKES: &'static str = "secret";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Secret> {
        let place = node.place.clone();
        let secret = Secret::take(entry, node)?;
        if secret.expose().len() < MIN_SECRET {
            let message = format!("`{}` must have {MIN_SECRET} characters or more", entry.name);
            entry.error_with(&place, message, "`openssl rand -hex 32` prints a good one");
            return None;
        }
        Some(secret)
    }

    fn example() -> String {
        Secret::example()
    }
}
