//! What a request adds to the sums of use.

use std::sync::LazyLock;

use super::charged::{self, Charged};
use super::latency;
use weir_gateway::accounting::access::RequestOutcome;
use weir_store::{Fact, HOUR_MS, LedgerSums, TokenCounts, Use, UseRow};
use weir_types::contract::about::Bucket;

/// The bucket of sums that counts requests, and holds their cost.
pub(crate) const REQUESTS: &str = "request";
/// The circumstances of requests whose cost is not known.
pub(crate) const UNPRICED: &str = "unpriced";
/// The subject of the sums of all requests, also of those that no provider saw.
pub(crate) const ALL: &str = "all:";
/// The bucket of [`ALL`] that counts requests that failed.
pub(crate) const FAILED: &str = "failed";
/// The bucket that counts requests which a kept answer served, and holds what that saved.
pub(crate) const SAVED: &str = "saved";
/// The lane of these requests.
const CACHE_LANE: &str = "cache";
/// The buckets of [`ALL`] that count whole answers by their duration, with the step at the end.
pub(crate) const TOOK: &str = "took:";
/// Requests by the time until the first piece of content.
pub(crate) const FIRST: &str = "first:";
/// The buckets of all steps, [`TOOK`] and [`FIRST`], so that no request makes its own.
static STEPS: LazyLock<Vec<[String; 2]>> =
    LazyLock::new(|| (0..latency::STEP_COUNT).map(|step| [TOOK, FIRST].map(|name| format!("{name}{step}"))).collect());

/// Gives `take` what a request adds to: the sums of all requests, of its key, and of its team if it has one. Each
/// attempt that was charged for is booked at its own provider; the request counts where it was answered, or where it
/// was asked last if its client left. A request that no provider saw adds nothing to the sums of key and team, but what
/// a kept answer saved. `names_model` says that it counts at its model in any case.
pub(super) fn with_uses<T: AsRef<str>, R>(fact: &Fact<T>, names_model: bool, take: impl FnOnce(&[Use<'_>]) -> R) -> R {
    let others = charged::of_fact(fact);
    let subjects = [(ALL, ""), ("key:", fact.key.as_ref()), ("team:", fact.team.as_ref())];
    let subjects = subjects.strip_suffix(&[("team:", "")]).unwrap_or(&subjects);
    let is_seen = !(fact.provider.as_ref().is_empty() && others.is_empty());
    let hour = fact.id.time_ms() / HOUR_MS;
    let seen = if is_seen { subjects.len() } else { 1 };
    let mut rows = Vec::with_capacity(8);
    answered(fact, &others, seen, &mut rows);
    let has_tokens = rows.len() > 1;
    let (provider, served) = place(fact, &others, names_model || has_tokens);
    let one = LedgerSums { units: 1, requests: 1, estimated: 0, cost_nano: 0 };
    let at_all = |subjects, bucket, sums| UseRow { subjects, price_dim: "", bucket, sums };
    if fact.lane.as_ref() == CACHE_LANE {
        let saved = LedgerSums { cost_nano: fact.saved_nano.unwrap_or_default(), ..one };
        rows.push(at_all(subjects.len(), SAVED, saved));
    }
    rows.extend(course(fact).map(|bucket| at_all(1, bucket, one)));
    let answered = Use { hour, subjects, provider, served, rows: &rows };
    if others.is_empty() {
        return take(&[answered]);
    }
    let circumstances = if charged::is_of_many(fact) { "batch" } else { "" };
    let of_other = |other| elsewhere(other, seen, circumstances).collect();
    let rows: Vec<Vec<UseRow<'_>>> = others.iter().map(of_other).collect();
    let elsewhere = others.iter().zip(&rows).map(|(other, rows)| Use {
        hour,
        subjects,
        provider: &other.provider,
        served: &other.model,
        rows,
    });
    take(&std::iter::once(answered).chain(elsewhere).collect::<Vec<_>>())
}

/// The provider and the model that a request itself counts at.
fn place<'a, T: AsRef<str>>(fact: &'a Fact<T>, others: &'a [Charged], names_model: bool) -> (&'a str, &'a str) {
    let (provider, model) = (fact.provider.as_ref(), fact.model_served.as_ref());
    // The client left while several were asked at the same time.
    if provider.is_empty() && fact.outcome.as_ref() == RequestOutcome::Cancelled.as_str() {
        return others.last().map_or(("", ""), |other| (&other.provider, &other.model));
    }
    // What a client invented, and no provider served, makes no rows of its own; what is charged for has some.
    let is_charged = others.iter().any(|other| other.provider == provider && other.model == model);
    (provider, if names_model || fact.status < 400 || is_charged { model } else { "" })
}

/// Puts down what a request adds where it was answered: itself first, and then its tokens.
fn answered<'a, T: AsRef<str>>(fact: &'a Fact<T>, others: &[Charged], subjects: usize, rows: &mut Vec<UseRow<'a>>) {
    let circumstances = if fact.batch { "batch" } else { fact.service_tier.as_ref() };
    let tokens = charged::rest(&fact.tokens, others);
    let estimated = i64::from(fact.estimated);
    let cost = charged::rest_of_cost(fact, others);
    let price_dim = if cost.is_some() { circumstances } else { UNPRICED };
    let sums = LedgerSums { units: 1, requests: 1, estimated, cost_nano: cost.unwrap_or_default() };
    rows.push(UseRow { subjects, price_dim, bucket: REQUESTS, sums });
    let used = used(&tokens, estimated);
    rows.extend(used.map(|(bucket, sums)| UseRow { subjects, price_dim: circumstances, bucket, sums }));
}

/// What an attempt adds that another one answered for: its tokens and its cost, and no request.
fn elsewhere(
    other: &Charged,
    subjects: usize,
    price_dim: &'static str,
) -> impl Iterator<Item = UseRow<'static>> + use<> {
    let row = move |(bucket, sums)| UseRow { subjects, price_dim, bucket, sums };
    let cost = LedgerSums { cost_nano: other.cost_nano.unwrap_or_default(), ..LedgerSums::default() };
    std::iter::once((REQUESTS, cost)).chain(used(&other.tokens, i64::from(other.estimated))).map(row)
}

/// The buckets that were used, with their counts.
fn used(tokens: &TokenCounts, estimated: i64) -> impl Iterator<Item = (&'static str, LedgerSums)> + use<> {
    let sums = move |(bucket, count): (&'static str, Option<u64>)| {
        let units = i64::try_from(count.filter(|count| *count > 0)?).unwrap_or(i64::MAX);
        Some((bucket, LedgerSums { units, requests: 1, estimated, cost_nano: 0 }))
    };
    buckets(tokens).into_iter().filter_map(sums)
}

/// The buckets of [`ALL`] that say how a request went.
fn course<T: AsRef<str>>(fact: &Fact<T>) -> impl Iterator<Item = &'static str> + use<T> {
    let step = |micros| STEPS.get(usize::try_from(latency::step_of(micros)).ok()?);
    let is_whole = !fact.has_error() && fact.outcome.as_ref() == RequestOutcome::Ok.as_str();
    let failed = fact.has_error().then_some(FAILED);
    let took = Some(fact.total_us).filter(|_| is_whole).and_then(step).map(|[took, _]| took.as_str());
    let first = fact.first_token_us.filter(|_| is_whole).and_then(step).map(|[_, first]| first.as_str());
    [failed, took, first].into_iter().flatten()
}

/// The token counts by the names of their buckets.
pub(crate) fn buckets(tokens: &TokenCounts) -> [(&'static str, Option<u64>); 10] {
    [
        (Bucket::Input.name(), tokens.input),
        (Bucket::InputAudio.name(), tokens.input_audio),
        (Bucket::InputImage.name(), tokens.input_image),
        (Bucket::CacheRead.name(), tokens.cache_read),
        (Bucket::CacheWrite.name(), tokens.cache_write),
        (Bucket::CacheWriteHour.name(), tokens.cache_write_hour),
        (Bucket::Output.name(), tokens.output),
        (Bucket::OutputAudio.name(), tokens.output_audio),
        (Bucket::OutputImage.name(), tokens.output_image),
        (Bucket::Reasoning.name(), tokens.reasoning),
    ]
}

#[cfg(test)]
mod tests {
    use weir_store::{LedgerKey, RequestId};

    use super::*;

    /// The sums of each subject.
    fn sums_of(fact: &Fact) -> Vec<(LedgerKey, LedgerSums)> {
        sums_at(fact, false)
    }

    fn sums_at(fact: &Fact, names_model: bool) -> Vec<(LedgerKey, LedgerSums)> {
        let key = |used: &Use<'_>, (kind, id): (&str, &str), row: &UseRow<'_>| LedgerKey {
            hour: used.hour,
            subject: [kind, id].concat(),
            provider: used.provider.to_owned(),
            served: used.served.to_owned(),
            price_dim: row.price_dim.to_owned(),
            bucket: row.bucket.to_owned(),
        };
        with_uses(fact, names_model, |uses| {
            let mut sums = Vec::new();
            for at in 0..3 {
                for used in uses {
                    let rows = used.rows.iter().filter(|row| at < row.subjects);
                    let subject = used.subjects.get(at).copied();
                    sums.extend(
                        subject
                            .into_iter()
                            .flat_map(|one| rows.clone().map(move |row| (key(used, one, row), row.sums))),
                    );
                }
            }
            sums
        })
    }

    #[test]
    fn a_request_adds_to_the_sums_of_its_key_and_team_once_each() {
        let mut fact = Fact::of(RequestId::new(2 * HOUR_MS + 5, [1; 10]));
        assert!(sums_of(&fact).iter().all(|(key, _)| key.subject == ALL), "no provider saw it");
        (fact.key, fact.team, fact.provider) = ("a".to_owned(), "red".to_owned(), "p".to_owned());
        (fact.tokens.input, fact.tokens.output, fact.tokens.reasoning) = (Some(7), Some(3), Some(0));
        fact.cost_nano = Some(900);
        let sums = sums_of(&fact);
        let shown = |(key, sums): &(LedgerKey, LedgerSums)| {
            format!("{} {} {} {}{} {}", key.hour, key.subject, key.bucket, key.price_dim, sums.units, sums.cost_nano)
        };
        let shown: Vec<String> = sums.iter().map(shown).collect();
        let expected = [
            "2 all: request 1 900",
            "2 all: input 7 0",
            "2 all: output 3 0",
            "2 key:a request 1 900",
            "2 key:a input 7 0",
            "2 key:a output 3 0",
            "2 team:red request 1 900",
            "2 team:red input 7 0",
            "2 team:red output 3 0",
        ];
        assert_eq!(shown, expected);
        fact.cost_nano = None;
        assert_eq!(sums_of(&fact)[0].0.price_dim, UNPRICED);
    }

    #[test]
    fn each_attempt_is_booked_at_its_own_provider_and_the_request_where_it_was_answered() {
        let mut fact = Fact::of(RequestId::new(2 * HOUR_MS, [1; 10]));
        (fact.key, fact.provider, fact.model_served) = ("a".to_owned(), "p".to_owned(), "m".to_owned());
        (fact.tokens.input, fact.tokens.output, fact.cost_nano) = (Some(12), Some(3), Some(100));
        fact.attempts = r#"[{"target": "q/n", "charged": {"provider": "q", "model": "n", "tokens": {"input": 5},
            "estimated": true, "cost_nano": 40}}, {"target": "p/m", "status": 200}]"#
            .to_owned();
        let sums = sums_of(&fact);
        let of_key = sums.iter().filter(|(key, _)| key.subject == "key:a");
        let shown: Vec<String> = of_key
            .map(|(key, sums)| {
                let place = format!("{}/{} {}", key.provider, key.served, key.bucket);
                format!("{place} {} {} {}", sums.units, sums.requests, sums.cost_nano)
            })
            .collect();
        let expected =
            ["p/m request 1 1 60", "p/m input 7 1 0", "p/m output 3 1 0", "q/n request 0 0 40", "q/n input 5 1 0"];
        assert_eq!(shown, expected);
        // Nothing answered: what was charged still counts for the key.
        (fact.provider, fact.model_served, fact.status) = (String::new(), String::new(), 502);
        (fact.tokens, fact.cost_nano) = (TokenCounts { input: Some(5), ..TokenCounts::default() }, Some(40));
        let costs = sums_of(&fact).into_iter().filter(|(key, _)| key.subject == "key:a");
        let costs: Vec<_> = costs.map(|(key, sums)| (key.provider, sums.cost_nano)).collect();
        let expected = [("", 0), ("q", 40), ("q", 0)].map(|(provider, cost)| (provider.to_owned(), cost));
        assert_eq!(costs, expected);
    }

    #[test]
    fn a_request_whose_client_left_counts_at_the_model_that_was_asked_and_invents_none() {
        let mut fact = Fact::of(RequestId::new(2 * HOUR_MS, [1; 10]));
        (fact.key, fact.provider, fact.model_served) = ("a".to_owned(), "p".to_owned(), "m".to_owned());
        (fact.status, fact.outcome) = (499, "cancelled".to_owned());
        let places = |fact: &Fact, names_model| -> Vec<(String, i64)> {
            let sums = sums_at(fact, names_model).into_iter();
            let of_key = sums.filter(|(key, _)| key.subject == "key:a" && key.bucket == REQUESTS);
            of_key.map(|(key, sums)| (format!("{}/{}", key.provider, key.served), sums.requests)).collect()
        };
        let expected = |places: &[(&str, i64)]| -> Vec<(String, i64)> {
            places.iter().map(|(place, requests)| ((*place).to_owned(), *requests)).collect()
        };
        assert_eq!(places(&fact, true), expected(&[("p/m", 1)]));
        assert_eq!(places(&fact, false), expected(&[("p/", 1)]));
        // What it is charged for has a row of this name in any case.
        let charged = |model: &str| {
            format!(
                r#"[{{"charged": {{"provider": "p", "model": "{model}", "tokens": {{"input": 5}}, "cost_nano": 40}}}}]"#
            )
        };
        fact.attempts = charged("m");
        assert_eq!(places(&fact, false), expected(&[("p/m", 1), ("p/m", 0)]));
        fact.attempts = charged("n");
        assert_eq!(places(&fact, false), expected(&[("p/", 1), ("p/n", 0)]));
        // Several were asked at the same time.
        (fact.provider, fact.model_served) = (String::new(), String::new());
        assert_eq!(places(&fact, false), expected(&[("p/n", 1), ("p/n", 0)]));
    }

    #[test]
    fn what_a_kept_answer_saved_is_summed_for_its_key_and_team() {
        let mut fact = Fact::of(RequestId::new(2 * HOUR_MS, [1; 10]));
        (fact.key, fact.team, fact.lane) = ("a".to_owned(), "red".to_owned(), CACHE_LANE.to_owned());
        fact.saved_nano = Some(40);
        let sums = sums_of(&fact);
        let saved: Vec<_> = sums.iter().filter(|(key, _)| key.bucket == SAVED).collect();
        let subjects: Vec<&str> = saved.iter().map(|(key, _)| key.subject.as_str()).collect();
        assert_eq!(subjects, ["all:", "key:a", "team:red"]);
        assert!(saved.iter().all(|(_, sums)| (sums.requests, sums.cost_nano) == (1, 40)));
    }

    #[test]
    fn a_request_is_counted_by_how_it_went() {
        let mut fact = Fact::of(RequestId::new(0, [1; 10]));
        let course = |fact: &Fact| course(fact).collect::<Vec<_>>();
        assert!(course(&fact).is_empty());
        (fact.outcome, fact.total_us, fact.first_token_us) = ("ok".to_owned(), 2_000, Some(1_000));
        assert_eq!(course(&fact), ["took:43", "first:39"]);
        fact.error_kind = "timeout".to_owned();
        assert_eq!(course(&fact), [FAILED]);
    }
}
