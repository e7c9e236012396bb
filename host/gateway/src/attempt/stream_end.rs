//! Ends relayed streams: passes their pieces until then, and reports to the client that a stream broke.

use std::sync::Arc;

use bytes::Bytes;

use super::meter::Meter;
use super::withhold::Withhold;
use weir_translate::dialect::reply;
use weir_types::contract::about::ErrorFormat;
use weir_types::contract::types::{Error, Framing};
use weir_wire::frame;

/// The data for ending a stream properly if it breaks.
#[derive(Debug)]
pub(super) struct StreamEnd {
    pub(super) framing: Framing,
    pub(super) errors: Option<Arc<ErrorFormat>>,
    pub(super) request_id: Arc<str>,
    /// Whether the bytes are uncompressed, so that frames can be inserted.
    pub(super) is_plain: bool,
    pub(super) withhold: Option<Withhold>,
    pub(super) can_cut: bool,
    /// Whether the last byte that passed is inside a line.
    pub(super) within_line: bool,
}

impl StreamEnd {
    /// The bytes of a piece that the client gets. The frames that are found on the way are shown to the meter.
    pub(super) fn pass(&mut self, bytes: Bytes, meter: Option<&mut Meter>) -> Bytes {
        let out = match (&mut self.withhold, meter) {
            (Some(withhold), Some(meter)) => withhold.pass(bytes, &mut |frame| meter.frame(frame)),
            (Some(withhold), None) => withhold.pass(bytes, &mut |_| ()),
            (None, _) => bytes,
        };
        self.passed(&out);
        out
    }

    /// Whether the stream, of which this is the last piece, seems to end between two frames.
    pub(super) fn is_between(&self, piece: &[u8], meter: &Meter) -> bool {
        match self.framing {
            Framing::Sse | Framing::Ndjson => piece.last() == Some(&b'\n'),
            Framing::JsonArray | Framing::EventStream => meter.encoder().is_some(),
        }
    }

    fn passed(&mut self, piece: &[u8]) {
        self.within_line = piece.last().map_or(self.within_line, |last| *last != b'\n');
    }

    /// The frame that ends a broken stream, after a separator that ends an incomplete frame.
    pub(super) fn failure_frame(&self, meter: Option<&Meter>, error: &Error) -> Option<Bytes> {
        let frame = reply::failure_frame(self.errors.as_deref(), error, &self.request_id)?;
        let (mut encoder, mut out) = match separator(self.framing, self.within_line) {
            Some(separator) => (frame::Encoder::new(self.framing), separator.to_vec()),
            // The frame can only follow a whole one. The meter knows where frames end.
            None => (meter?.encoder()?, Vec::new()),
        };
        encoder.push(&frame, &mut out);
        encoder.finish(&mut out);
        Some(Bytes::from(out))
    }
}

/// The bytes that end an incomplete frame; `None` if an incomplete frame of the framing cannot be ended.
fn separator(framing: Framing, within_line: bool) -> Option<&'static [u8]> {
    match framing {
        Framing::Sse => Some(b"\n\n"),
        // Readers parse an empty line as a frame, which is not valid JSON.
        Framing::Ndjson => Some(if within_line { b"\n" } else { b"" }),
        Framing::JsonArray | Framing::EventStream => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_broken_stream_is_empty() {
        let mut ends = StreamEnd {
            framing: Framing::Ndjson,
            errors: None,
            request_id: Arc::from(""),
            is_plain: true,
            withhold: None,
            can_cut: true,
            within_line: false,
        };
        for (piece, expected) in [("{}\n", ""), ("{\"half\":", "\n"), ("", "\n"), ("1}\n", "")] {
            ends.passed(piece.as_bytes());
            assert_eq!(separator(Framing::Ndjson, ends.within_line), Some(expected.as_bytes()), "behind {piece:?}");
        }
    }
}
