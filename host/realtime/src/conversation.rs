//! How many tokens the next response of a session reads: those that the last one did, and what the client has sent
//! since.

use weir_wire::peek::{Found, Hit, Limits, Peek, PointerError, Pointers, Scalar, Wanted};

/// Bytes of text for each token: texts have fewer tokens than that.
const TEXT_BYTES: u64 = 4;
/// Bytes of base64 for each token: audio has fewer, also at the lowest rate in use (8000 bytes a second, ten tokens).
const DATA_BYTES: u64 = 1024;
/// The least bytes of data that make the rest of a message its envelope.
const MIN_DATA: u64 = 64;
/// The bytes around the data of a message that are not counted.
const ENVELOPE: u64 = 128;
/// Limits of the scan for media: values are known by their place only.
const LIMITS: Limits =
    Limits { depth: 512, hits: 1024, drop_excess: true, text_bytes: 8, utf8: false, variants: false };

/// Where the client's messages have media in base64. Whatever else they have counts as text, whatever it looks like:
/// only what the provider takes for sound or an image has as few tokens.
#[derive(Debug)]
pub struct MediaPlaces(Option<Pointers>);

impl MediaPlaces {
    /// Compiles pointers.
    pub(super) fn new(pointers: &[&str]) -> Result<Self, PointerError> {
        let mut wanted = Wanted::default();
        for pointer in pointers {
            wanted.add(pointer);
        }
        if pointers.is_empty() { Ok(Self(None)) } else { Ok(Self(Some(wanted.compile()?))) }
    }
}

/// The size of a conversation so far, in tokens. Estimates are upper bounds.
#[derive(Debug, Default)]
pub struct Conversation {
    /// What the responses so far have read.
    known: u64,
    /// Bytes since: of text, and of data.
    text: u64,
    data: u64,
    open: Option<OpenMessage>,
}

/// A message of which the last piece has not arrived.
#[derive(Debug)]
struct OpenMessage {
    bytes: u64,
    scan: Option<Box<Peek>>,
}

impl OpenMessage {
    fn new(media: &MediaPlaces) -> Self {
        let scan = media.0.as_ref().map(|pointers| Box::new(Peek::new(pointers, LIMITS)));
        Self { bytes: 0, scan }
    }

    fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.scan.iter_mut().for_each(|scan| scan.push(piece));
    }

    /// The bytes of text, and of data. A message that cannot be read has no data.
    fn counts(self) -> (u64, u64) {
        let found = self.scan.and_then(|scan| scan.finish().ok());
        let is_text = |hit: &&Hit| matches!(hit.value, Scalar::Text(_) | Scalar::Long);
        let hits = found.iter().flat_map(Found::hits).filter(is_text);
        let data = hits.map(|hit| hit.range.len() as u64).sum::<u64>().min(self.bytes);
        let text = self.bytes - data;
        (if data >= MIN_DATA { text.saturating_sub(ENVELOPE) } else { text }, data)
    }
}

impl Conversation {
    /// The client has sent a message, or a piece of one, which counts once it is whole: no response reads it before.
    pub fn add(&mut self, media: &MediaPlaces, piece: &[u8], is_last: bool) {
        let mut message = self.open.take().unwrap_or_else(|| OpenMessage::new(media));
        message.add(piece);
        if !is_last {
            self.open = Some(message);
            return;
        }
        let (text, data) = message.counts();
        self.text += text;
        self.data += data;
    }

    /// The input tokens of the next response.
    pub fn tokens(&self) -> u64 {
        let since = self.text.div_ceil(TEXT_BYTES) + self.data.div_ceil(DATA_BYTES);
        self.known.saturating_add(since)
    }

    /// A response begins: it reads all that was sent so far.
    pub fn response_began(&mut self) {
        (self.known, self.text, self.data) = (self.tokens(), 0, 0);
    }

    /// A response has ended, and read so many tokens.
    pub fn response_ended(&mut self, input: u64) {
        self.known = input;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> MediaPlaces {
        MediaPlaces::new(&["/audio", "/parts/*/data"]).unwrap()
    }

    /// The tokens of messages, each in pieces of so many bytes.
    fn tokens_of(messages: &[&str], cut: usize) -> u64 {
        let mut conversation = Conversation::default();
        for message in messages {
            let before = conversation.tokens();
            let pieces: Vec<&[u8]> = message.as_bytes().chunks(cut).collect();
            for (at, piece) in pieces.iter().enumerate() {
                assert_eq!(conversation.tokens(), before, "it is not whole");
                conversation.add(&places(), piece, at + 1 == pieces.len());
            }
        }
        conversation.tokens()
    }

    #[test]
    fn text_and_audio_count_by_their_length_until_a_response_tells_more() {
        let mut conversation = Conversation::default();
        let text = format!("{{\"text\":\"{}\"}}", "some words ".repeat(400));
        conversation.add(&places(), text.as_bytes(), true);
        assert!((1100..1110).contains(&conversation.tokens()), "{conversation:?}");
        conversation.response_began();
        assert!((1100..1110).contains(&conversation.tokens()));
        conversation.response_ended(700);
        assert_eq!(conversation.tokens(), 700);
        // Ten seconds of audio, 24000 times two bytes a second, in pieces of a fiftieth of a second.
        let piece = format!("{{\"type\":\"input_audio_buffer.append\",\"audio\":\"{}\"}}", "aB3/".repeat(320));
        (0..500).for_each(|_| conversation.add(&places(), piece.as_bytes(), true));
        assert!((1300..1400).contains(&conversation.tokens()), "{conversation:?}");
    }

    #[test]
    fn what_only_looks_like_data_counts_as_text() {
        let word = "Donaudampfschifffahrt".repeat(4_000);
        for message in [
            format!("{{\"text\":\"{word}\"}}"),
            format!("{{\"parts\":[{{\"text\":\"{word}\",\"data\":\"QUJD\"}}]}}"),
            format!("{{\"audio\":[\"{word}\"]}}"),
            format!("{{\"audio\":\"{word}\""),
            format!("\"{word}\""),
        ] {
            for cut in [7, 10_000, 1 << 20] {
                assert!(tokens_of(&[&message], cut) >= word.len() as u64 / 4, "{cut}");
            }
        }
        let audio = format!("{{\"parts\":[{{\"data\":\"{word}\"}},{{\"d\\u0061ta\":\"{word}\"}}]}}");
        assert!((160..170).contains(&tokens_of(&[&audio, "{}"], 1000)), "{}", tokens_of(&[&audio, "{}"], 1000));
    }

    #[test]
    fn without_places_of_media_all_is_text() {
        let mut conversation = Conversation::default();
        conversation.add(&MediaPlaces::new(&[]).unwrap(), "aB3/".repeat(100).as_bytes(), true);
        assert_eq!(conversation.tokens(), 100);
    }
}
