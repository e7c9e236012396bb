//! The top of the file, with the log; `[admin]` and `[media]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    AdminLogin, BodiesRule, BudgetTable, CacheSettings, Client, Guard, Issuer, MetricsSettings, ModelDraft, Outbound,
    Plugins, Provider, Realtime, Server, SharedSettings, Sink, StoreSettings, Traces,
};
use crate::raw::Node;
use crate::section::{Entry, InFolder, Located, Reader, Section, Size, Take, joined, part, section};
use crate::settings::{LogFormat, LogLevel};
use crate::{Origin, Place, Secret};

part! {
    /// What is logged, how it looks, and where requests have lines of their own.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Log {
        /// The least severe level that is logged.
        level "log_level": LogLevel,
        /// How log lines look. `auto` is human on a terminal and JSON otherwise.
        format "log_format": LogFormat,
        /// How much of the log is buffered for a slow reader. Lines that do not fit are dropped and counted; requests
        /// never wait for the log.
        buffer "log_buffer": usize as Size = 4 << 20,
    }
}

part! {
    /// All tables, and the default provider.
    #[derive(Debug)]
    pub(crate) struct Tables {
        /// The provider for models that no alias matches, as with an alias `*`.
        default_provider: Option<Located<String>>,
        /// A file of prices, laid over the bundled ones; docs/budgets.md describes the format. A path in the
        /// configuration's folder.
        price_file: Option<Located<PathBuf>> as Option<Located<InFolder>>,
        /// The main listener; see `[server]`.
        server: Server,
        /// Operations endpoints; see `[admin]`.
        admin: Admin,
        /// Fetching of media; see `[media]`.
        media: Media,
        /// Sessions over WebSockets; see `[realtime]`.
        realtime: Realtime,
        /// Export of spans; see `[traces]`.
        traces: Option<Traces>,
        /// The page of metrics; see `[metrics]`.
        metrics: MetricsSettings,
        /// A proxy on the way to providers; see `[outbound]`.
        outbound: Option<Outbound>,
        /// What is kept, and where; see `[store]`.
        store: StoreSettings,
        /// Limits and budgets that several nodes share; see `[shared]`.
        shared: Option<SharedSettings>,
        /// Kept answers that several nodes share; see `[cache]`.
        cache: Option<CacheSettings>,
        /// Adapters; see `[plugins]`.
        plugins: Option<Plugins>,
        /// Clients and their keys; see `[[clients]]`.
        clients: Vec<Client>,
        /// Whose tokens are accepted; see `[[issuers]]`.
        issuers: Vec<Issuer>,
        /// What may be spent; see `[[budgets]]`.
        budgets: Vec<Located<BudgetTable>>,
        /// What judges requests; see `[[guards]]`.
        guards: Vec<Located<Guard>>,
        /// Where the facts of requests are sent; see `[[sinks]]`.
        sinks: Vec<Located<Sink>>,
        /// Whose requests are logged with their content; see `[[bodies]]`.
        bodies: Vec<BodiesRule>,
        /// Provider accounts; see `[[providers]]`.
        providers: Vec<Provider>,
        /// Models that clients may request; see `[[models]]`.
        models: Vec<ModelDraft>,
    }
}

joined! {
    TOP = "The top of the file" at "": Log::KEYS, Tables::KEYS;
}

/// Reads the whole tree.
pub(crate) fn read(reader: &Reader<'_>, root: Node) -> (Log, Tables) {
    let place = root.place.clone();
    let mut top = Section::new(reader, root, &TOP).unwrap_or_else(|| Section::empty(reader, place, &TOP));
    let log = Log::read(&mut top, Log::default());
    let tables = Tables::read(&mut top, Tables::default());
    top.finish();
    (log, tables)
}

section! {
    /// Operations endpoints: health, metrics and everything under `/admin`.
    ADMIN = "[admin]" at "admin" then Admin::placed;
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Admin {
        /// A separate listener, such as `"127.0.0.1:9090"`. Without it, the main listener serves these paths too.
        listen: Option<SocketAddr>,
        /// The token that everything under `/admin` requires. Without it, `/admin` serves only requests from this
        /// machine itself, to a loopback name and through no proxy; and on the main listener it serves none if there
        /// are `[[clients]]`.
        token: Option<Secret>,
        /// A second token, which may read everything under `/admin` and change nothing. It needs `token`.
        read_token: Option<Secret>,
        /// Whether `/metrics` on the main listener is for everyone, although callers have keys. By default it then
        /// requires one of the tokens; without any, it serves this machine itself. On `listen` it is open in any case.
        open_metrics: bool,
        /// A login of people at an identity provider; see `login`.
        login: Option<AdminLogin>,
    } beside {
        /// Where the table stands.
        place: Place = Place::Unset,
    }
}

impl Admin {
    fn placed(self, section: &Section<'_>) -> Self {
        Self { place: section.place.clone(), ..self }
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
    /// Images and files that a request refers to by url, for providers that accept only bytes.
    MEDIA = "[media]" at "media";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Media {
        /// Whether Weir fetches them: by https, from public addresses only. Otherwise such a request gets a 400.
        fetch: bool,
        /// The largest file that is fetched.
        max_bytes: usize as Size = 20 << 20,
        /// The most bytes that are fetched for one request.
        max_total_bytes: usize as Size = 40 << 20,
        /// Time limit for one file.
        timeout: Duration = Duration::from_secs(10),
        /// Origins of your own, such as `"http://files.internal"`, to which these rules do not apply.
        origins: Vec<Origin>,
    }
}
