//! The arguments and the observations of a pipeline.

use std::sync::Arc;

use super::original::Original;
use crate::attempt::frame_room::FrameRoom;
use crate::attempt::partial_answer::PartialAnswer;
use crate::attempt::usage_cost::UsageCost;
use crate::earlier_items::ItemKeeper;
use crate::guard::AnswerGuards;
use crate::observe::trace::AnswerFacts;
use crate::reasoning_cache::ReasoningCollector;
use crate::route::Target;
use weir_sandbox::{ChatDecoder, ChatEncoder};
use weir_translate::fold::names_next_model;
use weir_types::contract::about::ErrorFormat;
use weir_types::contract::types::{ChatEvent, Error, FinishReason, Framing, Loss, Usage};
use weir_wire::estimate::Content;
use weir_wire::frame;
use weir_wire::tap::LastFrameCheck;

/// The observations made on a stream while it passes.
#[derive(Debug, Default)]
pub(in crate::attempt) struct Observed {
    /// The usage reported so far.
    pub(in crate::attempt) usage: Option<Usage>,
    /// The service tier, as the head of the answer has it.
    pub(in crate::attempt) service_tier: Option<String>,
    /// The model that the answer names last.
    pub(in crate::attempt) model: Option<String>,
    /// The model that continues the answer, if the answer has begun to name it.
    pub(super) next_model: Option<String>,
    /// Whether the stream brought a finish.
    pub(in crate::attempt) finished: bool,
    /// Whether any content has passed.
    pub(in crate::attempt) content: bool,
    /// The estimated tokens of the content, since the last resumption if there was one.
    pub(in crate::attempt) weight: Content,
    /// Whether the provider sent no end, so that the decoder has made one up.
    pub(in crate::attempt) has_made_up_end: bool,
    /// The failure that ended the stream.
    pub(in crate::attempt) failure: Option<Error>,
    /// The losses of both sides.
    pub(in crate::attempt) losses: Vec<Loss>,
    /// The finish reason of the first candidate.
    pub(in crate::attempt) reason: Option<FinishReason>,
    /// What the provider's answer reports about itself, if a span shows it.
    pub(in crate::attempt) answer_facts: Option<Box<AnswerFacts>>,
}

impl Observed {
    /// Reads what the provider's events report about the answer, before the validator adds what they lack.
    pub(super) fn observe(&mut self, events: &[ChatEvent]) {
        let next = events.iter().rev().find_map(|event| match event {
            ChatEvent::Start(start) if names_next_model(start) => start.model.clone(),
            _ => None,
        });
        self.next_model = next.or(self.next_model.take());
        for event in events {
            if let ChatEvent::Finish(end) = event
                && end.candidate == 0
            {
                self.reason = Some(end.finish.reason);
            }
            if let Some(answer_facts) = &mut self.answer_facts {
                answer_facts.see(event);
            }
        }
    }
}

/// The arguments of [`super::Pipeline::new`].
#[derive(Debug)]
pub(in crate::attempt) struct Parts {
    /// The framing of the upstream's stream.
    pub(in crate::attempt) from: Framing,
    /// The framing of the client's stream.
    pub(in crate::attempt) to: Framing,
    /// The limits for the upstream's frames.
    pub(in crate::attempt) limits: frame::Limits,
    /// The room for an incomplete frame.
    pub(in crate::attempt) room: FrameRoom,
    /// Decodes the upstream's frames.
    pub(in crate::attempt) decoder: ChatDecoder,
    /// Recognises the last frame, if the upstream's format marks it.
    pub(in crate::attempt) last_frame: Option<LastFrameCheck>,
    /// Writes the client's frames; `None` for a program, which takes the events.
    pub(in crate::attempt) encoder: Option<ChatEncoder>,
    /// The error templates of the client's format.
    pub(in crate::attempt) errors: Option<Arc<ErrorFormat>>,
    /// The request's id, for error frames.
    pub(in crate::attempt) request_id: String,
    /// The model's name in the configuration, used if the provider's stream names none.
    pub(in crate::attempt) model: String,
    /// The target that the stream comes from.
    pub(in crate::attempt) target: Arc<Target>,
    /// Keeps values that the client's format cannot carry.
    pub(in crate::attempt) collector: ReasoningCollector,
    /// Keeps the items of the answer, if its client may name them later.
    pub(in crate::attempt) item_keeper: Option<ItemKeeper>,
    /// Whether decoder and encoder are of one family, between which pieces of arguments are identified by their place.
    pub(in crate::attempt) takes_arguments: bool,
    /// Keeps the text so far, for a target that may have to continue the answer.
    pub(in crate::attempt) partial: Option<PartialAnswer>,
    /// The guards that judge the answer.
    pub(in crate::attempt) guards: Option<Box<AnswerGuards>>,
    /// Sends the provider's own bytes on as long as the guards let all of them through.
    pub(in crate::attempt) original: Option<Original>,
    /// The request's input tokens, estimated.
    pub(in crate::attempt) input: u32,
    /// Prices the usage for a client that asked for it.
    pub(in crate::attempt) usage_cost: Option<UsageCost>,
    /// Whether what the answer reports about itself is kept, for a span.
    pub(in crate::attempt) is_traced: bool,
}

/// The stream of another target that continues a broken one.
#[derive(Debug)]
pub(in crate::attempt) struct Successor {
    /// The stream's framing.
    pub(in crate::attempt) from: Framing,
    /// The limits for its frames.
    pub(in crate::attempt) limits: frame::Limits,
    /// Decodes its frames.
    pub(in crate::attempt) decoder: ChatDecoder,
    /// Recognises the last frame, if the format marks it.
    pub(in crate::attempt) last_frame: Option<LastFrameCheck>,
    /// The target that it comes from.
    pub(in crate::attempt) target: Arc<Target>,
    /// Keeps values that the client's format cannot carry.
    pub(in crate::attempt) collector: ReasoningCollector,
    /// Fields of the request that its translation lost.
    pub(in crate::attempt) losses: Vec<Loss>,
    /// The input tokens of its request, estimated.
    pub(in crate::attempt) input: u32,
}
