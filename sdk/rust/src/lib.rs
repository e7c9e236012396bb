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
pub mod spelling;
pub mod time;

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
