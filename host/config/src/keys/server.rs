//! `[server]`: the main listener.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::Limits;
use crate::section::{
    Amount, Bytes, Count, HeaderName, InFolder, Network, PageOrigin, Section, Size, joined, part, section, take_table,
};
use crate::{Origin, Place};

/// The size of a head or a frame; the HTTP library refuses less than 8 KiB.
type Buffer = Bytes<8192>;

section! {
    /// The main listener and its limits.
    SERVER = "[server]" at "server" then Server::placed;
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Server {
        /// Address or name to listen on. `"::"` means all addresses of both families, and those of IPv4 alone where
        /// there is no IPv6.
        host: String = "127.0.0.1".to_owned(),
        /// Port to listen on. 0 lets the system choose.
        port: u16 as Count<u16, 0, 65_535> = 8080,
        /// Threads that serve connections, each with its own connections to providers.
        workers: Option<usize> as Option<Count<usize, 1, 1024>> => "one for each core that the process may use",
        /// Concurrent connections. At the limit, a new connection closes the idlest one; if all are busy, a few more
        /// are accepted for `/health`, `/ready`, `/metrics` and `/admin` only.
        max_connections: usize as Amount = 4096,
        /// Concurrent connections from one address (for IPv6, from one /64).
        max_connections_per_address: Option<usize> as Option<Amount> => "half of `max_connections`; any number from loopback and `trusted_proxies`",
        /// Addresses and networks of proxies in front of Weir. Of what these send, the client's address is the last one
        /// in `x-forwarded-for` that is not in this list. Without it, all clients behind a proxy have the proxy's
        /// address.
        trusted_proxies: Vec<IpNet> as Vec<Network>,
        /// Concurrent exchanges; further ones wait in the `queue`. No limit if unset.
        max_concurrency: Option<usize> as Option<Amount>,
        /// The largest request body.
        max_body_bytes: usize as Size = 64 << 20,
        /// The largest request body that passes through to a provider while it arrives; see `docs/passthrough.md`.
        max_upload_bytes: usize as Size = 1 << 30,
        /// The most memory for request bodies, translated answers and fetched media of all requests together. A request
        /// that finds no room waits two seconds, then gets a 503. One connection may hold a quarter.
        max_buffered_bytes: usize as Size = 512 << 20,
        /// The largest request head.
        max_header_bytes: usize as Buffer = 64 << 10,
        /// How long a client may take from its connection to the end of its first request's head (TLS included), and
        /// for each later head.
        header_timeout: Duration = Duration::from_secs(10),
        /// How long a connection may stay open between requests. Pings do not count as requests.
        idle_timeout: Duration = Duration::from_mins(2),
        /// How long a client may pause while it sends a request's body.
        body_timeout: Duration = Duration::from_secs(30),
        /// How long a whole request body may take, however slowly it arrives.
        body_total_timeout: Duration = Duration::from_mins(5),
        /// How long a client may leave sent data unread.
        send_timeout: Duration = Duration::from_mins(1),
        /// How long streams may continue after Weir is asked to stop. Then each is ended with an error in its own
        /// format.
        shutdown_timeout: Duration = Duration::from_secs(30),
        /// The largest body of a request or an answer that is translated; it is held in memory.
        translate_body_limit: usize as Size = 32 << 20,
        /// Memory for signed reasoning, kept by tool-call id for clients whose format cannot carry it to their next
        /// turn. A quarter of it records which target issued what, so that later requests return there; an eighth
        /// records which client made what; a quarter keeps items of translated answers that clients name in later
        /// requests.
        recall_bytes: usize as Size = 32 << 20,
        /// Memory for answers that are kept for equal requests of models with `cache`; see `docs/cache.md`.
        cache_bytes: usize as Size = 64 << 20,
        /// Memory for the vectors of questions, for models with `semantic_cache`.
        semantic_cache_bytes: usize as Size = 64 << 20,
        /// The most questions of one conversation and caller, for models with `semantic_cache`: requests that differ in
        /// their last words only. Up to 10,000 each of them is compared, of more those whose sketches are near.
        semantic_cache_questions: usize as Amount = 10_000,
        /// How long Weir leaves it to clients to read what they have made in the background, such as batches. After
        /// that it reads it itself to book it, again after twice as long each time up to 30 minutes, for two days; see
        /// `docs/budgets.md`.
        book_unread_after: Duration = Duration::from_mins(1),
        /// Whether each request is logged, at level `info`; see `docs/log.md`.
        access_log: bool = true,
        /// The largest frame of a stream that Weir reads, be it to translate it, for guards or for its usage; a picture
        /// in base64 is one. What has arrived of a frame counts in `max_buffered_bytes` beyond 64 KiB. Relayed bytes
        /// pass in any case.
        max_frame_bytes: usize as Buffer = 16 << 20,
        /// Whether answers carry `x-weir-*` headers, which show where a request went.
        diagnostic_headers: bool = true,
        /// Whether a request may choose among its model's targets with the header `x-weir-target`, whose value is a
        /// provider's name.
        target_header: bool,
        /// Whether clients of gRPC may learn the schema from Weir (`grpc.reflection.v1`), which needs no key.
        grpc_reflection: bool,
        /// How often harmless data is sent to a client that waits for the first byte of a stream. Never if unset.
        keep_alive_interval: Option<Duration>,
        /// Whether a request is refused if its translation would lose something. Otherwise a header, a metric and the
        /// log report the loss.
        strict: bool,
        /// Whether every request that reaches the listener is served without a key. Otherwise requests without a key
        /// are served only if there are no `[[clients]]`, and only from this machine itself: to a loopback name
        /// (`localhost`, `127.0.0.1`, `[::1]`), not for another site's web page, and through no proxy.
        anonymous: bool,
        /// Headers that may carry a client's key, besides the place where its format has it. They are never forwarded.
        key_headers: Vec<String> as Vec<HeaderName> = ["authorization", "x-api-key", "x-litellm-api-key"].map(str::to_owned).into(),
        /// Origins of web pages that may call Weir from a browser, such as `"https://chat.example.com"`; `"*"` for all
        /// that send a key. Without any, browsers keep the answers from pages of other sites.
        allowed_origins: Vec<String> as Vec<PageOrigin>,
        /// Limits of one address; see `limits`.
        address_limits: Limits,
        /// Scheme, host and port by which clients reach Weir. It stands in answers in place of a provider's own
        /// address, such as that of a batch's results. If unset, it is the host that the client names, with `https` if
        /// `tls` is set; a request that shows that a proxy passed it on is answered with the provider's address then.
        public_url: Option<Origin>,
        /// The queue of waiting requests; see `queue`.
        queue: Queue,
        /// The certificate for TLS; see `tls`. Plain HTTP if unset.
        tls: Option<TlsFiles>,
    } beside {
        /// Where the table stands.
        place: Place = Place::Unset,
    }
}

impl Server {
    /// Whether other machines may reach the listener. A host name other than `localhost` counts as reachable.
    pub fn is_open(&self) -> bool {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        name.parse::<IpAddr>().map_or(name != "localhost", |ip| !ip.is_loopback())
    }

    /// Whether the main listener has this address, as far as its host is one.
    pub(crate) fn listens_at(&self, address: SocketAddr) -> bool {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        let is_host = name.parse::<IpAddr>().is_ok_and(|ip| ip == address.ip() || ip.is_unspecified());
        is_host && self.port != 0 && self.port == address.port()
    }

    fn placed(self, section: &Section<'_>) -> Self {
        Self { place: section.place.clone(), ..self }
    }
}

section! {
    /// The queue for requests beyond `max_concurrency`. Clients take turns, within their priority. If the queue is full
    /// or the wait too long, the client gets a 503 with `Retry-After`.
    QUEUE = "queue = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Queue {
        /// The most requests that wait at the same time.
        length: usize as Count<usize, 0, 1_000_000> = 256,
        /// The longest wait of a request.
        wait: Duration = Duration::from_secs(10),
    }
}

part! {
    /// The certificate of the main listener and its key.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TlsFiles {
        /// The certificate and its chain, as PEM.
        cert: PathBuf as InFolder => required "TLS takes a certificate and its private key, as PEM files",
        /// Its private key, as PEM.
        key: PathBuf as InFolder => required "TLS takes a certificate and its private key, as PEM files",
    } beside {
        /// Where `cert` stands.
        cert_place: Place = Place::Unset,
        /// Where `key` stands.
        key_place: Place = Place::Unset,
    }
}

joined! {
    /// HTTPS on the main listener, with HTTP/2 and HTTP/1.1. The files are read again when they change. Paths are
    /// relative to the configuration's folder.
    TLS = "tls = { ... }": TlsFiles::KEYS;
}

take_table!(TlsFiles, TLS, by TlsFiles::of_table);

impl TlsFiles {
    /// No files if one is not named, or by something else than a text, which is an error of the file already.
    fn of_table(section: &mut Section<'_>) -> Option<Self> {
        let (cert, key) = (section.place_of("cert"), section.place_of("key"));
        let read = Self::read(section, Self::default());
        read.paths().iter().all(|path| !path.as_os_str().is_empty()).then_some(())?;
        Some(Self { cert_place: cert?, key_place: key?, ..read })
    }

    /// The certificate and its key, wherever they are named.
    pub fn paths(&self) -> [&Path; 2] {
        [&self.cert, &self.key]
    }
}
