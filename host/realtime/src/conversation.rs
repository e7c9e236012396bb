//! How many tokens the next response of a session reads: those that the last one did, and what the client has sent since.

/// Bytes of text for each token: texts have fewer tokens than that.
const TEXT_BYTES: u64 = 4;
/// Bytes of base64 for each token: audio has fewer, also at the lowest rate in use (8000 bytes a second, ten tokens).
const DATA_BYTES: u64 = 1024;
/// From so many bytes on, a text within quotes that could be base64 is taken for data.
const LEAST_DATA: usize = 64;
/// The bytes around the data of a message that are not counted.
const ENVELOPE: u64 = 128;

/// What a conversation has come to, in tokens. Estimates are upper bounds.
#[derive(Debug, Default)]
pub struct Conversation {
    /// What the responses so far have read.
    known: u64,
    /// Bytes since: of text, and of data.
    text: u64,
    data: u64,
}

impl Conversation {
    /// The client has sent a message, or a piece of one.
    pub fn add(&mut self, message: &[u8]) {
        let (mut text, mut data) = (0, 0);
        for part in message.split(|byte| *byte == b'"') {
            let is_data = part.len() >= LEAST_DATA && part.iter().all(|byte| is_base64(*byte));
            *(if is_data { &mut data } else { &mut text }) += part.len() as u64;
        }
        self.text += if data > 0 { text.saturating_sub(ENVELOPE) } else { text };
        self.data += data;
    }

    /// The input tokens of the next response.
    pub fn tokens(&self) -> u64 {
        let since = self.text.div_ceil(TEXT_BYTES) + self.data.div_ceil(DATA_BYTES);
        self.known.saturating_add(since)
    }

    /// A response begins: it reads all that was sent so far.
    pub fn is_read(&mut self) {
        *self = Self { known: self.tokens(), ..Self::default() };
    }

    /// A response has ended, and read so many tokens.
    pub fn was(&mut self, input: u64) {
        self.known = input;
    }
}

/// Whether a byte may stand in base64, in which some programs write `\/` for a slash.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_audio_count_by_their_length_until_a_response_tells_more() {
        let mut conversation = Conversation::default();
        conversation.add(format!("{{\"text\":\"{}\"}}", "some words ".repeat(400)).as_bytes());
        assert!((1100..1110).contains(&conversation.tokens()), "{conversation:?}");
        conversation.is_read();
        assert!((1100..1110).contains(&conversation.tokens()));
        conversation.was(700);
        assert_eq!(conversation.tokens(), 700);
        // Ten seconds of audio, 24000 times two bytes a second, in pieces of a fiftieth of a second.
        let piece = format!("{{\"type\":\"input_audio_buffer.append\",\"audio\":\"{}\"}}", "aB3/".repeat(320));
        (0..500).for_each(|_| conversation.add(piece.as_bytes()));
        assert!((1300..1400).contains(&conversation.tokens()), "{conversation:?}");
    }
}
