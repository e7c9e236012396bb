//! OpenAI: the formats that its clients speak, and the provider itself.
//!
//! The provider's side is the SDK's base for compatible providers with OpenAI's own quirks; the dialects live here.

mod chat;
mod embeddings;
mod manifest;
mod models;
mod quirks;

use weir_sdk::adapter::{
    About, ChatOutcome, Decoder, DialectChat, DialectEmbeddings, DialectModels, ParsedChat, ParsedEmbeddings,
    ParsedModels, ProviderChat, ProviderEmbeddings, ProviderErrors, ProviderModels, Result,
};
use weir_sdk::compat::{self, decoder::ChunkDecoder};
use weir_sdk::manifest::Manifest;
use weir_sdk::types::{
    ChatRequest, ChatResponse, Context, Decoded, EmbeddingsRequest, EmbeddingsResponse, Error, Frame, HttpRequest,
    HttpResponse, ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse,
};

use crate::quirks::QUIRKS;

pub use crate::chat::encoder::ChatEncoder;

/// The adapter.
#[derive(Debug)]
pub struct OpenAi;

impl About for OpenAi {
    fn describe() -> Manifest {
        manifest::describe()
    }
}

impl ProviderErrors for OpenAi {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        compat::error::parse(ctx, &response)
    }
}

impl ProviderChat for OpenAi {
    type Decoder = ChatDecoder;
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        compat::request::render(&QUIRKS, ctx, request)
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        compat::response::parse(&QUIRKS, ctx, &response)
    }
}

/// Reads the provider's streams.
#[derive(Debug)]
pub struct ChatDecoder(ChunkDecoder);

impl Decoder for ChatDecoder {
    fn new(ctx: Context) -> Self {
        Self(ChunkDecoder::new(&QUIRKS, ctx))
    }
    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        Ok(self.0.push(&frames))
    }
    fn finish(&mut self) -> Result<Decoded> {
        Ok(self.0.finish())
    }
}

impl DialectChat for OpenAi {
    type Encoder = ChatEncoder;
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        chat::request::parse(ctx, &request)
    }
    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        Ok(chat::response::render(ctx, &response))
    }
}

impl ProviderEmbeddings for OpenAi {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        compat::embeddings::render(&QUIRKS, ctx, &request)
    }
    fn parse_response(_: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        compat::embeddings::parse(&response)
    }
}

impl DialectEmbeddings for OpenAi {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedEmbeddings> {
        embeddings::parse(ctx, &request)
    }
    fn render_response(ctx: &Context, response: EmbeddingsResponse) -> Result<RenderedResponse> {
        embeddings::render(ctx, response)
    }
}

impl ProviderModels for OpenAi {
    fn render_request(ctx: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        Ok(compat::models::render(&QUIRKS, ctx, &request))
    }
    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        compat::models::parse(&response)
    }
}

impl DialectModels for OpenAi {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedModels> {
        Ok(models::parse(ctx, &request))
    }
    fn render_response(ctx: &Context, response: ModelsResponse) -> Result<RenderedResponse> {
        models::render(ctx, response)
    }
}

weir_sdk::export!(
    OpenAi: about, provider_errors, provider_chat, dialect_chat, provider_embeddings, dialect_embeddings,
    provider_models, dialect_models
);
