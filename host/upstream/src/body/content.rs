//! Whether a body has content: by its bytes, or by those that its content coding stands for. Blank lines are none where
//! the body is to be read as a whole: some servers send them while they wait for a model.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;

use super::super::decode::{Bound, Coding, DecodeError, Decoder};
use super::super::error::UpstreamError;
use super::UpstreamBody;

/// The most bytes in which content is looked for: with nothing in it, each coding is shorter.
const LOOKED_AT: usize = 1 << 10;
/// The most bytes that are decoded for that.
const DECODED: usize = 64 << 10;

/// The beginning of a body, which is held until it turns out to have content.
#[derive(Debug)]
pub(super) struct Start {
    coding: Coding,
    /// Whether blank lines are no content.
    is_whole: bool,
    /// None before the first piece.
    decoder: Option<Decoder>,
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Start {
    fn new(coding: Coding, is_whole: bool) -> Self {
        Self { coding, is_whole, decoder: None, pieces: VecDeque::new(), len: 0 }
    }

    /// Takes the next piece. Returns whether there is content so far; what cannot be decoded is content too.
    fn push(&mut self, piece: Bytes) -> bool {
        self.len = self.len.saturating_add(piece.len());
        let has_content = self.len > LOOKED_AT || self.is_content(&piece);
        self.pieces.push_back(piece);
        has_content
    }

    fn is_content(&mut self, piece: &[u8]) -> bool {
        if self.coding == Coding::Identity {
            return !self.is_nothing(piece);
        }
        if self.decoder.is_none() {
            let bound = Bound { total: DECODED as u64, piece: DECODED };
            self.decoder = Decoder::new(self.coding, bound).ok();
        }
        let decoded = self.decoder.as_mut().map(|decoder| decoder.push(piece));
        decoded.is_none_or(|decoded| decoded.map_or(true, |plain| !self.is_nothing(&plain)))
    }

    fn is_nothing(&self, plain: &[u8]) -> bool {
        plain.is_empty() || self.is_whole && plain.trim_ascii().is_empty()
    }

    /// Whether there is content, now that the body has ended. The beginning of a coding alone has none.
    fn end(&mut self) -> bool {
        match self.decoder.as_mut().map(Decoder::finish) {
            Some(Ok(plain)) => !self.is_nothing(&plain),
            Some(Err(DecodeError::Truncated(_))) | None => false,
            Some(Err(_)) => true,
        }
    }
}

impl UpstreamBody {
    /// Has the body end without a piece if there is nothing in its coding, or if it `is_whole` and there are only blank
    /// lines in it: by its bytes alone, it would have content.
    pub fn look_into(&mut self, coding: Coding, is_whole: bool) {
        self.may_be_blank = is_whole && coding == Coding::Identity;
        self.start = (coding != Coding::Identity).then(|| Box::new(Start::new(coding, is_whole)));
    }

    /// Lets blank lines go on that were held: more of them would come too late.
    pub fn let_blank_lines_go(&mut self) {
        self.may_be_blank = false;
        if let Some(start) = self.start.take_if(|start| start.coding == Coding::Identity) {
            self.held = start.pieces;
        }
    }

    /// Holds a first piece back of which no content is seen yet.
    pub(super) fn hold_blank(&mut self, polled: Option<&Result<Bytes, UpstreamError>>) {
        if std::mem::take(&mut self.may_be_blank) && matches!(polled, Some(Ok(piece)) if piece.trim_ascii().is_empty())
        {
            self.start = Some(Box::new(Start::new(Coding::Identity, true)));
        }
    }

    /// Polls for content, which later reads return: whether there is any, or the body ends without.
    pub fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, UpstreamError>> {
        while self.held.iter().chain([&self.first]).all(Bytes::is_empty) {
            match ready!(Pin::new(&mut *self).poll_frame(cx)) {
                None => return Poll::Ready(Ok(false)),
                Some(frame) => self.first = frame?.into_data().unwrap_or_default(),
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Looks at what was polled after this beginning of a body. Breaks with how the body ends, if it does so without
    /// content.
    pub(super) fn begin(
        &mut self,
        mut start: Box<Start>,
        polled: Option<Result<Bytes, UpstreamError>>,
    ) -> ControlFlow<Option<UpstreamError>> {
        let has_content = match polled {
            Some(Ok(piece)) => start.push(piece),
            Some(Err(error)) => return ControlFlow::Break(Some(error)),
            None if start.end() => true,
            None => return ControlFlow::Break(None),
        };
        if has_content {
            self.held = start.pieces;
        } else {
            self.start = Some(start);
        }
        ControlFlow::Continue(())
    }

    /// The bytes of the beginning that is held.
    pub(super) fn start_len(&self) -> usize {
        self.start.as_ref().map_or(0, |start| start.len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http_body::SizeHint;

    use super::super::Pieces;
    use super::*;

    /// Pieces that are there already.
    struct There(VecDeque<Bytes>);

    impl Pieces for There {
        fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }

        fn is_finished(&self) -> bool {
            self.0.is_empty()
        }

        fn left(&self) -> SizeHint {
            SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
        }
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes of a body in pieces of this length.
    async fn read(bytes: &[u8], length: usize) -> Vec<Bytes> {
        let pieces = There(bytes.chunks(length).map(Bytes::copy_from_slice).collect());
        let mut body = UpstreamBody::of(Box::new(pieces), Arc::from("http://host.example"));
        body.look_into(Coding::Gzip, false);
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let mut read = Vec::new();
        while let Some(piece) = body.next_piece().await.unwrap() {
            read.push(piece);
            let left = bytes.len() - read.concat().len();
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(left as u64), left == 0));
        }
        read
    }

    #[tokio::test]
    async fn a_coding_with_nothing_in_it_ends_without_a_piece_wherever_it_is_cut() {
        let nothing = gzip(b"");
        let twice = nothing.repeat(2);
        for bytes in [&nothing[..], &twice[..], &nothing[..nothing.len() - 1], &nothing[..3], &[]] {
            for length in [1, 7, 100] {
                assert!(read(bytes, length).await.is_empty(), "{bytes:?} by {length}");
            }
        }
    }

    #[tokio::test]
    async fn what_has_content_comes_as_it_is() {
        let (text, broken) = (gzip(b"x"), &b"{\"plain\": \"in spite of its headers\"}"[..]);
        let large = gzip(b"").repeat(LOOKED_AT);
        for bytes in [&text[..], broken, &large[..]] {
            for length in [1, 7, 100_000] {
                let read = read(bytes, length).await;
                assert_eq!(read.concat(), bytes, "by {length}");
                assert_eq!(read.len(), bytes.len().div_ceil(length));
            }
        }
    }

    #[tokio::test]
    async fn what_was_found_is_read_in_its_order() {
        let bytes = gzip(b"content");
        let pieces = There(bytes.chunks(1).map(Bytes::copy_from_slice).collect());
        let mut body = UpstreamBody::of(Box::new(pieces), Arc::from("http://host.example"));
        body.look_into(Coding::Gzip, true);
        assert!(std::future::poll_fn(|cx| body.poll_content(cx)).await.unwrap());
        let until = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        assert_eq!(body.read_ahead(12, until).await.unwrap(), bytes[..12]);
        assert_eq!(body.collect(usize::MAX).await.unwrap(), bytes);
    }

    /// What comes of a whole body in pieces of this length.
    async fn read_whole(coding: Coding, bytes: &[u8], length: usize) -> Vec<u8> {
        let pieces = There(bytes.chunks(length).map(Bytes::copy_from_slice).collect());
        let mut body = UpstreamBody::of(Box::new(pieces), Arc::from("http://host.example"));
        body.look_into(coding, true);
        body.collect(usize::MAX).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn a_whole_body_of_blank_lines_has_no_content_and_those_before_content_stay() {
        for length in [1, 3, 100] {
            for blank in ["\n", "\n\r\n \t\n", ""] {
                assert!(read_whole(Coding::Identity, blank.as_bytes(), length).await.is_empty(), "{blank:?}");
                assert!(read_whole(Coding::Gzip, &gzip(blank.as_bytes()), length).await.is_empty(), "{blank:?}");
                let text = format!("{blank}{{}}{blank}");
                assert_eq!(read_whole(Coding::Identity, text.as_bytes(), length).await, text.as_bytes());
                let coded = gzip(text.as_bytes());
                assert_eq!(read_whole(Coding::Gzip, &coded, length).await, coded);
            }
        }
    }

    #[tokio::test]
    async fn blank_lines_that_are_let_go_come_as_they_are() {
        let pieces = There(["\n", " ", "\n"].map(Bytes::from).into());
        let mut body = UpstreamBody::of(Box::new(pieces), Arc::from("http://host.example"));
        body.look_into(Coding::Identity, true);
        body.let_blank_lines_go();
        assert_eq!(body.collect(usize::MAX).await.unwrap(), "\n \n");
    }
}
