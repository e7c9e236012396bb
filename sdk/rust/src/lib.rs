//! Write an adapter for Weir in Rust.
//!
//! An adapter turns one wire format into the unified model of [`types`] and back. It implements the traits of
//! [`adapter`] that it has something to say to and names them in [`export!`].
//!
//! Reading and writing is [`json`]'s; what a format has no place for goes to the [`ledger`]. A provider that is compatible
//! with OpenAI starts from [`compat`]. A format of its own finds here what several formats need: [`turns`] that alternate,
//! streams of one block at a time ([`blocks`]), [`names`] and [`calls`] of tools, JSON [`schema`]s, values that travel
//! through clients of other formats ([`signature`]), and short ways to make a [`manifest`].

pub mod adapter;
pub mod bindings;
pub mod blocks;
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
pub mod signature;
pub mod spelling;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod turns;

#[doc(hidden)]
pub use serde;

/// The standard library's allocator, in a version that uses the memory that an instance begins with. The one in the
/// library asks for more right away, which costs each instance two calls of the kernel.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The unified model, as `wit/types.wit` describes it.
pub mod types {
    pub use crate::bindings::types::*;
}
