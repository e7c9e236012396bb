//! Removes from a relayed stream what the server sends only because Weir asked for usage: one kind of frame, and the
//! null member that some servers add to the other frames. All other bytes pass unchanged.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use super::frame_room::FrameRoom;
use weir_buffers::Held;
use weir_types::contract::types::Framing;
use weir_wire::frame::{Decoder, FrameRef, Limits};
use weir_wire::tap::{Checked, CompiledCheck, FrameCheck};

/// The bytes of incomplete frames, held until it is known whether they pass.
#[derive(Debug)]
pub(super) struct Withhold {
    compiled: CompiledCheck,
    check: FrameCheck,
    framing: Framing,
    limits: Limits,
    deframer: Decoder,
    held: BytesMut,
    /// Counts those bytes.
    room: FrameRoom,
    /// Set after a decoding error, or if more bytes are held than a frame may have or than there is room for. The rest
    /// passes unchanged.
    given_up: bool,
}

impl Withhold {
    /// Withholds the frames for which the check's test holds and that have one of its members, and removes those
    /// members that are null from the other frames. `None` if the framing is not line-based.
    pub(super) fn new(check: &CompiledCheck, framing: Framing, limits: Limits, room: Held) -> Option<Self> {
        matches!(framing, Framing::Sse | Framing::Ndjson).then(|| Self {
            compiled: check.clone(),
            check: FrameCheck::new(check),
            framing,
            limits,
            deframer: Decoder::new(framing, limits),
            held: BytesMut::new(),
            room: FrameRoom::new(room),
            given_up: false,
        })
    }

    /// Takes received bytes, and returns those that pass. Calls `each` with every frame, including those that are
    /// withheld.
    pub(super) fn pass(&mut self, bytes: Bytes, each: &mut Each<'_>) -> Bytes {
        if self.given_up {
            return bytes;
        }
        let mut out = BytesMut::new();
        let mut rest = &bytes[..];
        while !self.held.is_empty() && !rest.is_empty() && !self.given_up {
            rest = self.line(rest, &mut out, each);
        }
        // Most pieces consist of whole frames that pass; these are not copied.
        let mut at = bytes.len() - rest.len();
        let mut from = at;
        while !self.given_up {
            // Most of these equal an earlier frame that passes, so their end need not be searched.
            if let Some((frame, length)) = self.deframer.take_like(&bytes[at..], |data| self.check.passing_length(data))
            {
                each(frame);
                at += length;
                continue;
            }
            let Some(frame) = first_frame(self.framing, &bytes[at..]) else { break };
            let seen = self.read(frame, each);
            match self.decide(seen, frame) {
                Decision::Passes | Decision::Open => {}
                Decision::Withheld => {
                    append(&mut out, &bytes[from..at], bytes.len());
                    from = at + frame.len();
                }
                Decision::Without(empty) => {
                    append(&mut out, &bytes[from..at + empty.start], bytes.len());
                    from = at + empty.end;
                }
            }
            at += frame.len();
        }
        if from == 0 && at == bytes.len() {
            return bytes;
        }
        append(&mut out, &bytes[from..at], bytes.len());
        rest = &bytes[at..];
        while !rest.is_empty() && !self.given_up {
            rest = self.line(rest, &mut out, each);
        }
        out.extend_from_slice(rest);
        out.freeze()
    }

    /// The stream ended: returns the bytes still held.
    pub(super) fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }

    /// Whether there is nothing of a frame that has not ended.
    pub(super) fn is_between(&self) -> bool {
        self.held.is_empty() && self.deframer.held() == 0
    }

    /// Whether frames cannot be found any more, so that all bytes pass unread.
    pub(super) fn has_given_up(&self) -> bool {
        self.given_up
    }

    /// Calls `each` with the frame that lacks only its end, since no more bytes will come.
    pub(super) fn last_frame(&mut self, each: &mut Each<'_>) {
        // A frame that was cut off is ignored.
        let _cut = self.deframer.finish(each);
    }

    /// Takes the first line of these bytes, and returns the others.
    fn line<'b>(&mut self, bytes: &'b [u8], out: &mut BytesMut, each: &mut Each<'_>) -> &'b [u8] {
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let (line, rest) = bytes.split_at(end);
        self.held.extend_from_slice(line);
        let seen = self.read(line, each);
        // Comments and ignored fields belong to no frame. A line may be longer than its data by the field's name.
        self.given_up |= self.held.len() > self.limits.frame_bytes.saturating_mul(2);
        self.given_up |= self.room.follow(self.held.len() + self.deframer.held()).is_err();
        match self.decide(seen, &self.held) {
            Decision::Open => return rest,
            Decision::Passes => out.extend_from_slice(&self.held),
            Decision::Withheld => {}
            Decision::Without(empty) => {
                out.extend_from_slice(&self.held[..empty.start]);
                out.extend_from_slice(&self.held[empty.end..]);
            }
        }
        self.held.clear();
        // Bytes that pass are no longer held.
        let _shrunk = self.room.follow(0);
        rest
    }

    /// Reads the frames that end within these bytes.
    fn read(&mut self, bytes: &[u8], each: &mut Each<'_>) -> SeenFrames {
        let (mut seen, check) = (SeenFrames::default(), &mut self.check);
        let cut = self.deframer.push(bytes, &mut |frame| {
            let Checked { holds, null } = check.look(frame);
            seen = SeenFrames { frames: seen.frames + 1, holds, null };
            each(frame);
        });
        if cut.is_err() {
            self.given_up = true;
            self.deframer = Decoder::new(self.framing, self.limits);
        }
        seen
    }

    /// Decides whether the bytes that contain these frames pass.
    fn decide(&self, seen: SeenFrames, bytes: &[u8]) -> Decision {
        if seen.frames == 0 && !self.given_up && !ends_with_blank_line(bytes) {
            return Decision::Open;
        }
        if seen.frames != 1 {
            return Decision::Passes;
        }
        if seen.holds {
            return Decision::Withheld;
        }
        let name = seen.null.and_then(|place| self.compiled.name(place));
        name.and_then(|name| null_member(bytes, name)).map_or(Decision::Passes, Decision::Without)
    }
}

/// Called with every frame.
type Each<'e> = dyn FnMut(FrameRef<'_>) + 'e;

/// The frames within some bytes.
#[derive(Debug, Default, Clone, Copy)]
struct SeenFrames {
    /// Frames that ended.
    frames: usize,
    /// Whether the last of them is withheld.
    holds: bool,
    /// The position of the last frame's null member.
    null: Option<usize>,
}

/// What to do with bytes.
enum Decision {
    Passes,
    Withheld,
    /// Pass them without this range.
    Without(Range<usize>),
    /// Read the rest of their frame first.
    Open,
}

/// Appends bytes to the output, which will have at most `most` bytes.
fn append(out: &mut BytesMut, bytes: &[u8], most: usize) {
    if out.is_empty() && !bytes.is_empty() {
        out.reserve(most);
    }
    out.extend_from_slice(bytes);
}

/// The first frame with the blank line or the line end behind it; `None` if it is not whole.
fn first_frame(framing: Framing, bytes: &[u8]) -> Option<&[u8]> {
    let mut ends = memchr::memchr_iter(b'\n', bytes).map(|at| at + 1);
    let end = match framing {
        Framing::Ndjson => ends.next(),
        _ => ends.find_map(|end| match bytes.get(end..)? {
            [b'\n', ..] => Some(end + 1),
            [b'\r', b'\n', ..] => Some(end + 2),
            _ => None,
        }),
    };
    bytes.get(..end?)
}

/// The range of the null member with this name and its comma; `None` if it is not unambiguous.
fn null_member(frame: &[u8], name: &Finder<'_>) -> Option<Range<usize>> {
    let mut places = name.find_iter(frame).filter_map(|start| {
        let behind = frame.get(start + name.needle().len()..)?.trim_ascii_start();
        let value = behind.strip_prefix(b":")?.trim_ascii_start();
        let behind = value.strip_prefix(b"null")?;
        Some(start..frame.len() - behind.len())
    });
    let Range { start, end } = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let before = frame.get(..start)?.trim_ascii_end();
    if before.ends_with(b",") {
        return Some(before.len() - 1..end);
    }
    let behind = frame.get(end..)?.trim_ascii_start();
    let behind = behind.strip_prefix(b",").map_or(behind, <[u8]>::trim_ascii_start);
    Some(start..frame.len() - behind.len())
}

/// Whether the held bytes end with a blank line, so that no frame is incomplete. Comments pass this way.
fn ends_with_blank_line(held: &[u8]) -> bool {
    let line = held.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    line.is_some_and(|line| line.is_empty() || line.ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::{FrameTest, PointerEquals};

    const STREAM: &str = "data: {\"a\":1}\n\n: note\n\ndata: {\"n\":[],\"u\":2}\n\ndata: [DONE]\n\n";

    fn withhold() -> Withhold {
        let test = FrameTest::Equals(PointerEquals { pointer: "/n".into(), json: "[]".into() });
        let check = CompiledCheck::new(&test, &["u".to_owned()]).unwrap();
        Withhold::new(&check, Framing::Sse, Limits::default(), Held::unlimited()).unwrap()
    }

    fn pass(withhold: &mut Withhold, text: &str) -> Bytes {
        withhold.pass(Bytes::copy_from_slice(text.as_bytes()), &mut |_| ())
    }

    #[test]
    fn only_the_matching_frame_is_removed_wherever_the_stream_is_split() {
        let wanted = "data: {\"a\":1}\n\n: note\n\ndata: [DONE]\n\n";
        for cut in 0..STREAM.len() {
            let mut withhold = withhold();
            let mut out = pass(&mut withhold, &STREAM[..cut]).to_vec();
            out.extend_from_slice(&pass(&mut withhold, &STREAM[cut..]));
            out.extend_from_slice(&withhold.end());
            assert_eq!(String::from_utf8(out).unwrap(), wanted, "cut at {cut}");
        }
    }

    #[test]
    fn the_null_member_of_other_frames_is_removed() {
        for (with, without) in [
            (r#"{"a":1,"u":null}"#, r#"{"a":1}"#),
            (r#"{"a":1, "u" : null, "b":2}"#, r#"{"a":1, "b":2}"#),
            (r#"{"u":null,"b":2}"#, r#"{"b":2}"#),
            (r#"{ "u": null, "b":2}"#, r#"{ "b":2}"#),
            (r#"{"u":null}"#, "{}"),
            (r#"{"u":{"x":null}}"#, r#"{"u":{"x":null}}"#),
            (r#"{"a":{"u":null}}"#, r#"{"a":{"u":null}}"#),
            (r#"{"a":"\"u\":null"}"#, r#"{"a":"\"u\":null"}"#),
            (r#"{"a":{"u":null},"u":null}"#, r#"{"a":{"u":null},"u":null}"#),
        ] {
            let mut withhold = withhold();
            let out = withhold.pass(Bytes::from(format!("data: {with}\n\n")), &mut |_| ());
            assert_eq!(String::from_utf8(out.to_vec()).unwrap(), format!("data: {without}\n\n"));
        }
    }

    #[test]
    fn a_frame_that_tells_no_usage_was_not_asked_for() {
        // Azure's first chunk has the results of its filter for the prompt, and no choices.
        for (frame, passed) in [
            (r#"{"n":[],"filtered":[1]}"#, r#"{"n":[],"filtered":[1]}"#),
            (r#"{"n":[],"filtered":[1],"u":null}"#, r#"{"n":[],"filtered":[1]}"#),
        ] {
            let test = FrameTest::Equals(PointerEquals { pointer: "/n".into(), json: "[]".into() });
            // Usage may also stand in the member that the test reads.
            let check = CompiledCheck::new(&test, &["u".to_owned(), "n".to_owned()]).unwrap();
            let mut withhold = Withhold::new(&check, Framing::Sse, Limits::default(), Held::unlimited()).unwrap();
            let out = pass(&mut withhold, &format!("data: {frame}\n\ndata: {{\"n\":[],\"u\":{{\"in\":1}}}}\n\n"));
            assert_eq!(String::from_utf8(out.to_vec()).unwrap(), format!("data: {passed}\n\n"));
        }
    }

    #[test]
    fn lines_that_end_no_frame_are_not_held_without_bound() {
        let mut withhold = Withhold { limits: Limits { frame_bytes: 1_000, ..Limits::default() }, ..withhold() };
        let line = ": note\n";
        let mut passed = 0;
        for _ in 0..1_000 {
            passed += pass(&mut withhold, line).len();
            assert!(withhold.held.len() <= 2_000 + line.len());
        }
        assert_eq!(passed, line.len() * 1_000, "nothing is lost");
    }

    #[test]
    fn whole_frames_that_pass_are_not_copied() {
        let mut withhold = withhold();
        let piece = Bytes::from_static(b": note\n\ndata: {\"a\":1}\r\n\r\ndata: 1\ndata: 2\n\n");
        assert_eq!(withhold.pass(piece.clone(), &mut |_| ()).as_ptr(), piece.as_ptr());
        let out = withhold.pass(
            Bytes::from_static(b"data: {\"n\":[],\"u\":1}\n\ndata: {\"a\":2,\"u\":null}\n\ndata: 3\n\n"),
            &mut |_| (),
        );
        assert_eq!(out, "data: {\"a\":2}\n\ndata: 3\n\n");
    }

    #[test]
    fn every_frame_is_shown_once_however_the_stream_is_cut_and_whether_it_equals_the_one_before_or_not() {
        let piece = |n: usize| format!("data: {{\"n\":[{n}],\"text\":\"{}\"}}\n\n", "x".repeat(n % 7));
        let named = |n: usize| format!("event: more\ndata: {{\"n\":[{n}],\"text\":\"\\n\"}}\n\n");
        let odd =
            ["data:{\"n\":[1],\"text\":\"\"}\r\n\r\n", "data: {\"n\":[2],\"text\":\"a\ndata: b\"}\n\n", ": note\n\n"];
        let mut stream: String = (0..6).map(piece).collect();
        stream.extend((0..4).map(named));
        stream.extend(odd.iter().flat_map(|odd| [piece(3), (*odd).to_owned(), piece(1), piece(2)]));
        stream += "data: {\"n\":[]}\n\ndata: {\"n\":[],\"u\":{}}\n\ndata: {\"n\":[8],\"text\":\"";
        let frames = |pieces: &[&str]| {
            let (mut withhold, mut frames, mut out) = (withhold(), Vec::new(), String::new());
            for text in pieces {
                let bytes = Bytes::copy_from_slice(text.as_bytes());
                let passed = withhold.pass(bytes, &mut |frame| frames.push(frame.to_owned()));
                out += std::str::from_utf8(&passed).unwrap();
            }
            withhold.last_frame(&mut |frame| frames.push(frame.to_owned()));
            (frames, out + std::str::from_utf8(&withhold.end()).unwrap())
        };
        let mut expected = Vec::new();
        let mut decoder = Decoder::new(Framing::Sse, Limits::default());
        decoder.push(stream.as_bytes(), &mut |frame| expected.push(frame.to_owned())).unwrap();
        decoder.finish(&mut |frame| expected.push(frame.to_owned())).unwrap();
        let passed = stream.replace("data: {\"n\":[],\"u\":{}}\n\n", "");
        assert_eq!(frames(&[&stream]), (expected.clone(), passed.clone()));
        for cut in 0..stream.len() {
            assert_eq!(frames(&[&stream[..cut], &stream[cut..]]), (expected.clone(), passed.clone()), "cut at {cut}");
        }
        let each: Vec<&str> = stream.split_inclusive("\n\n").collect();
        assert_eq!(frames(&each), (expected, passed));
    }

    #[test]
    fn lines_are_frames_of_their_own() {
        let test = FrameTest::Equals(PointerEquals { pointer: "/n".into(), json: "[]".into() });
        let check = CompiledCheck::new(&test, &["u".to_owned()]).unwrap();
        for cut in 0..36 {
            let stream = Bytes::from_static(b"{\"a\":1}\n\n{\"n\":[],\"u\":5}\n{\"u\":null}\n");
            let mut withhold = Withhold::new(&check, Framing::Ndjson, Limits::default(), Held::unlimited()).unwrap();
            let mut out = withhold.pass(stream.slice(..cut), &mut |_| ()).to_vec();
            out.extend_from_slice(&withhold.pass(stream.slice(cut..), &mut |_| ()));
            assert_eq!(String::from_utf8(out).unwrap(), "{\"a\":1}\n\n{}\n", "cut at {cut}");
        }
    }

    #[test]
    fn an_incomplete_frame_passes_at_the_end() {
        let mut withhold = withhold();
        assert!(withhold.pass(Bytes::from_static(b"data: {\"a\""), &mut |_| ()).is_empty());
        assert_eq!(withhold.end(), "data: {\"a\"");
    }
}
