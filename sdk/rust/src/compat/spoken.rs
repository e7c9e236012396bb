//! The words of an answer's audio: a text, which formats without sound have a place for, with a mark for this one.

use crate::compat::reasoning::{note, noted};
use crate::compat::wire::FORMAT;
use crate::types::{Opaque, TextPart};

/// The key of the notes.
const SPOKEN: &str = "spoken";

/// A transcript as a text.
pub fn transcript(words: String) -> TextPart {
    TextPart { extensions: vec![note(SPOKEN, "")], ..TextPart::new(words) }
}

/// Whether a text is what the audio beside it says.
pub fn is_spoken(text: &TextPart) -> bool {
    noted(&text.extensions, SPOKEN).is_some()
}

/// The event that notes that the next text of this candidate is a transcript: the beginning of a part says no more than
/// that it is a text.
pub fn announced(candidate: u32) -> Opaque {
    Opaque { format: FORMAT.to_owned(), kind: format!("{SPOKEN}={candidate}"), json: "null".to_owned() }
}

/// The candidate whose next text is a transcript, if this event notes that.
pub fn candidate(event: &Opaque) -> Option<u32> {
    let number = event.kind.strip_prefix(SPOKEN)?.strip_prefix('=')?;
    number.parse().ok().filter(|_| event.format == FORMAT)
}
