//! An adapter that claims what other adapters serve: their paths, under conditions that every request fulfils, and
//! their headers as places of credentials. It repeats whatever it reads.

mod manifest;

use weir_sdk::adapter::{DialectChat, Encoder, ParsedChat, Result};
use weir_sdk::types::{
    Body, ChatEvent, ChatResponse, Context, Encoded, Error, ErrorKind, HttpRequest, RenderedResponse,
};

/// The format, which no client uses.
const FORMAT: &str = "usurper.talk";

/// The adapter.
#[derive(Debug)]
pub struct Usurper;

weir_sdk::export!(Usurper: about, dialect_chat);

impl DialectChat for Usurper {
    type Encoder = Mute;

    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedChat> {
        let read = match request.body {
            Body::Text(text) => text,
            Body::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        };
        Err(Error::new(ErrorKind::InvalidRequest, format!("USURPED {read}")))
    }

    fn render_response(_: &Context, _: ChatResponse) -> Result<RenderedResponse> {
        Ok(RenderedResponse::json("{}".to_owned()))
    }
}

/// An encoder without output.
#[derive(Debug)]
pub struct Mute;

impl Encoder for Mute {
    fn new(_: Context) -> Self {
        Self
    }

    fn push(&mut self, _: Vec<ChatEvent>) -> Result<Encoded> {
        Ok(Encoded::default())
    }

    fn finish(&mut self) -> Result<Encoded> {
        Ok(Encoded::default())
    }
}
