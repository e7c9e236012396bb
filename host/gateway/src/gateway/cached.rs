//! Answers requests for models whose answers are kept: by a kept answer, by that of an equal request under way, or by a
//! provider, with the answer kept for the next.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{AGE, CACHE_CONTROL};
use http::{HeaderValue, Response};

use super::kept_answer::KeptAnswer;
use super::own_headers::put_limits;
use super::own_time::own_time;
use super::similar::{SemanticModel, Similar};
use super::{Admitted, Gateway};
use crate::accounting::CostCell;
use crate::admission::AdmissionPermit;
use crate::answer_cache::{AnswerCache, CacheResult};
use crate::attempt::{InboundRequest, Keeping, ReplyBody, is_comparable, keepable, kept};
use crate::route::Route;
use crate::serving::Serving;
use weir_cache::similar::PendingQuestion;
use weir_cache::{Control, FlightResult, FlightRole, Follower, Key, Leader, Sharing};
use weir_translate::dialect::reply::insert;
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::headers;

/// The lane of requests that no provider sees.
pub(super) const LANE: &str = "cache";

/// What the cache has for a request.
pub(super) enum CacheLookup {
    /// The model's answers are not kept.
    Nothing,
    /// The answer that an equal request got.
    Answer(KeptAnswer),
    /// Neither an answer nor a reason to keep one.
    Bypass(Arc<str>),
    /// No answer; the one that follows is to be kept.
    Miss(Miss),
}

/// A request whose answer is to be kept.
pub(super) struct Miss {
    leader: Leader,
    model: Arc<str>,
    lifetime: Duration,
    /// The key of the answer for clients of other formats.
    origin: Option<Key>,
    /// How other nodes get it.
    sharing: Option<Sharing>,
    /// The question, to which later ones may come near.
    question: Option<Box<PendingQuestion>>,
}

impl CacheLookup {
    /// Whether an answer is to be kept.
    pub(super) fn is_miss(&self) -> bool {
        matches!(self, Self::Miss(_))
    }

    /// Another model answers than the one asked for, which will be back, or a version of an adapter that is on trial,
    /// which may be withdrawn: the answer is for this request alone, and equal requests that wait are sent by
    /// themselves.
    pub(super) fn for_this_request(self) -> Self {
        match self {
            Self::Miss(Miss { leader, model, .. }) => {
                leader.give_up();
                Self::Bypass(model)
            }
            other => other,
        }
    }

    /// No provider is asked: equal requests that wait are sent by themselves.
    pub(super) fn give_up(self) {
        if let Self::Miss(miss) = self {
            miss.leader.give_up();
        }
    }
}

impl Gateway {
    /// Looks for a kept answer, and waits for an equal request that is under way.
    pub(super) async fn find_kept(
        &self,
        serving: &Serving,
        inbound: &InboundRequest,
        route: &Arc<Route>,
        lifetime: Duration,
    ) -> Result<CacheLookup, Fault> {
        let model: Arc<str> = Arc::from(route.alias.as_str());
        let control = control(inbound);
        if !is_comparable(inbound) {
            return if control.only_if_cached { Err(not_cached()) } else { Ok(CacheLookup::Bypass(model)) };
        }
        let Some(body) = self.answers.compared(inbound).await else { return Ok(CacheLookup::Bypass(model)) };
        let key = self.answers.key(serving, inbound, route, &body);
        let hit = |key, entry| {
            let (result, route) = (CacheResult::Hit, Arc::clone(route));
            KeptAnswer { key, entry, result, route, similarity: None, held: None }
        };
        if let Some(entry) = self.answers.get(&key, &control) {
            return Ok(CacheLookup::Answer(hit(key, entry)));
        }
        let place = AnswerCache::place(inbound, key, &model);
        let (entry, mark) = self.answers.look(&place, &control).await;
        if let Some(entry) = entry {
            return Ok(CacheLookup::Answer(hit(key, entry)));
        }
        let keepable = keepable(inbound, serving.stores_answers(inbound.endpoint.index), &body).await;
        let meaning = keepable.as_ref().and_then(|keepable| keepable.meaning.as_ref());
        let origin = meaning.map(|meaning| self.answers.meaning_key(serving, inbound, route, &meaning.chat));
        let mut origin_mark = None;
        if let Some((origin, meaning)) = origin.zip(meaning) {
            let moment = self.answers.kept().moment();
            let found = self.find_in_another_format(inbound, origin, meaning, &model, &control).await;
            if let Some(entry) = found.0 {
                let kept = hit(key, entry).holding(inbound).await?;
                self.answers.kept().put(key, &kept.entry, moment);
                return Ok(CacheLookup::Answer(kept));
            }
            origin_mark = found.1;
        }
        if control.only_if_cached {
            return Err(not_cached());
        }
        if control.no_store || keepable.is_none() {
            return Ok(CacheLookup::Bypass(model));
        }
        let leader = match self.lead(inbound, key, &control, route, &model).await? {
            ControlFlow::Continue(leader) => leader,
            ControlFlow::Break(found) => return Ok(found),
        };
        let mut question = None;
        let semantic = serving.config.models.lookup(inbound.model()).and_then(|model| model.semantic_cache.as_ref());
        if let Some((settings, meaning)) = semantic.zip(meaning) {
            // If there is an answer, the requests that wait for this one look for it too.
            let semantic = SemanticModel { route, settings };
            match self.find_similar(serving, inbound, semantic, meaning, &control, origin_mark.as_ref()).await {
                Similar::Answer(kept) => return Ok(CacheLookup::Answer(kept.holding(inbound).await?)),
                Similar::Nothing(pending) => question = pending.map(Box::new),
            }
        }
        let sharing = self.answers.sharing(place.scope, mark, origin_mark);
        Ok(CacheLookup::Miss(Miss { leader, model, lifetime, origin, sharing, question }))
    }

    /// The place of the request that is sent, after an equal one that is under way; or what that one makes of this.
    async fn lead(
        &self,
        inbound: &InboundRequest,
        key: Key,
        control: &Control,
        route: &Arc<Route>,
        model: &Arc<str>,
    ) -> Result<ControlFlow<CacheLookup, Leader>, Fault> {
        let follower = match self.answers.kept().enter(key) {
            FlightRole::Lead(leader) => return Ok(ControlFlow::Continue(leader)),
            // A request for a new answer does not get that of one which began before.
            FlightRole::Follow(_) if control.no_cache => {
                return Ok(ControlFlow::Break(CacheLookup::Bypass(Arc::clone(model))));
            }
            FlightRole::Follow(follower) => follower,
        };
        Ok(match self.landed(inbound, route, follower).await? {
            FlightResult::Answer(entry) => {
                let (result, route) = (CacheResult::Coalesced, Arc::clone(route));
                let kept = KeptAnswer { key, entry, result, route, similarity: None, held: None };
                ControlFlow::Break(CacheLookup::Answer(kept))
            }
            FlightResult::Alone => ControlFlow::Break(CacheLookup::Bypass(Arc::clone(model))),
            FlightResult::Lead(leader) => ControlFlow::Continue(leader),
        })
    }

    /// Waits for the equal request, no longer than the client of this one does, and no longer than an answer may take
    /// to begin: how fast the other's client reads is its own affair.
    async fn landed(&self, inbound: &InboundRequest, route: &Route, follower: Follower) -> Result<FlightResult, Fault> {
        let _waits = self.answers.waits();
        let patience =
            route.targets.iter().flatten().map(|target| target.timeouts.first_byte).max().unwrap_or_default();
        let own = own_time(inbound).map(|time| time.saturating_sub(inbound.exchange.begun.elapsed()));
        match tokio::time::timeout(own.unwrap_or(patience).min(patience), follower.landed()).await {
            Ok(result) => Ok(result),
            Err(_) if own.is_none_or(|own| own > patience) => Ok(FlightResult::Alone),
            Err(_) => {
                let message = "an equal request, whose answer this one waits for, was not answered in time";
                Err(Fault::new(Side::Gateway, ErrorKind::Timeout, message).with_status(504))
            }
        }
    }

    /// Answers with a kept answer. It costs nothing, and counts against no budget.
    pub(super) fn replay(
        &self,
        inbound: &InboundRequest,
        KeptAnswer { key, entry, result, route, similarity, held }: KeptAnswer,
        Admitted { span, permit, record }: Admitted<'_>,
    ) -> Response<ReplyBody> {
        self.answers.count(&entry.model, result);
        self.answers.count_saved(&entry);
        if let (Some(record), Some(similarity)) = (record.as_mut(), similarity) {
            record.set_similarity(similarity);
        }
        let limits = permit.limits();
        let mut account = self.replayed(inbound, &route, &entry, Admitted { span, permit, record });
        if let Some(held) = held {
            account.hold(AdmissionPermit::to_hold(held));
        }
        let mut response = Response::new(ReplyBody::from(entry.body.clone()));
        *response.headers_mut() = entry.headers.clone();
        response.headers_mut().insert(AGE, HeaderValue::from(entry.age(Instant::now()).as_secs()));
        insert(response.headers_mut(), &headers::LANE, LANE);
        mark(&mut response, result);
        insert(response.headers_mut(), &headers::CACHE_KEY, &key.to_string());
        if let Some(similarity) = similarity {
            insert(response.headers_mut(), &headers::CACHE_SIMILARITY, &format!("{similarity:.4}"));
        }
        put_limits(&mut response, &inbound.endpoint, &limits, None);
        response.map(|body| body.attach(account))
    }

    /// Has the answer of a provider kept, if it turns out to be one to keep.
    pub(super) fn keep(
        &self,
        mut response: Response<ReplyBody>,
        serving: &Serving,
        inbound: &InboundRequest,
        found: CacheLookup,
        cost: Option<CostCell>,
    ) -> Response<ReplyBody> {
        match found {
            CacheLookup::Nothing | CacheLookup::Answer(_) => response,
            CacheLookup::Bypass(model) => {
                self.answers.count(&model, CacheResult::Bypass);
                mark(&mut response, CacheResult::Bypass);
                response
            }
            // The guards of a fallback's model judged it: the answer is for this request.
            CacheLookup::Miss(Miss { model, .. }) if inbound.judged().is_some() => {
                self.answers.count(&model, CacheResult::Bypass);
                mark(&mut response, CacheResult::Bypass);
                response
            }
            CacheLookup::Miss(Miss { leader, model, lifetime, origin, sharing, question }) => {
                self.answers.count(&model, CacheResult::Miss);
                mark(&mut response, CacheResult::Miss);
                insert(response.headers_mut(), &headers::CACHE_KEY, &leader.key().to_string());
                let room = Arc::clone(self.answers.room());
                let cost = cost.unwrap_or_default();
                let keeping = Keeping { leader, model, lifetime, cost, origin, sharing, question, room };
                kept(response, inbound, keeping, serving.config.server.max_frame_bytes)
            }
        }
    }
}

/// What a request wishes of the cache.
pub(super) fn control(inbound: &InboundRequest) -> Control {
    Control::read(inbound.headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()))
}

/// Refuses a request that asks for a kept answer only, where no answer is kept.
pub(super) fn refuse_unkept(inbound: &InboundRequest) -> Result<(), Fault> {
    if control(inbound).only_if_cached { Err(not_cached()) } else { Ok(()) }
}

/// The fault for a request that asks for a kept answer only.
pub(super) fn not_cached() -> Fault {
    let message = "there is no cached answer to this request, and `only-if-cached` keeps it from a provider";
    let fault = Fault::new(Side::Client, ErrorKind::NotFound, message);
    fault.with_status(504).with_code("not_cached")
}

fn mark(response: &mut Response<ReplyBody>, result: CacheResult) {
    insert(response.headers_mut(), &headers::CACHE, result.as_str());
}

/// The route of a request whose answers are kept, and for how long.
pub(super) fn kept_route<'a>(serving: &'a Serving, inbound: &InboundRequest) -> Option<(&'a Arc<Route>, Duration)> {
    if !matches!(inbound.operation(), Operation::Chat | Operation::Embeddings | Operation::Rerank) {
        return None;
    }
    // What a guard makes of a request, and of its answer, is for that request.
    if inbound.judged().is_some() || inbound.caller.client.as_ref().is_some_and(|client| !client.cache) {
        return None;
    }
    let model = inbound.peek.model.as_deref()?;
    let lifetime = serving.config.models.lookup(model)?.cache?;
    Some((serving.routes.find(model)?, lifetime))
}
