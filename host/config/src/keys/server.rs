//! `[server]`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Limits;
use crate::Place;
use crate::section::{Amount, Bytes, Count, HeaderName, InFolder, Section, Size, section};

/// A head or a frame: the HTTP library refuses less than that.
type Buffer = Bytes<8192>;

section! {
    /// The main listener and its limits.
    SERVER = "[server]" at "server" then Server::placed;
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Server {
        /// Address or name to listen on.
        host: String = "127.0.0.1".to_owned(),
        /// Port to listen on. 0 lets the system choose.
        port: u16 as Count<u16, 0, 65_535> = 8080,
        /// Connections at the same time. At the limit the idlest one is closed for a new one; where all are at work,
        /// some more are taken for `/health`, `/ready`, `/metrics` and `/admin` alone.
        max_connections: usize as Amount = 4096,
        /// Connections from one address at the same time (of IPv6: from a /64).
        max_connections_per_address: Option<usize> as Option<Amount> => "half of `max_connections`; any number from loopback",
        /// Exchanges at the same time; further ones wait in the `queue`. Not limited without it.
        max_concurrency: Option<usize> as Option<Amount>,
        /// The largest request body.
        max_body_bytes: usize as Size = 64 << 20,
        /// How much is held of all requests' bodies, translated answers and fetched media together. What finds no room
        /// waits two seconds, then gets a 503. One connection may hold a quarter.
        max_buffered_bytes: usize as Size = 512 << 20,
        /// The largest request head.
        max_header_bytes: usize as Buffer = 64 << 10,
        /// How long a client may take from its connection to its first request's head (TLS included), and for each
        /// later head.
        header_timeout: Duration = Duration::from_secs(10),
        /// How long a connection may be open between requests. Pings are no requests.
        idle_timeout: Duration = Duration::from_mins(2),
        /// How long a client may pause while it sends a request's body.
        body_timeout: Duration = Duration::from_secs(30),
        /// How long all of a request's body may take, however it drips.
        body_total_timeout: Duration = Duration::from_mins(5),
        /// How long a client may leave what is sent to it untaken.
        send_timeout: Duration = Duration::from_mins(1),
        /// How long streams may go on when Weir is told to stop.
        shutdown_timeout: Duration = Duration::from_secs(30),
        /// The largest body, of a request or an answer, that is translated: it is held in memory.
        translate_body_limit: usize as Size = 32 << 20,
        /// How much of signed thinking is kept, by tool-call id, for clients whose format cannot carry it to their next
        /// turn. A quarter is for who issued what, by which requests are led back, and an eighth for which client made
        /// what.
        recall_bytes: usize as Size = 32 << 20,
        /// Whether the log has a line for each request: `docs/log.md`. Its level is `info`.
        access_log: bool = true,
        /// The largest frame of a stream.
        max_frame_bytes: usize as Buffer = 4 << 20,
        /// Whether answers carry `x-weir-*` headers, which tell where a request went.
        diagnostic_headers: bool = true,
        /// Whether a request may choose among its model's targets by the header `x-weir-target`, which gives a
        /// provider's name.
        target_header: bool,
        /// How often something harmless is sent to a client that waits for a stream's first byte. Never without it.
        keep_alive_interval: Option<Duration>,
        /// Whether a request is refused where its translation would lose something. Otherwise the loss is told in a
        /// header, a metric and the log.
        strict: bool,
        /// Whether every request that reaches the listener is served without a key. Otherwise requests without one are
        /// served only where no `[[clients]]` are configured, and only from this machine itself: to a loopback name
        /// (`localhost`, `127.0.0.1`, `[::1]`), not for another site's web page, and through no proxy.
        anonymous: bool,
        /// Headers in which a client's key may stand, besides the place where its format has it. They are never sent
        /// on.
        key_headers: Vec<String> as Vec<HeaderName> = ["authorization", "x-api-key", "x-litellm-api-key"].map(str::to_owned).into(),
        /// What may be had from one address; see `limits`.
        address_limits: Limits,
        /// Where requests wait for their turn; see `queue`.
        queue: Queue,
        /// The certificate to speak TLS with; see `tls`. Plain HTTP without it.
        tls: Option<TlsFiles>,
    } beside {
        /// Where the table stands.
        place: Place = Place::Unset,
    }
}

impl Server {
    /// Whether others than this machine may reach it. Of a name that is no address nothing is known but `localhost`.
    pub fn is_open(&self) -> bool {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        name.parse::<IpAddr>().map_or(name != "localhost", |ip| !ip.is_loopback())
    }

    fn placed(self, section: &Section<'_>) -> Self {
        Self { place: section.place.clone(), ..self }
    }
}

section! {
    /// Where requests wait while as many are under way as `max_concurrency` allows. Clients take turns, within their
    /// priority. Whoever finds it full, or waits too long, gets a 503 that says when to come back.
    QUEUE = "queue = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Queue {
        /// Requests that wait at the same time.
        length: usize as Count<usize, 0, 1_000_000> = 256,
        /// How long one waits.
        wait: Duration = Duration::from_secs(10),
    }
}

section! {
    /// HTTPS on the main listener, with HTTP/2 and HTTP/1.1. The files are read again when they change. Paths are taken
    /// from the configuration's folder.
    TLS = "tls = { ... }";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TlsFiles {
        /// The certificate and those that vouch for it, as PEM.
        cert: PathBuf as InFolder => required "TLS takes a certificate and its private key, as PEM files",
        /// Its private key, as PEM.
        key: PathBuf as InFolder => required "TLS takes a certificate and its private key, as PEM files",
    }
}
