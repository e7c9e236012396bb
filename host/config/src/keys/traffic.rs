//! The tables of providers and models.

use super::{DURATION, FLAG, Keys, METERING, NUMBER, TABLE, TEXT, key};

pub(in super::super) const PROVIDER: Keys = Keys {
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
            "The API's base with its version path, such as `\"https://api.example.com/v1/\"`; or `\"replay:DIR\"` for recorded answers, the folder being taken from this file's; or `\"env:NAME\"` for what a variable holds.",
        ),
        key(
            "api_key",
            "secret",
            "",
            "The key: `\"env:NAME\"`, `\"file:PATH\"`, or the key itself, which is not wise. Its form depends on the scheme that the adapter's option `auth` chooses (`weir plugin inspect` lists them): for signatures of AWS `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`; for OAuth2 client credentials `CLIENT_ID:CLIENT_SECRET`; for a service account the JSON of its key (or of a user's own credentials, `authorized_user`), or the path of a file with it. Access tokens are fetched from where the option `token_url` says, else from where the service account's key or a trusted adapter says.",
        ),
        key("api_keys", "list of secrets", "", "Several keys, used in turn. Instead of `api_key`."),
        key(
            "auth",
            TEXT,
            "the adapter's first",
            "Which of the adapter's ways to authenticate is used, by its name; the option `auth` says the same. `\"none\"` sends no credential. Without a key none is sent either, and `weir check` warns where the url is one that asks for a key.",
        ),
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
            "\"auto\"",
            "How the tokens of relayed streams are counted. `ask` adds the one member that makes the provider tell them, and withholds the frame that comes because of it; `auto` does so where a price or a limit of tokens makes them matter, unless the server refuses it; `tap` adds nothing. What is not told is estimated.",
        ),
        key("timeouts", TABLE, "", "Time limits."),
        key("retry", TABLE, "", "How often a failed attempt is repeated."),
        key("breaker", TABLE, "", "When it is left alone."),
        key("max_concurrency", NUMBER, "", "Attempts at the same time. Not limited without it."),
        key(
            "adaptive",
            FLAG,
            "false",
            "Whether there are fewer than `max_concurrency` while it answers that it has too much to do, or not in time.",
        ),
        key("check", TABLE, "", "Asks it now and then whether it is well. It is not asked without it."),
        key("limits", TABLE, "", "What may be had of it; see `limits`."),
        key("enable_fallback", FLAG, "true", "Whether a request that failed here may go elsewhere."),
        key(
            "http2",
            FLAG,
            "false",
            "Whether HTTP/2 is spoken without agreeing on it first, to an `http://` server that knows nothing else. With `https://` it is agreed on.",
        ),
    ],
};

pub(in super::super) const ALLOWED_ORIGIN: Keys = Keys {
    title: "allow_origins = [{ ... }]",
    path: None,
    meaning: "A string is an origin that gets no credential.",
    list: &[
        key("origin", "url", "required", "Scheme, host and perhaps a port."),
        key("credential", FLAG, "false", "Whether the provider's key is sent there too."),
    ],
};

pub(in super::super) const MODEL: Keys = Keys {
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
            "fallback_when_filtered",
            FLAG,
            "false",
            "Whether a request goes on to another target when a provider filtered its content.",
        ),
        key(
            "fallback_embeddings",
            FLAG,
            "false",
            "Whether requests for embeddings may go to targets with another model than the first target's: vectors of different models cannot be compared.",
        ),
        key(
            "resume",
            FLAG,
            "false",
            "Whether a streamed answer of text that breaks off by a provider's fault is gone on with by the next target. Streams for this model are translated even where they could be relayed.",
        ),
        key(
            "affinity",
            "a header's name, \"tenant\"",
            "`x-weir-session`, `x-session-id`",
            "What keeps requests at one target as long as that is well, where the strategy leaves a choice: requests with the same value of that header, or of the same caller.",
        ),
        key(
            "hedge",
            DURATION,
            "",
            "Asks the next target too when nothing has come for so long; the first answer counts, the other exchange is cancelled. Never without it.",
        ),
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
        key(
            "max_concurrency",
            NUMBER,
            "",
            "Exchanges at the same time; further ones wait in the `queue` of `[server]`. Not limited without it.",
        ),
        key("limits", TABLE, "", "What may be had of it; see `limits`."),
        key("capabilities", TABLE, "", "What the model can do, where the bundled file does not know."),
        key("price", TABLE, "", "What the model costs, where the bundled file does not know."),
    ],
};

pub(in super::super) const TARGET: Keys = Keys {
    title: "target = { ... }",
    path: None,
    meaning: "Where a model's requests go; each of `targets` is the same. To a provider by name, or to a `url` of its own with the adapter named by the model's `type`. Targets with the same adapter, url, key and options share one provider.",
    list: &[
        key("provider", TEXT, "the model's", "The provider."),
        key("url", "url", "as the adapter suggests", "As in `[[providers]]`, instead of `provider`."),
        key(
            "api_key",
            "secret",
            "",
            "As in `[[providers]]`, together with `url`. Without it no key is sent, as servers on one's own machine expect it.",
        ),
        key("auth", TEXT, "as the provider", "As in `[[providers]]`."),
        key(
            "model",
            TEXT,
            "the name that the client used",
            "The provider's name for the model. `*` is what the star at the end of the alias stands for: `all/*` with `model = \"*\"` cuts the prefix off.",
        ),
        key("format", TEXT, "as the provider", "Which of its formats the adapter uses."),
        key("options", TABLE, "", "Laid over the provider's, member by member."),
        key("translate", FLAG, "as the model", "Whether even requests that could be relayed untouched are translated."),
        key("usage", METERING, "as the model", "How the tokens of relayed streams are counted."),
        key("weight", NUMBER, "1", "Its share where the strategy is `weighted`."),
        key("price", TABLE, "as the model or the bundled file", "What the model costs here."),
    ],
};

pub(in super::super) const TIMEOUTS: Keys = Keys {
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

pub(in super::super) const RETRY: Keys = Keys {
    title: "retry = { ... }",
    path: None,
    meaning: "How often a failed attempt is repeated. Nothing is repeated once the client has received a byte.",
    list: &[
        key("max_retries", NUMBER, "2", "Attempts after the first."),
        key(
            "retry_delay_ms",
            NUMBER,
            "1000",
            "Milliseconds before the first repetition at the most; doubles with each. The wait is drawn by chance between nothing and that.",
        ),
        key(
            "max_delay",
            DURATION,
            "\"10s\"",
            "The longest wait before a repetition. A provider that asks for a longer one is not asked again.",
        ),
        key(
            "budget",
            "number",
            "0.2",
            "Repetitions for each request of a model on the average, so that they cannot multiply an outage. A few are always free.",
        ),
    ],
};

pub(in super::super) const BREAKER: Keys = Keys {
    title: "breaker = { ... }",
    path: None,
    meaning: "When a failing provider is left alone.",
    list: &[
        key("failure_rate", "number", "0.5", "The share of failed attempts, above 0 and up to 1."),
        key("window", DURATION, "\"10s\"", "The time over which attempts are counted."),
        key("open", DURATION, "\"5s\"", "How long it then rests. After that one request finds out whether it is well."),
        key(
            "min_attempts",
            NUMBER,
            "10",
            "Attempts within the window below which no share is taken. Where fewer come, as many failures in a row count.",
        ),
        key(
            "cooldown",
            DURATION,
            "\"1s\"",
            "How long a key rests that met a rate limit which says nothing of its length.",
        ),
        key("max_cooldown", DURATION, "\"5m\"", "The longest rest that a provider can ask for."),
    ],
};

pub(in super::super) const CHECK: Keys = Keys {
    title: "check = { ... }",
    path: None,
    meaning: "How a provider is asked whether it is well: for its list of models, or for a chat of one token.",
    list: &[
        key("every", DURATION, "\"30s\"", "The time from one check to the next, give or take a tenth."),
        key("timeout", DURATION, "\"5s\"", "When a check that has not been answered has failed."),
        key("failures", NUMBER, "2", "So many have to fail in a row before the provider rests."),
        key(
            "model",
            TEXT,
            "",
            "The provider's name of a model that is asked for one token in place of the list. Each check costs a few tokens.",
        ),
    ],
};

pub(in super::super) const CAPABILITIES: Keys = Keys {
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

pub(in super::super) const PRICE: Keys = Keys {
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
