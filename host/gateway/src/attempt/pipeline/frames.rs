//! Converts frames of a stream to and from the contract's type, for adapters.

use std::borrow::Cow;

use memchr::memchr;

use weir_types::contract::types::Frame;
use weir_types::surrogate;
use weir_wire::frame::FrameRef;

/// Bytes that SSE writes around a frame's data and its event's name.
const AROUND: usize = 16;

/// The bytes of one read, checked once for all frames in it.
pub(super) struct ReadBytes<'a> {
    bytes: &'a [u8],
    /// `None` if the read as a whole is not UTF-8: it may end within a character.
    text: Option<&'a str>,
    has_escapes: bool,
}

impl<'a> ReadBytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (text, has_escapes) = (simdutf8::basic::from_utf8(bytes).ok(), memchr(b'\\', bytes).is_some());
        Self { bytes, text, has_escapes }
    }

    /// A frame as the contract's type, with lone surrogates replaced.
    pub(super) fn frame(&self, frame: FrameRef<'_>) -> Frame {
        match self.borrowed(frame) {
            Some(frame) if self.has_escapes => mended(frame),
            Some(frame) => frame,
            None => mended(frame.to_owned()),
        }
    }

    /// A frame that lies whole within the read, whose texts need no check of their own.
    fn borrowed(&self, frame: FrameRef<'_>) -> Option<Frame> {
        let event = match frame.event {
            Some(event) => Some(self.part(event)?.to_owned()),
            None => None,
        };
        Some(Frame { event, data: self.part(frame.data)?.to_owned() })
    }

    /// The text of a part of the read; `None` for bytes outside of it.
    fn part(&self, part: &[u8]) -> Option<&'a str> {
        let from = part.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
        self.text?.get(from..from.checked_add(part.len())?)
    }
}

/// A frame with lone surrogates replaced.
pub(super) fn mended(mut frame: Frame) -> Frame {
    if let Cow::Owned(mended) = surrogate::mend(&frame.data) {
        frame.data = mended;
    }
    frame
}

/// The approximate number of bytes of these frames once written.
pub(super) fn room(frames: &[Frame]) -> usize {
    let length = |frame: &Frame| AROUND + frame.event.as_ref().map_or(0, String::len) + frame.data.len();
    frames.iter().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(read: &ReadBytes<'_>, event: Option<&[u8]>, data: &[u8]) -> (Option<String>, String) {
        let Frame { event, data } = read.frame(FrameRef { event, data });
        (event, data)
    }

    #[test]
    fn a_frame_is_the_same_wherever_its_bytes_lie() {
        let texts = ["event: a\ndata: {\"é\":1}\n\n", "data: \"\\ud83d\"\n\n", "data: \"\\\\ud83d\\n\"", "data: ", ""];
        for bytes in texts.map(str::as_bytes).into_iter().chain([&b"data: \xff\xc3"[..]]) {
            let read = ReadBytes::new(bytes);
            for from in 0..=bytes.len() {
                for to in from..=bytes.len() {
                    let within = &bytes[from..to];
                    let elsewhere = within.to_vec();
                    let owned = mended(FrameRef { event: Some(&elsewhere), data: &elsewhere }.to_owned());
                    let expected = (owned.event, owned.data);
                    assert_eq!(frame(&read, Some(within), within), expected, "{from} to {to}");
                    assert_eq!(frame(&read, Some(&elsewhere), &elsewhere), expected, "{from} to {to}");
                    assert_eq!(frame(&read, None, within), (None, expected.1));
                }
            }
        }
    }
}
