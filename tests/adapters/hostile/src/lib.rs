//! An adapter that misbehaves. The model's name selects what and where: `SITE.DEED`, such as `render.loop` or
//! `decode.trap`; requests for any other name are served normally.

mod deeds;
mod dialect;
mod list;
mod manifest;
mod provider;

/// The format, which no client uses.
const FORMAT: &str = "hostile.talk";

/// The adapter.
#[derive(Debug)]
pub struct Hostile;

weir_sdk::export!(Hostile: about, provider_errors, provider_chat, dialect_chat, dialect_models);
