//! Kept answers for clients of a protocol that carries the unified model itself. An answer may have been made for an
//! earlier call, or for a request in another format that means the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::AGE;
use http::{HeaderMap, HeaderValue, Response};

use super::cached::{LANE, control, kept_route, not_cached, refuse_unkept};
use super::call::{CallAnswer, CallTrace};
use super::client_call::Protocol;
use super::{Admitted, Gateway};
use crate::accounting::{Account, ExchangeStart};
use crate::admission::AdmissionPermit;
use crate::answer_cache::{AnswerCache, CacheResult};
use crate::attempt::{
    CallKeeping, Closing, HandedBody, InboundRequest, KeptEvents, Portable, ReplyBody, UnifiedReply, is_comparable,
    plain_chat,
};
use crate::route::Route;
use crate::serving::Serving;
use weir_buffers::Held;
use weir_cache::{Entry, Key, Mark, Moment, Place};
use weir_ledger::Nano;
use weir_translate::dialect::reply::insert;
use weir_translate::event_validator::{EventValidator, unfold};
use weir_translate::unified::Answer;
use weir_types::contract::types::ChatResponse;
use weir_types::fault::Fault;
use weir_types::headers;

/// The result of looking up a call in the cache.
pub(super) enum FoundCall {
    /// The model's answers are not kept.
    Nothing,
    /// An answer that a request with this meaning got.
    Answer(Box<KeptCall>),
    /// No answer is used, and the next one is not kept.
    Bypass(Arc<str>),
    /// No answer; the provider's is to be kept.
    Miss(Box<MissedCall>),
}

impl FoundCall {
    /// Keeps no answer because it would be for this call alone: another model stands in for the one asked for, or a
    /// version of an adapter on trial answers, which may be withdrawn.
    pub(super) fn for_this_request(self) -> Self {
        match self {
            Self::Miss(missed) => Self::Bypass(missed.place.model),
            other => other,
        }
    }
}

/// A kept answer for a call.
pub(super) struct KeptCall {
    key: Key,
    entry: Arc<Entry>,
    chat: ChatResponse,
    route: Arc<Route>,
    /// The bytes of the answer until the client has read them: it is parsed for each call.
    held: Held,
}

/// A call whose answer is to be kept.
pub(super) struct MissedCall {
    place: Place,
    lifetime: Duration,
    moment: Moment,
    mark: Option<Mark>,
}

impl Gateway {
    /// Looks for a kept answer to a call. Calls do not wait for equal ones.
    pub(super) async fn find_kept_call(&self, serving: &Serving, inbound: &InboundRequest) -> Result<FoundCall, Fault> {
        let Some((route, lifetime)) = kept_route(serving, inbound) else {
            return refuse_unkept(inbound).map(|()| FoundCall::Nothing);
        };
        let control = control(inbound);
        let model: Arc<str> = Arc::from(route.alias.as_str());
        let bypass =
            || if control.only_if_cached { Err(not_cached()) } else { Ok(FoundCall::Bypass(Arc::clone(&model))) };
        let Some(chat) = plain_chat(inbound).filter(|_| is_comparable(inbound)) else { return bypass() };
        let key = self.answers.meaning_key(serving, inbound, route, chat);
        let place = AnswerCache::place(inbound, key, &model);
        let moment = self.answers.kept().moment();
        let (found, mark) = match self.answers.get(&key, &control) {
            Some(entry) => (Some(entry), None),
            None => self.answers.look(&place, &control).await,
        };
        if let Some(entry) = found {
            let mut held = inbound.held.beside();
            held.grow(entry.body.len()).await?;
            if let Ok(portable) = serde_json::from_slice::<Portable>(&entry.body) {
                let (chat, route) = (portable.into_answer(inbound.endpoint.format()), Arc::clone(route));
                return Ok(FoundCall::Answer(Box::new(KeptCall { key, entry, chat, route, held })));
            }
        }
        if control.only_if_cached || control.no_store {
            return bypass();
        }
        Ok(FoundCall::Miss(Box::new(MissedCall { place, lifetime, moment, mark })))
    }

    /// Answers a call with a kept answer, as a whole or as the events of a stream. It costs nothing.
    pub(super) fn replay_call(
        &self,
        protocol: &impl Protocol,
        inbound: &InboundRequest,
        KeptCall { key, entry, mut chat, route, held }: KeptCall,
        Admitted { span, permit, record }: Admitted<'_>,
    ) -> Response<ReplyBody> {
        self.answers.count(&entry.model, CacheResult::Hit);
        self.answers.count_saved(&entry);
        chat.model.get_or_insert_with(|| inbound.model().to_owned());
        if let Some(capture) = record.as_ref().and_then(|record| record.capture()) {
            capture.answers_by_itself(&chat);
        }
        let mut account = self.replayed(inbound, &route, &entry, Admitted { span, permit, record });
        account.hold(AdmissionPermit::to_hold(held));
        let closing = Closing { losses: Vec::new(), usage: chat.usage.clone(), cost: Some(Nano::ZERO) };
        let handed = if inbound.peek.stream {
            let mut validator = EventValidator::new(&inbound.exchange.id);
            let mut events = validator.push(unfold(chat));
            events.extend(validator.end());
            UnifiedReply::Events(events)
        } else {
            UnifiedReply::Answer(Box::new(Answer::Chat(chat)))
        };
        let body = ReplyBody::Program(Box::new(HandedBody::new(handed, closing))).attach(account);
        let trace = CallTrace::of(&inbound.exchange.id);
        let mut response = protocol.answer(CallAnswer { trace, body, is_estimate: false });
        response.headers_mut().insert(AGE, HeaderValue::from(entry.age(Instant::now()).as_secs()));
        insert(response.headers_mut(), &headers::LANE, LANE);
        insert(response.headers_mut(), &headers::CACHE, CacheResult::Hit.as_str());
        insert(response.headers_mut(), &headers::CACHE_KEY, &key.to_string());
        response
    }

    /// The account of a request that a kept answer serves.
    pub(super) fn replayed(
        &self,
        inbound: &InboundRequest,
        route: &Arc<Route>,
        entry: &Entry,
        Admitted { span, permit, record }: Admitted<'_>,
    ) -> Box<Account> {
        let series = route.series(&self.metrics, &inbound.endpoint, inbound.caller.label());
        let operation = inbound.operation().name();
        let (begun, request_id) = (inbound.exchange.begun, &inbound.exchange.id);
        let start = ExchangeStart { begun, request_id, operation, span, counts: false };
        let mut account = Account::open(&self.metrics, series, start, permit);
        if let Some(record) = record.as_mut() {
            record.set_saved_cost(entry.cost.and_then(|nano| Nano::new(nano).ok()));
        }
        account.set_record(record.take());
        account.set_lane(LANE);
        account.content(0);
        account.answering(200, false, false);
        account.note_overhead();
        account
    }

    /// Keeps the answer to a call if it is keepable: a whole one now, a stream when it has ended. The headers report
    /// how the answer was made.
    pub(super) fn keep_call(
        &self,
        headers: &mut HeaderMap,
        inbound: &InboundRequest,
        body: ReplyBody,
        found: FoundCall,
    ) -> ReplyBody {
        let (model, missed) = match found {
            FoundCall::Nothing | FoundCall::Answer(_) => return body,
            FoundCall::Bypass(model) => (model, None),
            // The guards of a fallback's model judged the call, so the answer is for this call only.
            FoundCall::Miss(missed) if inbound.judged().is_some() => (missed.place.model, None),
            FoundCall::Miss(missed) => (Arc::clone(&missed.place.model), Some(missed)),
        };
        let result = if missed.is_some() { CacheResult::Miss } else { CacheResult::Bypass };
        self.answers.count(&model, result);
        insert(headers, &headers::CACHE, result.as_str());
        let Some(missed) = missed else { return body };
        let MissedCall { place, lifetime, moment, mark } = *missed;
        insert(headers, &headers::CACHE_KEY, &place.key.to_string());
        let (cache, format) = (Arc::clone(self.answers.kept()), inbound.endpoint.format().to_owned());
        let sharing = self.answers.sharing(place.scope.clone(), mark, None);
        let keeping = CallKeeping { cache, sharing, place, format, lifetime, begun: moment };
        if !body.has_answer() {
            return ReplyBody::KeptEvents(Box::new(KeptEvents::new(body, keeping, self.answers.room())));
        }
        if let Some(chat) = body.chat() {
            keeping.keep(chat, &body.closing());
        }
        body
    }
}
