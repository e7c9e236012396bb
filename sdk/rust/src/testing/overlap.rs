//! Streams with overlapping parts, for encoders that write one part after the other (C-05).

use crate::types::{
    CandidateFinish, ChatEvent, Finish, FinishReason, PartDelta, PartKind, PartStart, PartStop, ToolKind, ToolStart,
};

/// The number of parts of a stream.
pub const PARTS: u32 = 4;
/// The part that is a tool call.
const CALL: usize = 2;

/// A stream, and the texts of its parts.
#[derive(Debug, Default)]
pub struct Overlap {
    /// The whole stream.
    pub events: Vec<ChatEvent>,
    /// The text of each part that has started.
    texts: [Option<String>; PARTS as usize],
}

impl Overlap {
    /// The stream of these steps: a part, and the text of a delta or `None` for its end. A part starts with its first
    /// step; steps after its end are ignored.
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

    /// The texts of the blocks that a client must get, sorted. A call is a block even without text; other parts only
    /// with text.
    pub fn words(&self) -> Vec<&str> {
        let reported = |(part, text): (usize, &'_ Option<String>)| part == CALL || text.as_deref() != Some("");
        let parts = self.texts.iter().enumerate().filter(|&one| reported(one));
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
