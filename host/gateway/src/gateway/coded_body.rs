//! Request bodies that clients compressed. Weir reads bodies, so it decodes them at once, and providers get them
//! decoded.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::read_body::too_large;
use weir_buffers::Held;
use weir_types::fault::Fault;
use weir_upstream::{CodedBody, Coding, DecodeError};

/// The code of the error for a body whose coding is not read.
pub(super) const CODE: &str = "unsupported_encoding";
/// How many bytes are decoded before other tasks get a turn.
const PIECE: usize = 64 << 10;

/// The coding of a request's body, if it has one.
pub(super) fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Fault> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(None);
    }
    match Coding::of(headers) {
        Ok(Coding::Identity) => Ok(None),
        Ok(coding) => Ok(Some(coding)),
        Err(_) => {
            let message = "the request's `content-encoding` is not known here: send the body as it is, or in one of gzip, deflate, \
                           br and zstd";
            Err(Fault::invalid(message).with_status(415).with_code(CODE))
        }
    }
}

/// Decodes a body of at most `limit` decoded bytes. Until it is done, both forms count as held.
pub(super) async fn decode(
    coding: Coding,
    coded: Vec<Bytes>,
    coded_held: Held,
    limit: usize,
) -> Result<(Vec<Bytes>, Held), Fault> {
    let mut held = coded_held.beside();
    let mut body = CodedBody::new(coding, coded).map_err(|error| unreadable(&error))?;
    let (mut pieces, mut len) = (Vec::new(), 0);
    loop {
        held.grow(PIECE).await?;
        let mut piece = vec![0; PIECE];
        let (mut filled, mut is_all) = (0, false);
        // Filling a piece takes several turns if few bytes come out of many coded ones.
        while filled < PIECE && !is_all {
            let rest = piece.get_mut(filled..).unwrap_or_default();
            let read = body.fill(rest).map_err(|error| unreadable(&error))?;
            (filled, is_all) = (filled + read.bytes, read.is_all);
            if len + filled > limit {
                return Err(too_large(limit));
            }
            if !is_all {
                tokio::task::yield_now().await;
            }
        }
        len += filled;
        piece.truncate(filled);
        pieces.push(Bytes::from(piece));
        if is_all {
            held.shrink(PIECE - filled);
            pieces.retain(|piece| !piece.is_empty());
            return Ok((pieces, held));
        }
    }
}

fn unreadable(error: &DecodeError) -> Fault {
    Fault::invalid(format!("the request's body does not fit its `content-encoding`: {error}"))
}
