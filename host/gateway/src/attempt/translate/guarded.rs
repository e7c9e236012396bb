//! The guards of an answer.

use super::super::{InboundRequest, RequestContext};
use super::Run;
use crate::guard::AnswerGuards;
use weir_translate::{event_validator, retell};
use weir_types::contract::types::{ChatEvent, ChatResponse, Finish, FinishReason};
use weir_types::fault::Fault;

/// Leases the guards that judge the answer, before anything is sent.
pub(super) async fn answer_guards(
    context: RequestContext<'_>,
    asked: &InboundRequest,
) -> Result<Option<AnswerGuards>, Fault> {
    match context.judged {
        Some(judged) => judged.answer_guards(&asked.caller.tenant, &asked.exchange.id).await,
        None => Ok(None),
    }
}

impl Run<'_> {
    /// Has guards judge a whole answer, as the events that it would have been streamed as.
    pub(super) fn judge_whole(&mut self, chat: &mut ChatResponse) -> Result<(), Fault> {
        let Some(mut guards) = self.guards.take() else { return Ok(()) };
        let events = judged(&mut guards, event_validator::unfold(chat.clone()));
        let is_refused = guards.is_refused();
        let notes = guards.conclude();
        let is_changed = notes.iter().any(|note| note.verdict == "replace" && note.enforced);
        if let Some(judged) = self.asked.judged.get() {
            judged.notes().extend(notes);
        }
        let events = events?;
        if is_refused {
            let finish = Finish { reason: FinishReason::ContentFilter, raw: None, stop_sequence: None };
            retell::refuse(chat, &finish);
        } else if is_changed {
            retell::retell(chat, &events);
        }
        Ok(())
    }
}

fn judged(guards: &mut AnswerGuards, events: Vec<ChatEvent>) -> Result<Vec<ChatEvent>, Fault> {
    let mut judged = guards.push(events)?;
    judged.extend(guards.finish()?);
    Ok(judged)
}
