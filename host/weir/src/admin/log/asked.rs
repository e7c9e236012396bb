//! The parameters of a search, as they stand in a url.

use std::num::NonZeroU32;

use crate::admin::{Parameters, Problem};
use weir_gateway::accounting::request_log::RequestOutcome;
use weir_ledger::Nano;
use weir_store::{Fact, Query, owner_name};

/// The conditions that a search takes.
pub(in crate::admin) const CONDITIONS: [&str; 17] = [
    "id",
    "client_request_id",
    "key",
    "team",
    "organisation",
    "user",
    "tag",
    "model",
    "provider",
    "status",
    "outcome",
    "failed",
    "from",
    "to",
    "min_cost",
    "max_cost",
    "error",
];

/// A search that is answered page by page, from the parameters of a url.
pub(super) fn query(url: Option<&str>) -> Result<Query, Problem> {
    let known: Vec<&str> = CONDITIONS.into_iter().chain(["cursor", "limit"]).collect();
    let parameters = Parameters::parse(url, &known)?;
    let after = parameters.text("cursor").map(|text| text.parse()).transpose()?;
    Ok(Query { after, limit: parameters.page_size()?, ..search(&parameters)? })
}

/// A search that is followed, and how many requests a second are sent at most.
pub(super) fn followed(url: Option<&str>) -> Result<(Query, Option<NonZeroU32>), Problem> {
    let known: Vec<&str> = CONDITIONS.into_iter().chain(["per_second"]).collect();
    let parameters = Parameters::parse(url, &known)?;
    let most = parameters.parsed("per_second", "a number from 1 on")?;
    Ok((search(&parameters)?, most))
}

/// A search, from parameters that may have others among them.
pub(in crate::admin) fn search(parameters: &Parameters) -> Result<Query, Problem> {
    // Facts keep a tag such as `env=prod` as one name, since a request may have `env=test` too.
    let tag = parameters.text("tag").map(|name| (name, String::new()));
    Ok(Query {
        id: parameters.parsed("id", "a request's id")?,
        client_request_id: parameters.text("client_request_id"),
        key: parameters.text("key"),
        team: parameters.text("team"),
        organisation: parameters.text("organisation"),
        user: parameters.text("user"),
        tag,
        model: parameters.text("model"),
        provider: parameters.text("provider"),
        status: parameters.with("status", "a status such as 429, 4xx or 400-499", statuses)?,
        outcome: parameters.with("outcome", "one of ok, refused, failed, cut, cancelled", outcome)?,
        failed: parameters.parsed("failed", "true or false")?.unwrap_or_default(),
        from_ms: parameters.time("from")?,
        to_ms: parameters.time("to")?,
        cost_from: dollars(parameters, "min_cost")?,
        cost_to: dollars(parameters, "max_cost")?,
        error_text: parameters.text("error"),
        after: None,
        limit: 0,
    })
}

/// An amount of dollars in nano-dollars.
fn dollars(parameters: &Parameters, name: &str) -> Result<Option<i64>, Problem> {
    parameters.with(name, "an amount of dollars such as 0.25", |text| Nano::from_dollars(text).ok().map(Nano::get))
}

/// The name of an outcome.
fn outcome(text: &str) -> Option<String> {
    RequestOutcome::ALL.iter().any(|known| known.as_str() == text).then(|| text.to_owned())
}

/// `429`, `4xx` or `400-499`.
fn statuses(text: &str) -> Option<(u16, u16)> {
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok().filter(|class| (1..=9).contains(class))?;
        return Some((class * 100, class * 100 + 99));
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// Whether a new fact meets a search.
pub(super) fn holds(query: &Query, fact: &Fact) -> bool {
    let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
    let is_of =
        |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| owner_name(wanted) == owner_name(own));
    let time = fact.id.time_ms();
    query.id.is_none_or(|id| id == fact.id)
        && is(&query.client_request_id, &fact.client_request_id)
        && is_of(&query.key, &fact.key)
        && is(&query.team, &fact.team)
        && is(&query.organisation, &fact.organisation)
        && is_of(&query.user, &fact.user)
        && is(&query.provider, &fact.provider)
        && is(&query.outcome, &fact.outcome)
        && query.tag.as_ref().is_none_or(|(name, value)| fact.tags.get(name) == Some(value))
        && query.model.as_ref().is_none_or(|model| *model == fact.model_asked || *model == fact.model_served)
        && query.status.is_none_or(|(least, most)| (least..=most).contains(&fact.status))
        && (!query.failed || fact.has_error())
        && query.from_ms.is_none_or(|from| time >= from)
        && query.to_ms.is_none_or(|to| time < to)
        && query.cost_from.is_none_or(|least| fact.cost_nano.is_some_and(|cost| cost >= least))
        && query.cost_to.is_none_or(|end| fact.cost_nano.is_some_and(|cost| cost < end))
        && query.finds_error(fact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::facts::tags;
    use weir_store::RequestId;

    fn asked(pairs: &[(&str, &str)]) -> Result<Query, Problem> {
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        query(Some(&pairs.join("&")))
    }

    #[test]
    fn parameters_become_a_search() {
        let found = asked(&[("status", "4xx"), ("from", "2026-11-21"), ("min_cost", "0.25")]).unwrap();
        assert_eq!((found.status, found.from_ms), (Some((400, 499)), Some(1_795_219_200_000)));
        assert_eq!(found.cost_from, Some(250_000_000));
        assert_eq!(asked(&[("to", "2026-11-21T01:00:00%2B01:00")]).unwrap().to_ms, Some(1_795_219_200_000));
        assert_eq!(asked(&[("status", "400-404"), ("key", "")]).unwrap().status, Some((400, 404)));
        assert_eq!(asked(&[("outcome", "cut")]).unwrap().outcome.as_deref(), Some("cut"));
    }

    #[test]
    fn wrong_parameters_are_refused_by_name() {
        for (name, value) in [
            ("id", "x"),
            ("status", "xx"),
            ("from", "noon"),
            ("min_cost", "-1"),
            ("failed", "maybe"),
            ("outcome", "bad"),
        ]
        .into_iter()
        .chain(["-1", "0", "1001", "1e3"].map(|number| ("limit", number)))
        {
            let refusal = asked(&[(name, value)]).unwrap_err().to_string();
            assert!(refusal.contains(name), "{refusal}");
        }
        assert_eq!([asked(&[]), asked(&[("limit", "1000")])].map(|query| query.unwrap().limit), [100, 1000]);
        assert!(asked(&[("unknown", "1")]).unwrap_err().to_string().contains("unknown parameter"));
        assert!(asked(&[("key", "1"), ("key", "2")]).unwrap_err().to_string().contains("twice"));
        assert!(asked(&[("cursor", "no")]).unwrap_err().to_string().contains("next_cursor"));
    }

    #[test]
    fn a_request_is_found_by_each_of_its_tags() {
        let mut fact = Fact::of(RequestId::new(5_000, [1; 10]));
        fact.tags = tags(["batch", "env=prod", "env=test"].into_iter());
        for tag in ["batch", "env=prod", "env=test"] {
            assert!(holds(&asked(&[("tag", tag)]).unwrap(), &fact), "{tag}");
        }
        for tag in ["env", "prod", "env=", "batch="] {
            assert!(!holds(&asked(&[("tag", tag)]).unwrap(), &fact), "{tag}");
        }
    }

    #[test]
    fn a_new_fact_is_compared_as_a_stored_one_is() {
        let mut fact = Fact::of(RequestId::new(5_000, [1; 10]));
        (fact.key, fact.status, fact.error_kind) = ("a".to_owned(), 429, "rate_limited".to_owned());
        fact.error_text = "Too many".to_owned();
        for pairs in [vec![], vec![("key", "a"), ("status", "4xx")], vec![("error", "too MANY"), ("from", "5000")]] {
            assert!(holds(&asked(&pairs).unwrap(), &fact), "{pairs:?}");
        }
        for pairs in [("key", "b"), ("status", "200"), ("to", "5000"), ("min_cost", "0"), ("model", "m")] {
            assert!(!holds(&asked(&[pairs]).unwrap(), &fact), "{pairs:?}");
        }
    }
}
