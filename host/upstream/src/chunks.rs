//! A request body: already in memory, in one piece or several, and never copied; or sent while it arrives.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::upload::{Upload, UploadError};

/// Pieces of a body, sent in order. A clone shares the bytes, so that a request can be sent again, unless its body is
/// sent while it arrives.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    /// The first piece. Most bodies are a single piece, which needs no list.
    head: Bytes,
    rest: IntoIter<Bytes>,
    /// What arrives while it is sent, in place of pieces.
    upload: Option<Upload>,
}

impl Chunks {
    /// A body of no bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The body that is sent while it arrives, if this is one.
    pub fn upload(&self) -> Option<&Upload> {
        self.upload.as_ref()
    }

    /// Number of bytes left to send, of those in memory.
    pub fn len(&self) -> usize {
        self.pieces().map(Bytes::len).sum()
    }

    /// Whether nothing is left to send of the bytes in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces that are left, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> + Clone {
        std::iter::once(&self.head).chain(self.rest.as_slice()).filter(|piece| !piece.is_empty())
    }

    /// The whole body in one piece; copies only if there are several.
    pub fn to_bytes(&self) -> Bytes {
        if self.rest.len() == 0 {
            return self.head.clone();
        }
        self.pieces()
            .fold(Vec::with_capacity(self.len()), |mut whole, piece| {
                whole.extend_from_slice(piece);
                whole
            })
            .into()
    }
}

impl From<Bytes> for Chunks {
    fn from(head: Bytes) -> Self {
        Self { head, rest: IntoIter::default(), upload: None }
    }
}

impl From<Upload> for Chunks {
    fn from(upload: Upload) -> Self {
        Self { upload: Some(upload), ..Self::default() }
    }
}

impl From<Vec<Bytes>> for Chunks {
    fn from(pieces: Vec<Bytes>) -> Self {
        let mut rest = pieces.into_iter();
        let head = rest.next().unwrap_or_default();
        Self { head, rest, upload: None }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        if let Some(upload) = &this.upload {
            return upload.poll_frame(cx);
        }
        loop {
            let next = this.rest.next();
            let last = next.is_none();
            let piece = std::mem::replace(&mut this.head, next.unwrap_or_default());
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if last {
                return Poll::Ready(None);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upload.as_ref().map_or_else(|| self.is_empty(), Upload::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.upload.as_ref().map_or_else(|| SizeHint::with_exact(self.len() as u64), Upload::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn three() -> Chunks {
        Chunks::from(vec![Bytes::from_static(b"a"), Bytes::new(), Bytes::from_static(b"bc"), Bytes::from_static(b"d")])
    }

    #[tokio::test]
    async fn pieces_are_sent_in_order_and_empty_ones_left_out() {
        let mut body = three();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(pieces, ["a", "bc", "d"]);
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn the_length_is_exact_and_counts_down() {
        let mut body = three();
        assert_eq!(body.size_hint().exact(), Some(4));
        body.frame().await;
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.to_bytes(), "bcd");
        assert_eq!(Chunks::empty().size_hint().exact(), Some(0));
        assert!(Chunks::empty().is_end_stream());
    }

    #[tokio::test]
    async fn a_clone_shares_the_bytes_and_is_whole() {
        let one = Bytes::from(vec![b'x'; 10]);
        let mut body = Chunks::from(one.clone());
        let spare = body.clone();
        body.frame().await;
        assert!(body.is_empty());
        assert_eq!(spare.to_bytes().as_ptr(), one.as_ptr());
    }
}
