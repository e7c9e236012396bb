//! The generated bindings of `wit/`, one world for each interface, so that an adapter exports only the interfaces that
//! it implements.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code; its documentation stands in wit/"
)]

mod shared {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "types-only",
        additional_derives: [PartialEq],

    });
}
pub use shared::weir::adapter::types;

/// The contract of guards.
pub mod hook {
    wit_bindgen::generate!({
        path: ["../../wit", "../../wit/hook"],
        world: "weir:hook/screened-hook",
        pub_export_macro: true,
        default_bindings_module: "weir_sdk::bindings::hook",
        additional_derives: [PartialEq],
        with: { "weir:adapter/types@0.2.0": crate::bindings::types },
    });
}

macro_rules! interface {
    ($module:ident, $world:literal, $path:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                default_bindings_module: $path,
                additional_derives: [PartialEq],
                with: { "weir:adapter/types@0.2.0": crate::bindings::types },
            });
        }
    };
}
interface!(about, "about-only", "weir_sdk::bindings::about");
interface!(provider_errors, "provider-errors-only", "weir_sdk::bindings::provider_errors");
interface!(provider_chat, "provider-chat-only", "weir_sdk::bindings::provider_chat");
interface!(dialect_chat, "dialect-chat-only", "weir_sdk::bindings::dialect_chat");
interface!(provider_embeddings, "provider-embeddings-only", "weir_sdk::bindings::provider_embeddings");
interface!(dialect_embeddings, "dialect-embeddings-only", "weir_sdk::bindings::dialect_embeddings");
interface!(provider_models, "provider-models-only", "weir_sdk::bindings::provider_models");
interface!(dialect_models, "dialect-models-only", "weir_sdk::bindings::dialect_models");
interface!(provider_count_tokens, "provider-count-tokens-only", "weir_sdk::bindings::provider_count_tokens");
interface!(dialect_count_tokens, "dialect-count-tokens-only", "weir_sdk::bindings::dialect_count_tokens");
interface!(provider_rerank, "provider-rerank-only", "weir_sdk::bindings::provider_rerank");
interface!(dialect_rerank, "dialect-rerank-only", "weir_sdk::bindings::dialect_rerank");
