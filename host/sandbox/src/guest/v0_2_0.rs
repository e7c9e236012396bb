//! Version 0.2.0, the newest: its types are the host's own.

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::{GuestResult, Parts, VersionedGuest, exports};
use crate::contract;
use crate::fault::MissingFunction;
use crate::interface::{Interface, Interfaces};
use crate::state::State;
use weir_types::contract::about::Manifest;
use weir_types::contract::types::{
    ChatEvent, Context, Decoded, Encoded, Error, Frame, HttpResponse, RenderedResponse, TokenCount,
};

exports! {
    v0_2_0:
    About, about, AboutOnly, AboutOnlyIndices;
    ProviderErrors, provider_errors, ProviderErrorsOnly, ProviderErrorsOnlyIndices;
    ProviderChat, provider_chat, ProviderChatOnly, ProviderChatOnlyIndices;
    DialectChat, dialect_chat, DialectChatOnly, DialectChatOnlyIndices;
    ProviderEmbeddings, provider_embeddings, ProviderEmbeddingsOnly, ProviderEmbeddingsOnlyIndices;
    DialectEmbeddings, dialect_embeddings, DialectEmbeddingsOnly, DialectEmbeddingsOnlyIndices;
    ProviderModels, provider_models, ProviderModelsOnly, ProviderModelsOnlyIndices;
    DialectModels, dialect_models, DialectModelsOnly, DialectModelsOnlyIndices;
    ProviderCountTokens, provider_count_tokens, ProviderCountTokensOnly, ProviderCountTokensOnlyIndices;
    DialectCountTokens, dialect_count_tokens, DialectCountTokensOnly, DialectCountTokensOnlyIndices;
    ProviderRerank, provider_rerank, ProviderRerankOnly, ProviderRerankOnlyIndices;
    DialectRerank, dialect_rerank, DialectRerankOnly, DialectRerankOnlyIndices;
}

impl VersionedGuest for Guest<'_> {
    fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        self.look_up(interfaces)
    }

    fn look_up_ahead(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        // All other functions have their places in the component, for all instances.
        let in_views = [Interface::ProviderErrors, Interface::DialectCountTokens];
        self.look_up(in_views.into_iter().filter(|interface| interfaces.has(*interface)).collect())
    }

    fn describe(&mut self) -> wasmtime::Result<Manifest> {
        let (store, view) = self.about()?;
        plain(&view.weir_adapter_about().call_describe(store)?)
    }

    fn parse_error(&mut self, ctx: &Context, response: &HttpResponse) -> wasmtime::Result<Error> {
        let (store, view) = self.provider_errors()?;
        view.weir_adapter_provider_errors().call_parse_error(store, ctx, response)
    }

    fn render_count_response(&mut self, ctx: &Context, count: TokenCount) -> GuestResult<RenderedResponse> {
        let (store, view) = self.dialect_count_tokens()?;
        view.weir_adapter_dialect_count_tokens().call_render_response(store, ctx, count)
    }

    fn decoder(&mut self, ctx: &Context) -> wasmtime::Result<ResourceAny> {
        let Parts { store, exports, indices, .. } = &mut self.0;
        let place = indices.functions.decoder.as_ref().ok_or(MissingFunction("provider-chat.chat-decoder"))?;
        place.call(store, exports, (ctx,))
    }

    fn decoder_push(&mut self, decoder: ResourceAny, frames: &[Frame]) -> GuestResult<Decoded> {
        let Parts { store, exports, indices, .. } = &mut self.0;
        let place =
            indices.functions.decoder_push.as_ref().ok_or(MissingFunction("provider-chat.chat-decoder.push"))?;
        place.call(store, exports, (decoder, frames))
    }

    fn decoder_finish(&mut self, decoder: ResourceAny) -> GuestResult<Decoded> {
        let Parts { store, exports, indices, .. } = &mut self.0;
        let place =
            indices.functions.decoder_finish.as_ref().ok_or(MissingFunction("provider-chat.chat-decoder.finish"))?;
        place.call(store, exports, (decoder,))
    }

    fn encoder(&mut self, ctx: &Context) -> wasmtime::Result<ResourceAny> {
        let Parts { store, exports, indices, .. } = &mut self.0;
        let place = indices.functions.encoder.as_ref().ok_or(MissingFunction("dialect-chat.chat-encoder"))?;
        place.call(store, exports, (ctx,))
    }

    fn encoder_push(&mut self, encoder: ResourceAny, events: &[ChatEvent]) -> GuestResult<Encoded> {
        let Parts { store, exports, indices, .. } = &mut self.0;
        let place = indices.functions.encoder_push.as_ref().ok_or(MissingFunction("dialect-chat.chat-encoder.push"))?;
        place.call(store, exports, (encoder, events))
    }

    fn encoder_finish(&mut self, encoder: ResourceAny) -> GuestResult<Encoded> {
        let Parts { store, exports, indices, .. } = &mut self.0;
        let place =
            indices.functions.encoder_finish.as_ref().ok_or(MissingFunction("dialect-chat.chat-encoder.finish"))?;
        place.call(store, exports, (encoder,))
    }
}

/// The manifest in the host's plain types: the same, but generated apart from wasmtime.
fn plain(manifest: &contract::about::exports::weir::adapter::about::Manifest) -> wasmtime::Result<Manifest> {
    Ok(serde_json::from_value(serde_json::to_value(manifest)?)?)
}
