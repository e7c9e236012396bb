//! Tool calls in pieces. Servers omit, repeat and reuse `index` and `id`, so a call collects the aliases that it was
//! sent under.

use crate::compat::reasoning;
use crate::compat::wire::{self, Content, FORMAT};
use crate::json::Str;
use crate::losses::extensions;
use crate::types::{Extension, Signature};

/// The placeholder for a missing id in Mistral's specification.
pub(in crate::compat) const NO_ID: &str = "null";

/// One piece of a call.
#[derive(Debug)]
pub(super) struct CallPiece {
    pub(super) index: Option<u32>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) custom: bool,
    pub(super) text: String,
    pub(super) signature: Option<Signature>,
    /// Whether its name may be the first piece of one: some servers cut names too, and send them alone.
    pub(super) is_name: bool,
    /// The members that only this format has.
    extensions: Vec<Extension>,
}

impl CallPiece {
    pub(super) fn new(wire: wire::ToolCall<'_>) -> Self {
        let custom = wire.custom.is_some() && (wire.function.is_none() || wire.kind.as_deref() == Some("custom"));
        let signature = wire.extra_content.and_then(|raw| reasoning::read_extra(raw.get()));
        let (name, text) = if custom {
            let custom = wire.custom.unwrap_or_default();
            (custom.name, custom.input.map(Str::into_string))
        } else {
            let function = wire.function.unwrap_or_default();
            (function.name, function.arguments.map(Content::into_text))
        };
        let full = |text: Option<Str<'_>>| text.filter(|text| !text.is_empty()).map(Str::into_string);
        let id = full(wire.id.and_then(|id| id.0)).filter(|id| id != NO_ID);
        // Those that name a call whole have its id, and arguments beside it, if only empty ones.
        let is_alone = if id.is_some() { text.is_none() } else { text.as_deref().is_none_or(str::is_empty) };
        let (name, index) = (full(name), wire.index.map(|index| index.0));
        Self {
            index,
            id,
            is_name: is_alone && index.is_some() && name.is_some(),
            name,
            custom,
            text: text.unwrap_or_default(),
            signature,
            extensions: extensions(FORMAT, wire.rest),
        }
    }

    /// Whether the piece can begin a call.
    pub(super) fn opens(&self) -> bool {
        self.id.is_some() || self.name.is_some()
    }
}

/// How far a call is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// More of it may come.
    #[default]
    Open,
    /// Its name may go on, so that it has not started.
    Held,
    /// Its part has ended.
    Stopped,
}

/// One call of a candidate and its known aliases.
#[derive(Debug, Default)]
pub(super) struct Call {
    index: Option<u32>,
    /// The provider's id, or a generated one.
    pub(super) id: String,
    /// The first id that the provider used for the call.
    alias: String,
    pub(super) name: String,
    pub(super) custom: bool,
    pub(super) stage: Stage,
    /// The signature that came with its name.
    pub(super) signature: Option<Signature>,
    /// Arguments that arrived before the name.
    pub(super) waiting: String,
    /// The number of its part, after the start.
    pub(super) part: Option<u32>,
    /// Whether any of its arguments has arrived.
    pub(super) spoke: bool,
    pub(super) json: Progress,
    /// The members that only this format has, emitted when the part ends.
    pub(super) extensions: Vec<Extension>,
}

impl Call {
    /// The position of the call that a piece belongs to; `None` if it begins another.
    pub(super) fn find(calls: &[Self], piece: &CallPiece) -> Option<usize> {
        let same_index = |call: &Self| piece.index.is_some() && call.index == piece.index;
        let at = match (&piece.id, piece.index) {
            (Some(id), _) => calls
                .iter()
                .rposition(|call| call.alias == *id)
                .or_else(|| calls.iter().rposition(|call| same_index(call) && call.alias.is_empty()))
                .or_else(|| Self::continued(calls, piece)),
            (None, Some(_)) if piece.name.is_some() => calls.iter().rposition(same_index),
            (None, Some(_)) => calls.iter().rposition(same_index).or(calls.len().checked_sub(1)),
            (None, None) if piece.name.is_some() => calls.iter().rposition(|call| call.name.is_empty()),
            (None, None) => calls.len().checked_sub(1),
        }?;
        calls.get(at).filter(|call| !call.is_over(piece)).map(|_| at)
    }

    /// The call that a piece continues although its id is new: some servers make an id for every piece. Such a piece
    /// has no name, and the last call under its index still lacks arguments.
    fn continued(calls: &[Self], piece: &CallPiece) -> Option<usize> {
        let same_index = |call: &Self| piece.index.is_none() || call.index == piece.index;
        let at = calls.iter().rposition(same_index).filter(|_| piece.name.is_none())?;
        calls.get(at).filter(|call| !call.name.is_empty() && !call.json.complete).map(|_| at)
    }

    /// Whether the piece begins another call under the same aliases: this call has another name, or is complete and the
    /// piece has arguments or another index.
    fn is_over(&self, piece: &CallPiece) -> bool {
        let Some(name) = &piece.name else { return false };
        if self.continues_name(piece) {
            return false;
        }
        let renamed = !self.name.is_empty() && self.name != *name;
        let moved = piece.index.is_some() && self.index.is_some() && piece.index != self.index;
        renamed || (self.json.complete && (moved || !piece.text.trim().is_empty()))
    }

    /// Whether a piece is the next one of a name that came alone.
    fn continues_name(&self, piece: &CallPiece) -> bool {
        self.stage == Stage::Held && piece.is_name && piece.id.is_none()
    }

    /// Whether nothing but a name has arrived.
    fn name_begins(&self) -> bool {
        self.part.is_none() && self.waiting.is_empty()
    }

    /// Records a piece's aliases and buffers its text until the call can start.
    pub(super) fn learn(&mut self, piece: CallPiece) {
        let continues = self.continues_name(&piece);
        self.index = self.index.or(piece.index);
        self.custom |= piece.custom;
        if let Some(id) = piece.id.filter(|_| self.alias.is_empty()) {
            self.alias = id;
        }
        match piece.name {
            Some(name) if self.name.is_empty() => self.name = name,
            Some(name) if continues && self.name != name => self.name.push_str(&name),
            _ => {}
        }
        let is_held = piece.is_name && (continues || self.name_begins());
        self.stage = if is_held { Stage::Held } else { Stage::Open };
        self.signature = self.signature.take().or(piece.signature);
        self.read(&piece.text);
        self.waiting.push_str(&piece.text);
        gather(&mut self.extensions, piece.extensions);
    }

    fn read(&mut self, text: &str) {
        self.spoke |= !text.trim().is_empty();
        self.json.take(text);
    }

    /// Whether the call has arguments and no name, so that it never started.
    pub(super) fn is_lost(&self) -> bool {
        self.part.is_none() && !self.waiting.is_empty()
    }

    /// Whether the arguments so far end within a value.
    pub(super) fn breaks_off(&self) -> bool {
        !self.custom && self.json.is_within()
    }

    /// Adds a piece to a started call; returns the text to emit.
    pub(super) fn add(&mut self, mut piece: CallPiece) -> Option<String> {
        let text = std::mem::take(&mut piece.text);
        self.learn(piece);
        // A complete value takes nothing more, not even the whole value that some servers repeat at the end.
        let over = self.json.complete && !self.custom;
        self.read(&text);
        (!text.is_empty() && !over).then_some(text)
    }
}

/// Adds the members of a piece to those of the pieces before it; a later value replaces an earlier one.
pub(super) fn gather(known: &mut Vec<Extension>, members: Vec<Extension>) {
    for member in members {
        match known.iter_mut().find(|known| known.key == member.key) {
            Some(known) => known.json = member.json,
            None => known.push(member),
        }
    }
}

/// Whether a JSON text ends within a value.
pub(in crate::compat) fn is_cut_off(text: &str) -> bool {
    let mut progress = Progress::default();
    progress.take(text);
    progress.is_within()
}

/// Tracks whether a JSON text is complete.
#[derive(Debug, Default)]
pub(super) struct Progress {
    depth: u32,
    string: bool,
    escape: bool,
    /// A whole object or array has been read.
    pub(super) complete: bool,
}

impl Progress {
    /// Whether the text ends within a value.
    fn is_within(&self) -> bool {
        self.string || self.depth > 0
    }

    fn take(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escape => self.escape = false,
                b'\\' if self.string => self.escape = true,
                b'"' => self.string = !self.string,
                _ if self.string => {}
                b'{' | b'[' => {
                    self.depth += 1;
                    self.complete = false;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete |= self.depth == 0;
                }
                _ => {}
            }
        }
    }
}
