//! Embeddings: `POST /v2/embed`, and the older `POST /v1/embed`, whose answers are bare lists unless types are
//! requested.

mod read;
mod write;

use weir_sdk::adapter::{DialectEmbeddings, ParsedEmbeddings, ProviderEmbeddings, Result};
use weir_sdk::types::{
    Context, EmbeddingsRequest, EmbeddingsResponse, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse,
};

use crate::Cohere;

/// The format's id.
pub(crate) const FORMAT: &str = "cohere.embed";
/// The older format's id.
pub(crate) const OLD: &str = "cohere.embed-v1";

/// Key of the extension with the requested types of vectors, if they are not simply floats or base64.
const TYPES: &str = "embedding_types";
/// Key of the mark on a request with its inputs in `inputs`.
const INPUTS: &str = "inputs";
/// Key of the extension with an input that has several items.
const CONTENT: &str = "content";
/// Key of the extension with vectors of further types.
const FURTHER: &str = "embeddings";

impl ProviderEmbeddings for Cohere {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        write::request(ctx, &request)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        read::response(&response)
    }
}

impl DialectEmbeddings for Cohere {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedEmbeddings> {
        read::request(ctx, &request)
    }

    fn render_response(ctx: &Context, response: EmbeddingsResponse) -> Result<RenderedResponse> {
        write::response(ctx, response)
    }
}

#[cfg(test)]
mod tests;
