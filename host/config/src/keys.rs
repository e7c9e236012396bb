//! Every key, declared once: its name, its type, its default and what it means.
//!
//! A declaration ([`section!`](crate::section)) generates the setting, its default, the code that reads it, and the
//! list of keys. Messages take suggestions from that list; the short names of environment variables and the reference
//! in `docs/configuration.md` are generated from it.

mod adapters;
mod attempts;
mod bodies;
mod budgets;
mod cache;
mod clients;
mod grants;
mod guards;
mod issuers;
mod login;
mod metrics;
mod models;
mod names;
mod outbound;
mod plugins;
mod program;
mod providers;
mod realtime;
mod semantic;
mod server;
mod shared;
mod sinks;
mod store;
mod targets;
mod traces;

pub use adapters::{AdapterSettings, Canary, Quarantine};
pub use attempts::{Breaker, Check, Retry, Timeouts};
pub use bodies::{BodiesRule, KeepBodies};
pub use cache::CacheSettings;
pub use clients::{Client, Limits};
pub use grants::Grants;
pub use guards::{Guard, GuardFailure, GuardGrants, GuardMode, GuardScope, GuardWebhook};
pub use issuers::{ClaimRule, Issuer};
pub use login::AdminLogin;
pub use metrics::MetricsSettings;
pub use models::{Capabilities, Model, Price};
pub use outbound::{DirectHost, Outbound};
pub use plugins::Plugins;
pub use program::{Admin, Log, Media};
pub use providers::Provider;
pub use realtime::Realtime;
pub use semantic::SemanticCache;
pub use server::{Queue, Server, TlsFiles};
pub use shared::SharedSettings;
pub use sinks::Sink;
pub use store::{StoreSettings, StoreUrl};
pub use traces::Traces;

pub(super) use adapters::{ADAPTER, CANARY, QUARANTINE};
pub(super) use attempts::{BREAKER, CHECK, RETRY, RetryDraft, TIMEOUTS, TimeoutsDraft};
pub(super) use bodies::BODIES;
pub(super) use budgets::{BUDGET, BudgetTable, checked_budgets};
pub(super) use cache::CACHE;
pub(super) use clients::{CLIENT, LIMITS};
pub(super) use grants::GRANTS;
pub(super) use guards::{GUARD, GUARD_GRANTS, GUARD_SCOPE, GUARD_WEBHOOK, checked_guards};
pub(super) use issuers::{CLAIM_RULE, ISSUER};
pub(super) use login::LOGIN;
pub(super) use metrics::METRICS;
pub(super) use models::{CAPABILITIES, Inherited, MODEL, ModelDraft, PRICE};
pub(super) use outbound::OUTBOUND;
pub(super) use plugins::{COMPILE, PLUGINS};
pub(super) use program::{ADMIN, MEDIA, TOP, Tables, read};
pub(super) use providers::{ALLOWED_ORIGIN, PROVIDER};
pub(super) use realtime::REALTIME;
pub(super) use semantic::SEMANTIC_CACHE;
pub(super) use server::{QUEUE, SERVER, TLS};
pub(super) use shared::SHARED;
pub(super) use sinks::{SINK, checked_sinks};
pub(super) use store::STORE;
pub(super) use targets::{TARGET, TargetDraft};
pub(super) use traces::TRACES;

pub(super) use super::key::Keys;

/// All tables, in the order of the reference.
pub(super) const ALL: &[&Keys] = &[
    &TOP,
    &SERVER,
    &TLS,
    &ADMIN,
    &LOGIN,
    &MEDIA,
    &REALTIME,
    &TRACES,
    &METRICS,
    &OUTBOUND,
    &STORE,
    &SHARED,
    &CACHE,
    &BODIES,
    &SINK,
    &PLUGINS,
    &COMPILE,
    &ADAPTER,
    &QUARANTINE,
    &CANARY,
    &GRANTS,
    &CLIENT,
    &LIMITS,
    &ISSUER,
    &CLAIM_RULE,
    &QUEUE,
    &BUDGET,
    &GUARD,
    &GUARD_SCOPE,
    &GUARD_GRANTS,
    &GUARD_WEBHOOK,
    &PROVIDER,
    &ALLOWED_ORIGIN,
    &MODEL,
    &SEMANTIC_CACHE,
    &TARGET,
    &TIMEOUTS,
    &RETRY,
    &BREAKER,
    &CHECK,
    &CAPABILITIES,
    &PRICE,
];
