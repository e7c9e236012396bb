//! Pieces of audio in a delta: the sound, which only this format has, and its words.

use super::{Candidate, Words};
use crate::compat::spoken;
use crate::compat::wire::{FORMAT, rest_json};
use crate::json::{self, RawValue, Rest};
use crate::types::{ChatEvent, Opaque, PartDelta};

impl Candidate {
    /// Passes on pieces of audio, which only this format has, and their words as text.
    pub(super) fn audio(&mut self, events: &mut Vec<ChatEvent>, audio: Option<&RawValue>) {
        let Some(mut piece) = audio.and_then(|raw| Rest::parse(raw.get()).ok()) else { return };
        let words = piece.str("transcript").unwrap_or_default().into_string();
        if !piece.0.is_empty() {
            events.push(ChatEvent::Opaque(sound(self.index, &piece)));
        }
        if words.is_empty() {
            return;
        }
        if !matches!(&self.open, Some(open) if open.words == Words::Spoken) {
            events.push(ChatEvent::Opaque(spoken::announced(self.index)));
            self.start_words(events, Words::Spoken, spoken::transcript(String::new()).extensions);
        }
        let part = self.open.as_ref().map_or(0, |open| open.part);
        events.push(ChatEvent::Delta(PartDelta { candidate: self.index, part, text: words }));
    }
}

/// A piece without its words, as an event.
fn sound(index: u32, members: &Rest<'_>) -> Opaque {
    let mut out = String::new();
    json::object(&mut out, |o| {
        o.num("index", index);
        o.object("delta", |o| o.raw("audio", &rest_json(members)));
    });
    Opaque { format: FORMAT.to_owned(), kind: "audio".to_owned(), json: out }
}

#[cfg(test)]
mod tests {
    use crate::compat::decoder::ChunkDecoder;
    use crate::compat::quirks::Quirks;
    use crate::types::{ChatEvent, Context, Frame, PartKind};

    #[test]
    fn what_the_audio_says_is_one_text_and_the_sound_is_apart() {
        let mut decoder = ChunkDecoder::new(&Quirks::COMPATIBLE, Context::default());
        let mut events = Vec::new();
        for delta in [
            r#"{"role":"assistant","content":null,"audio":{"id":"audio_1","transcript":""}}"#,
            r#"{"audio":{"transcript":"Guten "}}"#,
            r#"{"audio":{"data":"AAAA"}}"#,
            r#"{"audio":{"data":"BBBB","transcript":"Tag"}}"#,
            r#"{"audio":{"expires_at":1729234747}}"#,
            r#"{"content":"Done."}"#,
            r#"{"audio":{"transcript":"Noch eins"}}"#,
        ] {
            let data = format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
            events.extend(decoder.push(&[Frame { event: None, data }]).events);
        }
        let told: Vec<String> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::PartStart(start) => {
                    assert!(matches!(start.kind, PartKind::Text));
                    Some(format!("part {}", start.part))
                }
                ChatEvent::Delta(delta) => Some(format!("{}: {}", delta.part, delta.text)),
                ChatEvent::Opaque(one) => Some(format!("{} {}", one.kind, one.json)),
                _ => None,
            })
            .collect();
        assert_eq!(
            told,
            [
                r#"audio {"index":0,"delta":{"audio":{"id":"audio_1"}}}"#,
                "spoken=0 null",
                "part 0",
                "0: Guten ",
                r#"audio {"index":0,"delta":{"audio":{"data":"AAAA"}}}"#,
                r#"audio {"index":0,"delta":{"audio":{"data":"BBBB"}}}"#,
                "0: Tag",
                r#"audio {"index":0,"delta":{"audio":{"expires_at":1729234747}}}"#,
                "part 1",
                "1: Done.",
                "spoken=0 null",
                "part 2",
                "2: Noch eins",
            ]
        );
    }
}
