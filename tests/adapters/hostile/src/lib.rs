//! An adapter that misbehaves. The model's name selects what and where: `SITE.DEED`, such as `render.loop` or
//! `decode.trap`; requests for any other name are served normally.

mod deeds;
mod dialect;
mod lies;
mod list;
mod manifest;
mod misdeeds;
mod operations;
mod provider;

/// The format, which no client uses.
const FORMAT: &str = "hostile.talk";

/// The adapter.
#[derive(Debug)]
pub struct Hostile;

weir_sdk::export!(Hostile:
    about, provider_errors, provider_chat, dialect_chat, provider_models, dialect_models, provider_embeddings,
    dialect_embeddings, provider_rerank, dialect_rerank, provider_count_tokens, dialect_count_tokens,
);
