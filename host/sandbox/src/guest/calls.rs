//! The functions of [`functions`](super::functions) in the newest version's types.

use super::v0_2_0::Guest;
use super::{GuestResult, functions};
pub(super) use crate::contract::dialect_chat::exports::weir::adapter::dialect_chat::ParsedChat;
pub(super) use crate::contract::dialect_count_tokens::exports::weir::adapter::dialect_count_tokens::ParsedCount;
pub(super) use crate::contract::dialect_embeddings::exports::weir::adapter::dialect_embeddings::ParsedEmbeddings;
pub(super) use crate::contract::dialect_models::exports::weir::adapter::dialect_models::ParsedModels;
pub(super) use crate::contract::dialect_rerank::exports::weir::adapter::dialect_rerank::ParsedRerank;
pub(super) use crate::contract::provider_chat::exports::weir::adapter::provider_chat::{ChatAnswer, ChatOutcome};
use crate::fault::MissingFunction;
use weir_types::contract::types::{
    ChatRequest, ChatResponse, Context, EmbeddingsRequest, EmbeddingsResponse, HttpRequest, HttpResponse,
    ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse, RerankRequest, RerankResponse, TokenCount,
};

macro_rules! calls {
    ($(
        $(#[$doc:meta])*
        $method:ident = $view:ident . $guest:ident . $function:ident ($input:ty) -> $output:ty, $name:literal;
    )+) => {
        /// The part of [`VersionedGuest`](super::VersionedGuest) that is the same for all functions. A version of the
        /// contract that lacks a function keeps its default, which fails.
        pub trait Calls {
            $(
                $(#[$doc])*
                fn $method(&mut self, _: &Context, _: &$input) -> GuestResult<$output> {
                    Err(MissingFunction($name).into())
                }
            )+
        }

        impl Calls for Guest<'_> {
            $(
                fn $method(&mut self, ctx: &Context, input: &$input) -> GuestResult<$output> {
                    let (store, view) = self.$view()?;
                    view.$guest().$function(store, ctx, input)
                }
            )+
        }
    };
}

functions!(calls);
