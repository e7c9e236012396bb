//! Heads of frames: read strictly, written in their shortest form. And masks.

use bytes::{Buf as _, BytesMut};

/// The most bytes of a control frame's payload.
pub(crate) const CONTROL_BYTES: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// Lengths that announce two and eight more bytes.
const SHORT: u8 = 126;
const LONG: u8 = 127;

/// Who sends the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The side that asked for the session: its frames are masked.
    Client,
    /// The side that granted it: its frames are not.
    Server,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that the last data frame began.
    Continuation,
    /// The beginning of a message of text.
    Text,
    /// The beginning of a message of bytes.
    Binary,
    /// The end of the session.
    Close,
    /// A question whether the other side is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether it is no part of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Why a session's bytes cannot be read on. [`FrameError::code`] is the close code that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A bit is set that belongs to an extension, and none was negotiated.
    #[error("a reserved bit is set")]
    Reserved,
    /// The opcode has no meaning.
    #[error("the opcode is not known")]
    Opcode,
    /// A client's frame is not masked.
    #[error("a client's frames must be masked")]
    Unmasked,
    /// A server's frame is masked.
    #[error("a server's frames must not be masked")]
    Masked,
    /// The length is not written in its shortest form, or has its first bit set.
    #[error("a frame's length is malformed")]
    Length,
    /// A control frame is too long or comes in several parts.
    #[error("a control frame is too long or in parts")]
    Control,
    /// A continuation without a message, or a new message within another.
    #[error("the frames of a message are not in order")]
    Order,
    /// A message has more frames than it may.
    #[error("a message has too many frames")]
    Fragments,
    /// A message has more bytes than it may.
    #[error("a message is larger than it may be")]
    TooLarge,
    /// A message of text is not UTF-8.
    #[error("a message of text is not UTF-8")]
    Utf8,
    /// A close frame's code or reason is malformed.
    #[error("a close frame is malformed")]
    Close,
}

impl FrameError {
    /// The close code for the side that sent this.
    pub fn code(self) -> u16 {
        match self {
            Self::Utf8 => 1007,
            Self::Fragments => 1008,
            Self::TooLarge => 1009,
            _ => 1002,
        }
    }
}

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whether this is the message's last frame.
    pub is_last: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The length of its payload in bytes.
    pub len: u64,
    /// The mask over its payload.
    pub mask: Option<[u8; 4]>,
}

impl Head {
    /// Takes a head off the beginning of `input`; `None` if it is not whole yet. `from` is the side that sent it.
    pub fn take(input: &mut BytesMut, from: Side) -> Result<Option<Self>, FrameError> {
        let [first, second, rest @ ..] = &**input else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(FrameError::Reserved);
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(FrameError::Opcode)?;
        let (is_last, is_masked) = (first & FIN != 0, second & MASKED != 0);
        match from {
            Side::Client if !is_masked => return Err(FrameError::Unmasked),
            Side::Server if is_masked => return Err(FrameError::Masked),
            Side::Client | Side::Server => {}
        }
        let short = second & !MASKED;
        if opcode.is_control() && (!is_last || short >= SHORT) {
            return Err(FrameError::Control);
        }
        let (len, more) = match short {
            SHORT => match rest {
                [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 2),
                _ => return Ok(None),
            },
            LONG => match rest.first_chunk::<8>() {
                Some(bytes) => (u64::from_be_bytes(*bytes), 8),
                None => return Ok(None),
            },
            len => (u64::from(len), 0),
        };
        let is_shortest = match short {
            SHORT => len >= u64::from(SHORT),
            LONG => len > u64::from(u16::MAX) && len >> 63 == 0,
            _ => true,
        };
        if !is_shortest {
            return Err(FrameError::Length);
        }
        let masks = rest.get(more..).unwrap_or_default();
        let mask = match (is_masked, masks.first_chunk::<4>()) {
            (false, _) => None,
            (true, Some(mask)) => Some(*mask),
            (true, None) => return Ok(None),
        };
        input.advance(2 + more + if is_masked { 4 } else { 0 });
        Ok(Some(Self { is_last, opcode, len, mask }))
    }

    /// Writes the head of a frame.
    pub fn write(&self, out: &mut BytesMut) {
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        let first = self.opcode.bits() | if self.is_last { FIN } else { 0 };
        match self.len {
            len @ 0..126 => out.extend_from_slice(&[first, masked | len as u8]),
            len @ 126..=0xffff => {
                out.extend_from_slice(&[first, masked | SHORT]);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                out.extend_from_slice(&[first, masked | LONG]);
                out.extend_from_slice(&len.to_be_bytes());
            }
        }
        if let Some(mask) = self.mask {
            out.extend_from_slice(&mask);
        }
    }
}

/// Writes a whole frame; `mask` is that of a client's.
pub fn write(out: &mut BytesMut, opcode: Opcode, is_last: bool, payload: &[u8], mask: Option<[u8; 4]>) {
    Head { is_last, opcode, len: payload.len() as u64, mask }.write(out);
    let begin = out.len();
    out.extend_from_slice(payload);
    if let (Some(mask), Some(written)) = (mask, out.get_mut(begin..)) {
        apply(mask, 0, written);
    }
}

/// Masks or unmasks bytes that stand `at` this place of their frame's payload.
pub fn apply(mask: [u8; 4], at: u64, bytes: &mut [u8]) {
    let mut mask = mask;
    mask.rotate_left((at % 4) as usize);
    let eight = [mask, mask].concat();
    let word = u64::from_ne_bytes(eight.try_into().unwrap_or_default());
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(bytes: &[u8], from: Side) -> Result<Option<Head>, FrameError> {
        Head::take(&mut BytesMut::from(bytes), from)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_and_never_before_it_is_whole(
            len in prop_oneof![0u64..300, 65_000u64..66_000, Just(1 << 40)], is_last: bool, mask: Option<[u8; 4]>,
        ) {
            let head = Head { is_last, opcode: Opcode::Binary, len, mask };
            let from = if mask.is_some() { Side::Client } else { Side::Server };
            let mut out = BytesMut::new();
            head.write(&mut out);
            for cut in 0..out.len() {
                prop_assert_eq!(taken(&out[..cut], from), Ok(None));
            }
            prop_assert_eq!(taken(&out, from), Ok(Some(head)));
        }

        #[test]
        fn a_mask_is_the_same_however_its_payload_is_cut(payload: Vec<u8>, mask: [u8; 4], cut: usize) {
            let cut = cut.checked_rem(payload.len() + 1).unwrap_or_default();
            let plain: Vec<u8> = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
            let mut parts = payload;
            let (first, second) = parts.split_at_mut(cut);
            apply(mask, 0, first);
            apply(mask, cut as u64, second);
            prop_assert_eq!(parts, plain);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, is_client: bool) {
            let _any = taken(&bytes, if is_client { Side::Client } else { Side::Server });
        }
    }

    #[test]
    fn what_the_protocol_forbids_is_refused() {
        use Side::{Client, Server};
        for (bytes, from, error) in [
            (&[0xc1, 0x00][..], Server, FrameError::Reserved),
            (&[0x83, 0x00], Server, FrameError::Opcode),
            (&[0x8b, 0x00], Server, FrameError::Opcode),
            (&[0x81, 0x00], Client, FrameError::Unmasked),
            (&[0x81, 0x80, 0, 0, 0, 0], Server, FrameError::Masked),
            (&[0x82, 126, 0, 125], Server, FrameError::Length),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Server, FrameError::Length),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Server, FrameError::Length),
            (&[0x89, 126, 1, 0], Server, FrameError::Control),
            (&[0x09, 0], Server, FrameError::Control),
        ] {
            assert_eq!(taken(bytes, from), Err(error), "{bytes:x?}");
            assert_eq!(error.code(), 1002);
        }
    }
}
