//! The tables of the program itself.

use super::{DURATION, FLAG, Keys, NUMBER, SIZE, TABLE, TEXT, key};

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
            "default_provider",
            TEXT,
            "",
            "The provider that serves models which no alias matches, as an alias `*` would.",
        ),
        key("server", TABLE, "", "The listener; see `[server]`."),
        key("admin", TABLE, "", "The operations side; see `[admin]`."),
        key("media", TABLE, "", "Media that are fetched; see `[media]`."),
        key("plugins", TABLE, "", "Adapters; see `[plugins]`."),
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
        key("max_connections", NUMBER, "4096", "Connections at the same time."),
        key("max_concurrency", NUMBER, "", "Exchanges at the same time. Not limited without it."),
        key("max_body_bytes", SIZE, "\"64MiB\"", "The largest request body."),
        key("max_header_bytes", SIZE, "\"64KiB\"", "The largest request head."),
        key("header_timeout", DURATION, "\"10s\"", "How long a client may take to send a request's head."),
        key("body_timeout", DURATION, "\"30s\"", "How long a client may pause while it sends a request's body."),
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
             next turn.",
        ),
        key("max_frame_bytes", SIZE, "\"4MiB\"", "The largest frame of a stream."),
        key(
            "diagnostic_headers",
            FLAG,
            "true",
            "Whether answers carry `x-weir-*` headers, which tell where a request went.",
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
        key("token", "secret", "", "What everything under `/admin` asks for."),
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
        key("timeout", DURATION, "\"10s\"", "How long one may take."),
        key(
            "origins",
            "list of urls",
            "",
            "Places of your own, such as `\"http://files.internal\"`, from which they are fetched without these rules.",
        ),
    ],
};
