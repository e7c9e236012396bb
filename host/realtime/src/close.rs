//! The codes and reasons with which sessions end.

use super::frame::{CONTROL_BYTES, FrameError};

/// The most bytes of a reason.
const REASON_BYTES: usize = CONTROL_BYTES - 2;

/// A close frame's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code; `None` for a frame without content, which means that no code is given.
    pub code: Option<u16>,
    /// The reason, at most 123 bytes.
    pub reason: String,
}

impl Close {
    /// The session has done what it was for.
    const NORMAL: u16 = 1000;
    /// The side is going away.
    pub const GOING_AWAY: u16 = 1001;
    /// A rule of the side was broken.
    pub const POLICY: u16 = 1008;
    /// The side met a condition that it did not expect.
    pub const INTERNAL: u16 = 1011;
    /// The service restarts.
    pub const RESTART: u16 = 1012;
    /// The service cannot be served at present.
    pub const TRY_AGAIN: u16 = 1013;
    /// A server on the way got no valid answer from the one behind it.
    pub const BAD_GATEWAY: u16 = 1014;

    /// A code with a reason, which is cut to the length that it may have.
    pub fn new(code: u16, reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref();
        let end = reason.floor_char_boundary(REASON_BYTES);
        Self { code: Some(code), reason: reason.get(..end).unwrap_or_default().to_owned() }
    }

    /// Reads the content of a close frame.
    pub fn read(payload: &[u8]) -> Result<Self, FrameError> {
        match payload {
            [] => Ok(Self { code: None, reason: String::new() }),
            [first, second, reason @ ..] => {
                let code = u16::from_be_bytes([*first, *second]);
                let reason = std::str::from_utf8(reason).map_err(|_| FrameError::Close)?;
                is_sendable(code).then(|| Self::new(code, reason)).ok_or(FrameError::Close)
            }
            [_] => Err(FrameError::Close),
        }
    }

    /// The content of a close frame. A code that must not be sent becomes the one for an unexpected condition.
    pub fn payload(&self) -> Vec<u8> {
        let Some(code) = self.code else { return Vec::new() };
        let code = if is_sendable(code) { code } else { Self::INTERNAL };
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(self.reason.as_bytes());
        payload.truncate(CONTROL_BYTES);
        payload
    }

    /// Whether the code says that the side which closed is out of order, and not that it refuses what the other one
    /// did.
    pub fn is_own_failure(&self) -> bool {
        matches!(self.code, Some(Self::INTERNAL..=Self::BAD_GATEWAY))
    }

    /// Whether the side ended the session as planned: with no code, or one that says that nothing is wrong.
    pub fn is_orderly(&self) -> bool {
        matches!(self.code, None | Some(Self::NORMAL | Self::GOING_AWAY))
    }
}

/// Whether a code may stand in a frame: 1004 to 1006 and 1015 are for programs only.
fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_reasons_survive_and_malformed_ones_are_refused() {
        for code in [1000, 1001, 1003, 1007, 1014, 3000, 4000, 4402, 4999] {
            let close = Close::new(code, "why");
            assert_eq!(Close::read(&close.payload()), Ok(close));
        }
        assert_eq!(Close::read(&[]), Ok(Close { code: None, reason: String::new() }));
        assert!(Close { code: None, reason: String::new() }.payload().is_empty());
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert_eq!(Close::read(&code.to_be_bytes()), Err(FrameError::Close), "{code}");
            assert_eq!(&Close::new(code, "").payload(), &1011u16.to_be_bytes());
        }
        assert_eq!(Close::read(&[3]), Err(FrameError::Close));
        assert_eq!(Close::read(&[3, 0xe8, 0xff]), Err(FrameError::Close));
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let close = Close::new(1000, "\u{e4}".repeat(100));
        assert_eq!(close.reason.len(), 122);
        assert!(close.payload().len() <= CONTROL_BYTES);
        assert_eq!(Close::read(&close.payload()), Ok(close));
    }
}
