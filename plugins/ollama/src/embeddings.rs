//! Embeddings, on both sides: `/api/embed` for any number of texts, and its predecessor `/api/embeddings` for one.

mod read;
mod write;

use weir_sdk::adapter::{DialectEmbeddings, ParsedEmbeddings, ProviderEmbeddings, Result};
use weir_sdk::types::{
    Context, EmbeddingsRequest, EmbeddingsResponse, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse,
};

use crate::Ollama;

/// Memo of a request for `/api/embeddings`.
const LEGACY: &str = "legacy";

impl ProviderEmbeddings for Ollama {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        write::request(ctx, &request)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        read::response(&response)
    }
}

impl DialectEmbeddings for Ollama {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedEmbeddings> {
        read::request(ctx, &request)
    }

    fn render_response(ctx: &Context, response: EmbeddingsResponse) -> Result<RenderedResponse> {
        write::response(ctx, response)
    }
}

#[cfg(test)]
mod tests;
