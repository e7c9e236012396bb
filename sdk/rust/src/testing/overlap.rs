//! Streams whose parts overlap, for encoders that write one part after the other (C-05).

use crate::types::{
    CandidateFinish, ChatEvent, Finish, FinishReason, PartDelta, PartKind, PartStart, PartStop, ToolKind, ToolStart,
};

/// How many parts a stream has.
pub const PARTS: u32 = 4;
/// The part that is a tool's call.
const CALL: usize = 2;

/// A stream, and the words of its parts.
#[derive(Debug, Default)]
pub struct Overlap {
    /// The whole stream.
    pub events: Vec<ChatEvent>,
    /// The words of each part that has begun.
    texts: [Option<String>; PARTS as usize],
}

impl Overlap {
    /// The stream in which this happens: a part, and the words of a delta or none for its end. A part starts when something
    /// first happens to it, and nothing happens to it after its end.
    pub fn of(happenings: Vec<(u32, Option<String>)>) -> Self {
        let mut stream = Self::default();
        let mut stopped = [false; PARTS as usize];
        for (part, words) in happenings {
            let stopped = &mut stopped[part as usize];
            if !*stopped {
                *stopped = words.is_none();
                stream.happen(part, words);
            }
        }
        let finish = Finish::new(FinishReason::Complete, "stop");
        stream.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
        stream
    }

    fn happen(&mut self, part: u32, words: Option<String>) {
        let known = &mut self.texts[part as usize];
        if known.is_none() {
            self.events.push(ChatEvent::PartStart(PartStart { candidate: 0, part, kind: kind(part) }));
        }
        let known = known.get_or_insert_default();
        self.events.push(match words {
            Some(text) => {
                known.push_str(&text);
                ChatEvent::Delta(PartDelta { candidate: 0, part, text })
            }
            None => ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() }),
        });
    }

    /// The words of the blocks that a client must get, sorted. A call is a block even without words, other parts are only
    /// with some.
    pub fn words(&self) -> Vec<&str> {
        let told = |(part, text): (usize, &'_ Option<String>)| part == CALL || text.as_deref() != Some("");
        let parts = self.texts.iter().enumerate().filter(|&one| told(one));
        let mut words: Vec<&str> = parts.filter_map(|(_, text)| text.as_deref()).collect();
        words.sort_unstable();
        words
    }
}

fn kind(part: u32) -> PartKind {
    match part {
        0 => PartKind::Reasoning,
        1 => PartKind::Text,
        2 => PartKind::ToolCall(ToolStart {
            id: format!("call_{part}"),
            name: "f".into(),
            kind: ToolKind::Custom,
            signature: None,
        }),
        _ => PartKind::Refusal,
    }
}
