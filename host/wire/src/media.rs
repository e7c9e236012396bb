//! How much of a request's body counts as text: media in base64 are much longer than what models make of them.
//!
//! No format has to be known for this. Where a string of the body goes on as base64 for kilobytes, with letters of both
//! cases and digits mixed as in data, it is a medium: `image_url` with a data URL, `input_audio`, Claude's `source`,
//! Gemini's `inlineData`, Bedrock's `bytes`, Ollama's `images`. Only windows of it are looked at, so that a large body
//! costs microseconds.

use std::ops::Range;

/// Shorter data count as text, in bytes: no medium's tokens are much fewer.
const LEAST: usize = 4 << 10;
/// Bytes between two looks for data.
const STEP: usize = 1 << 10;
/// Bytes that are looked at.
const WINDOW: usize = 64;
/// Tokens of a medium, and the bytes for which it has one more. Pictures have few more than that, long documents and
/// recordings have more: what they really use is known from the answer.
const TOKENS: usize = 1_000;
const BYTES_A_TOKEN: usize = 1 << 10;
/// Bytes of text for each token, by which callers estimate.
const TEXT_BYTES_A_TOKEN: usize = 4;

/// The estimated tokens of a medium of so many bytes in base64, never more than those of as long a text.
pub fn tokens(bytes: usize) -> usize {
    (bytes / TEXT_BYTES_A_TOKEN).min(TOKENS + bytes / BYTES_A_TOKEN)
}

/// The bytes that a medium counts as, where four are a token.
pub fn counted(bytes: usize) -> usize {
    tokens(bytes) * TEXT_BYTES_A_TOKEN
}

/// The bytes that a body counts as, where four are a token: its media count as much as they are estimated to have
/// tokens.
pub fn counted_length<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut length = CountedLength::default();
    pieces.for_each(|piece| length.push(piece));
    length.finish()
}

/// Counts the length of a body that comes piece by piece.
#[derive(Debug, Default)]
pub struct CountedLength {
    total: usize,
    media: Media,
}

impl CountedLength {
    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.total = self.total.saturating_add(piece.len());
        self.media.read(piece);
    }

    /// The bytes that all pieces count as.
    pub fn finish(mut self) -> usize {
        self.media.close(0);
        self.total.saturating_sub(self.media.saved)
    }
}

/// The media of a body that is read piece by piece.
#[derive(Debug, Default)]
struct Media {
    /// How many bytes less the media so far count than they have.
    saved: usize,
    /// The length so far of data that reached the end of the last piece.
    open: usize,
}

impl Media {
    fn read(&mut self, piece: &[u8]) {
        let mut at = self.go_on(piece);
        while let Some(window) = piece.get(at..at + WINDOW) {
            match Some(at).filter(|_| is_data(window)).and_then(|at| string_around(piece, at)) {
                Some(found) if found.end < piece.len() => {
                    self.open = found.len();
                    self.close(0);
                    at = found.end + 1;
                }
                Some(found) => {
                    self.open = found.len();
                    return;
                }
                None => at += STEP,
            }
        }
    }

    /// Reads the rest of data that began in an earlier piece, and returns where it ends.
    fn go_on(&mut self, piece: &[u8]) -> usize {
        if self.open == 0 {
            return 0;
        }
        let end = memchr::memchr(b'"', piece).unwrap_or(piece.len());
        if !piece.get(..end).is_some_and(goes_on) {
            self.close(0);
            return 0;
        }
        if end == piece.len() {
            self.open = self.open.saturating_add(end);
        } else {
            self.close(end);
        }
        end
    }

    /// The data that is open ends after so many bytes more.
    fn close(&mut self, more: usize) {
        let length = std::mem::take(&mut self.open).saturating_add(more);
        if length >= LEAST {
            self.saved = self.saved.saturating_add(length - counted(length).min(length));
        }
    }
}

/// The data around a place, up to the end of its string, or of the piece.
fn string_around(piece: &[u8], at: usize) -> Option<Range<usize>> {
    let before = piece.get(..at)?;
    let start = before.iter().rposition(|byte| !is_part(*byte)).map_or(0, |place| place + 1);
    let end = memchr::memchr(b'"', piece.get(at..)?).map_or(piece.len(), |length| at + length);
    piece.get(at..end).is_some_and(goes_on).then_some(start..end)
}

/// Whether all of a text seems to be base64, by windows of it.
fn goes_on(text: &[u8]) -> bool {
    let windows = text.chunks(STEP).map(|chunk| chunk.get(..WINDOW).unwrap_or(chunk));
    let last = text.len().saturating_sub(WINDOW);
    windows.chain(text.get(last..)).all(|window| window.iter().copied().all(is_part))
}

/// Whether a window is data rather than a text without spaces.
fn is_data(window: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| window.iter().any(is);
    window.iter().copied().all(is_part)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}

/// Whether a byte may stand in base64 of either alphabet, within JSON that escapes slashes or ends of lines.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Base64 as data have it.
    fn data(length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(LETTERS[(state >> 58) as usize])
        };
        (0..length).map(|_| next()).collect()
    }

    fn counted_of(body: &str) -> usize {
        counted_length(std::iter::once(body.as_bytes()))
    }

    #[test]
    fn media_of_every_format_count_as_media_and_texts_as_texts() {
        let (picture, text) = (data(1 << 20), "word ".repeat(2_000));
        let bodies = [
            format!(r#"{{"image_url":{{"url":"data:image/png;base64,{picture}"}},"text":"{text}"}}"#),
            format!(r#"{{"input_audio":{{"data":"{picture}","format":"wav"}},"text":"{text}"}}"#),
            format!(r#"{{"text":"{text}","source":{{"type":"base64","data":"{picture}"}}}}"#),
            format!(r#"{{"inlineData":{{"mimeType":"image/png","data":"{picture}"}},"text":"{text}"}}"#),
            format!(r#"{{"image":{{"source":{{"bytes":"{picture}"}}}},"text":"{text}"}}"#),
            format!(r#"{{"images":["{picture}"],"prompt":"{text}"}}"#),
            format!(r#"{{"images":["{}"],"prompt":"{text}"}}"#, picture.replace('/', "\\/")),
        ];
        for body in bodies {
            let tokens = counted_of(&body) / 4;
            assert!((4_400..4_700).contains(&tokens), "{tokens}: {}", &body[..60]);
        }
        let two = format!(r#"{{"images":["{picture}","{picture}"]}}"#);
        assert!((4_000..4_200).contains(&(counted_of(&two) / 4)));
    }

    #[test]
    fn a_text_counts_as_a_text() {
        let words =
            ["antidisestablishmentarianism", "a1b2c3d4e5f6", "\u{6f22}\u{5b57}", "Two words", "/usr/local/bin:"];
        for word in words {
            let body = format!(r#"{{"text":"{}"}}"#, word.repeat(20_000));
            assert_eq!(counted_of(&body), body.len(), "{word}");
        }
        let small = format!(r#"{{"data":"{}"}}"#, data(LEAST - 100));
        assert_eq!(counted_of(&small), small.len());
        // What begins like data and goes on as words.
        let mixed = format!(r#"{{"text":"{} {}"}}"#, data(600), "and many words ".repeat(9_000));
        assert_eq!(counted_of(&mixed), mixed.len());
    }

    #[test]
    fn a_medium_never_counts_more_than_a_text() {
        for bytes in [0, 5, LEAST, 5_000, 1 << 20, 20 << 20] {
            assert!(counted(bytes) <= bytes);
        }
        assert_eq!(tokens(20 << 20), 21_480);
    }

    proptest! {
        #[test]
        fn pieces_count_as_the_whole(sizes in prop::collection::vec(1usize..40_000, 1..6), cut in 900usize..9_000) {
            let strings: Vec<_> = sizes.iter().map(|size| format!("\"{}\"", data(*size))).collect();
            let body = format!("[{}]", strings.join(","));
            let (whole, pieces) = (counted_of(&body), counted_length(body.as_bytes().chunks(cut)));
            // The start of data may be missed in a piece of its own.
            prop_assert!(whole.abs_diff(pieces) <= sizes.len() * 2 * STEP, "{} {}", whole, pieces);
            prop_assert!(pieces <= body.len());
        }

        #[test]
        fn any_bytes_are_counted(bytes in prop::collection::vec(any::<u8>(), 0..9_000), cut in 1usize..3_000) {
            prop_assert!(counted_length(bytes.chunks(cut)) <= bytes.len());
        }
    }
}
