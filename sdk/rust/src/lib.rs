//! The base for adapters in Rust.
//!
//! An adapter translates between one wire format and the unified model of [`types`]. It implements the traits of
//! [`adapter`] for the operations that it supports and lists them in [`export!`].
//!
//! A [`guard`] judges requests and answers in the unified model, whatever their formats.
//!
//! [`json`] reads and writes; the [`losses`] records what a format has no place for. A provider that is compatible with
//! OpenAI starts from [`compat`]. For other formats there are shared parts. Of requests: alternating [`turns`], the
//! [`tools`] with their [`names`] and [`calls`], JSON [`schema`]s, [`sampling`] and [`thinking`]. Of answers: streams
//! of one block at a time ([`blocks`]), the [`finish`], the service [`tier`], [`token_count`]s. Of both: [`citations`],
//! values that travel through clients of other formats ([`signature`]). A [`manifest`] has short constructors.

pub mod adapter;
#[cfg(any(test, target_arch = "wasm32"))]
mod allocator;
pub mod bindings;
pub mod blocks;
pub mod calls;
pub mod citations;
pub mod claude;
pub mod compat;
pub mod finish;
pub mod guard;
pub mod json;
pub mod losses;
pub mod manifest;
pub mod model;
pub mod names;
pub mod path;
pub mod retry;
pub mod sampling;
pub mod schema;
pub mod signature;
pub mod spelling;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod thinking;
pub mod tier;
pub mod time;
pub mod token_count;
pub mod tools;
pub mod turns;

#[doc(hidden)]
pub use serde;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: allocator::Allocator<dlmalloc::GlobalDlmalloc> = allocator::Allocator::new(dlmalloc::GlobalDlmalloc);

/// The unified model, as `wit/types.wit` describes it.
pub mod types {
    pub use crate::bindings::types::*;
}
