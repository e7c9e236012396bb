//! The tables of those who ask.

use super::{FLAG, Keys, NUMBER, TABLE, TEXT, key};

pub(in super::super) const CLIENT: Keys = Keys {
    title: "[[clients]]",
    path: None,
    meaning: "Somebody who may ask. Without any, whoever asks from this machine is served, and nobody else. A request brings its key where its format has it, or in one of `server.key_headers`.",
    list: &[
        key("name", TEXT, "required", "A name of your choice. It is a label in metrics and stands in the log."),
        key("key", "secret", "", "The key: `\"env:NAME\"`, `\"file:PATH\"`, or the key itself, which is not wise."),
        key("keys", "list of secrets", "", "Several, so that one can be replaced without a pause."),
        key(
            "hashes",
            "list of strings",
            "",
            "Keys by their SHA-256, as `weir key` prints it: then this file holds no secret.",
        ),
        key("models", "list of strings", "all", "The models that it may use: aliases, or patterns with `*`."),
        key(
            "operations",
            "list of strings",
            "",
            "The operations that it may use, by their names in metrics (`chat`, `embeddings`, `moderations`, `files-create`, ...), or patterns with `*`. Without it a client may use all; one with `models` may use all that name a model, and none that does not (files, batches, stored answers). A list of what the account has, such as `files-list`, has to be named in full for a client with `models` or `operations`: it shows what others made.",
        ),
        key("limits", TABLE, "", "What it may have; see `limits`."),
        key(
            "priority",
            "\"high\", \"normal\", \"low\"",
            "\"normal\"",
            "When it is its turn, where requests have to wait.",
        ),
        key(
            "may_choose",
            FLAG,
            "false",
            "Whether its requests may choose where they go (`x-weir-target`; `x-weir-provider` where they are about no model).",
        ),
    ],
};

pub(in super::super) const LIMITS: Keys = Keys {
    title: "limits = { ... }",
    path: None,
    meaning: "How much may be had: by a client, of a model, of a provider, or from one address (`server.address_limits`). What is used up in a burst grows back evenly. Tokens are reserved by estimate when a request comes and settled when its answer has ended.",
    list: &[
        key("requests_per_minute", NUMBER, "", "Requests."),
        key("tokens_per_minute", NUMBER, "", "Tokens of input and output together."),
        key("input_tokens_per_minute", NUMBER, "", "Tokens of input."),
        key("output_tokens_per_minute", NUMBER, "", "Tokens of output."),
        key("streams", NUMBER, "", "Streams at the same time."),
    ],
};

pub(in super::super) const QUEUE: Keys = Keys {
    title: "queue = { ... }",
    path: None,
    meaning: "Where requests wait while as many are under way as `max_concurrency` allows. Clients take turns, within their priority. Whoever finds it full, or waits too long, gets a 503 that says when to come back.",
    list: &[
        key("length", NUMBER, "256", "Requests that wait at the same time."),
        key("wait", "duration", "\"10s\"", "How long one waits."),
    ],
};
