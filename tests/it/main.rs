//! Tests of the gateway's behaviour, over real sockets, against scripted providers.
//!
//! Each module is a promise; names that begin with `cNN` cite `tests/CONFORMANCE.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails a test")]
#![allow(clippy::float_cmp, reason = "metrics are counts")]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

mod access_log;
mod attack_bodies;
mod attack_browsers;
mod attack_connections;
mod attack_echo;
mod attack_fairness;
mod attack_leaving;
mod attack_log;
mod attack_manifests;
mod attack_restricted;
mod authors;
mod badday;
mod budgets;
mod cancel;
mod checks;
mod commands;
mod contain;
mod credentials;
mod door;
mod errors;
mod explain;
mod failures;
mod fallback;
mod fidelity;
mod grants;
mod hostile;
mod hostile_answers;
mod hostile_figures;
mod hostile_files;
mod http2;
mod installed;
mod keyless;
mod library;
mod lifecycle;
mod limits;
mod media;
mod memory;
mod multipart;
mod operations;
mod origin;
mod passthrough;
mod promises;
mod proof;
mod provider_limits;
mod recall;
mod record;
mod reference;
mod relay;
mod reload;
mod resends;
mod resume;
mod retries;
mod routing;
mod secrets;
mod soak;
mod stalled;
mod streams;
mod suited;
mod swap;
mod terminal;
mod tls;
mod tongue;
mod traces;
mod trail;
mod translate;
mod unsaid;
mod usage;
mod usage_auto;
mod versions;
mod welcome;
mod zeta;
