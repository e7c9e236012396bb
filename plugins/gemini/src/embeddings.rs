//! Embeddings, on both sides: `:embedContent` for one text, `:batchEmbedContents` for several.
//!
//! In a batch each text has its own settings. The unified model has one set for all: if they differ, or a text has
//! several parts, an extension carries the settings of each.

mod read;
mod write;

pub use write::task;

use weir_sdk::adapter::{DialectEmbeddings, ParsedEmbeddings, ProviderEmbeddings, Result};
use weir_sdk::types::{
    Context, EmbeddingsRequest, EmbeddingsResponse, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse,
};

use crate::{Gemini, user_project};

/// Key of the extension with the settings of each text of a batch, a list of objects.
pub const EACH: &str = "requests";
/// Memo of a request for one vector.
const ONE: &str = "one";

impl ProviderEmbeddings for Gemini {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        Ok(user_project::named(ctx, write::request(ctx, &request)?))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        read::response(&response)
    }
}

impl DialectEmbeddings for Gemini {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedEmbeddings> {
        read::request(ctx, &request)
    }

    fn render_response(ctx: &Context, response: EmbeddingsResponse) -> Result<RenderedResponse> {
        write::response(ctx, &response)
    }
}

#[cfg(test)]
mod tests;
