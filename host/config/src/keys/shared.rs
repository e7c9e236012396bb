//! `[shared]`: limits and budgets that several nodes share.

use std::time::Duration;

use crate::Secret;
use crate::raw::Node;
use crate::section::{Entry, Located, SecretUrl, Take, section};
use crate::settings::WhenLost;

section! {
    /// Limits and budgets that several Weirs share through a Valkey or Redis. Off without this table; see
    /// `docs/scale.md`.
    SHARED = "[shared]" at "shared";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SharedSettings {
        /// The server: `"redis://HOST:6379"`, or with TLS and a login `"rediss://USER:PASSWORD@HOST:6379/0"`;
        /// `valkey://` is the same. An address with a password is best written as `"env:NAME"` or `"file:PATH"`.
        url: Secret as ServerUrl = Secret::new("") => required "the address of a Valkey or Redis, such as \"redis://127.0.0.1:6379\"",
        /// This node's name in the lines of the log about sharing.
        node: Option<String>,
        /// What is admitted while the server is away: `"share"` (the limit divided by the nodes that were last known),
        /// `"open"` (everything) or `"closed"` (what the node has leased already).
        when_lost: WhenLost,
        /// How long a request waits at most for the server, where its node's share has no room. Then `when_lost` holds.
        wait: Duration = Duration::from_millis(10),
        /// What the names of all keys in the server begin with. Nodes with the same prefix share.
        prefix: String = "weir".to_owned(),
        /// Whether a node is not ready (`/ready` is a 503) while fewer than half of the nodes serve with the same
        /// adapters as it does.
        require_same_adapters: bool,
    }
}

/// An address of a server, as a secret.
#[derive(Debug)]
pub(super) struct ServerUrl;

const SCHEMES: [&str; 4] = ["redis://", "rediss://", "valkey://", "valkeys://"];

impl Take for ServerUrl {
    type Value = Secret;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Secret> {
        let Located { value: secret, place } = SecretUrl::take(entry, node)?;
        let is_address =
            SCHEMES.iter().any(|scheme| secret.expose().strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        if !is_address {
            let help = "write \"redis://HOST:6379\", \"rediss://USER:PASSWORD@HOST:6379/0\", or the same as valkey://";
            entry.error_with(&place, format!("`{}` is not an address of a Valkey or Redis", entry.name), help);
        }
        is_address.then_some(secret)
    }

    fn example() -> String {
        "\"redis://127.0.0.1:6379\"".to_owned()
    }
}
