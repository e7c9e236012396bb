//! What several attempts of one request were charged for, each at its own provider, as it stands in a fact's attempts.

use serde::{Deserialize, Serialize};

use super::facts::counts;
use weir_gateway::accounting::request_log::ChargedPart;
use weir_ledger::Nano;
use weir_store::{Fact, TokenCounts};

/// What attempts at one provider's model used, beside the attempt that a fact names. Further ones are added to the last.
const MOST: usize = 16;

/// What attempts at one model of a provider were charged for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Charged {
    /// The provider that charges.
    pub(crate) provider: String,
    /// The name of its adapter.
    pub(crate) adapter: String,
    /// The provider's name for the model.
    pub(crate) model: String,
    /// The region by whose prices it was charged for; empty where none is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) region: String,
    /// Tokens by bucket.
    pub(crate) tokens: TokenCounts,
    /// Whether any of them are estimated.
    pub(crate) estimated: bool,
    /// What it cost in nano-dollars, if all prices were known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_nano: Option<i64>,
}

/// One of the attempts of a fact; other members are left out.
#[derive(Debug, Deserialize)]
struct Attempt {
    charged: Option<Charged>,
}

impl Charged {
    /// Provider and model, as attempts name them.
    pub(crate) fn target(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    fn is_of(&self, part: &ChargedPart) -> bool {
        let region = part.region.as_deref().unwrap_or_default();
        *self.provider == *part.provider && *self.model == *part.model && self.region == region
    }
}

/// The parts of a request by provider and model.
pub(super) fn of(parts: &[ChargedPart]) -> Vec<Charged> {
    let mut list: Vec<Charged> = Vec::new();
    for part in parts {
        let (tokens, cost) = (counts(&part.tokens), part.cost.map(Nano::get));
        let is_full = list.len() >= MOST;
        let known = list.iter().position(|known| known.is_of(part)).or(is_full.then_some(MOST - 1));
        if let Some(known) = known.and_then(|at| list.get_mut(at)) {
            known.tokens = sum(&known.tokens, &tokens, u64::saturating_add);
            known.estimated |= part.is_estimated;
            known.cost_nano = known.cost_nano.zip(cost).map(|(one, other)| one.saturating_add(other));
        } else {
            let [provider, adapter, model] = [&part.provider, &part.adapter, &part.model].map(ToString::to_string);
            let (region, estimated) = (part.region.as_deref().unwrap_or_default().to_owned(), part.is_estimated);
            list.push(Charged { provider, adapter, model, region, tokens, estimated, cost_nano: cost });
        }
    }
    list
}

/// What a stored request's attempts were charged for, beside the last one.
pub(crate) fn of_fact<T: AsRef<str>>(fact: &Fact<T>) -> Vec<Charged> {
    let attempts = fact.attempts.as_ref();
    if attempts.is_empty() || !attempts.contains("\"charged\"") {
        return Vec::new();
    }
    let attempts: Vec<Attempt> = serde_json::from_str(attempts).unwrap_or_default();
    attempts.into_iter().filter_map(|attempt| attempt.charged).collect()
}

/// The cost of a request without that of its other attempts, as far as it is known; none if the request's is not.
pub(crate) fn rest_of_cost<T>(fact: &Fact<T>, others: &[Charged]) -> Option<i64> {
    let elsewhere = others.iter().filter_map(|other| other.cost_nano);
    fact.cost_nano.map(|total| elsewhere.fold(total, i64::saturating_sub))
}

/// The tokens of a request without those of its other attempts.
pub(crate) fn rest(tokens: &TokenCounts, others: &[Charged]) -> TokenCounts {
    others.iter().fold(*tokens, |rest, other| sum(&rest, &other.tokens, u64::saturating_sub))
}

fn sum(one: &TokenCounts, other: &TokenCounts, add: fn(u64, u64) -> u64) -> TokenCounts {
    let join = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (None, None) => None,
        (one, other) => Some(add(one.unwrap_or_default(), other.unwrap_or_default())),
    };
    TokenCounts {
        input: join(one.input, other.input),
        input_audio: join(one.input_audio, other.input_audio),
        input_image: join(one.input_image, other.input_image),
        cache_read: join(one.cache_read, other.cache_read),
        cache_write: join(one.cache_write, other.cache_write),
        cache_write_hour: join(one.cache_write_hour, other.cache_write_hour),
        output: join(one.output, other.output),
        output_audio: join(one.output_audio, other.output_audio),
        output_image: join(one.output_image, other.output_image),
        reasoning: join(one.reasoning, other.reasoning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::tokens::Tokens;

    fn part(provider: &str, model: &str, input: u32, output: u32) -> ChargedPart {
        let tokens = Tokens::of(Some(input), Some(output));
        ChargedPart {
            provider: provider.into(),
            adapter: "zeta".into(),
            model: model.into(),
            region: None,
            tokens,
            is_estimated: output == 0,
            cost: Nano::new(i64::from(input)).ok().filter(|_| provider != "unpriced"),
        }
    }

    #[test]
    fn parts_are_added_by_provider_and_model_and_are_bounded() {
        let list = of(&[part("a", "m", 5, 1), part("b", "m", 7, 0), part("a", "m", 2, 0)]);
        let shown: Vec<_> = list.iter().map(|one| (one.target(), one.tokens.input, one.tokens.output)).collect();
        assert_eq!(shown, [("a/m".to_owned(), Some(7), Some(1)), ("b/m".to_owned(), Some(7), Some(0))]);
        assert!(list[0].estimated);
        assert_eq!(list.iter().map(|one| one.cost_nano).collect::<Vec<_>>(), [Some(7), Some(7)]);
        let many: Vec<_> = (0..40).map(|n| part("a", &format!("m{n}"), 1, 0)).collect();
        let many = of(&many);
        assert_eq!((many.len(), many.iter().filter_map(|one| one.tokens.input).sum::<u64>()), (MOST, 40));
    }

    #[test]
    fn what_remains_is_the_last_attempts_own() {
        let mut fact = Fact::default();
        (fact.tokens.input, fact.tokens.output) = (Some(20), Some(9));
        assert!(of_fact(&fact).is_empty());
        let parts = of(&[part("a", "m", 5, 1), part("b", "m", 7, 0)]);
        let attempts: Vec<_> = parts.iter().map(|one| serde_json::json!({"target": "x", "charged": one})).collect();
        fact.attempts = serde_json::to_string(&attempts).unwrap();
        assert_eq!(of_fact(&fact), parts);
        let rest = rest(&fact.tokens, &parts);
        assert_eq!((rest.input, rest.output, rest.cache_read), (Some(8), Some(8), None));
    }
}
