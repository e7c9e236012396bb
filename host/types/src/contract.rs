//! The contract's types, generated from `wit/`, whose comments document them.
#![allow(missing_docs, clippy::doc_markdown, clippy::all, clippy::pedantic, reason = "generated from wit/")]

#[cfg(feature = "component")]
mod lifting;
#[cfg(feature = "component")]
mod lowering;
mod operation;
mod plain;
#[path = "contract/v0_1_0.rs"]
mod to_v0_1_0;

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
