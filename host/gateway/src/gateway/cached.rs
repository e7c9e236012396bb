//! Answers requests for models whose answers are kept: with a kept answer, with the answer of an equal request in
//! progress, or with a provider's answer, which is then kept.

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
use crate::attempt::{InboundRequest, Keeping, Meaning, ReplyBody, is_comparable, keepable, kept};
use crate::route::Route;
use crate::serving::Serving;
use weir_cache::similar::PendingQuestion;
use weir_cache::{Control, FlightResult, FlightRole, Follower, Key, Leader, Mark, Sharing};
use weir_translate::dialect::reply::insert;
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::headers;

/// The name of the lane of kept answers.
pub(super) const LANE: &str = "cache";

/// The result of looking up a request in the cache.
pub(super) enum CacheLookup {
    /// The model's answers are not kept.
    Nothing,
    /// The answer that an equal request got.
    Answer(KeptAnswer),
    /// No answer is used, and the next one is not kept.
    Bypass(Arc<str>),
    /// No answer; the provider's is to be kept.
    Miss(Miss),
}

/// A request whose answer is to be kept.
pub(super) struct Miss {
    leader: Leader,
    model: Arc<str>,
    lifetime: Duration,
    /// The key of the answer for clients of other formats.
    origin: Option<Key>,
    /// How the answer is shared with other nodes.
    sharing: Option<Sharing>,
    /// The question, for later ones that mean nearly the same.
    question: Option<Box<PendingQuestion>>,
}

impl CacheLookup {
    /// Whether an answer is to be kept.
    pub(super) fn is_miss(&self) -> bool {
        matches!(self, Self::Miss(_))
    }

    /// Keeps no answer because it would be for this request alone: another model stands in for the one asked for, or a
    /// version of an adapter on trial answers, which may be withdrawn. Equal requests that wait are sent themselves.
    pub(super) fn for_this_request(self) -> Self {
        match self {
            Self::Miss(Miss { leader, model, .. }) => {
                leader.give_up();
                Self::Bypass(model)
            }
            other => other,
        }
    }

    /// Keeps no answer because no provider is asked. Equal requests that wait are sent themselves.
    pub(super) fn give_up(self) {
        if let Self::Miss(miss) = self {
            miss.leader.give_up();
        }
    }
}

impl Gateway {
    /// Looks for a kept answer, and waits for an equal request in progress.
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
        if let Some(entry) = self.answers.get(&key, &control) {
            return Ok(CacheLookup::Answer(KeptAnswer::of_equal(key, entry, route, CacheResult::Hit)));
        }
        let place = AnswerCache::place(inbound, key, &model);
        let (entry, mark) = self.answers.look(&place, &control).await;
        if let Some(entry) = entry {
            return Ok(CacheLookup::Answer(KeptAnswer::of_equal(key, entry, route, CacheResult::Hit)));
        }
        let keepable = keepable(inbound, serving.stores_answers(inbound.endpoint.index), &body).await;
        let meaning = keepable.as_ref().and_then(|keepable| keepable.meaning.as_ref());
        let origin = meaning.map(|meaning| self.answers.meaning_key(serving, inbound, route, &meaning.chat));
        let mut origin_mark = None;
        if let Some((origin, meaning)) = origin.zip(meaning) {
            match self.find_equivalent(inbound, route, &model, [key, origin], meaning, &control).await? {
                ControlFlow::Continue(mark) => origin_mark = mark,
                ControlFlow::Break(kept) => return Ok(CacheLookup::Answer(kept)),
            }
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
            // If a similar question has an answer, the requests that wait for this one look for it too.
            let semantic = SemanticModel { route, settings };
            match self.find_similar(serving, inbound, semantic, meaning, &control, origin_mark.as_ref()).await {
                Similar::Answer(kept) => return Ok(CacheLookup::Answer(kept.holding(inbound).await?)),
                Similar::Nothing(pending) => question = pending.map(Box::new),
            }
        }
        let sharing = self.answers.sharing(place.scope, mark, origin_mark);
        Ok(CacheLookup::Miss(Miss { leader, model, lifetime, origin, sharing, question }))
    }

    /// Looks for a kept answer to a request of another format that means the same, and keeps it under this request's
    /// own key too. If there is none, returns the mark under which a new answer is shared. The keys are the request's
    /// own and that of its meaning.
    async fn find_equivalent(
        &self,
        inbound: &InboundRequest,
        route: &Arc<Route>,
        model: &Arc<str>,
        [key, origin]: [Key; 2],
        meaning: &Meaning,
        control: &Control,
    ) -> Result<ControlFlow<KeptAnswer, Option<Mark>>, Fault> {
        let moment = self.answers.kept().moment();
        let (found, mark) = self.find_in_another_format(inbound, origin, meaning, model, control).await;
        let Some(entry) = found else { return Ok(ControlFlow::Continue(mark)) };
        let kept = KeptAnswer::of_equal(key, entry, route, CacheResult::Hit).holding(inbound).await?;
        self.answers.kept().put(key, &kept.entry, moment);
        Ok(ControlFlow::Break(kept))
    }

    /// Makes a request the one that equal requests wait for, unless there already is such a one. Then it waits for that
    /// one's answer, or is sent without being kept.
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
            // A request for a new answer does not get that of a request which began earlier.
            FlightRole::Follow(_) if control.no_cache => {
                return Ok(ControlFlow::Break(CacheLookup::Bypass(Arc::clone(model))));
            }
            FlightRole::Follow(follower) => follower,
        };
        Ok(match self.landed(inbound, route, follower).await? {
            FlightResult::Answer(entry) => {
                let kept = KeptAnswer::of_equal(key, entry, route, CacheResult::Coalesced);
                ControlFlow::Break(CacheLookup::Answer(kept))
            }
            FlightResult::Alone => ControlFlow::Break(CacheLookup::Bypass(Arc::clone(model))),
            FlightResult::Lead(leader) => ControlFlow::Continue(leader),
        })
    }

    /// Waits for the equal request, but no longer than this request's client waits, and no longer than an answer may
    /// take to begin: a slow reader of the other answer must not delay this one.
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

    /// Keeps the answer of a provider, if it turns out to be keepable.
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
            // The guards of a fallback's model judged the request, so the answer is for this request only.
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

/// The request's wishes about the cache, from `cache-control`.
pub(super) fn control(inbound: &InboundRequest) -> Control {
    Control::read(inbound.headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()))
}

/// Refuses a request that accepts only a kept answer, when none is kept.
pub(super) fn refuse_unkept(inbound: &InboundRequest) -> Result<(), Fault> {
    if control(inbound).only_if_cached { Err(not_cached()) } else { Ok(()) }
}

/// The fault for a request that accepts only a kept answer.
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
    // A guard judges one request and its answer, so the result is for that request only.
    if inbound.judged().is_some() || inbound.caller.client.as_ref().is_some_and(|client| !client.cache) {
        return None;
    }
    let model = inbound.peek.model.as_deref()?;
    let lifetime = serving.config.models.lookup(model)?.cache?;
    Some((serving.routes.find(model)?, lifetime))
}
