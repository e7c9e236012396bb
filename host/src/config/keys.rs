//! Every key: its name, what it takes, its default and what it means.
//!
//! The one list of them. The reader takes from it what a table may hold, messages take suggestions from it, the short
//! names of environment variables and the reference in `docs/configuration.md` are made from it.

/// A key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it takes, for the reference.
    pub(super) takes: &'static str,
    /// Empty where there is none.
    pub(super) default: &'static str,
    /// One or two sentences.
    pub(super) meaning: &'static str,
}

/// A table of the configuration.
#[derive(Debug)]
pub(super) struct Keys {
    /// As messages and the reference call it.
    pub(super) title: &'static str,
    /// The path to it, where there is just one such table: its keys have short variables.
    pub(super) path: Option<&'static str>,
    /// What the table is for.
    pub(super) meaning: &'static str,
    pub(super) list: &'static [Key],
}

impl Keys {
    pub(super) fn has(&self, name: &str) -> bool {
        self.list.iter().any(|key| key.name == name)
    }
}

const fn key(name: &'static str, takes: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { name, takes, default, meaning }
}

/// All tables, in the order of the reference.
pub(super) const ALL: &[&Keys] = &[
    &TOP,
    &SERVER,
    &ADMIN,
    &MEDIA,
    &PLUGINS,
    &ADAPTER,
    &PROVIDER,
    &ALLOWED_ORIGIN,
    &MODEL,
    &TARGET,
    &TIMEOUTS,
    &RETRY,
    &BREAKER,
    &CAPABILITIES,
    &PRICE,
];

const FLAG: &str = "true, false";
const DURATION: &str = "duration";
const SIZE: &str = "size";
const NUMBER: &str = "integer";
const TEXT: &str = "string";
const TABLE: &str = "table";
const ISOLATION: &str = "\"fresh\", \"tenant\", \"shared\"";
const METERING: &str = "\"tap\", \"ask\"";

pub(super) const TOP: Keys = Keys {
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

pub(super) const SERVER: Keys = Keys {
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

pub(super) const ADMIN: Keys = Keys {
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

pub(super) const MEDIA: Keys = Keys {
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

pub(super) const PLUGINS: Keys = Keys {
    title: "[plugins]",
    path: Some("plugins"),
    meaning: "Where adapters are found, and how those without a table of their own are run. Paths are taken from the working directory.",
    list: &[
        key("dir", "path", "\"plugins\"", "The folder with `NAME.wasm`. It is watched."),
        key(
            "lock",
            "path",
            "\"plugins.lock\" beside the configuration, else beside the folder",
            "The digests of components whose suggestions (url, key variables) are taken without asking. It need not exist.",
        ),
        key("poll_interval", DURATION, "\"2s\"", "How often the folder is looked at, besides the system's own hints."),
        key(
            "cache_dir",
            "path",
            "`weir` in the user's cache folder",
            "Where compiled components are kept. Empty for nowhere.",
        ),
        key("isolation", ISOLATION, "as the adapter wishes", "As in `[plugins.NAME]`, for all."),
        key("max_instances", NUMBER, "from `server.max_connections`", "As in `[plugins.NAME]`, for all."),
        key("prewarm", NUMBER, "8", "As in `[plugins.NAME]`, for all."),
        key("memory", SIZE, "\"64MiB\"", "As in `[plugins.NAME]`, for all."),
        key("deadline", DURATION, "\"1s\"", "As in `[plugins.NAME]`, for all."),
        key("max_uses", NUMBER, "10000", "As in `[plugins.NAME]`, for all."),
    ],
};

pub(super) const ADAPTER: Keys = Keys {
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
    ],
};

pub(super) const PROVIDER: Keys = Keys {
    title: "[[providers]]",
    path: None,
    meaning: "An account with somebody who serves models. Models refer to it by name.",
    list: &[
        key(
            "name",
            TEXT,
            "required",
            "A name of your choice: letters, digits, `-`, `_` and `.`. It is a label in metrics.",
        ),
        key("adapter", TEXT, "required", "The adapter that speaks to it."),
        key(
            "url",
            "url",
            "as the adapter suggests",
            "The API's base with its version path, such as `\"https://api.example.com/v1/\"`; or `\"replay:DIR\"` for recorded answers, the folder being taken from this file's.",
        ),
        key(
            "api_key",
            "secret",
            "",
            "The key: `\"env:NAME\"`, `\"file:PATH\"`, or the key itself, which is not wise. Its form depends on the scheme that the adapter's option `auth` chooses (`weir plugin inspect` lists them): for signatures of AWS `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`; for OAuth2 client credentials `CLIENT_ID:CLIENT_SECRET`; for a service account the JSON of its key (or of a user's own credentials, `authorized_user`), or the path of a file with it. Access tokens are fetched from where the option `token_url` says, else from where the service account's key or a trusted adapter says.",
        ),
        key("api_keys", "list of secrets", "", "Several keys, used in turn. Instead of `api_key`."),
        key("options", TABLE, "", "Settings that the adapter declares. `weir plugin inspect` lists them."),
        key(
            "region",
            TEXT,
            "",
            "Fills `{region}` in the adapter's suggested url, and signs requests where that is asked for. For signatures it is, if left out, the option `region`, the one that stands in the url's host, the variable `AWS_REGION`, or `us-east-1`.",
        ),
        key(
            "allow_origins",
            "list of urls or tables",
            "[]",
            "Other origins that the adapter may send follow-up requests to.",
        ),
        key(
            "format",
            TEXT,
            "the adapter's choice",
            "Which of its formats the adapter uses, by its id as `weir plugin inspect` shows it.",
        ),
        key("translate", FLAG, "false", "Whether even requests that could be relayed untouched are translated."),
        key(
            "usage",
            METERING,
            "\"tap\"",
            "How the tokens of relayed streams are counted. `tap` adds nothing to requests and estimates where the provider tells nothing; `ask` adds the one member that makes it tell.",
        ),
        key("timeouts", TABLE, "", "Time limits."),
        key("retry", TABLE, "", "How often a failed attempt is repeated."),
        key("breaker", TABLE, "", "When it is left alone."),
        key("max_concurrency", NUMBER, "", "Attempts at the same time. Not limited without it."),
        key("enable_fallback", FLAG, "true", "Whether a request that failed here may go elsewhere."),
        key(
            "http2",
            FLAG,
            "false",
            "Whether HTTP/2 is spoken without agreeing on it first, to an `http://` server that knows nothing else. With `https://` it is agreed on.",
        ),
    ],
};

pub(super) const ALLOWED_ORIGIN: Keys = Keys {
    title: "allow_origins = [{ ... }]",
    path: None,
    meaning: "A string is an origin that gets no credential.",
    list: &[
        key("origin", "url", "required", "Scheme, host and perhaps a port."),
        key("credential", FLAG, "false", "Whether the provider's key is sent there too."),
    ],
};

pub(super) const MODEL: Keys = Keys {
    title: "[[models]]",
    path: None,
    meaning: "A name that clients may ask for, and where such requests go.",
    list: &[
        key(
            "alias",
            TEXT,
            "required",
            "What clients say, or a pattern with `*`. An exact alias wins over the longest one with a star at its end, that over any other pattern, and that over `*`.",
        ),
        key("type", TEXT, "", "The adapter, where a target has a `url` of its own instead of a provider."),
        key("provider", TEXT, "`default_provider`", "The provider, where the target names none."),
        key("target", TABLE, "", "Where requests go."),
        key("targets", "list of tables", "", "Several places. Instead of `target`."),
        key(
            "strategy",
            "\"priority\", \"weighted\", \"round-robin\", \"least-latency\", \"least-busy\", \"cheapest\"",
            "\"weighted\" where a target has a weight, else \"priority\"",
            "How one of several targets is chosen.",
        ),
        key("fallbacks", "list of strings", "[]", "Models that are tried when every target failed."),
        key("enable_fallback", FLAG, "as the provider", "Whether a request that failed may go elsewhere."),
        key(
            "translate",
            FLAG,
            "as the provider",
            "Whether even requests that could be relayed untouched are translated.",
        ),
        key("usage", METERING, "as the provider", "How the tokens of relayed streams are counted."),
        key("timeouts", TABLE, "as the provider", "Time limits."),
        key("retry", TABLE, "as the provider", "How often a failed attempt is repeated."),
        key(
            "strict",
            FLAG,
            "as `[server]` has it",
            "Whether a request for this model is refused where its translation would lose something.",
        ),
        key("max_concurrency", NUMBER, "", "Exchanges at the same time. Not limited without it."),
        key("capabilities", TABLE, "", "What the model can do, where the bundled file does not know."),
        key("price", TABLE, "", "What the model costs, where the bundled file does not know."),
    ],
};

pub(super) const TARGET: Keys = Keys {
    title: "target = { ... }",
    path: None,
    meaning: "Where a model's requests go; each of `targets` is the same. To a provider by name, or to a `url` of its own with the adapter named by the model's `type`. Targets with the same adapter, url, key and options share one provider.",
    list: &[
        key("provider", TEXT, "the model's", "The provider."),
        key("url", "url", "as the adapter suggests", "As in `[[providers]]`, instead of `provider`."),
        key("api_key", "secret", "", "As in `[[providers]]`, together with `url`."),
        key("model", TEXT, "the name that the client used", "The provider's name for the model."),
        key("format", TEXT, "as the provider", "Which of its formats the adapter uses."),
        key("options", TABLE, "", "Laid over the provider's, member by member."),
        key("translate", FLAG, "as the model", "Whether even requests that could be relayed untouched are translated."),
        key("usage", METERING, "as the model", "How the tokens of relayed streams are counted."),
        key("weight", NUMBER, "1", "Its share where the strategy is `weighted`."),
    ],
};

pub(super) const TIMEOUTS: Keys = Keys {
    title: "timeouts = { ... }",
    path: None,
    meaning: "Time limits of one attempt.",
    list: &[
        key("connect", DURATION, "\"5s\"", "Looking up the name, connecting, and agreeing on encryption."),
        key("first_byte", DURATION, "\"2m\"", "From the request's last byte to the answer's first."),
        key("idle", DURATION, "\"1m\"", "Between two pieces of an answer."),
        key("total", DURATION, "", "The whole attempt. Not limited without it."),
    ],
};

pub(super) const RETRY: Keys = Keys {
    title: "retry = { ... }",
    path: None,
    meaning: "How often a failed attempt is repeated. Nothing is repeated once the client has received a byte.",
    list: &[
        key("max_retries", NUMBER, "2", "Attempts after the first."),
        key("retry_delay_ms", NUMBER, "1000", "Milliseconds before the first repetition; grows from there."),
    ],
};

pub(super) const BREAKER: Keys = Keys {
    title: "breaker = { ... }",
    path: None,
    meaning: "When a failing provider is left alone.",
    list: &[
        key("failure_rate", "number", "0.5", "The share of failed attempts, above 0 and up to 1."),
        key("window", DURATION, "\"10s\"", "The time over which attempts are counted."),
        key("open", DURATION, "\"5s\"", "How long it then rests."),
    ],
};

pub(super) const CAPABILITIES: Keys = Keys {
    title: "capabilities = { ... }",
    path: None,
    meaning: "What a model can do. What is left out is unknown.",
    list: &[
        key("vision", FLAG, "", "Takes images."),
        key("tools", FLAG, "", "Calls tools."),
        key("audio", FLAG, "", "Takes or makes sound."),
        key("documents", FLAG, "", "Takes documents."),
        key("schema", FLAG, "", "Answers in the shape of a schema."),
        key("reasoning", FLAG, "", "Thinks before it answers."),
        key("context", NUMBER, "", "Tokens of request and answer together."),
        key("output", NUMBER, "", "Tokens of an answer."),
    ],
};

pub(super) const PRICE: Keys = Keys {
    title: "price = { ... }",
    path: None,
    meaning: "US dollars for a million tokens.",
    list: &[
        key("input", "number", "", "Input that no cache served."),
        key("output", "number", "", "Visible output."),
        key("cache_read", "number", "", "Input read from a cache."),
        key("cache_write", "number", "", "Input written to a cache."),
        key("reasoning", "number", "as `output`", "Reasoning."),
    ],
};
