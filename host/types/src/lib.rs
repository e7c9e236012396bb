//! What the crates share, as plain Rust: the contract's types, failures, header names, and how the tasks of a worker
//! take turns.

pub mod adapter_headers;
pub mod busy;
pub mod contract;
pub mod deferred_write;
pub mod exchange;
pub mod fault;
pub mod headers;
pub mod in_place;
pub mod json_mistake;
pub mod loss;
pub mod query;
pub mod regular_file;
pub mod stage;
pub mod surrogate;
pub mod tokens;
pub mod turn;
pub mod uuid;
pub mod worker;
