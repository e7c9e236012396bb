//! Hides the provider's credential in the body of an answer, even if it is split over several pieces.
//!
//! A piece passes at once and uncopied, unless it contains a part of the credential or may end with the start of one:
//! then those bytes wait for the next piece. A compressed body is decoded next to its bytes and cannot be changed; it
//! is aborted if a credential shows up in it. Its own bytes are searched, too: they may be plain nevertheless, and many
//! receivers read a body whose coding they do not know as it is.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use super::decode::{Bound, Coding, DecodeError, Decoder};
use super::redactor::{Redactor, Scope, cover};

/// A possible start of a credential at the end of a piece is held back from this many bytes on.
const WAITS: usize = 4;

/// The most bytes of a coding that are decoded at once, to search their content.
const DECODED_AT_ONCE: usize = 16 << 10;

/// The state of screening one body.
pub(super) struct StreamRedactor {
    redactor: Redactor,
    scope: Scope,
    /// Bytes that have passed already and may be the start of a credential.
    past: Vec<u8>,
    /// Bytes that are held back.
    held: Vec<u8>,
    /// Decodes the body's coding, to search its content. `None` if it has none, or none that is known.
    decoder: Option<Decoder>,
    /// The end of the decoded content, which may be the start of a credential.
    decoded: Vec<u8>,
}

/// Why a body that cannot be changed must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// A credential occurs in it.
    Shown,
    /// What it decodes to is too much to be searched, or does not come.
    Unsearched,
}

impl StreamRedactor {
    /// Creates a redactor for the body of an answer with these headers.
    pub(super) fn new(redactor: Redactor, scope: Scope, headers: &HeaderMap) -> Self {
        let decoder = match Coding::of(headers) {
            Ok(Coding::Identity) | Err(_) => None,
            Ok(coding) => Decoder::new(coding, Bound::default()).ok(),
        };
        Self { redactor, scope, past: Vec::new(), held: Vec::new(), decoder, decoded: Vec::new() }
    }

    /// Makes the redactor expect plain bytes, which its caller decodes.
    pub(super) fn decoded(mut self) -> Self {
        self.decoder = None;
        self
    }

    /// Number of bytes held back.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Screens the next piece; returns no bytes if all of it is held back.
    pub(super) fn pass(&mut self, piece: Bytes) -> Result<Bytes, Refused> {
        self.look_into(&piece)?;
        if self.past.is_empty() && self.held.is_empty() && self.redactor.find(&piece, self.scope).is_empty() {
            let open = self.redactor.open_end(&piece, self.scope);
            let until = piece.len() - open;
            let keep = piece.get(until..).unwrap_or_default();
            if open < WAITS {
                self.past.extend_from_slice(keep);
                return Ok(piece);
            }
            self.held.extend_from_slice(keep);
            return Ok(piece.slice(..until));
        }
        let gone = self.past.len();
        let mut all = std::mem::take(&mut self.past);
        all.append(&mut self.held);
        all.extend_from_slice(&piece);
        let open = self.redactor.open_end(&all, self.scope);
        let waits = all.len() - open;
        let mut found = self.redactor.find(&all, self.scope);
        // A match that has not ended may still grow.
        found.retain(|place| open < WAITS || place.start < waits);
        for place in &mut found {
            place.start = place.start.max(gone);
        }
        cover(&mut all, &found);
        let until = if open < WAITS { all.len() } else { waits.max(gone) };
        self.held = all.split_off(until);
        self.past = all.get(waits.min(until)..).unwrap_or_default().to_vec();
        Ok(Bytes::from(all).slice(gone..))
    }

    /// Ends the body, and returns the bytes held back.
    pub(super) fn end(&mut self) -> Bytes {
        let gone = self.past.len();
        let mut all = std::mem::take(&mut self.past);
        all.append(&mut self.held);
        let mut found = self.redactor.find(&all, self.scope);
        for place in &mut found {
            place.start = place.start.max(gone);
        }
        cover(&mut all, &found);
        Bytes::from(all).slice(gone..)
    }

    /// Searches what the next piece decodes to.
    fn look_into(&mut self, piece: &[u8]) -> Result<(), Refused> {
        for coded in piece.chunks(DECODED_AT_ONCE) {
            let Some(decoder) = &mut self.decoder else { return Ok(()) };
            match decoder.push(coded) {
                Ok(plain) => self.decoded.extend_from_slice(&plain),
                Err(DecodeError::TooLarge | DecodeError::Barren(_)) => return Err(Refused::Unsearched),
                // No reader can decode what follows.
                Err(_) => self.decoder = None,
            }
            if !self.redactor.find(&self.decoded, self.scope).is_empty() {
                return Err(Refused::Shown);
            }
            let open = self.redactor.open_end(&self.decoded, self.scope);
            self.decoded.drain(..self.decoded.len() - open);
        }
        Ok(())
    }
}

impl fmt::Debug for StreamRedactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRedactor").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_ENCODING;
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "sk-4fK9wQ2mZt7RbX1yLc8VnA6dHs3JgE5p";

    fn screened(pieces: &[&[u8]]) -> Vec<u8> {
        let mut stream_redactor = StreamRedactor::new(Redactor::of([KEY]), Scope::Keys, &HeaderMap::new());
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&stream_redactor.pass(Bytes::copy_from_slice(piece)).unwrap());
        }
        out.extend_from_slice(&stream_redactor.end());
        out
    }

    /// Length of the longest part of the key in a text.
    fn longest(text: &[u8]) -> usize {
        let pieces = (0..KEY.len()).flat_map(|from| (from + 1..=KEY.len()).map(move |to| &KEY[from..to]));
        let stands = |piece: &&str| memchr::memmem::find(text, piece.as_bytes()).is_some();
        pieces.filter(stands).map(str::len).max().unwrap_or_default()
    }

    #[test]
    fn a_piece_without_a_key_goes_on_as_it_is() {
        let mut stream_redactor = StreamRedactor::new(Redactor::of([KEY]), Scope::Keys, &HeaderMap::new());
        let piece = Bytes::from_static(b"data: {\"says\":\"Hello\"}\n\n");
        assert_eq!(stream_redactor.pass(piece.clone()).unwrap().as_ptr(), piece.as_ptr());
        assert_eq!(stream_redactor.held(), 0);
    }

    #[test]
    fn a_coding_that_is_unknown_or_wrong_hides_no_key() {
        for coding in ["utf-8", "none", "compress", "gzip", "br", "deflate", "zstd"] {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding.parse().unwrap())]);
            let mut stream_redactor = StreamRedactor::new(Redactor::of([KEY]), Scope::Keys, &headers);
            let (start, rest) = KEY.split_at(9);
            let mut out = Vec::new();
            for piece in [format!("a wrong key: {start}"), format!("{rest} is it")] {
                out.extend_from_slice(&stream_redactor.pass(piece.into()).unwrap());
            }
            out.extend_from_slice(&stream_redactor.end());
            assert!(longest(&out) < WAITS && out.ends_with(b" is it"), "{coding}: {}", String::from_utf8_lossy(&out));
        }
    }

    #[test]
    fn a_coding_that_cannot_be_searched_does_not_go_on() {
        let zstd = HeaderMap::from_iter([(CONTENT_ENCODING, "zstd".parse().unwrap())]);
        let of = |plain: &[u8]| zstd::encode_all(plain, 1).unwrap();
        let bomb = of(&[vec![0; 64 << 20], KEY.into()].concat());
        let barren = of(b"").repeat(300 << 10);
        for (what, coded) in [("a bomb", bomb), ("nothing", barren), ("a key", of(KEY.as_bytes()))] {
            let mut stream_redactor = StreamRedactor::new(Redactor::of([KEY]), Scope::Keys, &zstd);
            let expected = if what == "a key" { Refused::Shown } else { Refused::Unsearched };
            assert_eq!(stream_redactor.pass(coded.into()), Err(expected), "{what}");
        }
        let mut stream_redactor = StreamRedactor::new(Redactor::of([KEY]), Scope::Keys, &zstd);
        let long = Bytes::from(of(&vec![b'a'; 8 << 20]));
        assert_eq!(stream_redactor.pass(long.clone()), Ok(long), "a long answer that is all alike");
    }

    #[test]
    fn text_that_only_starts_like_a_key_passes_late_and_whole() {
        assert_eq!(screened(&[b"to sk-4fK9", b" or not to"]), b"to sk-4fK9 or not to");
        assert_eq!(screened(&[b"to sk-4fK9"]), b"to sk-4fK9");
    }

    proptest! {
        /// However an answer is cut, at most three bytes of a key pass, and nothing else is changed.
        #[test]
        fn no_cut_lets_a_key_through(before in "[a-z \"{}]{0,20}", after in "[a-z \"{}]{0,20}", cuts in prop::collection::vec(0usize..80, 0..8)) {
            let text = format!("{before}[{KEY}]{after}");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            let out = screened(&pieces);
            prop_assert_eq!(out.len(), text.len());
            prop_assert!(longest(&out[before.len()..out.len() - after.len()]) < WAITS, "{}", String::from_utf8_lossy(&out));
            prop_assert_eq!(&out[..before.len()], before.as_bytes());
            prop_assert_eq!(&out[out.len() - after.len()..], after.as_bytes());
        }

        /// Sending one byte at a time does not get a key through either.
        #[test]
        fn bytes_one_by_one_change_only_the_key(text in "[a-z0-9 *.]{0,60}") {
            let text = format!("{text}\"{KEY}\" {text}");
            let out = screened(&text.bytes().map(|byte| vec![byte]).collect::<Vec<_>>().iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(out.len(), text.len());
            prop_assert!(!String::from_utf8_lossy(&out).contains(&KEY[3..]));
        }
    }
}
