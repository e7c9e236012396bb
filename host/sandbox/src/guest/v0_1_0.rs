//! Version 0.1.0: usage in five buckets, without units, and no pieces of arguments by their place.
//!
//! What comes from a component is converted with `From`. What goes to one is converted too, and everything that it has
//! no place for becomes a loss.

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::calls::{
    Calls, ChatAnswer, ChatOutcome, ParsedChat, ParsedCount, ParsedEmbeddings, ParsedModels, ParsedRerank,
};
use super::{GuestResult, Parts, VersionedGuest, exports};
use crate::contract::v0_1_0 as contract;
use crate::fault::MissingFunction;
use crate::interface::{Interface, Interfaces};
use crate::state::State;
use weir_types::contract::about::Manifest;
use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, Decoded, EmbeddingsRequest, EmbeddingsResponse, Encoded, Error,
    Frame, HttpRequest, HttpResponse, Loss, LossKind, ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse,
    RerankRequest, RerankResponse, TokenCount, Usage,
};

exports! {
    v0_1_0:
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

impl Calls for Guest<'_> {
    fn parse_chat(&mut self, ctx: &Context, request: &HttpRequest) -> GuestResult<ParsedChat> {
        let (store, view) = self.dialect_chat()?;
        let parsed = view.weir_adapter_dialect_chat().call_parse_request(store, ctx, request)?;
        Ok(parsed.map(|it| ParsedChat { request: it.request, losses: it.losses, memo: it.memo }))
    }

    fn render_chat_response(&mut self, ctx: &Context, response: &ChatResponse) -> GuestResult<RenderedResponse> {
        let losses = unplaced(response.usage.as_ref());
        let (store, view) = self.dialect_chat()?;
        let response = response.clone().into();
        let rendered = view.weir_adapter_dialect_chat().call_render_response(store, ctx, &response)?;
        Ok(rendered.map(|rendered| with_losses(rendered, losses)))
    }

    fn render_chat(&mut self, ctx: &Context, request: &ChatRequest) -> GuestResult<RenderedRequest> {
        let (store, view) = self.provider_chat()?;
        view.weir_adapter_provider_chat().call_render_request(store, ctx, request)
    }

    fn parse_chat_response(&mut self, ctx: &Context, response: &HttpResponse) -> GuestResult<ChatOutcome> {
        use contract::provider_chat::exports::weir::adapter::provider_chat::ChatOutcome as Old;
        let (store, view) = self.provider_chat()?;
        let outcome = view.weir_adapter_provider_chat().call_parse_response(store, ctx, response)?;
        Ok(outcome.map(|outcome| match outcome {
            Old::Complete(it) => ChatOutcome::Complete(ChatAnswer { response: it.response.into(), losses: it.losses }),
            Old::FollowUp(next) => ChatOutcome::FollowUp(next),
        }))
    }

    fn parse_embeddings(&mut self, ctx: &Context, request: &HttpRequest) -> GuestResult<ParsedEmbeddings> {
        let (store, view) = self.dialect_embeddings()?;
        let parsed = view.weir_adapter_dialect_embeddings().call_parse_request(store, ctx, request)?;
        Ok(parsed.map(|it| ParsedEmbeddings { request: it.request, losses: it.losses, memo: it.memo }))
    }

    fn render_embeddings_response(
        &mut self,
        ctx: &Context,
        response: &EmbeddingsResponse,
    ) -> GuestResult<RenderedResponse> {
        let losses = unplaced(response.usage.as_ref());
        let (store, view) = self.dialect_embeddings()?;
        let response = response.clone().into();
        let rendered = view.weir_adapter_dialect_embeddings().call_render_response(store, ctx, &response)?;
        Ok(rendered.map(|rendered| with_losses(rendered, losses)))
    }

    fn render_embeddings(&mut self, ctx: &Context, request: &EmbeddingsRequest) -> GuestResult<RenderedRequest> {
        let (store, view) = self.provider_embeddings()?;
        view.weir_adapter_provider_embeddings().call_render_request(store, ctx, request)
    }

    fn parse_embeddings_response(&mut self, ctx: &Context, response: &HttpResponse) -> GuestResult<EmbeddingsResponse> {
        let (store, view) = self.provider_embeddings()?;
        let parsed = view.weir_adapter_provider_embeddings().call_parse_response(store, ctx, response)?;
        Ok(parsed.map(Into::into))
    }

    fn parse_models(&mut self, ctx: &Context, request: &HttpRequest) -> GuestResult<ParsedModels> {
        let (store, view) = self.dialect_models()?;
        let parsed = view.weir_adapter_dialect_models().call_parse_request(store, ctx, request)?;
        Ok(parsed.map(|it| ParsedModels { request: it.request, losses: it.losses, memo: it.memo }))
    }

    fn render_models_response(&mut self, ctx: &Context, response: &ModelsResponse) -> GuestResult<RenderedResponse> {
        let (store, view) = self.dialect_models()?;
        view.weir_adapter_dialect_models().call_render_response(store, ctx, response)
    }

    fn render_models(&mut self, ctx: &Context, request: &ModelsRequest) -> GuestResult<RenderedRequest> {
        let (store, view) = self.provider_models()?;
        view.weir_adapter_provider_models().call_render_request(store, ctx, request)
    }

    fn parse_models_response(&mut self, ctx: &Context, response: &HttpResponse) -> GuestResult<ModelsResponse> {
        let (store, view) = self.provider_models()?;
        view.weir_adapter_provider_models().call_parse_response(store, ctx, response)
    }

    fn parse_count(&mut self, ctx: &Context, request: &HttpRequest) -> GuestResult<ParsedCount> {
        let (store, view) = self.dialect_count_tokens()?;
        let parsed = view.weir_adapter_dialect_count_tokens().call_parse_request(store, ctx, request)?;
        Ok(parsed.map(|it| ParsedCount { request: it.request, losses: it.losses, memo: it.memo }))
    }

    fn render_count(&mut self, ctx: &Context, request: &ChatRequest) -> GuestResult<RenderedRequest> {
        let (store, view) = self.provider_count_tokens()?;
        view.weir_adapter_provider_count_tokens().call_render_request(store, ctx, request)
    }

    fn parse_count_response(&mut self, ctx: &Context, response: &HttpResponse) -> GuestResult<TokenCount> {
        let (store, view) = self.provider_count_tokens()?;
        view.weir_adapter_provider_count_tokens().call_parse_response(store, ctx, response)
    }

    fn parse_rerank(&mut self, ctx: &Context, request: &HttpRequest) -> GuestResult<ParsedRerank> {
        let (store, view) = self.dialect_rerank()?;
        let parsed = view.weir_adapter_dialect_rerank().call_parse_request(store, ctx, request)?;
        Ok(parsed.map(|it| ParsedRerank { request: it.request, losses: it.losses, memo: it.memo }))
    }

    fn render_rerank_response(&mut self, ctx: &Context, response: &RerankResponse) -> GuestResult<RenderedResponse> {
        let losses = unplaced(response.usage.as_ref());
        let (store, view) = self.dialect_rerank()?;
        let response = response.clone().into();
        let rendered = view.weir_adapter_dialect_rerank().call_render_response(store, ctx, &response)?;
        Ok(rendered.map(|rendered| with_losses(rendered, losses)))
    }

    fn render_rerank(&mut self, ctx: &Context, request: &RerankRequest) -> GuestResult<RenderedRequest> {
        let (store, view) = self.provider_rerank()?;
        view.weir_adapter_provider_rerank().call_render_request(store, ctx, request)
    }

    fn parse_rerank_response(&mut self, ctx: &Context, response: &HttpResponse) -> GuestResult<RerankResponse> {
        let (store, view) = self.provider_rerank()?;
        let parsed = view.weir_adapter_provider_rerank().call_parse_response(store, ctx, response)?;
        Ok(parsed.map(Into::into))
    }
}

impl VersionedGuest for Guest<'_> {
    fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        self.look_up(interfaces)
    }

    /// A manifest of this version is one of the newest that says nothing of what came later.
    fn describe(&mut self) -> wasmtime::Result<Manifest> {
        let (store, view) = self.about()?;
        let manifest = view.weir_adapter_about().call_describe(store)?;
        Ok(serde_json::from_value(serde_json::to_value(manifest)?)?)
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
        let (store, view) = self.provider_chat()?;
        view.weir_adapter_provider_chat().chat_decoder().call_constructor(store, ctx)
    }

    fn decoder_push(&mut self, decoder: ResourceAny, frames: &[Frame]) -> GuestResult<Decoded> {
        let (store, view) = self.provider_chat()?;
        let decoded = view.weir_adapter_provider_chat().chat_decoder().call_push(store, decoder, frames)?;
        Ok(decoded.map(Into::into))
    }

    fn decoder_finish(&mut self, decoder: ResourceAny) -> GuestResult<Decoded> {
        let (store, view) = self.provider_chat()?;
        let decoded = view.weir_adapter_provider_chat().chat_decoder().call_finish(store, decoder)?;
        Ok(decoded.map(Into::into))
    }

    fn encoder(&mut self, ctx: &Context) -> wasmtime::Result<ResourceAny> {
        let (store, view) = self.dialect_chat()?;
        view.weir_adapter_dialect_chat().chat_encoder().call_constructor(store, ctx)
    }

    fn encoder_push(&mut self, encoder: ResourceAny, events: &[ChatEvent]) -> GuestResult<Encoded> {
        let last = events.iter().rev().find_map(|event| match event {
            ChatEvent::Usage(usage) => Some(usage),
            _ => None,
        });
        let losses = unplaced(last);
        let events: Vec<_> = events.iter().cloned().map(Into::into).collect();
        let (store, view) = self.dialect_chat()?;
        let encoded = view.weir_adapter_dialect_chat().chat_encoder().call_push(store, encoder, &events)?;
        Ok(encoded.map(|mut encoded| {
            encoded.losses.extend(losses);
            encoded
        }))
    }

    fn encoder_finish(&mut self, encoder: ResourceAny) -> GuestResult<Encoded> {
        let (store, view) = self.dialect_chat()?;
        view.weir_adapter_dialect_chat().chat_encoder().call_finish(store, encoder)
    }
}

/// The losses of usage that this version has no place for.
fn unplaced(usage: Option<&Usage>) -> Vec<Loss> {
    let Some(usage) = usage else { return Vec::new() };
    let is_merged =
        [usage.input_audio, usage.input_image, usage.cache_write_hour, usage.output_audio, usage.output_image]
            .iter()
            .any(|count| count.unwrap_or(0) > 0);
    let loss = |field: &str, kind| Loss {
        field: field.to_owned(),
        kind,
        note: Some("the adapter was built for contract 0.1.0, which has no place for it".to_owned()),
    };
    let merged = is_merged.then(|| loss("usage", LossKind::Approximated));
    let units = (!usage.units.is_empty()).then(|| loss("usage.units", LossKind::Dropped));
    merged.into_iter().chain(units).collect()
}

fn with_losses(mut rendered: RenderedResponse, losses: Vec<Loss>) -> RenderedResponse {
    rendered.losses.extend(losses);
    rendered
}
