//! The contract's functions as methods of a [`Lease`]: typed, each with its own deadline.

use super::adapter::Lease;
use super::fault::{CallResult, PluginFault};
use super::guest::functions;
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

macro_rules! methods {
    ($(
        $(#[$doc:meta])*
        $method:ident($input:ty) -> $output:ty, $name:literal;
    )+) => {
        impl Lease {
            $(
                $(#[$doc])*
                pub fn $method(&mut self, ctx: &Context, input: &$input) -> CallResult<$output> {
                    self.ask($name, input.weigh(), |instance| instance.with_guest(|guest| guest.$method(ctx, input)))
                }
            )+
        }
    };
}

functions!(methods);

impl Lease {
    /// Dialect: writes a count of tokens for the client.
    pub fn render_count_response(&mut self, ctx: &Context, count: &TokenCount) -> CallResult<RenderedResponse> {
        self.ask("dialect-count-tokens.render-response", 0, |instance| {
            instance.with_guest(|guest| guest.render_count_response(ctx, *count))
        })
    }

    /// Provider: reads an answer with a status of 400 or above, of any operation.
    pub fn parse_error(&mut self, ctx: &Context, response: &HttpResponse) -> Result<Error, PluginFault> {
        self.run("provider-errors.parse-error", response.weigh(), |instance| {
            instance.with_guest(|guest| guest.parse_error(ctx, response))
        })
    }
}
