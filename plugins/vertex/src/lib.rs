//! Google Vertex AI as a provider: Gemini and Claude behind one address.
//!
//! Both formats are those of the adapters that this one builds upon. The differences: the model is in the path, below a
//! project and a location; Claude's requests have the version of the API in the body; embeddings are predictions.
//!
//! Sources: the REST reference of `aiplatform.googleapis.com` (`publishers.models`), the guide to Claude on Vertex AI,
//! and recordings of the service.

mod betas;
mod claude;
mod count_tokens;
mod decoder;
mod embeddings;
mod error;
mod google;
mod manifest;
mod media;
mod models;
mod order;
mod provider;
mod target;

/// The adapter.
#[derive(Debug)]
pub struct Vertex;

weir_sdk::export!(Vertex:
    about, provider_errors, provider_chat, provider_embeddings, provider_models, provider_count_tokens,
);

#[cfg(test)]
mod tests;
