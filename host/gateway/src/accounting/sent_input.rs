//! The estimated input tokens of a request that was sent. Most answers report them, so a small body is weighed only if
//! its answer does not.

use weir_upstream::Chunks;
use weir_wire::estimate;

/// Maximum size in bytes of a body that is kept until its answer has ended.
const KEPT: usize = 8 << 10;

/// The input of a request that was sent.
#[derive(Debug)]
pub enum SentInput {
    /// Its estimated tokens.
    Weighed(u32),
    /// Its body, not weighed yet. It shares the bytes that were sent.
    Body(Chunks),
}

impl SentInput {
    /// The input of a request with this body. If the answer is a stream, which may take minutes, the body is not kept.
    pub fn of(body: &Chunks, is_streamed: bool) -> Self {
        if is_streamed || body.len() > KEPT { Self::Weighed(weigh(body)) } else { Self::Body(body.clone()) }
    }

    /// Its estimated tokens.
    pub fn tokens(&self) -> u32 {
        match self {
            Self::Weighed(tokens) => *tokens,
            Self::Body(body) => weigh(body),
        }
    }
}

impl From<u32> for SentInput {
    fn from(tokens: u32) -> Self {
        Self::Weighed(tokens)
    }
}

fn weigh(body: &Chunks) -> u32 {
    estimate::body_tokens(body.pieces().map(|piece| &piece[..]))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_body_weighs_the_same_whenever_it_is_weighed() {
        for length in [0, 100, KEPT, KEPT + 1] {
            let body = Chunks::from(Bytes::from("word ".repeat(length / 5)));
            assert_eq!(SentInput::of(&body, false).tokens(), SentInput::of(&body, true).tokens());
        }
    }
}
