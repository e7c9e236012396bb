//! The tables of the program itself.

use super::{DURATION, FLAG, ISOLATION, Keys, NUMBER, SIZE, TABLE, TABLE_OR_FALSE, TEXT, key};

pub(in super::super) const TOP: Keys = Keys {
    title: "The top of the file",
    path: Some(""),
    meaning: "",
    list: &[
        key(
            "log_level",
            "\"trace\", \"debug\", \"info\", \"warn\", \"error\"",
            "\"info\"",
            "The least grave level that is logged.",
        ),
        key(
            "log_format",
            "\"auto\", \"human\", \"json\"",
            "\"auto\"",
            "How log lines look. `auto` is human on a terminal and JSON otherwise.",
        ),
        key(
            "log_buffer",
            SIZE,
            "\"4MiB\"",
            "How much of the log waits for a reader that is slow. What finds no room is dropped and counted; requests never wait for the log.",
        ),
        key(
            "default_provider",
            TEXT,
            "",
            "The provider that serves models which no alias matches, as an alias `*` would.",
        ),
        key("server", TABLE, "", "The listener; see `[server]`."),
        key("admin", TABLE, "", "The operations side; see `[admin]`."),
        key("media", TABLE, "", "Media that are fetched; see `[media]`."),
        key("traces", TABLE, "", "Where spans of requests go; see `[traces]`."),
        key("plugins", TABLE, "", "Adapters; see `[plugins]`."),
        key("clients", "list of tables", "", "Those who may ask; see `[[clients]]`."),
        key("providers", "list of tables", "", "Accounts with those who serve models; see `[[providers]]`."),
        key("models", "list of tables", "", "What clients may ask for; see `[[models]]`."),
    ],
};

pub(in super::super) const SERVER: Keys = Keys {
    title: "[server]",
    path: Some("server"),
    meaning: "The main listener and its limits.",
    list: &[
        key("host", TEXT, "\"127.0.0.1\"", "Address or name to listen on."),
        key("port", NUMBER, "8080", "Port to listen on. 0 lets the system choose."),
        key(
            "max_connections",
            NUMBER,
            "4096",
            "Connections at the same time. At the limit the idlest one is closed for a new one; where all are at work, some more are taken for `/health`, `/ready`, `/metrics` and `/admin` alone.",
        ),
        key(
            "max_connections_per_address",
            NUMBER,
            "half of `max_connections`; any number from loopback",
            "Connections from one address at the same time (of IPv6: from a /64).",
        ),
        key(
            "max_concurrency",
            NUMBER,
            "",
            "Exchanges at the same time; further ones wait in the `queue`. Not limited without it.",
        ),
        key("max_body_bytes", SIZE, "\"64MiB\"", "The largest request body."),
        key(
            "max_buffered_bytes",
            SIZE,
            "\"512MiB\"",
            "How much is held of all requests' bodies, translated answers and fetched media together. What finds no room waits two seconds, then gets a 503. One connection may hold a quarter.",
        ),
        key("max_header_bytes", SIZE, "\"64KiB\"", "The largest request head."),
        key(
            "header_timeout",
            DURATION,
            "\"10s\"",
            "How long a client may take from its connection to its first request's head (TLS included), and for each later head.",
        ),
        key(
            "idle_timeout",
            DURATION,
            "\"2m\"",
            "How long a connection may be open between requests. Pings are no requests.",
        ),
        key("body_timeout", DURATION, "\"30s\"", "How long a client may pause while it sends a request's body."),
        key("body_total_timeout", DURATION, "\"5m\"", "How long all of a request's body may take, however it drips."),
        key("send_timeout", DURATION, "\"1m\"", "How long a client may leave what is sent to it untaken."),
        key("shutdown_timeout", DURATION, "\"30s\"", "How long streams may go on when Weir is told to stop."),
        key(
            "translate_body_limit",
            SIZE,
            "\"32MiB\"",
            "The largest body, of a request or an answer, that is translated: it is held in memory.",
        ),
        key(
            "recall_bytes",
            SIZE,
            "\"32MiB\"",
            "How much of signed thinking is kept, by tool-call id, for clients whose format cannot carry it to their \
             next turn. A quarter is for who issued what, by which requests are led back, and an eighth for which client made what.",
        ),
        key(
            "access_log",
            FLAG,
            "true",
            "Whether the log has a line for each request: `docs/log.md`. Its level is `info`.",
        ),
        key("max_frame_bytes", SIZE, "\"4MiB\"", "The largest frame of a stream."),
        key(
            "diagnostic_headers",
            FLAG,
            "true",
            "Whether answers carry `x-weir-*` headers, which tell where a request went.",
        ),
        key(
            "target_header",
            FLAG,
            "false",
            "Whether a request may choose among its model's targets by the header `x-weir-target`, which gives a provider's name.",
        ),
        key(
            "keep_alive_interval",
            DURATION,
            "",
            "How often something harmless is sent to a client that waits for a stream's first byte. Never without it.",
        ),
        key(
            "strict",
            FLAG,
            "false",
            "Whether a request is refused where its translation would lose something. Otherwise the loss is told in a header, a metric and the log.",
        ),
        key(
            "anonymous",
            FLAG,
            "false",
            "Whether every request that reaches the listener is served without a key. Otherwise requests without one are served only where no `[[clients]]` are configured, and only from this machine itself: to a loopback name (`localhost`, `127.0.0.1`, `[::1]`), not for another site's web page, and through no proxy.",
        ),
        key(
            "key_headers",
            "list of strings",
            "[\"authorization\", \"x-api-key\", \"x-litellm-api-key\"]",
            "Headers in which a client's key may stand, besides the place where its format has it. They are never sent on.",
        ),
        key("address_limits", TABLE, "", "What may be had from one address; see `limits`."),
        key("queue", TABLE, "", "Where requests wait for their turn; see `queue`."),
        key("tls", TABLE, "", "The certificate to speak TLS with; see `tls`. Plain HTTP without it."),
    ],
};

pub(in super::super) const TLS: Keys = Keys {
    title: "tls = { ... }",
    path: None,
    meaning: "HTTPS on the main listener, with HTTP/2 and HTTP/1.1. The files are read again when they change. Paths are taken from the configuration's folder.",
    list: &[
        key("cert", "path", "", "The certificate and those that vouch for it, as PEM."),
        key("key", "path", "", "Its private key, as PEM."),
    ],
};

pub(in super::super) const ADMIN: Keys = Keys {
    title: "[admin]",
    path: Some("admin"),
    meaning: "The operations side: health, metrics and everything under `/admin`.",
    list: &[
        key(
            "listen",
            "address:port",
            "",
            "A listener of its own, such as `\"127.0.0.1:9090\"`. Without it, the main listener serves these paths too.",
        ),
        key(
            "token",
            "secret",
            "",
            "What everything under `/admin` asks for. Without one it serves only requests of this machine itself, to a loopback name and through no proxy; and on the main listener none where there are `[[clients]]`.",
        ),
    ],
};

pub(in super::super) const MEDIA: Keys = Keys {
    title: "[media]",
    path: Some("media"),
    meaning: "Images and files that a request gives by their address, towards providers that take only bytes.",
    list: &[
        key(
            "fetch",
            FLAG,
            "false",
            "Whether Weir fetches them: by https, from public addresses only. Without it such a request gets a 400.",
        ),
        key("max_bytes", SIZE, "\"20MiB\"", "The largest that is fetched."),
        key("max_total_bytes", SIZE, "\"40MiB\"", "All that is fetched for one request."),
        key("timeout", DURATION, "\"10s\"", "How long one may take."),
        key(
            "origins",
            "list of urls",
            "",
            "Places of your own, such as `\"http://files.internal\"`, from which they are fetched without these rules.",
        ),
    ],
};

pub(in super::super) const TRACES: Keys = Keys {
    title: "[traces]",
    path: Some("traces"),
    meaning: "Where spans of requests, attempts and adapters' calls go. Nowhere without this table.",
    list: &[
        key("endpoint", "url", "", "A collector that takes OTLP over HTTP, such as `\"http://127.0.0.1:4318\"`."),
        key(
            "headers",
            "secret",
            "",
            "Headers that it wants to see, as OpenTelemetry writes them: `name=value,name=value`, values percent-encoded.",
        ),
        key(
            "sample",
            "number from 0 to 1",
            "1",
            "The share of traces that are kept. Where a client's `traceparent` has decided that already, it counts.",
        ),
        key("service", "string", "\"weir\"", "The spans' `service.name`."),
    ],
};

pub(in super::super) const PLUGINS: Keys = Keys {
    title: "[plugins]",
    path: Some("plugins"),
    meaning: "Where adapters are found, and how those without a table of their own are run. Paths are taken from the working directory.",
    list: &[
        key(
            "dir",
            "path",
            "\"plugins\"",
            "The folder with `NAME.wasm`. It is watched. Where this key is left out and the working directory has no such folder, the folder `plugins` beside the program is taken, if there is one.",
        ),
        key(
            "allow_empty",
            FLAG,
            "false",
            "Whether Weir starts while the folder holds no adapter, and serves as soon as one is there. Without it that is an error: most often the folder is another one.",
        ),
        key(
            "lock",
            "path",
            "\"plugins.lock\" beside the configuration, else beside the folder",
            "The digests of components whose suggestions (url, key variables) are taken without asking. It need not exist.",
        ),
        key("poll_interval", DURATION, "\"2s\"", "How often the folder is looked at, besides the system's own hints."),
        key(
            "allow_writable",
            FLAG,
            "false",
            "Whether files are loaded that everybody on this machine may write, or that lie in a folder where everybody may. What is mounted for reading only is never meant.",
        ),
        key(
            "cache_dir",
            "path",
            "`weir` in the user's cache folder",
            "Where compiled components are kept, and what was decided about them: quarantines, rollbacks. Empty for nowhere.",
        ),
        key("compile", TABLE, "", "What compiling one component may take."),
        key("isolation", ISOLATION, "as the adapter wishes", "As in `[plugins.NAME]`, for all."),
        key("max_instances", NUMBER, "from `server.max_connections`", "As in `[plugins.NAME]`, for all."),
        key("prewarm", NUMBER, "8", "As in `[plugins.NAME]`, for all."),
        key("memory", SIZE, "\"64MiB\"", "As in `[plugins.NAME]`, for all."),
        key("deadline", DURATION, "\"1s\"", "As in `[plugins.NAME]`, for all."),
        key("max_uses", NUMBER, "10000", "As in `[plugins.NAME]`, for all."),
        key("require_fixtures", FLAG, "false", "As in `[plugins.NAME]`, for all."),
        key("quarantine", TABLE_OR_FALSE, "as below", "As in `[plugins.NAME]`, for all."),
        key("canary", TABLE_OR_FALSE, "false", "As in `[plugins.NAME]`, for all."),
        key("require_signature", FLAG, "false", "As in `[plugins.NAME]`, for all."),
        key("require_lock", FLAG, "false", "As in `[plugins.NAME]`, for all."),
        key(
            "trusted_keys",
            "list of strings",
            "",
            "Public keys, `\"ed25519:BASE64\"`, whose signatures count. `weir plugin keygen` makes a pair.",
        ),
    ],
};

pub(in super::super) const COMPILE: Keys = Keys {
    title: "compile = { ... }",
    path: None,
    meaning: "What compiling one component may take. It is done in a process of its own, which is ended when it takes more; the component is then refused.",
    list: &[
        key("memory", SIZE, "\"1GiB\"", "Address space. CPython needs 400 MiB."),
        key("time", DURATION, "\"60s\"", "Time on the wall. CPython takes 10 seconds of one core."),
    ],
};

pub(in super::super) const ADAPTER: Keys = Keys {
    title: "[plugins.NAME]",
    path: None,
    meaning: "How the adapter `NAME` is run. What is left out is taken from `[plugins]`.",
    list: &[
        key(
            "isolation",
            ISOLATION,
            "as the adapter wishes",
            "`fresh`: an instance for each exchange and side. `tenant`: an instance serves the exchanges of one client key. `shared`: an instance serves all.",
        ),
        key("max_instances", NUMBER, "from `server.max_connections`", "Instances at the same time."),
        key("prewarm", NUMBER, "8", "Instances kept ready."),
        key("memory", SIZE, "\"64MiB\"", "The most that one instance may hold."),
        key("deadline", DURATION, "\"1s\"", "How long one call into it may take."),
        key(
            "max_uses",
            NUMBER,
            "10000",
            "Exchanges that an instance serves before it is dropped, where it serves more than one.",
        ),
        key(
            "require_fixtures",
            FLAG,
            "false",
            "Whether it serves only if it is proved by fixtures. Those that it has are replayed in any case; see docs/fixtures.md.",
        ),
        key(
            "quarantine",
            TABLE_OR_FALSE,
            "as below",
            "When it is taken out of service for failing too often, and the last good version returns. `false` for never.",
        ),
        key(
            "canary",
            TABLE_OR_FALSE,
            "false",
            "How a new version is tried on a share of the exchanges first. `{}` tries it as below says, `false` not at all.",
        ),
        key(
            "require_signature",
            FLAG,
            "false",
            "Whether only files are loaded that one of `trusted_keys` signed: `NAME.wasm.sig` beside `NAME.wasm`.",
        ),
        key("require_lock", FLAG, "false", "Whether only files are loaded whose digest the lock file pins."),
    ],
};

pub(in super::super) const QUARANTINE: Keys = Keys {
    title: "quarantine = { ... }",
    path: None,
    meaning: "When an adapter is taken out of service.",
    list: &[
        key(
            "faults",
            NUMBER,
            "5",
            "Different requests that it fails at within the window, 64 at most. The same request sent again is not another one.",
        ),
        key("window", DURATION, "\"1m\"", "The time over which they are counted."),
        key(
            "share",
            "number",
            "0.1",
            "The share of exchanges in that time that must have failed, above 0 and up to 1.",
        ),
        key(
            "pause",
            DURATION,
            "\"1m\"",
            "How long it stays out of service, where no earlier version steps in, before it is tried again. Twice as long each time, a day at the most.",
        ),
    ],
};

pub(in super::super) const CANARY: Keys = Keys {
    title: "canary = { ... }",
    path: None,
    meaning: "How a new version is tried before it serves.",
    list: &[
        key("share", "number", "0.05", "The share of exchanges that it gets, above 0 and up to 1."),
        key("requests", NUMBER, "200", "Exchanges after which it is promoted."),
        key(
            "max_fault_rate",
            "number",
            "0.01",
            "The share of them that may fail, beyond what fails on the former version. With more it is rolled back.",
        ),
        key("max_time", DURATION, "\"10m\"", "How long it is tried at most; then what it has served decides."),
    ],
};
