//! What guards did with a request, for the header `x-weir-guards` and the log.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_sandbox::guard::Annotation;

/// The most annotations of one guard that are kept.
const ANNOTATIONS: usize = 16;
/// The most annotations of one guard that are remembered while an answer arrives.
const REMEMBERED: usize = 64;
/// The longest key or value of an annotation, in characters.
const WORD: usize = 64;

/// What the guards of an exchange did so far. The answer's header has what is known when it is sent, and the log all of
/// it.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<Note>>>);

impl Notes {
    /// The notes of guards that have judged.
    pub fn of(notes: Vec<Note>) -> Self {
        Self(Arc::new(Mutex::new(notes)))
    }

    /// The notes, in order.
    pub fn all(&self) -> MutexGuard<'_, Vec<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one guard did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The guard's name.
    pub guard: Arc<str>,
    /// `allow`, `deny`, `replace` or `failed`.
    pub verdict: &'static str,
    /// Whether the verdict took effect.
    pub enforced: bool,
    /// What it noticed: keys and values of letters, digits, `.`, `-` and `_`.
    pub annotations: Vec<(String, String)>,
}

impl Note {
    /// A note with the guard's annotations, as far as they are words.
    pub(super) fn new(guard: &Arc<str>, verdict: &'static str, enforced: bool, annotations: &[Annotation]) -> Self {
        let annotations = annotations.iter().take(ANNOTATIONS).map(|one| (word(&one.key), word(&one.value)));
        Self { guard: Arc::clone(guard), verdict, enforced, annotations: annotations.collect() }
    }

    /// A note about an answer.
    pub(super) fn of_answer(guard: &str, verdict: &'static str, enforced: bool, annotations: &[Annotation]) -> Self {
        Self::new(&Arc::from(format!("{guard}.answer")), verdict, enforced, annotations)
    }

    /// The annotations as a text: `aws-access-key=2, jwt=1`.
    pub(super) fn annotated(&self) -> String {
        let pairs: Vec<String> = self.annotations.iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(", ")
    }
}

/// Adds annotations to those of an answer so far, each key with its last value. They are words from now on: a guard may
/// note something at every piece.
pub(super) fn remember(known: &mut Vec<Annotation>, more: &[Annotation]) {
    for one in more {
        let (key, value) = (word(&one.key), word(&one.value));
        let has_room = known.len() < REMEMBERED;
        match known.iter_mut().find(|known| known.key == key) {
            Some(known) => known.value = value,
            None if has_room => known.push(Annotation { key, value }),
            None => {}
        }
    }
}

/// The text of the header: `secrets=deny;aws-access-key=2, regex=allow`. A verdict that did not hold is in brackets.
pub fn header(notes: &[Note]) -> String {
    let mut text = String::new();
    for note in notes {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let (open, close) = if note.enforced { ("", "") } else { ("(", ")") };
        let _ = write!(text, "{}={open}{}{close}", note.guard, note.verdict);
        for (key, value) in &note.annotations {
            let _ = write!(text, ";{key}={value}");
        }
    }
    text
}

/// A guard's word as far as a header may hold it.
fn word(text: &str) -> String {
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().take(WORD).map(|c| if is_sound(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_of_an_answer_are_bounded_however_many_and_long_they_are() {
        let of = |key: &str, value: &str| Annotation { key: key.into(), value: value.into() };
        let mut known = Vec::new();
        for piece in 0..200 {
            remember(
                &mut known,
                &[of("seen", &piece.to_string()), of(&format!("{piece}-{}", "k".repeat(1 << 16)), "1")],
            );
            remember(&mut known, &[of("long", &"v".repeat(1 << 16))]);
        }
        assert_eq!((&*known[0].key, &*known[0].value), ("seen", "199"), "the last value counts");
        assert_eq!(known.len(), REMEMBERED);
        assert!(known.iter().all(|one| one.key.len() <= WORD && one.value.len() <= WORD));
    }

    #[test]
    fn a_header_holds_words_only_however_long_and_strange_the_annotations_are() {
        let strange = Annotation { key: "a\r\nx: y".into(), value: "é;=,\"".repeat(100) };
        let many = vec![Annotation { key: "k".into(), value: "1".into() }; 100];
        let name = Arc::from("g");
        let notes = [Note::new(&name, "deny", true, &[strange]), Note::new(&name, "replace", false, &many)];
        let text = header(&notes);
        assert!(text.starts_with("g=deny;a__x__y=_____"), "{text}");
        assert!(text.contains(", g=(replace);k=1"), "{text}");
        assert_eq!(text.matches("k=1").count(), ANNOTATIONS);
        assert!(text.len() < 400 && text.is_ascii() && !text.contains(char::is_control));
    }
}
