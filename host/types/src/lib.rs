//! The words that all of Weir shares, as plain Rust: the contract's types, failures, the names of headers.

pub mod contract;
pub mod exchange;
pub mod fault;
pub mod headers;
pub mod query;
pub mod surrogate;
pub mod tokens;
