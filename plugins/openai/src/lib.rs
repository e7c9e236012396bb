//! OpenAI: the formats of its clients, and the provider itself.
//!
//! The provider's side is the SDK's base for compatible providers with OpenAI's quirks; the dialects are in this crate.

mod chat;
mod completions;
mod count;
mod embeddings;
mod free_text;
mod manifest;
mod models;
mod quirks;
mod responses;
#[cfg(test)]
mod tests;

use weir_sdk::adapter::{
    About, ChatOutcome, Decoder, DialectChat, DialectEmbeddings, DialectModels, Encoder, ParsedChat, ParsedEmbeddings,
    ParsedModels, ProviderChat, ProviderEmbeddings, ProviderErrors, ProviderModels, ProviderRerank, Result,
};
use weir_sdk::compat::gpt::chosen_format::{self, Functions};
use weir_sdk::compat::{self, decoder::ChunkDecoder, responses::decoder::EventDecoder};
use weir_sdk::manifest::Manifest;
use weir_sdk::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, Decoded, EmbeddingsRequest, EmbeddingsResponse, Encoded, Error,
    Frame, HttpRequest, HttpResponse, ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse, RerankRequest,
    RerankResponse,
};

use crate::quirks::QUIRKS;

use crate::chat::encoder::ChatEncoder;
use crate::completions::TextEncoder;
use crate::responses::encoder::EventEncoder;

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
    type Decoder = AnswerDecoder;
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        if let Some(ctx) = chosen_format::for_request(&QUIRKS, Functions::Thinking, ctx, &request) {
            return compat::responses::request::render(&QUIRKS, &ctx, request).map(chosen_format::marked);
        }
        match ctx.format.as_str() {
            compat::completions::FORMAT => compat::completions::render(&QUIRKS, ctx, &request),
            compat::responses::FORMAT => compat::responses::request::render(&QUIRKS, ctx, request),
            _ => compat::request::render(&QUIRKS, ctx, request),
        }
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let chosen = chosen_format::for_answer(ctx);
        let ctx = chosen.as_ref().unwrap_or(ctx);
        match ctx.format.as_str() {
            compat::responses::FORMAT => compat::responses::response::parse(&QUIRKS, ctx, &response),
            _ => compat::response::parse(&QUIRKS, ctx, &response),
        }
    }
}

/// Parses the provider's streams, in the format that the context names.
#[derive(Debug)]
pub enum AnswerDecoder {
    /// Chat and legacy completions.
    Chunks(Box<ChunkDecoder>),
    /// Responses.
    Events(Box<EventDecoder>),
}

impl Decoder for AnswerDecoder {
    fn new(ctx: Context) -> Self {
        let ctx = chosen_format::for_answer(&ctx).unwrap_or(ctx);
        match ctx.format.as_str() {
            compat::responses::FORMAT => Self::Events(Box::new(EventDecoder::new(&QUIRKS, &ctx))),
            _ => Self::Chunks(Box::new(ChunkDecoder::new(&QUIRKS, ctx))),
        }
    }
    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        match self {
            Self::Chunks(decoder) => Ok(decoder.push(&frames)),
            Self::Events(decoder) => Ok(decoder.push(&frames)),
        }
    }
    fn finish(&mut self) -> Result<Decoded> {
        match self {
            Self::Chunks(decoder) => Ok(decoder.finish()),
            Self::Events(decoder) => Ok(decoder.finish()),
        }
    }
}

impl DialectChat for OpenAi {
    type Encoder = AnswerEncoder;
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        match ctx.format.as_str() {
            compat::completions::FORMAT => completions::parse(ctx, &request),
            compat::responses::FORMAT => responses::request::parse(ctx, &request),
            _ => chat::request::parse(ctx, &request),
        }
    }
    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        Ok(match ctx.format.as_str() {
            compat::completions::FORMAT => completions::render(ctx, &response),
            compat::responses::FORMAT => responses::response::render(ctx, &response),
            _ => chat::response::render(ctx, &response),
        })
    }
}

/// Renders streams for clients, in the format that the context names.
#[derive(Debug)]
pub enum AnswerEncoder {
    /// `openai.chat`.
    Chat(Box<ChatEncoder>),
    /// `openai.completions`.
    Text(Box<TextEncoder>),
    /// `openai.responses`.
    Events(Box<EventEncoder>),
}

impl Encoder for AnswerEncoder {
    fn new(ctx: Context) -> Self {
        match ctx.format.as_str() {
            compat::completions::FORMAT => Self::Text(Box::new(TextEncoder::new(ctx))),
            compat::responses::FORMAT => Self::Events(Box::new(EventEncoder::new(ctx))),
            _ => Self::Chat(Box::new(ChatEncoder::new(ctx))),
        }
    }
    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        match self {
            Self::Chat(encoder) => encoder.push(events),
            Self::Text(encoder) => encoder.push(events),
            Self::Events(encoder) => encoder.push(events),
        }
    }
    fn finish(&mut self) -> Result<Encoded> {
        match self {
            Self::Chat(encoder) => encoder.finish(),
            Self::Text(encoder) => encoder.finish(),
            Self::Events(encoder) => encoder.finish(),
        }
    }
}

impl ProviderEmbeddings for OpenAi {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        compat::embeddings::render(&QUIRKS, ctx, &request)
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        compat::embeddings::parse(&QUIRKS, ctx, &response)
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
        models::render(ctx, &response)
    }
}

/// Reranking, which compatible servers have and OpenAI itself lacks.
impl ProviderRerank for OpenAi {
    fn render_request(ctx: &Context, request: RerankRequest) -> Result<RenderedRequest> {
        Ok(compat::rerank::render(&QUIRKS, ctx, &request))
    }
    fn parse_response(_: &Context, response: HttpResponse) -> Result<RerankResponse> {
        compat::rerank::parse(&response)
    }
}

weir_sdk::export!(
    OpenAi: about, provider_errors, provider_chat, dialect_chat, provider_embeddings, dialect_embeddings,
    provider_models, dialect_models, provider_count_tokens, dialect_count_tokens, provider_rerank
);
