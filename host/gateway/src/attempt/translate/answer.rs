//! The answer to the client: whole, whole but sent as a stream, or streamed.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::super::adapter_headers::set_adapter_headers;
use super::super::follow_up::CancelOnDrop;
use super::super::frame_room::FrameRoom;
use super::super::partial_answer::PartialAnswer;
use super::super::pipeline::{Original, Parts, Pipeline};
use super::super::reply::ReplyBody;
use super::super::send::{bytes_of, fault_of};
use super::super::translated_body::{First, Translated, prime};
use super::super::translated_headers::{keep_alive_frame, put_losses, stream_headers};
use super::super::unified_reply::{Closing, HandedBody, UnifiedReply};
use super::super::usage_cost::UsageCost;
use super::super::{InboundRequest, RequestContext};
use super::{Run, called};
use crate::accounting::Account;
use crate::admission::AdmissionPermit;
use crate::earlier_items::ItemKeeper;
use crate::observe::trace::AnswerFacts;
use crate::reasoning_cache::{ReasoningCollector, Source};
use weir_sandbox::Lease;
use weir_translate::bounds;
use weir_translate::dialect::reply::{self, insert};
use weir_translate::event_validator;
use weir_translate::unified;
use weir_translate::unified::{Answer, attribute};
use weir_types::contract::types::{Body, ChatEvent, ChatResponse, Framing, TokenCount};
use weir_types::fault::{Fault, Side};
use weir_types::stage;
use weir_upstream::rendered::is_answer;
use weir_upstream::{Decoded, UpstreamResponse};
use weir_wire::tap::LastFrameCheck;
use weir_wire::{estimate, frame};

impl Run<'_> {
    /// Answers with a whole answer, or with its stream if the client asked for one.
    pub(super) async fn answer(
        mut self,
        mut answer: Answer,
        account: &mut Account,
    ) -> Result<Response<ReplyBody>, Fault> {
        self.book(&mut answer, account);
        if let Answer::Chat(chat) = &mut answer {
            pin!(self.screen_whole(chat)).await?;
            self.judge_whole(chat)?;
        }
        stage::begin().await;
        self.respond(answer, account)
    }

    /// Completes a whole answer, and books what it used.
    pub(super) fn book(&mut self, answer: &mut Answer, account: &mut Account) {
        if let Answer::Chat(chat) = &mut *answer {
            if account.attempt().is_recording() {
                account.attempt().set_answer(AnswerFacts::of(chat));
            }
            let first = chat.candidates.first().and_then(|candidate| candidate.finish.as_ref());
            account.ended_because(first.map(|finish| finish.reason));
            let losses = event_validator::settle(chat, &self.inbound.exchange.id);
            self.context.reasoning_cache.keep(&self.source(), chat);
            self.note(losses);
        }
        match (answer.billed(), &*answer) {
            (Some(usage), _) => account.set_usage(usage),
            (None, Answer::Chat(chat)) => account.served_in(chat.service_tier.clone()),
            (None, _) => {}
        }
        // Dialects use the context's model as the answer's model.
        if let Some(name) = answer.name_model(self.target.model(self.inbound.model())) {
            account.served_by(name);
            name.clone_into(&mut self.dialect_ctx.model);
        }
        account.usage_is_final();
        if let Answer::Chat(chat) = answer {
            account.content_of_whole(|| estimate::answer_tokens(chat));
        }
    }

    /// Writes a whole answer in the client's format.
    pub(super) fn respond(mut self, answer: Answer, account: &mut Account) -> Result<Response<ReplyBody>, Fault> {
        if self.inbound.peek.stream
            && let Answer::Chat(chat) = answer
        {
            return self.unfold(chat, account);
        }
        let (Some(dialect), Some(adapter)) = (&mut self.dialect, self.inbound.side.dialect()) else {
            return Ok(self.hand_over(UnifiedReply::Answer(Box::new(answer)), account));
        };
        let render = || unified::render_answer(dialect, &self.dialect_ctx, &answer);
        let rendered = called(account, adapter, "render-response", render)?;
        self.note(rendered.losses);
        account.lost(&self.losses);
        let status = status_of(rendered.response.status, &adapter.name)?;
        account.answering(status.as_u16(), false, answer.is_metered());
        if let (Some(keeper), Body::Text(written)) = (item_keeper(self.context, self.inbound), &rendered.response.body)
        {
            keeper.keep(written);
        }
        let (body, _) = bytes_of(rendered.response.body);
        self.held.shrink(self.held.bytes().saturating_sub(body.len()));
        account.hold(AdmissionPermit::to_hold(self.held));
        let mut response = reply::response(ReplyBody::from(body));
        *response.status_mut() = status;
        set_adapter_headers(response.headers_mut(), &rendered.response.headers);
        put_losses(&mut response, &self.losses);
        self.dialect.into_iter().for_each(Lease::release);
        self.provider.release();
        Ok(response)
    }

    /// Answers a request for a count with the host's own estimate, marked as such.
    pub(super) async fn answer_estimate(self, account: &mut Account) -> Result<Response<ReplyBody>, Fault> {
        let input = self.provider_ctx.input_tokens.unwrap_or_default();
        let answer = Answer::CountTokens(TokenCount { input, cached: None });
        let mut response = self.answer(answer, account).await?;
        insert(response.headers_mut(), &weir_types::headers::TOKEN_COUNT, "estimate");
        Ok(response)
    }

    /// Sends a whole answer as a stream.
    fn unfold(mut self, chat: ChatResponse, account: &mut Account) -> Result<Response<ReplyBody>, Fault> {
        let mut validator = event_validator::EventValidator::new(&self.inbound.exchange.id);
        let mut events = validator.push(event_validator::unfold(chat));
        events.extend(validator.end());
        let Some(mut encoder) = self.encoder()? else {
            account.note_chunk();
            return Ok(self.hand_over(UnifiedReply::Events(events), account));
        };
        let encoded = attribute(encoder.push(&events), Side::Adapter)?;
        let end = attribute(encoder.finish(), Side::Adapter)?;
        bounds::note(&mut self.losses, encoded.losses);
        bounds::note(&mut self.losses, end.losses);
        if let Some(keeper) = item_keeper(self.context, self.inbound) {
            end.frames.iter().for_each(|frame| keeper.keep(&frame.data));
        }
        let frames = encoded.frames.into_iter().chain(end.frames);
        let mut enframer = frame::Encoder::new(self.inbound.framing);
        let mut out = Vec::new();
        for frame in frames {
            enframer.push(&frame, &mut out);
        }
        enframer.finish(&mut out);
        account.lost(&self.losses);
        account.answering(200, true, true);
        account.note_chunk();
        self.held.shrink(self.held.bytes().saturating_sub(out.len()));
        account.hold(AdmissionPermit::to_hold(self.held));
        let mut response = reply::response(ReplyBody::from(Bytes::from(out)));
        stream_headers(&mut response, self.inbound.framing);
        let losses = std::mem::take(&mut self.losses);
        put_losses(&mut response, &losses);
        encoder.release();
        self.provider.release();
        Ok(response)
    }

    /// Answers a program.
    fn hand_over(self, handed: UnifiedReply, account: &mut Account) -> Response<ReplyBody> {
        let (usage, is_metered) = match &handed {
            UnifiedReply::Answer(answer) => (answer.usage().cloned(), answer.is_metered()),
            UnifiedReply::Events(events) => {
                let told = events.iter().rev().find_map(|event| match event {
                    ChatEvent::Usage(usage) => Some(usage.clone()),
                    _ => None,
                });
                (told, true)
            }
        };
        account.lost(&self.losses);
        account.answering(200, matches!(handed, UnifiedReply::Events(_)), is_metered);
        let closing = Closing { losses: self.losses, usage, cost: account.cost() };
        account.hold(AdmissionPermit::to_hold(self.held));
        self.provider.release();
        Response::new(ReplyBody::Program(Box::new(HandedBody::new(handed, closing))))
    }

    /// Keeps values that the client's format cannot carry.
    pub(super) fn collector(&self) -> ReasoningCollector {
        ReasoningCollector::new(Arc::clone(self.context.reasoning_cache), self.source())
    }

    fn source(&self) -> Source {
        let family = Arc::from(self.target.adapter.manifest.family.as_str());
        Source { tenant: Arc::clone(&self.inbound.caller.tenant), family, issuer: self.target.issuer() }
    }

    /// Prices the stream's usage if the client asked for it.
    fn usage_cost(&self, account: &Account) -> Option<UsageCost> {
        let (tariff, before) = self.inbound.peek.asks_usage().then(|| account.rates())??;
        Some(UsageCost { format: self.inbound.endpoint.format().to_owned(), tariff, before })
    }

    /// Limits for the provider's frames.
    pub(super) fn frame_limits(&self) -> frame::Limits {
        frame::Limits { frame_bytes: self.context.config.server.max_frame_bytes, ..frame::Limits::default() }
    }

    /// The check that recognises the last frame of the provider's stream, if its format marks it.
    pub(super) fn last_frame(&self) -> Option<LastFrameCheck> {
        LastFrameCheck::new(self.target.tap(&self.provider_ctx.format)?)
    }

    /// Answers with a stream.
    pub(super) async fn stream(
        mut self,
        response: UpstreamResponse,
        framing: Framing,
        cancel_on_drop: Option<CancelOnDrop>,
        account: &mut Account,
    ) -> Result<Response<ReplyBody>, Fault> {
        let bound = self.decode_bound();
        let mut upstream = Decoded::new(&response.headers, response.body, bound).map_err(|error| fault_of(&error))?;
        let losses = std::mem::take(&mut self.losses);
        account.lost(&losses);
        let (inbound, context) = (self.inbound, self.context);
        let mut pipeline = self.pipeline(framing, None, account)?;
        let keep_alive = inbound.side.dialect().and_then(|_| keep_alive_frame(inbound));
        let keep_alive = context.config.server.keep_alive_interval.zip(keep_alive);
        let first = match keep_alive {
            None => pin!(prime(&mut upstream, &mut pipeline, account)).await?,
            Some(_) => First::default(),
        };
        account.answering(200, true, true);
        let mut body = Translated::new(upstream, pipeline, first, inbound.can_cut);
        body.lost(&losses);
        body.cancel_on_drop(cancel_on_drop);
        if let Some((every, frame)) = keep_alive {
            body.keep_alive(every, frame);
        }
        let mut response = reply::response(ReplyBody::Translated(Box::new(body)));
        stream_headers(&mut response, inbound.framing);
        put_losses(&mut response, &losses);
        Ok(response)
    }

    /// The pipeline of a streamed answer. With `original`, the provider's own bytes are sent as long as guards let
    /// everything through.
    pub(super) fn pipeline(
        mut self,
        framing: Framing,
        original: Option<Original>,
        account: &Account,
    ) -> Result<Pipeline, Fault> {
        let (limits, collector, inbound) = (self.frame_limits(), self.collector(), self.inbound);
        // A stream names its model in its first event.
        self.dialect_ctx.model.clear();
        let (encoder, guards) = (self.encoder()?, self.guards.take());
        let (usage_cost, last_frame) = (self.usage_cost(account), self.last_frame());
        let room = FrameRoom::new(self.held.beside());
        Ok(Pipeline::new(Parts {
            from: framing,
            to: inbound.framing,
            limits,
            room,
            decoder: self.provider.decoder(&self.provider_ctx).map_err(|fault| unified::blame(&fault))?,
            last_frame,
            encoder,
            errors: inbound.endpoint.errors.clone(),
            request_id: inbound.exchange.id.to_string(),
            model: self.target.model(inbound.model()).to_owned(),
            target: Arc::clone(self.target),
            collector,
            item_keeper: item_keeper(self.context, inbound),
            // Guards take pieces of arguments as texts.
            takes_arguments: guards.is_none() && inbound.side.takes_arguments_of(&self.target.adapter.manifest.family),
            partial: (self.continuable && guards.is_none()).then(PartialAnswer::default),
            guards,
            original,
            input: self.provider_ctx.input_tokens.unwrap_or_default(),
            usage_cost,
            is_traced: account.attempt().is_recording(),
        }))
    }
}

/// Keeps the items of an answer to this request, if its client may name them later.
fn item_keeper(context: RequestContext<'_>, inbound: &InboundRequest) -> Option<ItemKeeper> {
    let items = context.reasoning_cache.items();
    ItemKeeper::new(items, &inbound.caller.tenant, &inbound.endpoint, &inbound.exchange.id)
}

/// The answer's status, if it is one that may have a body.
fn status_of(status: u16, adapter: &str) -> Result<StatusCode, Fault> {
    let known = StatusCode::from_u16(status).ok().filter(|status| is_answer(status.as_u16()));
    known.ok_or_else(|| Fault::adapter(format!("the adapter `{adapter}` made an answer with the status {status}")))
}
