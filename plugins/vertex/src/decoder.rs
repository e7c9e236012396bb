//! Decodes a streamed answer in the format of the model's publisher.

use weir_adapter_anthropic::Anthropic;
use weir_adapter_gemini::Gemini;
use weir_sdk::adapter::{Decoder, ProviderChat, Result};
use weir_sdk::types::{ChatEvent, Context, Decoded, Error, Frame};

use crate::error;
use crate::target::{Publisher, Target};

/// Decodes frames of either format.
#[derive(Debug)]
pub struct VertexDecoder {
    inner: Result<Inner>,
    failed: bool,
}

#[derive(Debug)]
enum Inner {
    Google(Box<<Gemini as ProviderChat>::Decoder>),
    Claude(Box<<Anthropic as ProviderChat>::Decoder>),
}

impl Decoder for VertexDecoder {
    fn new(ctx: Context) -> Self {
        let inner = Target::of(&ctx, "").map(|target| match target.publisher {
            Publisher::Google => Inner::Google(Box::new(Decoder::new(ctx))),
            Publisher::Anthropic => Inner::Claude(Box::new(Decoder::new(ctx))),
        });
        Self { inner, failed: false }
    }

    fn push(&mut self, mut frames: Vec<Frame>) -> Result<Decoded> {
        if self.failed {
            return Ok(Decoded { events: Vec::new(), losses: Vec::new() });
        }
        match self.inner.as_mut().map_err(|error| error.clone())? {
            Inner::Google(inner) => inner.push(frames),
            Inner::Claude(inner) => {
                let failure = failure(&mut frames);
                let mut decoded = inner.push(frames)?;
                self.failed = failure.is_some();
                decoded.events.extend(failure.map(ChatEvent::Failure));
                Ok(decoded)
            }
        }
    }

    fn finish(&mut self) -> Result<Decoded> {
        if self.failed {
            return Ok(Decoded { events: Vec::new(), losses: Vec::new() });
        }
        match self.inner.as_mut().map_err(|error| error.clone())? {
            Inner::Google(inner) => inner.finish(),
            Inner::Claude(inner) => inner.finish(),
        }
    }
}

/// The platform's own error among Claude's events, which all have names. Nothing follows it.
fn failure(frames: &mut Vec<Frame>) -> Option<Error> {
    let unnamed = |frame: &Frame| frame.event.is_none().then(|| error::platforms(&frame.data)).flatten();
    let (at, error) = frames.iter().enumerate().find_map(|(at, frame)| Some((at, unnamed(frame)?)))?;
    frames.truncate(at);
    Some(error)
}
