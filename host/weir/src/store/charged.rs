//! What several attempts of one request were charged for, each at its own provider, as it stands in a fact's attempts.

use serde::{Deserialize, Serialize};

use super::facts::counts;
use weir_gateway::accounting::request_log::ChargedPart;
use weir_ledger::Nano;
use weir_store::{Fact, TokenCounts};
use weir_types::contract::about::Operation;

/// The attempts beside the one that a fact names of which each stands by itself, as it was charged for: a price may
/// depend on the context, or be one for the request. Further ones are added to one of the same model, or to the last.
const MAX_LISTED_ATTEMPTS: usize = 16;

/// What an attempt was charged for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Charged {
    /// The provider that charges.
    pub(crate) provider: String,
    /// The name of its adapter.
    pub(crate) adapter: String,
    /// The provider's name for the model.
    pub(crate) model: String,
    /// The model that its answer names; empty if that is the same one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) named: String,
    /// The region by whose prices it was charged for; empty where none is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) region: String,
    /// The service tier that served it; empty where its answer names none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) service_tier: String,
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

    fn of(part: &ChargedPart) -> Self {
        let [provider, adapter, model] = [&part.provider, &part.adapter, &part.model].map(ToString::to_string);
        let [named, region, service_tier] =
            [&part.named, &part.region, &part.service_tier].map(|one| one.as_deref().unwrap_or_default().to_owned());
        let (tokens, estimated, cost_nano) = (counts(&part.tokens), part.is_estimated, part.cost.map(Nano::get));
        Self { provider, adapter, model, named, region, service_tier, tokens, estimated, cost_nano }
    }

    fn is_alike(&self, other: &Self) -> bool {
        [&self.provider, &self.model, &self.named, &self.region, &self.service_tier]
            == [&other.provider, &other.model, &other.named, &other.region, &other.service_tier]
    }

    fn add(&mut self, other: &Self) {
        self.tokens = sum(&self.tokens, &other.tokens, u64::saturating_add);
        self.estimated |= other.estimated;
        self.cost_nano = self.cost_nano.zip(other.cost_nano).map(|(one, other)| one.saturating_add(other));
    }
}

/// The parts of a request as they are stored.
pub(super) fn of(parts: &[ChargedPart]) -> Vec<Charged> {
    let mut list: Vec<Charged> = Vec::with_capacity(parts.len().min(MAX_LISTED_ATTEMPTS));
    for part in parts.iter().map(Charged::of) {
        if list.len() < MAX_LISTED_ATTEMPTS {
            list.push(part);
            continue;
        }
        let alike = list.iter().rposition(|known| known.is_alike(&part)).unwrap_or(MAX_LISTED_ATTEMPTS - 1);
        if let Some(known) = list.get_mut(alike) {
            known.add(&part);
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

/// Whether the counts are the sums of a batch's requests, to none of which a threshold of context applies. Of the
/// answers to one request, only a chat's says that it was served as one of a batch.
pub(crate) fn is_of_many<T: AsRef<str>>(fact: &Fact<T>) -> bool {
    fact.batch && fact.operation.as_ref() != Operation::Chat.name()
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
            named: None,
            region: None,
            service_tier: None,
            tokens,
            is_estimated: output == 0,
            cost: Nano::new(i64::from(input)).ok().filter(|_| provider != "unpriced"),
        }
    }

    #[test]
    fn each_attempt_stands_by_itself_and_the_list_is_bounded() {
        let list = of(&[part("a", "m", 5, 1), part("b", "m", 7, 0), part("a", "m", 2, 0)]);
        let shown: Vec<_> =
            list.iter().map(|one| (one.target(), one.tokens.input, one.estimated, one.cost_nano)).collect();
        let one = |target: &str, count: i64, estimated| (target.to_owned(), Some(count as u64), estimated, Some(count));
        assert_eq!(shown, [one("a/m", 5, false), one("b/m", 7, true), one("a/m", 2, true)]);
        let many: Vec<_> = (0..40).map(|n| part("a", &format!("m{}", n % 20), 1, 0)).collect();
        let many = of(&many);
        let inputs: Vec<_> = many.iter().filter_map(|one| one.tokens.input).collect();
        assert_eq!((inputs.len(), inputs.iter().sum::<u64>(), inputs[0]), (MAX_LISTED_ATTEMPTS, 40, 2));
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
