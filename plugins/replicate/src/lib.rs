//! Replicate's predictions as a provider of chat.
//!
//! A prediction is requested with its model's own inputs, waited for, polled or streamed. Conversations become a prompt
//! and a system prompt, because those are the inputs of its language models.
//!
//! Sources: Replicate's HTTP API reference, its guide to streaming, the input schemas of its official models, and
//! recordings of the service.

mod decoder;
mod error;
mod inputs;
mod manifest;
mod memo;
mod model_name;
mod models;
mod prediction;
mod prompt;
mod provider;
mod request;

/// The format's id.
const FORMAT: &str = "replicate.predictions";

/// The adapter.
#[derive(Debug)]
pub struct Replicate;

weir_sdk::export!(Replicate: about, provider_errors, provider_chat, provider_models);

#[cfg(test)]
mod tests;
