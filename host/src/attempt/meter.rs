//! Reads the usage of a relayed answer beside its bytes: decodes a copy where it is compressed, cuts it into frames where
//! it is a stream, and never holds anything up.

use http::HeaderMap;

use crate::contract::types::{Framing, Usage};
use crate::frame::{Decoder as Deframer, Limits};
use crate::tap::{CompiledTap, TapState};
use crate::upstream::{Coding, DecodeBound, Decoder as Decompressor};

/// What one answer's reading needs from piece to piece.
#[derive(Debug)]
pub(super) struct Meter {
    tap: TapState,
    decompressor: Option<Decompressor>,
    deframer: Option<Deframer>,
    /// What cannot be read is not read any further; the bytes go through all the same.
    given_up: bool,
}

impl Meter {
    /// A meter for an answer with these headers; none where its coding is unknown.
    pub(super) fn new(
        tap: &CompiledTap,
        framing: Option<Framing>,
        limits: Limits,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let decompressor = match Coding::of(headers).ok()? {
            Coding::Identity => None,
            coding => Some(Decompressor::new(coding, DecodeBound::default()).ok()?),
        };
        let deframer = framing.map(|framing| Deframer::new(framing, limits));
        Some(Self { tap: TapState::new(tap), decompressor, deframer, given_up: false })
    }

    /// Looks at the next piece.
    pub(super) fn see(&mut self, bytes: &[u8]) {
        if self.given_up {
            return;
        }
        let seen = match &mut self.decompressor {
            None => see_plain(&mut self.tap, self.deframer.as_mut(), bytes),
            Some(decompressor) => match decompressor.push(bytes) {
                Ok(plain) => see_plain(&mut self.tap, self.deframer.as_mut(), &plain),
                Err(_) => None,
            },
        };
        self.given_up = seen.is_none();
    }

    /// The usage that the answer told, if it did.
    pub(super) fn finish(mut self) -> Option<Usage> {
        if let Some(plain) = self.decompressor.as_mut().and_then(|decompressor| decompressor.finish().ok()) {
            see_plain(&mut self.tap, self.deframer.as_mut(), &plain);
        }
        let reading = match &mut self.deframer {
            Some(deframer) => {
                let tap = &mut self.tap;
                // A frame that was cut off tells nothing.
                let _cut = deframer.finish(&mut |frame| tap.frame(frame));
                self.tap.reading()
            }
            None => self.tap.finish_body(),
        };
        let told = reading.usage;
        let usage = Usage {
            input: told.input,
            cache_read: told.cache_read,
            cache_write: told.cache_write,
            output: told.output,
            reasoning: told.reasoning,
            extensions: Vec::new(),
        };
        let any = [usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning];
        any.iter().any(Option::is_some).then_some(usage)
    }
}

fn see_plain(tap: &mut TapState, deframer: Option<&mut Deframer>, bytes: &[u8]) -> Option<()> {
    match deframer {
        None => {
            tap.body(bytes);
            Some(())
        }
        Some(deframer) => deframer.push(bytes, &mut |frame| tap.frame(frame)).ok(),
    }
}
