//! The functions of [`functions`](super::functions) in the newest version's types.

use wasmtime::component::Component;

use super::place::{Begin, Convert, Finish, Place, Push, Signature};
use super::v0_2_0::Guest;
use super::{GuestResult, Parts, functions};
pub(super) use crate::contract::dialect_chat::exports::weir::adapter::dialect_chat::ParsedChat;
pub(super) use crate::contract::dialect_count_tokens::exports::weir::adapter::dialect_count_tokens::ParsedCount;
pub(super) use crate::contract::dialect_embeddings::exports::weir::adapter::dialect_embeddings::ParsedEmbeddings;
pub(super) use crate::contract::dialect_models::exports::weir::adapter::dialect_models::ParsedModels;
pub(super) use crate::contract::dialect_rerank::exports::weir::adapter::dialect_rerank::ParsedRerank;
pub(super) use crate::contract::provider_chat::exports::weir::adapter::provider_chat::{ChatAnswer, ChatOutcome};
use crate::fault::MissingFunction;
use crate::version::Version;
use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, Decoded, EmbeddingsRequest, EmbeddingsResponse, Encoded, Frame,
    HttpRequest, HttpResponse, ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse, RerankRequest,
    RerankResponse, TokenCount,
};

macro_rules! calls {
    ($(
        $(#[$doc:meta])*
        $method:ident($input:ty) -> $output:ty, $name:literal;
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

        /// Where a component for the newest version has its functions.
        pub(super) struct Functions {
            $($method: Option<Place<Convert<$input, $output>>>,)+
            pub(super) decoder: Option<Place<Begin>>,
            pub(super) decoder_push: Option<Place<Push<Frame, Decoded>>>,
            pub(super) decoder_finish: Option<Place<Finish<Decoded>>>,
            pub(super) encoder: Option<Place<Begin>>,
            pub(super) encoder_push: Option<Place<Push<ChatEvent, Encoded>>>,
            pub(super) encoder_finish: Option<Place<Finish<Encoded>>>,
        }

        impl Functions {
            /// The functions that the component exports.
            pub(super) fn of(component: &Component) -> Self {
                Self {
                    $($method: find(component, $name),)+
                    decoder: find(component, "provider-chat.[constructor]chat-decoder"),
                    decoder_push: find(component, "provider-chat.[method]chat-decoder.push"),
                    decoder_finish: find(component, "provider-chat.[method]chat-decoder.finish"),
                    encoder: find(component, "dialect-chat.[constructor]chat-encoder"),
                    encoder_push: find(component, "dialect-chat.[method]chat-encoder.push"),
                    encoder_finish: find(component, "dialect-chat.[method]chat-encoder.finish"),
                }
            }
        }

        impl Calls for Guest<'_> {
            $(
                fn $method(&mut self, ctx: &Context, input: &$input) -> GuestResult<$output> {
                    let Parts { store, exports, indices, .. } = &mut self.0;
                    let place = indices.functions.$method.as_ref().ok_or(MissingFunction($name))?;
                    place.call(store, exports, (ctx, input))
                }
            )+
        }
    };
}

functions!(calls);

/// The place of a function, by its interface and its name in that.
fn find<S: Signature>(component: &Component, name: &str) -> Option<Place<S>> {
    let (interface, function) = name.split_once('.')?;
    Place::find(component, &format!("weir:adapter/{interface}@{}", Version::V0_2_0.name()), function)
}
