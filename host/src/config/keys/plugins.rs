//! The tables of adapters.

use super::{DURATION, FLAG, ISOLATION, Keys, NUMBER, SIZE, TABLE_OR_FALSE, key};

pub(in super::super) const PLUGINS: Keys = Keys {
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
