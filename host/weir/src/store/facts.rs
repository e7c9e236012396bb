//! Writes the gateway's records of requests as facts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::charged;
use weir_gateway::accounting::access::RequestOutcome;
use weir_gateway::accounting::request_log::FinishedRequest;
use weir_gateway::accounting::trail::{self, AttemptTime, Step};
use weir_ledger::Measure;
use weir_store::{Fact, RequestId, TokenCounts};
use weir_types::contract::about::Bucket;
use weir_types::contract::types::UnitCount;
use weir_types::fault::error_kind_name;
use weir_types::tokens::Tokens;

/// The name, among the units, of the number of a batch's requests that made any search.
pub(super) const SEARCHED_REQUESTS: &str = Measure::SearchedRequest.name();

/// Gives `take` the fact of a request. It borrows its texts: nothing is made for it but what the record does not have.
pub(crate) fn with_fact<R>(finished: &FinishedRequest, take: impl FnOnce(&Fact<&str>) -> R) -> R {
    let digest = finished.adapter.as_ref().map(|(_, digest)| digest.hex()).unwrap_or_default();
    let (attempts, units) = (attempts(finished), units(&finished.units, finished.searched));
    let losses = if finished.losses.is_empty() { String::new() } else { json(&finished.losses) };
    let (error_kind, error_text) = error(finished);
    let claim = finished.endpoint.as_ref().map(|endpoint| &endpoint.face);
    take(&Fact {
        client_request_id: text(finished.client_id.as_deref()),
        client: text(finished.user_agent.as_deref()),
        dialect: claim.map_or("", |claim| claim.format.as_str()),
        model_asked: text(finished.asked.as_deref()),
        model_served: text(finished.model.as_deref()),
        provider: text(finished.provider.as_deref()),
        target: text(finished.target.as_deref()),
        lane: text(finished.lane),
        operation: claim.map_or("", |claim| claim.operation.name()),
        status: finished.status,
        outcome: finished.end.as_str(),
        finish: text(finished.finish),
        error_kind,
        error_text,
        attempts: &attempts,
        tokens: counts(&finished.used.tokens),
        estimated: finished.used.is_estimated,
        units: &units,
        cost_nano: finished.used.cost.map(weir_ledger::Nano::get),
        price_version: text(finished.used.prices.as_deref()),
        total_us: micros(finished.took),
        first_token_us: finished.first_token.map(micros),
        own_us: finished.own.map(micros).unwrap_or_default(),
        bytes_in: finished.bytes_in,
        bytes_out: finished.bytes_out,
        losses: &losses,
        adapter: finished.adapter.as_ref().map_or("", |(name, _)| name),
        adapter_digest: &digest,
        service_tier: text(finished.service_tier.as_deref()),
        batch: finished.is_batch,
        region: text(finished.used.region.as_deref()),
        model_named: text(finished.used.named.as_deref()),
        saved_nano: finished.saved.map(weir_ledger::Nano::get),
        similarity_millionths: finished.similarity.map(|cosine| (cosine * 1e6).round() as i64),
        ..of_caller(finished)
    })
}

/// The fact of a request of which only the caller is known.
fn of_caller(finished: &FinishedRequest) -> Fact<&str> {
    let mut fact = Fact { id: RequestId::from_bytes(*finished.id.as_bytes()), ..Fact::default() };
    let Some(caller) = &finished.caller else { return fact };
    fact.key = &caller.tenant;
    if let Some(client) = &caller.client {
        // Also of a key of the store that is gone: the client has its id.
        fact.key = &client.name;
        fact.team = text(client.team.as_deref());
        fact.organisation = text(client.organisation.as_deref());
        fact.tags = tags(client.tags.iter().map(AsRef::as_ref));
    }
    if let Some(stored) = &caller.stored {
        // A key's id is Weir's own. What an issuer calls an account stays apart from all other names.
        if let Some(id) = stored.key_id() {
            fact.key = id.as_str();
        }
        fact.team = text(stored.team());
        fact.organisation = text(stored.organisation());
        fact.user = text(stored.user());
        fact.tags = tags(stored.tags().into_iter());
    }
    fact
}

/// Each tag as a name without a value, also one such as `env=prod`: a request may have two of one name.
pub(crate) fn tags<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    names.map(|name| (name.to_owned(), String::new())).collect()
}

fn text(text: Option<&str>) -> &str {
    text.unwrap_or_default()
}

/// The kind and the text of a request's error. A client that leaves makes none.
fn error(finished: &FinishedRequest) -> (&str, &str) {
    let kind = match (&finished.error, finished.end) {
        (Some(error), _) => error_kind_name(error.kind),
        (None, RequestOutcome::Cut) => "broken",
        (None, RequestOutcome::Refused | RequestOutcome::Failed) => "upstream",
        (None, RequestOutcome::Ok | RequestOutcome::Cancelled) => "",
    };
    (kind, finished.error.as_ref().map_or("", |error| &error.message))
}

/// The attempts as JSON; an empty text for one that went well. What another attempt than the last one was charged for
/// stands apart, with its own counts.
fn attempts(finished: &FinishedRequest) -> String {
    let parts = &finished.used.parts;
    if finished.steps.is_empty() && parts.is_empty() {
        return String::new();
    }
    let step = |step: &Step| match step.end {
        trail::End::Failed(reason) => timed(serde_json::json!({"target": *step.target, "failed": reason}), step.time),
        trail::End::Skipped(reason) => serde_json::json!({"target": *step.target, "skipped": reason}),
    };
    let mut list: Vec<serde_json::Value> = finished.steps.iter().map(step).collect();
    let answered = finished.target.as_ref().filter(|_| finished.status < 400);
    list.extend(
        answered.map(|target| {
            timed(serde_json::json!({"target": **target, "status": finished.status}), finished.answered_in)
        }),
    );
    list.extend(charged::of(parts).iter().map(|part| serde_json::json!({"target": part.target(), "charged": part})));
    json(&list)
}

/// An attempt with its time, if a request was sent.
fn timed(mut attempt: serde_json::Value, time: Option<AttemptTime>) -> serde_json::Value {
    if let Some(AttemptTime { began, took }) = time {
        attempt["began_us"] = micros(began).into();
        attempt["took_us"] = micros(took).into();
    }
    attempt
}

fn json(value: &impl serde::Serialize) -> String {
    // A list of texts always has a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// Billed units as a JSON object: `{"search":2}`.
/// What is billed by the piece, by the names of measures.
fn units(units: &[UnitCount], searched: Option<u32>) -> String {
    if units.is_empty() {
        return String::new();
    }
    let mut sums = BTreeMap::<&str, f64>::new();
    for count in units {
        *sums.entry(count.unit.name()).or_default() += count.count;
    }
    let searched = searched.filter(|requests| *requests > 0).map(|requests| (SEARCHED_REQUESTS, f64::from(requests)));
    sums.extend(searched);
    json(&sums)
}

pub(super) fn counts(tokens: &Tokens) -> TokenCounts {
    let of = |bucket| tokens.get(bucket).map(u64::from);
    TokenCounts {
        input: of(Bucket::Input),
        input_audio: of(Bucket::InputAudio),
        input_image: of(Bucket::InputImage),
        cache_read: of(Bucket::CacheRead),
        cache_write: of(Bucket::CacheWrite),
        cache_write_hour: of(Bucket::CacheWriteHour),
        output: of(Bucket::Output),
        output_audio: of(Bucket::OutputAudio),
        output_image: of(Bucket::OutputImage),
        reasoning: of(Bucket::Reasoning),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_one_kind_are_added() {
        use weir_types::contract::types::Unit;
        let search = |count| UnitCount { unit: Unit::Search, count };
        assert_eq!(units(&[search(1.0), search(2.0)], None), r#"{"search":3.0}"#);
        assert_eq!(units(&[search(3.0)], Some(2)), r#"{"search":3.0,"searched_request":2.0}"#);
        assert_eq!(units(&[search(0.0)], Some(0)), r#"{"search":0.0}"#);
        assert_eq!(units(&[], None), "");
    }
}
