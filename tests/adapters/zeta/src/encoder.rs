//! Renders a stream.

use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::json::{Object, object};
use weir_sdk::types::{ChatEvent, Context, Encoded, Error, Frame, PartKind, Usage};

use crate::{answer, version, woe};

/// Makes a client's frames of events.
#[derive(Debug)]
pub struct ZetaEncoder {
    model: String,
    wants_toll: bool,
    toll: Option<Usage>,
    /// The kind of each part, by its number.
    kinds: Vec<(u32, &'static str)>,
    failed: bool,
}

impl Encoder for ZetaEncoder {
    fn new(ctx: Context) -> Self {
        let wants_toll = ctx.memo == "toll";
        Self { model: ctx.model, wants_toll, toll: None, kinds: Vec::new(), failed: false }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        let frames = events.into_iter().filter_map(|event| self.frame(event)).collect();
        Ok(Encoded { frames, losses: Vec::new() })
    }

    fn finish(&mut self) -> Result<Encoded> {
        let mut frames = Vec::new();
        if self.failed {
            return Ok(Encoded::default());
        }
        if let Some(usage) = self.toll.take().filter(|_| self.wants_toll) {
            frames.push(piece("toll", |o| o.object("toll", |o| answer::toll(o, &usage))));
        }
        frames.push(piece("bye", |_| {}));
        Ok(Encoded { frames, losses: Vec::new() })
    }
}

impl ZetaEncoder {
    fn frame(&mut self, event: ChatEvent) -> Option<Frame> {
        match event {
            ChatEvent::Start(start) => Some(piece("hail", |o| {
                o.str("scribe", version());
                o.str("ref", &start.id);
                o.str("brain", start.model.as_deref().unwrap_or(&self.model));
            })),
            ChatEvent::PartStart(start) => self.begin(start.part, start.kind),
            ChatEvent::Delta(delta) => {
                let kind = self.kinds.iter().rev().find(|(part, _)| *part == delta.part).map(|(_, kind)| *kind)?;
                let member = if kind == "want-bit" { "with" } else { "says" };
                Some(piece(kind, |o| o.str(member, &delta.text)))
            }
            ChatEvent::Finish(finish) => Some(piece("end", |o| o.str("ended", answer::ended(finish.finish.reason)))),
            ChatEvent::Usage(later) => {
                // A later one replaces the values that it names.
                self.toll.get_or_insert_default().update(Usage { extensions: Vec::new(), ..later });
                None
            }
            ChatEvent::Failure(error) => Some(self.fail(&error)),
            _ => None,
        }
    }

    fn begin(&mut self, part: u32, kind: PartKind) -> Option<Frame> {
        let (name, frame) = match kind {
            PartKind::ToolCall(start) => {
                let frame = piece("want", |o| {
                    o.str("tag", &start.id);
                    o.str("deed", &start.name);
                });
                ("want-bit", Some(frame))
            }
            PartKind::Reasoning => ("muse", None),
            _ => ("bit", None),
        };
        self.kinds.push((part, name));
        frame
    }

    fn fail(&mut self, error: &Error) -> Frame {
        self.failed = true;
        piece("woe", |o| {
            o.object("woe", |o| {
                o.str("sort", woe::name(error.kind));
                o.str("words", &error.message);
            });
        })
    }
}

fn piece(kind: &str, members: impl FnOnce(&mut Object<'_>)) -> Frame {
    let mut data = String::new();
    object(&mut data, |o| {
        o.str("k", kind);
        members(o);
    });
    Frame { event: None, data }
}
