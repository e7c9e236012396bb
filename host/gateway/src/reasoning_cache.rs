//! Signed reasoning that a client's format cannot carry, kept by tool-call id until the client's next turn.
//!
//! Some providers sign a tool call, or the reasoning before it, with an opaque value that they require back with the
//! tool's result. A client whose format cannot carry such a value drops it. The host therefore keeps the reasoning
//! and the values of every turn that calls tools, and restores them in a later request that has the call without
//! them. Tenants are kept apart, and so are families of adapters. Since restored values are valid only at their
//! issuer, the calls' ids are recorded in [`crate::provenance`], which routes such a request there.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::earlier_items::EarlierItems;
use crate::provenance::{Issuer, Kind, Owners, Provenance};
use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, Message, Part, PartKind, ReasoningPart, Role, Signature,
};

/// The most bytes of one turn's reasoning that are kept.
const TURN_LIMIT: usize = 512 * 1024;
/// The average size of a turn in bytes, by which the cache plans its slots.
const USUAL_TURN: usize = 1024;
/// The overhead of an entry in bytes.
const ENTRY: usize = 192;

/// The kept values of all turns, bounded in bytes; the least recently used ones are evicted.
#[derive(Debug)]
pub struct ReasoningCache {
    turns: Cache<Key, ToolCallReasoning, Weigher>,
    provenance: Arc<Provenance>,
    owners: Arc<Owners>,
    items: Arc<EarlierItems>,
}

/// The origin of an answer, and its tenant.
#[derive(Debug, Clone)]
pub struct Source {
    /// The tenant whose request is answered.
    pub tenant: Arc<str>,
    /// The family of the adapter that parsed the answer.
    pub family: Arc<str>,
    /// The target and key that gave the answer.
    pub issuer: Issuer,
}

/// A tenant's tool call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: Box<str>,
    call: Box<str>,
}

/// The values that belong to one tool call.
#[derive(Debug, Clone)]
struct ToolCallReasoning {
    /// The family of the adapter that parsed it.
    family: Arc<str>,
    /// The call's own opaque value.
    signature: Option<Signature>,
    /// The reasoning before the turn's calls.
    thinking: Arc<[ReasoningPart]>,
}

impl ToolCallReasoning {
    /// Whether the values are valid for an adapter of this family: it parsed the turn, or it is the values' issuer.
    fn is_for(&self, family: &str) -> bool {
        let values = self.thinking.iter().flat_map(|part| part.signature.iter().chain(&part.encrypted));
        *self.family == *family || self.signature.iter().chain(values).any(|value| value.issuer == family)
    }
}

#[derive(Debug, Clone)]
struct Weigher;

impl Weighter<Key, ToolCallReasoning> for Weigher {
    fn weight(&self, key: &Key, kept: &ToolCallReasoning) -> u64 {
        let signature = kept.signature.as_ref().map_or(0, signature_len);
        // Calls of one turn share their reasoning, but each counts it, which errs towards less memory.
        let thinking: usize = kept.thinking.iter().map(thinking_len).sum();
        (ENTRY + key.tenant.len() + key.call.len() + signature + thinking) as u64
    }
}

impl ReasoningCache {
    /// Creates a cache of about this many bytes: a quarter for the issuers of values, an eighth for the owners of
    /// objects, and a quarter for the items of answers.
    pub fn new(bytes: usize) -> Self {
        let provenance = Arc::new(Provenance::new(bytes / 4));
        let owners = Arc::new(Owners::new(bytes / 8));
        let items = Arc::new(EarlierItems::new(bytes / 4));
        let bytes = bytes - bytes / 4 - bytes / 8 - bytes / 4;
        let turns = Cache::with_weighter((bytes / USUAL_TURN).max(16), bytes as u64, Weigher);
        Self { turns, provenance, owners, items }
    }

    /// The items of answers, by the ids that their dialects gave them.
    pub fn items(&self) -> &Arc<EarlierItems> {
        &self.items
    }

    /// The owners of objects.
    pub fn owners(&self) -> &Arc<Owners> {
        &self.owners
    }

    /// The issuers of values.
    pub fn provenance(&self) -> &Arc<Provenance> {
        &self.provenance
    }

    /// Keeps the values of a whole answer's tool calls.
    pub fn keep(&self, source: &Source, answer: &ChatResponse) {
        for candidate in &answer.candidates {
            let mut turn = ReasoningTurn::default();
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

    fn put(&self, source: &Source, turn: ReasoningTurn) {
        let size: usize = turn.thinking.iter().map(thinking_len).sum();
        let vouched = turn.thinking.iter().any(is_vouched);
        if size > TURN_LIMIT || !(vouched || turn.calls.iter().any(|(_, signature)| signature.is_some())) {
            return;
        }
        let Source { tenant, family, issuer } = source;
        let thinking: Arc<[ReasoningPart]> = if vouched { turn.thinking.into() } else { Arc::new([]) };
        for (call, signature) in turn.calls {
            self.provenance.learn(Kind::Call, tenant, call.as_bytes(), issuer);
            let key = Key { tenant: (&**tenant).into(), call: call.into() };
            self.turns.insert(
                key,
                ToolCallReasoning { family: Arc::clone(family), signature, thinking: Arc::clone(&thinking) },
            );
        }
    }

    /// Restores the missing values of a request's tool calls, for a target of this family.
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
        // Unsigned reasoning that the client repeats is the same reasoning.
        message.parts.retain(|part| !matches!(part, Part::Reasoning(_)));
        message.parts.splice(0..0, thinking.iter().cloned().map(Part::Reasoning));
    }
}

/// The reasoning and the calls of one candidate's turn.
#[derive(Debug, Default)]
struct ReasoningTurn {
    thinking: Vec<ReasoningPart>,
    calls: Vec<(String, Option<Signature>)>,
}

/// Collects the values of a streamed answer's tool calls.
#[derive(Debug)]
pub struct ReasoningCollector {
    reasoning_cache: Arc<ReasoningCache>,
    source: Source,
    candidates: Vec<(u32, CandidateReasoning)>,
}

/// What has passed of one candidate, with the numbers of its parts.
#[derive(Debug, Default)]
struct CandidateReasoning {
    turn: ReasoningTurn,
    thinking: Vec<u32>,
    calls: Vec<u32>,
    size: usize,
}

impl ReasoningCollector {
    /// Observes an answer from this source.
    pub fn new(reasoning_cache: Arc<ReasoningCache>, source: Source) -> Self {
        Self { reasoning_cache, source, candidates: Vec::new() }
    }

    /// Observes one event, after the validator.
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
            // Kept before the client gets the end, since its next request may follow at once.
            ChatEvent::Finish(finish) => {
                let watched = std::mem::take(self.of(finish.candidate));
                self.reasoning_cache.put(&self.source, watched.turn);
            }
            _ => {}
        }
    }

    fn of(&mut self, candidate: u32) -> &mut CandidateReasoning {
        let at = self.candidates.iter().position(|(number, _)| *number == candidate).unwrap_or_else(|| {
            self.candidates.push((candidate, CandidateReasoning::default()));
            self.candidates.len() - 1
        });
        &mut self.candidates[at].1
    }
}

impl CandidateReasoning {
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
