//! The generated bindings of version 0.0.9.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    missing_debug_implementations,
    unused_imports,
    unused_macros,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: "../../contracts/0.0.9",
    world: "adapter",
});

pub use exports::weir::adapter::{about, dialect_chat, provider_chat};
pub use weir::adapter::types;

#[cfg(target_arch = "wasm32")]
use crate::Elder;

#[cfg(target_arch = "wasm32")]
export!(Elder with_types_in crate::bindings);
