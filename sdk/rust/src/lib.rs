//! Write an adapter for Weir in Rust.
//!
//! An adapter turns one wire format into the unified model of [`types`] and back. It implements the traits of
//! [`adapter`] that it has something to say to and names them in [`export!`].

pub mod adapter;
pub mod bindings;
pub mod calls;
pub mod compat;
pub mod json;
pub mod ledger;
pub mod manifest;
pub mod model;
pub mod names;
pub mod path;
pub mod retry;
pub mod schema;
pub mod time;

#[doc(hidden)]
pub use serde;

/// The unified model, as `wit/types.wit` describes it.
pub mod types {
    pub use crate::bindings::types::*;
}
