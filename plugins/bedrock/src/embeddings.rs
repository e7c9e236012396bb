//! Embeddings through `InvokeModel`, whose body differs for each vendor.
//!
//! Source: the service's guide to Titan's, Cohere's and Nova's models of embeddings. Titan and Nova take one text a
//! call; the contract has no follow-ups for embeddings, so several texts are refused.

mod read;
mod write;

use weir_sdk::adapter::{ProviderEmbeddings, Result};
use weir_sdk::types::{Context, EmbeddingsRequest, EmbeddingsResponse, Error, HttpResponse, RenderedRequest};

use crate::Bedrock;

impl ProviderEmbeddings for Bedrock {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        write::request(ctx, &request)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        read::response(&response)
    }
}

/// The vendors with known bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Titan's first text model, which takes only the text.
    OldTitan,
    Titan,
    /// Titan's model for texts and images.
    TitanImage,
    /// Cohere's models; `shortens` tells whether vectors may be shortened.
    Cohere {
        shortens: bool,
    },
    Nova,
}

impl Kind {
    fn of(model: &str) -> Result<Self> {
        let name = model.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&["titan-embed-image"]) {
            Ok(Self::TitanImage)
        } else if has(&["titan-embed-text-v1", "titan-embed-g1"]) {
            Ok(Self::OldTitan)
        } else if has(&["titan-embed"]) {
            Ok(Self::Titan)
        } else if has(&["cohere.embed", "cohere/embed", "embed-english", "embed-multilingual"]) {
            Ok(Self::Cohere { shortens: has(&["embed-v4"]) })
        } else if name.contains("nova") && name.contains("embed") {
            Ok(Self::Nova)
        } else {
            let message = "how this model is asked for embeddings is not known; the option `base_model` names a model";
            Err(Error::unsupported("model", message))
        }
    }
}

#[cfg(test)]
mod tests;
