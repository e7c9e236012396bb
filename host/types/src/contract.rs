//! The types of the contract in `wit/`, generated; the WIT files carry their documentation.
#![allow(missing_docs, clippy::doc_markdown, clippy::all, clippy::pedantic, reason = "generated from wit/")]

mod plain;

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
