//! Does whatever an adapter should not. The model's name says what and where: `SITE.DEED`, such as `render.loop` or
//! `decode.trap`; any other name is served well.

mod deeds;
mod dialect;
mod manifest;
mod provider;

/// The format, which is spoken by nobody.
const FORMAT: &str = "hostile.talk";

/// The adapter.
#[derive(Debug)]
pub struct Hostile;

weir_sdk::export!(Hostile: about, provider_errors, provider_chat, dialect_chat);
