//! Removes from a relayed stream what the server sends only because the gateway requested usage: one kind of frame,
//! and the null member that some servers add to the other frames. All other bytes pass unchanged.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use weir_types::contract::types::Framing;
use weir_wire::frame::{Decoder, Limits};
use weir_wire::tap::{CompiledCheck, FrameCheck};

/// The bytes of incomplete frames, held until it is known whether they pass.
#[derive(Debug)]
pub(super) struct Withhold {
    compiled: CompiledCheck,
    check: FrameCheck,
    framing: Framing,
    limits: Limits,
    deframer: Decoder,
    held: BytesMut,
    /// Set after a decoding error: the rest passes unchanged.
    given_up: bool,
}

impl Withhold {
    /// Withholds the frames for which the check's test holds, and removes those of its members that are null from the
    /// other frames. `None` if the framing is not line-based.
    pub(super) fn new(check: &CompiledCheck, framing: Framing, limits: Limits) -> Option<Self> {
        matches!(framing, Framing::Sse | Framing::Ndjson).then(|| Self {
            compiled: check.clone(),
            check: FrameCheck::new(check),
            framing,
            limits,
            deframer: Decoder::new(framing, limits),
            held: BytesMut::new(),
            given_up: false,
        })
    }

    /// Takes received bytes, and returns those that pass.
    pub(super) fn pass(&mut self, bytes: Bytes) -> Bytes {
        if self.given_up {
            return bytes;
        }
        let mut out = BytesMut::with_capacity(self.held.len() + bytes.len());
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

    /// The stream ended: returns the bytes still held.
    pub(super) fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }

    fn line(&mut self, line: &[u8], out: &mut BytesMut) {
        self.held.extend_from_slice(line);
        let (mut frames, mut withheld) = (0, false);
        let mut blank: Option<&Finder<'_>> = None;
        let (check, compiled) = (&mut self.check, &self.compiled);
        let cut = self.deframer.push(line, &mut |frame| {
            frames += 1;
            let checked = check.look(frame);
            withheld = checked.holds;
            blank = checked.null.and_then(|place| compiled.name(place));
        });
        if cut.is_err() {
            self.given_up = true;
        }
        if frames == 0 && !self.given_up && !ends_with_blank_line(&self.held) {
            return;
        }
        let empty = blank.filter(|_| frames == 1).and_then(|name| null_member(&self.held, name));
        match empty {
            _ if withheld && frames == 1 => {}
            Some(empty) => {
                out.extend_from_slice(self.held.get(..empty.start).unwrap_or_default());
                out.extend_from_slice(self.held.get(empty.end..).unwrap_or_default());
            }
            None => out.extend_from_slice(&self.held),
        }
        self.held.clear();
        if self.given_up {
            self.deframer = Decoder::new(self.framing, self.limits);
        }
    }
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
        Withhold::new(&check, Framing::Sse, Limits::default()).unwrap()
    }

    #[test]
    fn only_the_matching_frame_is_removed_wherever_the_stream_is_split() {
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
            let out = withhold.pass(Bytes::from(format!("data: {with}\n\n")));
            assert_eq!(String::from_utf8(out.to_vec()).unwrap(), format!("data: {without}\n\n"));
        }
    }

    #[test]
    fn an_incomplete_frame_passes_at_the_end() {
        let mut withhold = withhold();
        assert!(withhold.pass(Bytes::from_static(b"data: {\"a\"")).is_empty());
        assert_eq!(withhold.end(), "data: {\"a\"");
    }
}
