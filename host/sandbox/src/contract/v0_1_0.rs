//! Version 0.1.0 of the contract: its bindings. Types that have not changed since are the newest version's; the others
//! have conversions in `weir-types`.

super::shared_types!(weir_types::contract::v0_1_0::types);

macro_rules! interface {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wasmtime::component::bindgen!({
                path: "../../wit/v0.1.0",
                world: $world,
                additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
                with: { "weir:adapter/types@0.1.0": crate::contract::v0_1_0::types },
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
