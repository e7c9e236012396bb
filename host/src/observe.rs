//! What operators see: metrics and the log. Must never fail a request.

pub mod log;
pub mod metrics;
