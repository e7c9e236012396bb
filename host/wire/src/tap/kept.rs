//! Keeps a small answer until it is known whether it has to be weighed: most answers report their tokens.

use crate::estimate::Content;

/// Maximum size of an answer that is kept, in bytes.
const KEPT: usize = 4 << 10;

/// The start of an answer that is read as a whole.
#[derive(Debug, Default)]
pub(super) struct AnswerStart {
    bytes: Vec<u8>,
    /// Whether the answer is larger than what may be kept.
    is_large: bool,
}

impl AnswerStart {
    /// Keeps the next part of the answer. If that is too much, weighs everything kept and the part.
    pub(super) fn push(&mut self, chunk: &[u8], content: &mut Content) {
        if !self.is_large && self.bytes.len() + chunk.len() <= KEPT {
            self.bytes.extend_from_slice(chunk);
            return;
        }
        self.is_large = true;
        *content = self.weighed(*content);
        self.bytes = Vec::new();
        content.json(chunk);
    }

    /// The content with what is kept.
    pub(super) fn weighed(&self, mut content: Content) -> Content {
        content.json(&self.bytes);
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_weighed_once_in_the_end() {
        let text = "{\"some\": \"words\"} ".repeat(1000);
        for length in [0, 10, KEPT, KEPT + 1, 3 * KEPT] {
            let (mut kept, mut content, mut whole) = (AnswerStart::default(), Content::default(), Content::default());
            for chunk in text.as_bytes()[..length].chunks(500) {
                kept.push(chunk, &mut content);
                whole.json(chunk);
            }
            assert_eq!(kept.weighed(content), whole);
        }
    }
}
