//! Weir: a gateway for large language models whose wire formats are sandboxed WebAssembly components.
//!
//! This crate is the program: its commands, its start and end, and its operations endpoints. Requests are handled in
//! `weir-gateway`; the map of all crates is `ARCHITECTURE.md`.

pub mod admin;
pub mod app;
mod claim_rules;
pub mod cli;
mod cross_origin;
pub mod kept_budgets;
mod kept_files;
mod kept_owners;
mod kept_work;
pub mod keys;
mod login;
mod main_port;
pub mod record;
pub mod reload;
pub mod shared_answers;
pub mod shared_limits;
mod shrink;
mod signals;
pub mod sinks;
pub mod store;
pub mod systemd;
mod time;
mod ui;
mod version;

#[cfg(test)]
mod tests;
