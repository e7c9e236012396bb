//! The guards of an answer.

use super::super::{InboundRequest, Judged, RequestContext};
use super::Run;
use crate::guard::AnswerGuards;
use weir_translate::text_events;
use weir_types::contract::types::{ChatEvent, ChatResponse, Finish, FinishReason};
use weir_types::fault::Fault;

/// Leases the guards that judge the answer, before anything is sent.
pub(super) async fn answer_guards(
    context: RequestContext<'_>,
    asked: &InboundRequest,
) -> Result<Option<Box<AnswerGuards>>, Fault> {
    match context.judged {
        Some(judged) => {
            let notes = asked.judged().unwrap_or(judged).notes().clone();
            Ok(Box::pin(judged.answer_guards(&asked.caller.tenant, &asked.exchange.id, notes)).await?.map(Box::new))
        }
        None => Ok(None),
    }
}

impl Run<'_> {
    /// Has guards judge a whole answer, as the events that it would have been streamed as. Returns whether they changed
    /// it.
    pub(super) fn judge_whole(&mut self, chat: &mut ChatResponse) -> Result<bool, Fault> {
        let Some(mut guards) = self.guards.take() else { return Ok(false) };
        let events = judged(&mut guards, text_events::to_events(chat));
        let is_refused = guards.is_refused();
        let is_changed = guards.conclude();
        let events = events?;
        if is_refused {
            self.asked.judged().into_iter().for_each(Judged::refused);
            let finish = Finish { reason: FinishReason::ContentFilter, raw: None, stop_sequence: None };
            text_events::refuse(chat, &finish);
        } else if is_changed {
            text_events::replace_texts(chat, &events);
        }
        Ok(is_refused || is_changed)
    }
}

fn judged(guards: &mut AnswerGuards, events: Vec<ChatEvent>) -> Result<Vec<ChatEvent>, Fault> {
    let mut judged = guards.push(events)?;
    judged.extend(guards.finish()?);
    Ok(judged)
}
