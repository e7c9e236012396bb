//! The guards of an answer.

use std::pin::pin;

use super::super::{InboundRequest, Judged, RequestContext};
use super::Run;
use crate::guard::AnswerGuards;
use weir_translate::text_events;
use weir_types::contract::types::{ChatEvent, ChatResponse, Finish, FinishReason, LossKind};
use weir_types::fault::Fault;

/// Leases the guards that judge the answer, before anything is sent.
pub(super) async fn answer_guards(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
) -> Result<Option<Box<AnswerGuards>>, Fault> {
    match context.judged {
        Some(judged) => {
            let notes = inbound.judged().unwrap_or(judged).notes().clone();
            Ok(Box::pin(judged.answer_guards(&inbound.caller.tenant, &inbound.exchange.id, notes)).await?.map(Box::new))
        }
        None => Ok(None),
    }
}

impl Run<'_> {
    /// Leases the guards that judge the answer. Guards of a whole answer that declare what they look for are leased
    /// later, if the answer contains any of it.
    pub(super) async fn prepare_guards(&mut self, streams: bool) -> Result<(), Fault> {
        if !streams && let Some(judged) = self.context.judged {
            self.screens = judged.answer_screens(&self.inbound.caller.tenant).await;
        }
        if self.screens.is_none() {
            self.guards = pin!(answer_guards(self.context, self.inbound)).await?;
        }
        Ok(())
    }

    /// Leases the guards that were to wait for a whole answer, because the answer is a stream or contains what they
    /// look for.
    pub(super) async fn lease_screened(&mut self) -> Result<(), Fault> {
        if self.screens.take().is_some() {
            self.guards = Box::pin(answer_guards(self.context, self.inbound)).await?;
        }
        Ok(())
    }

    /// Lets a whole answer pass the guards that were to wait for it, if it contains nothing that they look for.
    /// Everything that they would be shown is searched, since the adapter may have composed texts that the provider's
    /// bytes do not have.
    pub(super) async fn screen_whole(&mut self, chat: &ChatResponse) -> Result<(), Fault> {
        let Some(screens) = &self.screens else { return Ok(()) };
        // An answer always has a JSON form; one without would be judged.
        let json = serde_json::to_vec(chat).unwrap_or_default();
        if json.is_empty() || screens.iter().any(|screen| screen.may_find(&json)) {
            return self.lease_screened().await;
        }
        if let Some(judged) = self.context.judged {
            judged.pass_answer(self.inbound.judged().unwrap_or(judged).notes());
        }
        Ok(())
    }

    /// Has guards judge a whole answer, as the events that it would have been streamed as. Returns whether they changed
    /// it.
    pub(super) fn judge_whole(&mut self, chat: &mut ChatResponse) -> Result<bool, Fault> {
        let Some(mut guards) = self.guards.take() else { return Ok(false) };
        let events = judged(&mut guards, text_events::to_events(chat));
        let (is_refused, losses) = (guards.is_refused(), guards.take_losses());
        let is_changed = guards.conclude();
        let events = events?;
        if is_refused {
            self.inbound.judged().into_iter().for_each(Judged::refused);
            let finish = Finish { reason: FinishReason::ContentFilter, raw: None, stop_sequence: None };
            text_events::refuse(chat, &finish);
        } else if is_changed {
            text_events::replace_texts(chat, &events);
            // The ends of a whole answer are not lost.
            self.note(losses.into_iter().filter(|loss| loss.kind == LossKind::Dropped).collect());
        }
        Ok(is_refused || is_changed)
    }
}

fn judged(guards: &mut AnswerGuards, events: Vec<ChatEvent>) -> Result<Vec<ChatEvent>, Fault> {
    let mut judged = guards.push(events)?;
    judged.extend(guards.finish()?);
    Ok(judged)
}
