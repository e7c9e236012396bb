//! Decodes a stream.

use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::json::parse;
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Context, Decoded, Error, Frame, PartDelta, PartKind, PartStart, PartStop,
    ResponseStart, ToolKind, ToolStart,
};

use crate::{answer, wire, woe};

/// The part of the answer that the next piece may continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Musing,
    Saying,
    Wanting,
}

/// Makes events of a provider's frames.
#[derive(Debug)]
pub struct ZetaDecoder {
    open: Open,
    part: u32,
    ended: bool,
}

impl Decoder for ZetaDecoder {
    fn new(_: Context) -> Self {
        Self { open: Open::Nothing, part: 0, ended: false }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        let mut events = Vec::new();
        for (at, frame) in frames.into_iter().enumerate() {
            let piece: wire::Piece<'_> =
                parse(&frame.data).map_err(|error| Error::unreadable(format!("a piece cannot be read: {error}")))?;
            let is_lost = at == 0 && piece.k.as_deref() == Some("want-bit") && crate::is_wrong("border");
            if !is_lost {
                self.piece(piece, &mut events);
            }
        }
        Ok(Decoded { events, losses: Vec::new() })
    }

    fn finish(&mut self) -> Result<Decoded> {
        if !self.ended {
            return Err(Error::unreadable("the oracle left without a bye"));
        }
        Ok(Decoded::default())
    }
}

impl ZetaDecoder {
    fn piece(&mut self, piece: wire::Piece<'_>, events: &mut Vec<ChatEvent>) {
        let says = piece.says.map(String::from).unwrap_or_default();
        match piece.k.as_deref().unwrap_or_default() {
            "hail" => events.push(ChatEvent::Start(ResponseStart {
                id: piece.id.map(String::from).unwrap_or_default(),
                model: piece.brain.map(String::from),
                ..ResponseStart::default()
            })),
            "muse" => self.text(Open::Musing, PartKind::Reasoning, says, events),
            "bit" => self.text(Open::Saying, PartKind::Text, says, events),
            "want" => {
                let (id, name) = (piece.tag.unwrap_or_default().into(), piece.deed.unwrap_or_default().into());
                let start = ToolStart { id, name, kind: ToolKind::Function, signature: None };
                self.begin(Open::Wanting, PartKind::ToolCall(start), events);
            }
            "want-bit" => self.delta(piece.with.map(String::from).unwrap_or_default(), events),
            "end" => {
                self.stop(events);
                let finish = answer::finish(&piece.ended.unwrap_or_default());
                events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
            }
            "toll" => events.push(ChatEvent::Usage(answer::usage(&piece.toll.unwrap_or_default()))),
            "bye" => self.ended = true,
            "woe" => {
                self.ended = true;
                events.push(ChatEvent::Failure(woe::read(&piece.woe.unwrap_or_default(), None)));
            }
            _ => {}
        }
    }

    fn text(&mut self, open: Open, kind: PartKind, says: String, events: &mut Vec<ChatEvent>) {
        if self.open != open {
            self.begin(open, kind, events);
        }
        self.delta(says, events);
    }

    fn begin(&mut self, open: Open, kind: PartKind, events: &mut Vec<ChatEvent>) {
        self.stop(events);
        self.open = open;
        self.part += 1;
        events.push(ChatEvent::PartStart(PartStart { candidate: 0, part: self.part, kind }));
    }

    fn delta(&self, text: String, events: &mut Vec<ChatEvent>) {
        events.push(ChatEvent::Delta(PartDelta { candidate: 0, part: self.part, text }));
    }

    fn stop(&mut self, events: &mut Vec<ChatEvent>) {
        if self.open != Open::Nothing {
            events.push(ChatEvent::PartStop(PartStop { candidate: 0, part: self.part, extensions: Vec::new() }));
            self.open = Open::Nothing;
        }
    }
}
