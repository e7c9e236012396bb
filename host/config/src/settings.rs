//! Settings of the program itself: listener, operations, log, adapters.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::{Limits, Origin, Place, Secret};

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
}

impl LogLevel {
    /// As it is written in the configuration and in log filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least grave level that is logged.
    pub level: LogLevel,
    /// How lines look.
    pub format: LogFormat,
    /// Bytes of lines that wait for a reader that is slow. What finds no room is dropped and counted.
    pub buffer: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::default(), format: LogFormat::default(), buffer: 4 << 20 }
    }
}

/// Media that a request gives by their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Whether they are fetched for providers that take only bytes.
    pub fetch: bool,
    /// Bytes of one.
    pub max_bytes: usize,
    /// Bytes of all that are fetched for one request.
    pub max_total_bytes: usize,
    /// How long one may take.
    pub timeout: Duration,
    /// Places that need be neither https nor public.
    pub origins: Vec<Origin>,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            fetch: false,
            max_bytes: 20 << 20,
            max_total_bytes: 40 << 20,
            timeout: Duration::from_secs(10),
            origins: Vec::new(),
        }
    }
}

/// Where spans of requests go.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// A collector that takes OTLP over HTTP: `http://host:4318`.
    pub endpoint: String,
    /// Headers that it wants to see, by their names.
    pub headers: Vec<(String, Secret)>,
    /// The share of traces that are kept, from 0 to 1, where a client has not decided that already.
    pub sample: f64,
    /// What the spans say that they are of.
    pub service: String,
}

/// Where requests wait for their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Waiting at the same time.
    pub length: usize,
    /// How long one waits.
    pub wait: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self { length: 256, wait: Duration::from_secs(10) }
    }
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that vouch for it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The main listener and what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Server {
    /// Address or name to listen on.
    pub host: String,
    /// Port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Connections from one address; if none, half of all, and any number from loopback.
    pub max_connections_per_address: Option<usize>,
    /// Exchanges at the same time, if that is limited.
    pub max_concurrency: Option<usize>,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Bytes that are held for all requests at the same time.
    pub max_buffered_bytes: usize,
    /// Bytes of a request's head.
    pub max_header_bytes: usize,
    /// How long a client may take from its connection to its first request's head, and for each later head.
    pub header_timeout: Duration,
    /// How long a connection may be open between requests.
    pub idle_timeout: Duration,
    /// How long a client may pause while it sends a request's body.
    pub body_timeout: Duration,
    /// How long all of a request's body may take.
    pub body_total_timeout: Duration,
    /// How long a client may leave what is sent to it untaken.
    pub send_timeout: Duration,
    /// How long streams may go on when the program is told to stop.
    pub shutdown_timeout: Duration,
    /// Bytes of a request's or answer's body in the translate lane, where it is held in memory.
    pub translate_body_limit: usize,
    /// Bytes of signed thinking that are kept for clients whose format cannot carry it, and of who issued what.
    pub recall_bytes: usize,
    /// Whether the log has a line for each request.
    pub access_log: bool,
    /// Bytes of one frame of a stream.
    pub max_frame_bytes: usize,
    /// Whether answers carry `x-weir-*` headers.
    pub diagnostic_headers: bool,
    /// Whether a request may choose among its model's targets.
    pub target_header: bool,
    /// How often something is sent to a client that waits for the first byte of a stream; never if none.
    pub keep_alive_interval: Option<Duration>,
    /// Whether a request is refused where its translation would lose something.
    pub strict: bool,
    /// Whether whoever reaches the listener is served without a key.
    pub anonymous: bool,
    /// Headers, in lower case, in which a client's key may stand besides its format's own place.
    pub key_headers: Vec<String>,
    /// What may be had from one address.
    pub address_limits: Limits,
    /// Where requests wait.
    pub queue: Queue,
    /// The certificate that the listener speaks TLS with; plain HTTP if none.
    pub tls: Option<TlsFiles>,
    /// Where host and port were set.
    pub place: Place,
}

impl Server {
    /// Whether others than this machine may reach it. Of a name that is no address nothing is known but `localhost`.
    pub fn is_open(&self) -> bool {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        name.parse::<IpAddr>().map_or(name != "localhost", |ip| !ip.is_loopback())
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            max_connections: 4096,
            max_connections_per_address: None,
            max_concurrency: None,
            max_body_bytes: 64 << 20,
            max_buffered_bytes: 512 << 20,
            max_header_bytes: 64 << 10,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(2),
            send_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_secs(30),
            body_total_timeout: Duration::from_mins(5),
            shutdown_timeout: Duration::from_secs(30),
            translate_body_limit: 32 << 20,
            recall_bytes: 32 << 20,
            access_log: true,
            max_frame_bytes: 4 << 20,
            diagnostic_headers: true,
            target_header: false,
            keep_alive_interval: None,
            strict: false,
            anonymous: false,
            key_headers: ["authorization", "x-api-key", "x-litellm-api-key"].map(str::to_owned).into(),
            address_limits: Limits::default(),
            queue: Queue::default(),
            tls: None,
            place: Place::Unset,
        }
    }
}

/// The operations side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admin {
    /// A listener of its own; on the main one if none.
    pub listen: Option<SocketAddr>,
    /// What everything under `/admin` asks for. Without one, `/admin` serves only this machine itself, and nothing on the
    /// main listener where there are `[[clients]]`.
    pub token: Option<Secret>,
}

/// How instances of an adapter are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// A fresh instance for each exchange and side.
    Fresh,
    /// An instance serves exchanges of one client key.
    Tenant,
    /// An instance serves all.
    Shared,
}

/// When an adapter is taken out of service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quarantine {
    /// Different requests that it fails at.
    pub faults: usize,
    /// The time over which they are counted.
    pub window: Duration,
    /// The share of exchanges that must have failed, above 0 and up to 1.
    pub share: f64,
    /// How long it is out of service before it is tried again, the first time.
    pub pause: Duration,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { faults: 5, window: Duration::from_mins(1), share: 0.1, pause: Duration::from_mins(1) }
    }
}

/// How a new version is tried before it serves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canary {
    /// The share of exchanges that it gets, above 0 and up to 1.
    pub share: f64,
    /// Exchanges after which it is promoted.
    pub requests: usize,
    /// The share of them that may fail, beyond what fails on the former version.
    pub max_fault_rate: f64,
    /// How long it is tried at most.
    pub max_time: Duration,
}

impl Default for Canary {
    fn default() -> Self {
        Self { share: 0.05, requests: 200, max_fault_rate: 0.01, max_time: Duration::from_mins(10) }
    }
}

/// How one adapter is run.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterSettings {
    /// How instances are shared; as the adapter wishes if none.
    pub isolation: Option<Isolation>,
    /// Instances at the same time; from the connection limit if none.
    pub max_instances: Option<usize>,
    /// Instances kept ready.
    pub prewarm: usize,
    /// Bytes of memory of one instance.
    pub memory: usize,
    /// How long one call may take.
    pub deadline: Duration,
    /// Exchanges that one instance serves before it is dropped, where it serves more than one.
    pub max_uses: usize,
    /// Whether it serves only if it is proved by fixtures.
    pub require_fixtures: bool,
    /// When it is taken out of service; never if none.
    pub quarantine: Option<Quarantine>,
    /// How new versions are tried; not at all if none.
    pub canary: Option<Canary>,
    /// Whether a trusted key must have signed it.
    pub require_signature: bool,
    /// Whether the lock file must pin it.
    pub require_lock: bool,
}

impl Default for AdapterSettings {
    fn default() -> Self {
        Self {
            isolation: None,
            max_instances: None,
            prewarm: 8,
            memory: 64 << 20,
            deadline: Duration::from_secs(1),
            max_uses: 10_000,
            require_fixtures: false,
            quarantine: Some(Quarantine::default()),
            canary: None,
            require_signature: false,
            require_lock: false,
        }
    }
}

/// What compiling one component may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compile {
    /// Bytes of memory.
    pub memory: usize,
    /// Time on the wall.
    pub time: Duration,
}

impl Default for Compile {
    fn default() -> Self {
        Self { memory: 1 << 30, time: Duration::from_mins(1) }
    }
}

/// Where adapters are found and how they are run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plugins {
    /// The folder with `NAME.wasm`.
    pub dir: PathBuf,
    /// Whether the program starts while that folder holds no adapter.
    pub allow_empty: bool,
    /// The file with the digests of trusted components. It need not exist.
    pub lock: PathBuf,
    /// How often the folder is looked at, besides the system's own hints.
    pub poll_interval: Duration,
    /// Whether files are loaded that everybody on this machine may write.
    pub allow_writable: bool,
    /// Where compiled components are kept; nowhere if none.
    pub cache_dir: Option<PathBuf>,
    /// Whose signatures count: public keys of Ed25519.
    pub trusted_keys: Vec<[u8; 32]>,
    /// What compiling one component may take.
    pub compile: Compile,
    /// The program `weir`, which compiles in processes of its own; without one it is done in this process. Not a key: the
    /// command line names itself.
    pub compiler: Option<PathBuf>,
    /// For adapters without a table of their own.
    pub defaults: AdapterSettings,
    /// `[plugins.NAME]`, completed from the defaults.
    pub adapters: BTreeMap<String, AdapterSettings>,
    /// Where `dir` was set.
    pub place: Place,
}

impl Plugins {
    /// Whether these are the same settings, wherever they stand and whoever compiles.
    pub fn is_as(&self, other: &Self) -> bool {
        let bare = |plugins: &Self| Self { place: Place::Unset, compiler: None, ..plugins.clone() };
        bare(self) == bare(other)
    }

    /// How the adapter of this name is run.
    pub fn adapter(&self, name: &str) -> &AdapterSettings {
        self.adapters.get(name).unwrap_or(&self.defaults)
    }
}
