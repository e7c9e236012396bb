//! What a client's format has no place for, kept by tool-call id until the client's next turn.
//!
//! Some providers vouch for a tool call, or for the thinking in front of it, with an opaque value that they want back
//! together with the tool's result. A client whose format cannot carry such a value drops it. So the host keeps the
//! thinking and the value of every turn that calls tools, and puts them back where a later request holds the call
//! without them. Nothing crosses from one tenant to another, or from one family of adapters to another. And since what is
//! put back means something to its issuer only, the calls' ids are told to [`crate::origin`], by which such a request finds
//! its way there.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::origin::{Issuer, Kind, Origins, Owners};
use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, Message, Part, PartKind, ReasoningPart, Role, Signature,
};

/// Bytes of thinking of one turn from which on it is not kept.
const TURN_LIMIT: usize = 512 * 1024;
/// About how many bytes a turn of average size takes: by it the cache plans its slots.
const USUAL_TURN: usize = 1024;
/// Bytes that an entry takes beside its texts.
const ENTRY: usize = 192;

/// What is kept of all turns, within a number of bytes; what was not asked for lately makes room.
#[derive(Debug)]
pub struct Recall {
    turns: Cache<Key, Kept, Weigher>,
    origins: Arc<Origins>,
    owners: Arc<Owners>,
}

/// Where an answer comes from and to whom it goes.
#[derive(Debug, Clone)]
pub struct Source {
    /// Whose request it answers.
    pub tenant: Arc<str>,
    /// The family of the adapter that it comes by.
    pub family: Arc<str>,
    /// The target that gives it.
    pub issuer: Issuer,
}

/// A tool call of a tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: Box<str>,
    call: Box<str>,
}

/// What belongs to one tool call.
#[derive(Debug, Clone)]
struct Kept {
    /// The family of the adapter that it came by.
    family: Arc<str>,
    /// The call's own value.
    signature: Option<Signature>,
    /// The thinking in front of the turn's calls.
    thinking: Arc<[ReasoningPart]>,
}

impl Kept {
    /// Whether an adapter of this family wants it back: it made the turn, or it is the one whose values these are.
    fn is_for(&self, family: &str) -> bool {
        let values = self.thinking.iter().flat_map(|part| part.signature.iter().chain(&part.encrypted));
        *self.family == *family || self.signature.iter().chain(values).any(|value| value.issuer == family)
    }
}

#[derive(Debug, Clone)]
struct Weigher;

impl Weighter<Key, Kept> for Weigher {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let signature = kept.signature.as_ref().map_or(0, signature_len);
        // Calls of one turn share their thinking; each pays for it, which errs on the side of less memory.
        let thinking: usize = kept.thinking.iter().map(thinking_len).sum();
        (ENTRY + key.tenant.len() + key.call.len() + signature + thinking) as u64
    }
}

impl Recall {
    /// Keeps about so many bytes: a quarter of it for who issued what, an eighth for whose objects are.
    pub fn new(bytes: usize) -> Self {
        let origins = Arc::new(Origins::new(bytes / 4));
        let owners = Arc::new(Owners::new(bytes / 8));
        let bytes = bytes - bytes / 4 - bytes / 8;
        Self { turns: Cache::with_weighter((bytes / USUAL_TURN).max(16), bytes as u64, Weigher), origins, owners }
    }

    /// Whose objects are.
    pub fn owners(&self) -> &Arc<Owners> {
        &self.owners
    }

    /// Who issued what.
    pub fn origins(&self) -> &Arc<Origins> {
        &self.origins
    }

    /// Keeps what a whole answer's calls will want back.
    pub fn keep(&self, source: &Source, answer: &ChatResponse) {
        for candidate in &answer.candidates {
            let mut turn = Turn::default();
            for part in &candidate.parts {
                match part {
                    Part::Reasoning(thinking) => turn.thinking.push(thinking.clone()),
                    Part::ToolCall(call) => turn.calls.push((call.id.clone(), call.signature.clone())),
                    _ => {}
                }
            }
            self.put(source, turn);
        }
    }

    fn put(&self, source: &Source, turn: Turn) {
        let size: usize = turn.thinking.iter().map(thinking_len).sum();
        let vouched = turn.thinking.iter().any(is_vouched);
        if size > TURN_LIMIT || !(vouched || turn.calls.iter().any(|(_, signature)| signature.is_some())) {
            return;
        }
        let Source { tenant, family, issuer } = source;
        let thinking: Arc<[ReasoningPart]> = if vouched { turn.thinking.into() } else { Arc::new([]) };
        for (call, signature) in turn.calls {
            self.origins.learn(Kind::Call, tenant, call.as_bytes(), issuer);
            let key = Key { tenant: (&**tenant).into(), call: call.into() };
            self.turns.insert(key, Kept { family: Arc::clone(family), signature, thinking: Arc::clone(&thinking) });
        }
    }

    /// Puts back what a request's tool calls are without, for a target of this family.
    pub fn restore(&self, tenant: &str, family: &str, request: &mut ChatRequest) {
        if self.turns.is_empty() {
            return;
        }
        for message in request.messages.iter_mut().filter(|message| matches!(message.role, Role::Assistant)) {
            self.restore_turn(tenant, family, message);
        }
    }

    fn restore_turn(&self, tenant: &str, family: &str, message: &mut Message) {
        let mut thinking: Option<Arc<[ReasoningPart]>> = None;
        for part in &mut message.parts {
            let Part::ToolCall(call) = part else { continue };
            let key = Key { tenant: tenant.into(), call: call.id.as_str().into() };
            let Some(kept) = self.turns.get(&key).filter(|kept| kept.is_for(family)) else { continue };
            if call.signature.is_none() {
                call.signature = kept.signature;
            }
            thinking.get_or_insert(kept.thinking);
        }
        let Some(thinking) = thinking.filter(|thinking| !thinking.is_empty()) else { return };
        let has_own = message.parts.iter().any(|part| matches!(part, Part::Reasoning(own) if is_vouched(own)));
        if has_own {
            return;
        }
        // What the client repeats unsigned is the same thinking.
        message.parts.retain(|part| !matches!(part, Part::Reasoning(_)));
        message.parts.splice(0..0, thinking.iter().cloned().map(Part::Reasoning));
    }
}

/// One turn of one candidate.
#[derive(Debug, Default)]
struct Turn {
    thinking: Vec<ReasoningPart>,
    calls: Vec<(String, Option<Signature>)>,
}

/// Watches a streamed answer for what its calls will want back.
#[derive(Debug)]
pub struct Witness {
    recall: Arc<Recall>,
    source: Source,
    candidates: Vec<(u32, Watched)>,
}

/// What was seen of one candidate: the parts of a turn by their numbers.
#[derive(Debug, Default)]
struct Watched {
    turn: Turn,
    thinking: Vec<u32>,
    calls: Vec<u32>,
    size: usize,
}

impl Witness {
    /// Watches an answer.
    pub fn new(recall: Arc<Recall>, source: Source) -> Self {
        Self { recall, source, candidates: Vec::new() }
    }

    /// Sees one event, as the referee let it through.
    pub fn see(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::PartStart(start) => match &start.kind {
                PartKind::Reasoning => self.of(start.candidate).think(start.part),
                PartKind::ToolCall(call) => {
                    let watched = self.of(start.candidate);
                    watched.calls.push(start.part);
                    watched.turn.calls.push((call.id.clone(), call.signature.clone()));
                }
                _ => {}
            },
            ChatEvent::Delta(delta) => self.of(delta.candidate).read(delta.part, &delta.text),
            ChatEvent::Argument(piece) => self.of(piece.candidate).read(piece.part, &piece.text),
            ChatEvent::Signature(value) => {
                self.of(value.candidate).sign(value.part, &value.signature, value.encrypted);
            }
            ChatEvent::PartStop(stop) => {
                if let Some(thinking) = self.of(stop.candidate).thinking_of(stop.part) {
                    thinking.extensions.clone_from(&stop.extensions);
                }
            }
            // A client may ask on as soon as it hears of the end: by then it is kept.
            ChatEvent::Finish(finish) => {
                let watched = std::mem::take(self.of(finish.candidate));
                self.recall.put(&self.source, watched.turn);
            }
            _ => {}
        }
    }

    fn of(&mut self, candidate: u32) -> &mut Watched {
        let at = self.candidates.iter().position(|(number, _)| *number == candidate).unwrap_or_else(|| {
            self.candidates.push((candidate, Watched::default()));
            self.candidates.len() - 1
        });
        &mut self.candidates[at].1
    }
}

impl Watched {
    fn think(&mut self, part: u32) {
        self.thinking.push(part);
        let empty = ReasoningPart { id: None, text: None, signature: None, encrypted: None, extensions: Vec::new() };
        self.turn.thinking.push(empty);
    }

    fn thinking_of(&mut self, part: u32) -> Option<&mut ReasoningPart> {
        let at = self.thinking.iter().position(|number| *number == part)?;
        self.turn.thinking.get_mut(at)
    }

    fn read(&mut self, part: u32, text: &str) {
        if self.thinking.is_empty() || self.size > TURN_LIMIT {
            return;
        }
        let Some(thinking) = self.thinking_of(part) else { return };
        thinking.text.get_or_insert_default().push_str(text);
        self.size += text.len();
    }

    fn sign(&mut self, part: u32, signature: &Signature, encrypted: bool) {
        if let Some(thinking) = self.thinking_of(part) {
            let place = if encrypted { &mut thinking.encrypted } else { &mut thinking.signature };
            *place = Some(signature.clone());
            return;
        }
        if let Some(at) = self.calls.iter().position(|number| *number == part)
            && let Some((_, place)) = self.turn.calls.get_mut(at)
        {
            *place = Some(signature.clone());
        }
    }
}

fn is_vouched(thinking: &ReasoningPart) -> bool {
    thinking.signature.is_some() || thinking.encrypted.is_some()
}

fn signature_len(signature: &Signature) -> usize {
    signature.issuer.len() + signature.value.len()
}

fn thinking_len(thinking: &ReasoningPart) -> usize {
    let text = thinking.text.as_ref().map_or(0, String::len);
    let values: usize = thinking.signature.iter().chain(&thinking.encrypted).map(signature_len).sum();
    let extensions: usize = thinking.extensions.iter().map(|one| one.key.len() + one.json.len()).sum();
    text + values + extensions
}

#[cfg(test)]
mod tests;
