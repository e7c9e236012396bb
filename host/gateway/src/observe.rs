//! What operators see: metrics, traces and the log. Must never fail a request.

pub mod log;
pub mod metrics;
pub mod trace;
