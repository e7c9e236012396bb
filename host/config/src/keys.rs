//! Every key: its name, what it takes, its default and what it means.
//!
//! The one list of them. The reader takes from it what a table may hold, messages take suggestions from it, the short
//! names of environment variables and the reference in `docs/configuration.md` are made from it.

mod clients;
mod program;
mod traffic;

pub(super) use clients::{CLIENT, LIMITS, QUEUE};
pub(super) use program::{ADAPTER, ADMIN, CANARY, COMPILE, MEDIA, PLUGINS, QUARANTINE, SERVER, TLS, TOP, TRACES};
pub(super) use traffic::{
    ALLOWED_ORIGIN, BREAKER, CAPABILITIES, CHECK, MODEL, PRICE, PROVIDER, RETRY, TARGET, TIMEOUTS,
};

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
    &TLS,
    &ADMIN,
    &MEDIA,
    &TRACES,
    &PLUGINS,
    &COMPILE,
    &ADAPTER,
    &QUARANTINE,
    &CANARY,
    &CLIENT,
    &LIMITS,
    &QUEUE,
    &PROVIDER,
    &ALLOWED_ORIGIN,
    &MODEL,
    &TARGET,
    &TIMEOUTS,
    &RETRY,
    &BREAKER,
    &CHECK,
    &CAPABILITIES,
    &PRICE,
];

const FLAG: &str = "true, false";
const DURATION: &str = "duration";
const SIZE: &str = "size";
const NUMBER: &str = "integer";
const TEXT: &str = "string";
const TABLE: &str = "table";
const TABLE_OR_FALSE: &str = "table, false";
const ISOLATION: &str = "\"fresh\", \"tenant\", \"shared\"";
const METERING: &str = "\"auto\", \"tap\", \"ask\"";
