//! Messages from frames. A message up to a bound is held until it is whole, so that it can be read, and held back,
//! before it goes on; a larger one passes in pieces while it arrives.

use bytes::{Bytes, BytesMut};

use super::close::Close;
use super::frame::{FrameError, Head, Opcode, Side, apply};

/// The most frames of a message: more than any program needs, and too few for an attack by empty ones.
const MAX_FRAGMENTS: u32 = 16_384;

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}

impl Kind {
    /// The opcode of a message's first frame.
    pub fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole message.
    Message(Kind, Bytes),
    /// A piece of a larger message.
    Piece {
        /// The message's kind.
        kind: Kind,
        /// The piece, which may be empty.
        bytes: Bytes,
        /// Whether it is the first one.
        is_first: bool,
        /// Whether it is the last one.
        is_last: bool,
    },
    /// Asks the other side whether it is there; it answers with the same bytes.
    Ping(Bytes),
    /// The other side is there.
    Pong,
    /// The end of the session.
    Close(Close),
}

/// The bounds of messages, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Up to this a message is held until it is whole.
    pub held: usize,
    /// The largest message.
    pub most: u64,
}

/// Reads one side's messages.
#[derive(Debug)]
pub struct MessageReader {
    from: Side,
    bounds: Bounds,
    frame: Option<Open>,
    message: Option<OpenMessage>,
}

/// A frame whose payload is arriving.
#[derive(Debug)]
struct Open {
    head: Head,
    /// How much of its payload was taken.
    taken: u64,
    /// The payload of a control frame so far.
    control: BytesMut,
}

/// A message that has not ended.
#[derive(Debug)]
struct OpenMessage {
    kind: Kind,
    held: BytesMut,
    /// Whether a piece of it was handed over.
    is_passing: bool,
    len: u64,
    fragments: u32,
}

impl MessageReader {
    /// A reader of the messages that this side sends.
    pub fn new(from: Side, bounds: Bounds) -> Self {
        Self { from, bounds, frame: None, message: None }
    }

    /// Takes the next event off `input`; `None` if more bytes are needed. After an error there is nothing more to read.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Event>, FrameError> {
        loop {
            let Some(frame) = &mut self.frame else {
                let Some(head) = Head::take(input, self.from)? else { return Ok(None) };
                self.begin(head)?;
                continue;
            };
            let left = frame.head.len - frame.taken;
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            let mut bytes = input.split_to(now);
            if let Some(mask) = frame.head.mask {
                apply(mask, frame.taken, &mut bytes);
            }
            frame.taken += now as u64;
            let (opcode, is_whole) = (frame.head.opcode, frame.taken == frame.head.len);
            let is_end = is_whole && frame.head.is_last;
            if opcode.is_control() {
                frame.control.extend_from_slice(&bytes);
                if !is_whole {
                    return Ok(None);
                }
                let payload = std::mem::take(&mut frame.control).freeze();
                self.frame = None;
                return Ok(Some(match opcode {
                    Opcode::Close => Event::Close(Close::read(&payload)?),
                    Opcode::Ping => Event::Ping(payload),
                    _ => Event::Pong,
                }));
            }
            if is_whole {
                self.frame = None;
            }
            if let Some(event) = self.add(&bytes, is_end)? {
                return Ok(Some(event));
            }
            if !is_whole {
                return Ok(None);
            }
        }
    }

    /// Bytes of messages that are held.
    pub fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.held.len())
    }

    fn begin(&mut self, head: Head) -> Result<(), FrameError> {
        match (head.opcode, &mut self.message) {
            (Opcode::Continuation, Some(message)) => {
                message.fragments += 1;
                message.len = message.len.saturating_add(head.len);
            }
            (Opcode::Text, none @ None) => *none = Some(OpenMessage::new(Kind::Text, head.len)),
            (Opcode::Binary, none @ None) => *none = Some(OpenMessage::new(Kind::Binary, head.len)),
            (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => return Err(FrameError::Order),
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {}
        }
        if let Some(message) = &self.message {
            if message.len > self.bounds.most {
                return Err(FrameError::TooLarge);
            }
            if message.fragments > MAX_FRAGMENTS {
                return Err(FrameError::Fragments);
            }
        }
        self.frame = Some(Open { head, taken: 0, control: BytesMut::new() });
        Ok(())
    }

    /// Adds bytes to the message, and returns what is to be handed over.
    fn add(&mut self, bytes: &BytesMut, is_end: bool) -> Result<Option<Event>, FrameError> {
        let Some(message) = &mut self.message else { return Ok(None) };
        message.held.extend_from_slice(bytes);
        let (kind, is_first) = (message.kind, !message.is_passing);
        if is_end {
            let held = std::mem::take(&mut message.held).freeze();
            self.message = None;
            if !is_first {
                return Ok(Some(Event::Piece { kind, bytes: held, is_first: false, is_last: true }));
            }
            if kind == Kind::Text && std::str::from_utf8(&held).is_err() {
                return Err(FrameError::Utf8);
            }
            return Ok(Some(Event::Message(kind, held)));
        }
        if is_first && message.held.len() <= self.bounds.held || message.held.is_empty() {
            return Ok(None);
        }
        message.is_passing = true;
        let bytes = std::mem::take(&mut message.held).freeze();
        Ok(Some(Event::Piece { kind, bytes, is_first, is_last: false }))
    }
}

impl OpenMessage {
    fn new(kind: Kind, len: u64) -> Self {
        Self { kind, held: BytesMut::new(), is_passing: false, len, fragments: 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame::write;
    use super::*;

    const BOUNDS: Bounds = Bounds { held: 64, most: 1024 };

    /// What a reader makes of bytes that arrive in these pieces.
    fn read(bytes: &[u8], cuts: &[usize], from: Side) -> Result<Vec<Event>, FrameError> {
        let mut reader = MessageReader::new(from, BOUNDS);
        let (mut input, mut events, mut at) = (BytesMut::new(), Vec::new(), 0);
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let cut = cut.clamp(at, bytes.len());
            input.extend_from_slice(&bytes[at..cut]);
            at = cut;
            while let Some(event) = reader.next(&mut input)? {
                events.push(event);
            }
            assert!(reader.held() <= BOUNDS.held);
        }
        Ok(events)
    }

    fn frames(frames: &[(Opcode, bool, &[u8])], from: Side) -> BytesMut {
        let mut out = BytesMut::new();
        let mask = (from == Side::Client).then_some([1, 2, 3, 4]);
        for (opcode, is_last, payload) in frames {
            write(&mut out, *opcode, *is_last, payload, mask);
        }
        out
    }

    /// The messages with their pieces joined.
    fn joined(events: Vec<Event>) -> Vec<(Kind, Vec<u8>)> {
        let (mut all, mut open) = (Vec::new(), None::<Vec<u8>>);
        for event in events {
            match event {
                Event::Message(kind, bytes) => all.push((kind, bytes.to_vec())),
                Event::Piece { kind, bytes, is_first, is_last } => {
                    assert_eq!(is_first, open.is_none());
                    open.get_or_insert_default().extend_from_slice(&bytes);
                    if is_last {
                        all.push((kind, open.take().unwrap()));
                    }
                }
                Event::Ping(_) | Event::Pong | Event::Close(_) => {}
            }
        }
        assert!(open.is_none());
        all
    }

    proptest! {
        /// However messages are put into frames and these into reads, the same messages come out.
        #[test]
        fn messages_are_the_same_however_they_are_cut(
            sizes in prop::collection::vec(prop::collection::vec(0usize..90, 1..5), 0..5),
            cuts in prop::collection::vec(0usize..2000, 0..12), is_client: bool,
        ) {
            let from = if is_client { Side::Client } else { Side::Server };
            let (mut bytes, mut sent) = (BytesMut::new(), Vec::new());
            for sizes in &sizes {
                let parts: Vec<Vec<u8>> = sizes.iter().map(|size| vec![b'a' + (*size % 26) as u8; *size]).collect();
                for (at, part) in parts.iter().enumerate() {
                    let opcode = if at == 0 { Opcode::Text } else { Opcode::Continuation };
                    bytes.extend_from_slice(&frames(&[(opcode, at + 1 == parts.len(), part)], from));
                    bytes.extend_from_slice(&frames(&[(Opcode::Ping, true, b"p")], from));
                }
                sent.push((Kind::Text, parts.concat()));
            }
            let mut cuts = cuts;
            cuts.sort_unstable();
            let events = read(&bytes, &cuts, from).unwrap();
            let pings = events.iter().filter(|event| matches!(event, Event::Ping(_))).count();
            prop_assert_eq!(pings, sizes.iter().map(Vec::len).sum::<usize>());
            prop_assert_eq!(joined(events), sent);
        }

        #[test]
        fn no_bytes_make_it_panic_or_hold_more_than_the_bound(bytes: Vec<u8>, cuts in prop::collection::vec(0usize..64, 0..6)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let _any = read(&bytes, &cuts, Side::Server);
        }
    }

    #[test]
    fn a_small_message_is_held_until_it_is_whole_and_a_larger_one_passes() {
        let bytes = frames(&[(Opcode::Text, false, b"ab"), (Opcode::Continuation, true, b"c")], Side::Server);
        assert_eq!(read(&bytes, &[4], Side::Server).unwrap(), [Event::Message(Kind::Text, "abc".into())]);
        let bytes = frames(&[(Opcode::Binary, true, &[7; 100])], Side::Client);
        let events = read(&bytes, &[40, 80], Side::Client).unwrap();
        assert!(matches!(events[0], Event::Piece { is_first: true, is_last: false, .. }), "{events:?}");
        assert_eq!(joined(events), [(Kind::Binary, vec![7; 100])]);
    }

    #[test]
    fn hostile_frames_are_refused_before_their_payload_arrives() {
        let refused = |bytes: &[u8], from| read(bytes, &[], from).unwrap_err();
        assert_eq!(refused(&[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0], Side::Server), FrameError::TooLarge);
        let parts =
            frames(&[(Opcode::Binary, false, &[0; 600]), (Opcode::Continuation, true, &[0; 600])], Side::Server);
        assert_eq!(refused(&parts, Side::Server), FrameError::TooLarge);
        assert_eq!(refused(&[0x80, 0], Side::Server), FrameError::Order);
        let twice = frames(&[(Opcode::Text, false, b""), (Opcode::Text, true, b"")], Side::Server);
        assert_eq!(refused(&twice, Side::Server), FrameError::Order);
        let endless = [vec![0x01, 0x00], [0x00, 0x00].repeat(MAX_FRAGMENTS as usize)].concat();
        assert_eq!(refused(&endless, Side::Server), FrameError::Fragments);
        assert_eq!(refused(&frames(&[(Opcode::Text, true, &[0xff])], Side::Client), Side::Client), FrameError::Utf8);
        assert_eq!(refused(&[0x88, 2, 3, 0xed], Side::Server), FrameError::Close);
    }
}
