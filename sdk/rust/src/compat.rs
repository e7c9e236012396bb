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

pub mod completions;
pub mod content;
pub mod decoder;
pub mod embeddings;
pub mod error;
pub mod finish;
pub mod logprobs;
pub mod manifest;
pub mod media;
pub mod models;
pub mod names;
pub mod quirks;
pub mod reasoning;
pub mod request;
pub mod response;
pub mod responses;
pub mod usage;
pub mod wire;
mod words;

use std::marker::PhantomData;

pub use quirks::Quirks;

use crate::adapter::{
    About, ChatOutcome, Decoder, ProviderChat, ProviderEmbeddings, ProviderErrors, ProviderModels, Result,
};
use crate::compat::decoder::ChunkDecoder;
use crate::manifest::Manifest;
use crate::types::{
    ChatRequest, Context, Decoded, EmbeddingsRequest, EmbeddingsResponse, Error, Frame, HttpResponse, ModelsRequest,
    ModelsResponse, RenderedRequest,
};

/// An OpenAI-compatible provider. It has every provider's trait of its own accord; an adapter with more to say
/// implements those itself, on the functions of the modules here.
pub trait Provider: 'static {
    /// What sets it apart.
    const QUIRKS: &'static Quirks;
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
    type Decoder = ChatDecoder<P>;
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        match ctx.format.as_str() {
            completions::FORMAT => completions::render(P::QUIRKS, ctx, &request),
            _ => request::render(P::QUIRKS, ctx, request),
        }
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        response::parse(P::QUIRKS, ctx, &response)
    }
}

impl<P: Provider> ProviderEmbeddings for P {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        embeddings::render(P::QUIRKS, ctx, &request)
    }
    fn parse_response(_: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        embeddings::parse(&response)
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

/// [`ChunkDecoder`] with a provider's quirks.
#[derive(Debug)]
pub struct ChatDecoder<P>(ChunkDecoder, PhantomData<P>);

impl<P: Provider> Decoder for ChatDecoder<P> {
    fn new(ctx: Context) -> Self {
        Self(ChunkDecoder::new(P::QUIRKS, ctx), PhantomData)
    }
    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        Ok(self.0.push(&frames))
    }
    fn finish(&mut self) -> Result<Decoded> {
        Ok(self.0.finish())
    }
}
