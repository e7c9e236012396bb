//! The contract's functions as methods of a [`Lease`]: typed, each with its own deadline.

use super::adapter::Lease;
use super::fault::{Called, PluginFault};
use super::version::{GuestResult, MissingFunction, v0_2_0 as newest};
use super::weigh::Weigh;
pub use crate::contract::dialect_chat::exports::weir::adapter::dialect_chat::ParsedChat;
pub use crate::contract::dialect_count_tokens::exports::weir::adapter::dialect_count_tokens::ParsedCount;
pub use crate::contract::dialect_embeddings::exports::weir::adapter::dialect_embeddings::ParsedEmbeddings;
pub use crate::contract::dialect_models::exports::weir::adapter::dialect_models::ParsedModels;
pub use crate::contract::dialect_rerank::exports::weir::adapter::dialect_rerank::ParsedRerank;
pub use crate::contract::provider_chat::exports::weir::adapter::provider_chat::{ChatAnswer, ChatOutcome};
use weir_types::contract::types::{
    ChatRequest, ChatResponse, Context, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest, HttpResponse,
    ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse, RerankRequest, RerankResponse, TokenCount,
};

macro_rules! calls {
    ($(
        $(#[$doc:meta])*
        $method:ident = $view:ident . $guest:ident . $function:ident ($input:ty) -> $output:ty, $name:literal;
    )+) => {
        /// The part of [`VersionedGuest`](super::version::VersionedGuest) that is the same for every function here. A version of the
        /// contract that lacks a function keeps its default, which fails.
        pub trait Calls {
            $(
                $(#[$doc])*
                fn $method(&mut self, _: &Context, _: &$input) -> GuestResult<$output> {
                    Err(MissingFunction($name).into())
                }
            )+
        }

        impl Calls for newest::Guest<'_> {
            $(
                fn $method(&mut self, ctx: &Context, input: &$input) -> GuestResult<$output> {
                    let (store, view) = self.$view()?;
                    view.$guest().$function(store, ctx, input)
                }
            )+
        }

        impl Lease {
            $(
                $(#[$doc])*
                pub fn $method(&mut self, ctx: &Context, input: &$input) -> Called<$output> {
                    self.ask($name, input.weigh(), |instance| instance.with_guest(|speech| speech.$method(ctx, input)))
                }
            )+
        }
    };
}

calls! {
    /// Dialect: reads a client's chat request.
    parse_chat = dialect_chat.weir_adapter_dialect_chat.call_parse_request(HttpRequest) -> ParsedChat, "dialect-chat.parse-request";
    /// Dialect: writes a whole answer for the client.
    render_chat_response = dialect_chat.weir_adapter_dialect_chat.call_render_response(ChatResponse) -> RenderedResponse, "dialect-chat.render-response";
    /// Provider: writes a chat request for the upstream.
    render_chat = provider_chat.weir_adapter_provider_chat.call_render_request(ChatRequest) -> RenderedRequest, "provider-chat.render-request";
    /// Provider: reads the upstream's whole answer.
    parse_chat_response = provider_chat.weir_adapter_provider_chat.call_parse_response(HttpResponse) -> ChatOutcome, "provider-chat.parse-response";

    /// Dialect: reads a client's request for embeddings.
    parse_embeddings = dialect_embeddings.weir_adapter_dialect_embeddings.call_parse_request(HttpRequest) -> ParsedEmbeddings, "dialect-embeddings.parse-request";
    /// Dialect: writes embeddings for the client.
    render_embeddings_response = dialect_embeddings.weir_adapter_dialect_embeddings.call_render_response(EmbeddingsResponse) -> RenderedResponse, "dialect-embeddings.render-response";
    /// Provider: writes a request for embeddings for the upstream.
    render_embeddings = provider_embeddings.weir_adapter_provider_embeddings.call_render_request(EmbeddingsRequest) -> RenderedRequest, "provider-embeddings.render-request";
    /// Provider: reads the upstream's embeddings.
    parse_embeddings_response = provider_embeddings.weir_adapter_provider_embeddings.call_parse_response(HttpResponse) -> EmbeddingsResponse, "provider-embeddings.parse-response";

    /// Dialect: reads a client's request for models.
    parse_models = dialect_models.weir_adapter_dialect_models.call_parse_request(HttpRequest) -> ParsedModels, "dialect-models.parse-request";
    /// Dialect: writes a list of models, or one, for the client.
    render_models_response = dialect_models.weir_adapter_dialect_models.call_render_response(ModelsResponse) -> RenderedResponse, "dialect-models.render-response";
    /// Provider: writes a request for models for the upstream.
    render_models = provider_models.weir_adapter_provider_models.call_render_request(ModelsRequest) -> RenderedRequest, "provider-models.render-request";
    /// Provider: reads the upstream's models.
    parse_models_response = provider_models.weir_adapter_provider_models.call_parse_response(HttpResponse) -> ModelsResponse, "provider-models.parse-response";

    /// Dialect: reads a client's request to count tokens.
    parse_count = dialect_count_tokens.weir_adapter_dialect_count_tokens.call_parse_request(HttpRequest) -> ParsedCount, "dialect-count-tokens.parse-request";
    /// Provider: writes a request to count tokens for the upstream.
    render_count = provider_count_tokens.weir_adapter_provider_count_tokens.call_render_request(ChatRequest) -> RenderedRequest, "provider-count-tokens.render-request";
    /// Provider: reads the upstream's count.
    parse_count_response = provider_count_tokens.weir_adapter_provider_count_tokens.call_parse_response(HttpResponse) -> TokenCount, "provider-count-tokens.parse-response";

    /// Dialect: reads a client's request to rerank documents.
    parse_rerank = dialect_rerank.weir_adapter_dialect_rerank.call_parse_request(HttpRequest) -> ParsedRerank, "dialect-rerank.parse-request";
    /// Dialect: writes reranked documents for the client.
    render_rerank_response = dialect_rerank.weir_adapter_dialect_rerank.call_render_response(RerankResponse) -> RenderedResponse, "dialect-rerank.render-response";
    /// Provider: writes a request to rerank documents for the upstream.
    render_rerank = provider_rerank.weir_adapter_provider_rerank.call_render_request(RerankRequest) -> RenderedRequest, "provider-rerank.render-request";
    /// Provider: reads the upstream's ranking.
    parse_rerank_response = provider_rerank.weir_adapter_provider_rerank.call_parse_response(HttpResponse) -> RerankResponse, "provider-rerank.parse-response";
}

impl Lease {
    /// Dialect: writes a count of tokens for the client.
    pub fn render_count_response(&mut self, ctx: &Context, count: &TokenCount) -> Called<RenderedResponse> {
        self.ask("dialect-count-tokens.render-response", 0, |instance| {
            instance.with_guest(|speech| speech.render_count_response(ctx, *count))
        })
    }

    /// Provider: reads an answer with a status of 400 or above, of any operation.
    pub fn parse_error(&mut self, ctx: &Context, response: &HttpResponse) -> Result<Error, PluginFault> {
        self.run("provider-errors.parse-error", response.weigh(), |instance| {
            instance.with_guest(|speech| speech.parse_error(ctx, response))
        })
    }
}
