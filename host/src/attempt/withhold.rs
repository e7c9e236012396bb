//! Takes one kind of frame out of a relayed stream: the usage that only the gateway asked for. All other bytes go
//! through as they came.

use bytes::{Bytes, BytesMut};

use crate::contract::about::exports::weir::adapter::about::FrameTest;
use crate::contract::types::Framing;
use crate::frame::{Decoder, Limits};
use crate::peek::{Peek, Pointers, Test, Wanted};

/// The bytes of frames that have not ended, until it is known whether they pass.
#[derive(Debug)]
pub(super) struct Withhold {
    test: Test,
    pointers: Pointers,
    framing: Framing,
    limits: Limits,
    deframer: Decoder,
    held: BytesMut,
    /// What cannot be read passes as it is.
    given_up: bool,
}

impl Withhold {
    /// Withholds the frames for which the test holds. None where the test or the framing do not allow it: frames are
    /// told apart by lines.
    pub(super) fn new(test: &FrameTest, framing: Framing, limits: Limits) -> Option<Self> {
        let mut wanted = Wanted::default();
        let test = Test::compile(test, &mut wanted).ok()?;
        let pointers = wanted.compile().ok()?;
        matches!(framing, Framing::Sse | Framing::Ndjson).then(|| Self {
            test,
            pointers,
            framing,
            limits,
            deframer: Decoder::new(framing, limits),
            held: BytesMut::new(),
            given_up: false,
        })
    }

    /// The bytes that pass of what was held and what has come.
    pub(super) fn pass(&mut self, bytes: Bytes) -> Bytes {
        if self.given_up {
            return bytes;
        }
        let mut out = BytesMut::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() && !self.given_up {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            self.line(line, &mut out);
        }
        out.extend_from_slice(rest);
        out.freeze()
    }

    /// The stream has ended: what is left passes.
    pub(super) fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }

    fn line(&mut self, line: &[u8], out: &mut BytesMut) {
        self.held.extend_from_slice(line);
        let (mut frames, mut withheld) = (0, false);
        let (test, pointers) = (&self.test, &self.pointers);
        let cut = self.deframer.push(line, &mut |frame| {
            frames += 1;
            let mut peek = Peek::new(pointers, crate::peek::Limits::default());
            peek.push(frame.data);
            withheld = peek.finish().is_ok_and(|found| test.holds(&found));
        });
        if cut.is_err() {
            self.given_up = true;
        }
        if frames == 0 && !self.given_up && !ends_with_blank_line(&self.held) {
            return;
        }
        let held = std::mem::take(&mut self.held);
        if !(withheld && frames == 1) {
            out.extend_from_slice(&held);
        }
        if self.given_up {
            self.deframer = Decoder::new(self.framing, self.limits);
        }
    }
}

/// Whether nothing of what is held belongs to a frame that has not ended: comments and the like pass by themselves.
fn ends_with_blank_line(held: &[u8]) -> bool {
    let line = held.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    line.is_some_and(|line| line.is_empty() || line.ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::about::exports::weir::adapter::about::PointerEquals;

    const STREAM: &str = "data: {\"a\":1}\n\n: note\n\ndata: {\"n\":[],\"u\":2}\n\ndata: [DONE]\n\n";

    fn withhold() -> Withhold {
        let test = FrameTest::Equals(PointerEquals { pointer: "/n".into(), json: "[]".into() });
        Withhold::new(&test, Framing::Sse, Limits::default()).unwrap()
    }

    #[test]
    fn only_the_frame_in_question_is_taken_out_however_the_stream_is_cut() {
        let wanted = "data: {\"a\":1}\n\n: note\n\ndata: [DONE]\n\n";
        for cut in 0..STREAM.len() {
            let mut withhold = withhold();
            let mut out = withhold.pass(Bytes::from(&STREAM[..cut])).to_vec();
            out.extend_from_slice(&withhold.pass(Bytes::from(&STREAM[cut..])));
            out.extend_from_slice(&withhold.end());
            assert_eq!(String::from_utf8(out).unwrap(), wanted, "cut at {cut}");
        }
    }

    #[test]
    fn what_has_not_ended_passes_at_the_end() {
        let mut withhold = withhold();
        assert!(withhold.pass(Bytes::from_static(b"data: {\"a\"")).is_empty());
        assert_eq!(withhold.end(), "data: {\"a\"");
    }
}
