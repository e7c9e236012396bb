//! The base for OpenAI-compatible providers: a provider is its [`Quirks`] and little else.
//!
//! ```
//! use weir_sdk::compat::{Provider, Quirks};
//!
//! struct Groq;
//!
//! impl Provider for Groq {
//!     const QUIRKS: &'static Quirks = &Quirks {
//!         name: "groq",
//!         description: "Groq's chat completions",
//!         url: Some("https://api.groq.com/openai/v1/"),
//!         key_variables: &["GROQ_API_KEY"],
//!         ..Quirks::COMPATIBLE
//!     };
//! }
//!
//! weir_sdk::export!(Groq: about, provider_errors, provider_chat, provider_embeddings, provider_models);
//! ```

mod breakpoints;
pub mod claude;
pub mod completions;
pub mod content;
pub mod custom;
pub mod decoder;
pub mod effort;
pub mod embeddings;
pub mod end_user;
pub mod error;
pub mod finish;
pub mod gpt;
pub mod logprobs;
pub mod manifest;
pub mod media;
pub mod models;
pub mod names;
pub mod quirks;
pub mod reasoning;
pub mod relayed;
pub mod request;
pub mod rerank;
pub mod response;
pub mod responses;
mod seed;
pub mod shared;
pub mod spoken;
pub mod usage;
pub mod wire;
mod words;

use std::marker::PhantomData;

pub use quirks::Quirks;

use crate::adapter::{
    About, ChatOutcome, Decoder, ProviderChat, ProviderEmbeddings, ProviderErrors, ProviderModels, ProviderRerank,
    Result,
};
use crate::compat::decoder::ChunkDecoder;
use crate::compat::gpt::chosen_format::{self, Functions};
use crate::compat::responses::decoder::EventDecoder;
use crate::manifest::Manifest;
use crate::types::{
    ChatRequest, Context, Decoded, EmbeddingsRequest, EmbeddingsResponse, Error, Frame, HttpResponse, ModelsRequest,
    ModelsResponse, RenderedRequest, RerankRequest, RerankResponse,
};

/// An OpenAI-compatible provider. It implements every provider's trait by default; an adapter with special needs
/// implements a trait itself, with the functions of the modules here.
pub trait Provider: 'static {
    /// The provider's differences from [`Quirks::COMPATIBLE`].
    const QUIRKS: &'static Quirks;
    /// Whether the provider has legacy completions; if not, their code is left out of the component.
    const COMPLETES: bool = !Self::QUIRKS.paths.completions.is_empty();
    /// Whether the provider has Responses.
    const RESPONDS: bool = !Self::QUIRKS.paths.responses.is_empty();
    /// When models of OpenAI's that Chat refuses are asked in Responses; `None` for a provider that has none of these.
    const ASKED_IN_RESPONSES: Option<Functions> = None;
}

impl<P: Provider> About for P {
    fn describe() -> Manifest {
        manifest::describe(P::QUIRKS)
    }
}

impl<P: Provider> ProviderErrors for P {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        error::parse(ctx, &response)
    }
}

impl<P: Provider> ProviderChat for P {
    type Decoder = AnswerDecoder<P>;
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        if let Some(functions) = P::ASKED_IN_RESPONSES
            && let Some(ctx) = chosen_format::for_request(P::QUIRKS, functions, ctx, &request)
        {
            return responses::request::render(P::QUIRKS, &ctx, request).map(chosen_format::marked);
        }
        match ctx.format.as_str() {
            completions::FORMAT if P::COMPLETES => completions::render(P::QUIRKS, ctx, &request),
            responses::FORMAT if P::RESPONDS => responses::request::render(P::QUIRKS, ctx, request),
            _ => request::render(P::QUIRKS, ctx, request),
        }
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let chosen = P::ASKED_IN_RESPONSES.and_then(|_| chosen_format::for_answer(ctx));
        let ctx = chosen.as_ref().unwrap_or(ctx);
        match ctx.format.as_str() {
            responses::FORMAT if P::RESPONDS => responses::response::parse(P::QUIRKS, ctx, &response),
            _ => response::parse(P::QUIRKS, ctx, &response),
        }
    }
}

impl<P: Provider> ProviderEmbeddings for P {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        embeddings::render(P::QUIRKS, ctx, &request)
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        embeddings::parse(P::QUIRKS, ctx, &response)
    }
}

impl<P: Provider> ProviderModels for P {
    fn render_request(ctx: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        Ok(models::render(P::QUIRKS, ctx, &request))
    }
    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        models::parse(&response)
    }
}

impl<P: Provider> ProviderRerank for P {
    fn render_request(ctx: &Context, request: RerankRequest) -> Result<RenderedRequest> {
        Ok(rerank::render(P::QUIRKS, ctx, &request))
    }
    fn parse_response(_: &Context, response: HttpResponse) -> Result<RerankResponse> {
        rerank::parse(&response)
    }
}

/// Parses the provider's streams, in the format that the context names.
#[derive(Debug)]
pub struct AnswerDecoder<P>(Reading, PhantomData<P>);

#[derive(Debug)]
enum Reading {
    Chunks(Box<ChunkDecoder>),
    Events(Box<EventDecoder>),
}

impl<P: Provider> Decoder for AnswerDecoder<P> {
    fn new(ctx: Context) -> Self {
        let ctx = P::ASKED_IN_RESPONSES.and_then(|_| chosen_format::for_answer(&ctx)).unwrap_or(ctx);
        let reading = match ctx.format.as_str() {
            responses::FORMAT if P::RESPONDS => Reading::Events(Box::new(EventDecoder::new(P::QUIRKS, &ctx))),
            _ => Reading::Chunks(Box::new(ChunkDecoder::new(P::QUIRKS, ctx))),
        };
        Self(reading, PhantomData)
    }
    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        Ok(match &mut self.0 {
            Reading::Chunks(decoder) => decoder.push(&frames),
            Reading::Events(decoder) if P::RESPONDS => decoder.push(&frames),
            Reading::Events(_) => Decoded::default(),
        })
    }
    fn finish(&mut self) -> Result<Decoded> {
        Ok(match &mut self.0 {
            Reading::Chunks(decoder) => decoder.finish(),
            Reading::Events(decoder) if P::RESPONDS => decoder.finish(),
            Reading::Events(_) => Decoded::default(),
        })
    }
}
