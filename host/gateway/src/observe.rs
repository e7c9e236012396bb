//! Observability: metrics, traces and the log. Never fails a request.

pub mod log;
pub mod metrics;
pub mod trace;
