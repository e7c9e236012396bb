//! Streams: the chunks of OpenAI's format in the messages' bytes.

use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::compat::AnswerDecoder;
use weir_sdk::types::{ChatEvent, Context, Decoded, Frame};

use crate::Json;
use crate::envelope::{Chunk, refusal};

/// Decodes a stream of `OpenAIStreamChunk`.
#[derive(Debug)]
pub struct ChunkDecoder(AnswerDecoder<Json>);

impl Decoder for ChunkDecoder {
    fn new(ctx: Context) -> Self {
        Self(AnswerDecoder::new(ctx))
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        let mut decoded = Decoded::default();
        for frame in frames {
            // The host names the failure that ended the call; messages have no name.
            if frame.event.is_some() {
                append(&mut decoded, self.0.push(vec![frame])?);
                continue;
            }
            let chunk = Chunk::read(&frame.data)?;
            if let Some(error) = refusal(&chunk.json) {
                decoded.events.push(ChatEvent::Failure(error));
                continue;
            }
            let end = chunk.finished.then(|| "[DONE]".to_owned());
            let data = Some(chunk.json).filter(|json| !json.is_empty()).into_iter().chain(end);
            append(&mut decoded, self.0.push(data.map(|data| Frame { event: None, data }).collect())?);
        }
        Ok(decoded)
    }

    fn finish(&mut self) -> Result<Decoded> {
        self.0.finish()
    }
}

fn append(all: &mut Decoded, more: Decoded) {
    all.events.extend(more.events);
    all.losses.extend(more.losses);
}
