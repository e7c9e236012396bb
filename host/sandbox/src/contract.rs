//! The host's side of the contract in `wit/`: generated types and one typed view for each interface.
//!
//! Everything here is generated; the WIT files carry the documentation. Each interface has its own world, because a
//! component exports only some of them: the host checks which exports exist and binds those.
//!
//! The types of this module are those of the newest version, which the rest of the host uses. Each older version that
//! is still supported is a submodule of this one: its bindings, and conversions to these types.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    clippy::pedantic,
    reason = "generated code; its documentation stands in wit/"
)]

pub mod hook;
pub mod v0_1_0;

/// A version's types are those of `weir-types`. The rest is what a generator expects of an interface that components
/// import; this one has no functions.
macro_rules! shared_types {
    ($($path:ident)::+) => {
        pub mod types {
            use wasmtime::component::{HasData, Linker};

            pub use $($path)::+::*;

            pub trait HostWithStore<T>: HasData {}
            impl<T, D: HasData + ?Sized> HostWithStore<T> for D {}

            pub trait Host {}
            impl<T: Host + ?Sized> Host for &mut T {}

            pub(crate) fn add_to_linker<T, D>(_: &mut Linker<T>, _: fn(&mut T) -> D::Data<'_>) -> wasmtime::Result<()>
            where
                D: HostWithStore<T>,
                for<'a> D::Data<'a>: Host,
                T: 'static,
            {
                Ok(())
            }
        }
    };
}
use shared_types;

shared_types!(weir_types::contract::types);

macro_rules! interface {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wasmtime::component::bindgen!({
                path: "../../wit",
                world: $world,
                additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
                with: { "weir:adapter/types@0.2.0": crate::contract::types },
            });
        }
    };
}
interface!(about, "about-only");
interface!(provider_errors, "provider-errors-only");
interface!(provider_chat, "provider-chat-only");
interface!(dialect_chat, "dialect-chat-only");
interface!(provider_embeddings, "provider-embeddings-only");
interface!(dialect_embeddings, "dialect-embeddings-only");
interface!(provider_models, "provider-models-only");
interface!(dialect_models, "dialect-models-only");
interface!(provider_count_tokens, "provider-count-tokens-only");
interface!(dialect_count_tokens, "dialect-count-tokens-only");
interface!(provider_rerank, "provider-rerank-only");
interface!(dialect_rerank, "dialect-rerank-only");
