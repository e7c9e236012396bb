//! The top of the file, with the log; `[admin]` and `[media]`.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Client, ModelDraft, Plugins, Provider, Server, Traces};
use crate::raw::Node;
use crate::section::{Entry, Located, Reader, Section, Size, Take, joined, part, section};
use crate::settings::{LogFormat, LogLevel};
use crate::{Origin, Secret};

part! {
    /// The log.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Log {
        /// The least grave level that is logged.
        level "log_level": LogLevel,
        /// How log lines look. `auto` is human on a terminal and JSON otherwise.
        format "log_format": LogFormat,
        /// How much of the log waits for a reader that is slow. What finds no room is dropped and counted; requests
        /// never wait for the log.
        buffer "log_buffer": usize as Size = 4 << 20,
    }
}

part! {
    /// All tables, and what models without a name of their own go to.
    #[derive(Debug)]
    pub(crate) struct Tables {
        /// The provider that serves models which no alias matches, as an alias `*` would.
        default_provider: Option<Located<String>>,
        /// The listener; see `[server]`.
        server: Server,
        /// The operations side; see `[admin]`.
        admin: Admin,
        /// Media that are fetched; see `[media]`.
        media: Media,
        /// Where spans of requests go; see `[traces]`.
        traces: Option<Traces>,
        /// Adapters; see `[plugins]`.
        plugins: Option<Plugins>,
        /// Those who may ask; see `[[clients]]`.
        clients: Vec<Client>,
        /// Accounts with those who serve models; see `[[providers]]`.
        providers: Vec<Provider>,
        /// What clients may ask for; see `[[models]]`.
        models: Vec<ModelDraft>,
    }
}

joined! {
    TOP = "The top of the file" at "": Log::KEYS, Tables::KEYS;
}

/// Reads everything.
pub(crate) fn read(reader: &Reader<'_>, root: Node) -> (Log, Tables) {
    let place = root.place.clone();
    let mut top = Section::new(reader, root, &TOP).unwrap_or_else(|| Section::empty(reader, place, &TOP));
    let log = Log::read(&mut top, Log::default());
    let tables = Tables::read(&mut top, Tables::default());
    top.finish();
    (log, tables)
}

section! {
    /// The operations side: health, metrics and everything under `/admin`.
    ADMIN = "[admin]" at "admin";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Admin {
        /// A listener of its own, such as `"127.0.0.1:9090"`. Without it, the main listener serves these paths too.
        listen: Option<SocketAddr>,
        /// What everything under `/admin` asks for. Without one it serves only requests of this machine itself, to a
        /// loopback name and through no proxy; and on the main listener none where there are `[[clients]]`.
        token: Option<Secret>,
    }
}

impl Take for SocketAddr {
    type Value = Self;
    const TAKES: &'static str = "address:port";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let parsed = text.value.parse();
        if parsed.is_err() {
            let message = format!("`{}` must be an address and a port", entry.name);
            entry.error_with(&text.place, message, "for example \"127.0.0.1:9090\" or \"[::1]:9090\"");
        }
        parsed.ok()
    }

    fn example() -> String {
        "\"127.0.0.1:9090\"".to_owned()
    }
}

section! {
    /// Images and files that a request gives by their address, towards providers that take only bytes.
    MEDIA = "[media]" at "media";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Media {
        /// Whether Weir fetches them: by https, from public addresses only. Without it such a request gets a 400.
        fetch: bool,
        /// The largest that is fetched.
        max_bytes: usize as Size = 20 << 20,
        /// All that is fetched for one request.
        max_total_bytes: usize as Size = 40 << 20,
        /// How long one may take.
        timeout: Duration = Duration::from_secs(10),
        /// Places of your own, such as `"http://files.internal"`, from which they are fetched without these rules.
        origins: Vec<Origin>,
    }
}
