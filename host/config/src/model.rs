//! Models under the names that clients use: strategy, affinity, capabilities, prices, targets.

use std::sync::Arc;

use super::section::words;
use super::{Capabilities, Metering, Options, Place, Price, Provider, Retry, Timeouts};
use weir_types::contract::about::Bucket;
use weir_types::tokens::Tokens;

words! {
    /// How one of several targets is chosen.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Strategy {
        /// The first healthy target.
        #[default]
        Priority = "priority",
        /// Random, in proportion to the weights.
        Weighted = "weighted",
        /// Each target in turn.
        RoundRobin = "round-robin",
        /// The target with the lowest recent latency.
        LeastLatency = "least-latency",
        /// The target with the fewest exchanges under way.
        LeastBusy = "least-busy",
        /// The target with the lowest price.
        Cheapest = "cheapest",
    }
}

/// What keeps requests at one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Affinity {
    /// A session header, if a client sends one of the usual ones.
    #[default]
    Session,
    /// This header, its name in lower case.
    Header(String),
    /// The client.
    Tenant,
}

impl Capabilities {
    /// Whether any capability other than reasoning is declared as missing.
    pub fn lacks_something(&self) -> bool {
        let declared = [self.vision, self.tools, self.audio, self.documents, self.schema];
        declared.contains(&Some(false))
    }

    /// The declared state of a feature, by the name that manifests use (`vision`, `tools`, ...).
    pub fn feature(&self, name: &str) -> Option<bool> {
        match name {
            "vision" => self.vision,
            "tools" => self.tools,
            "audio" => self.audio,
            "documents" => self.documents,
            "schema" => self.schema,
            "reasoning" => self.reasoning,
            _ => None,
        }
    }
}

impl Price {
    /// The cost of an answer in US dollars, by its tokens. Tokens of a kind without its own price cost as much as other
    /// input or output, so that a missing price never makes them free; `None` if the price of used tokens is not known.
    pub fn of(&self, tokens: &Tokens) -> Option<f64> {
        let mut dollars = 0.0;
        for (bucket, count) in tokens.known().filter(|(_, count)| *count > 0) {
            dollars += f64::from(count) * self.of_bucket(bucket)? / 1_000_000.0;
        }
        Some(dollars)
    }

    /// The dollars for a million tokens of a bucket; `None` if that is not known.
    pub fn of_bucket(&self, bucket: Bucket) -> Option<f64> {
        match bucket {
            Bucket::Input | Bucket::InputAudio | Bucket::InputImage => self.input,
            Bucket::CacheRead => self.cache_read.or(self.input),
            Bucket::CacheWrite | Bucket::CacheWriteHour => self.cache_write.or(self.input),
            Bucket::Output | Bucket::OutputAudio | Bucket::OutputImage => self.output,
            Bucket::Reasoning => self.reasoning.or(self.output),
        }
    }
}

/// A target: a provider and its name for the model.
#[derive(Debug, Clone)]
pub struct Target {
    /// The provider that serves the model.
    pub provider: Arc<Provider>,
    /// The provider's name for the model; the client's own if none.
    pub model: Option<String>,
    /// The format for the adapter to use, if it has several.
    pub format: Option<String>,
    /// Whether requests are translated even if they could be relayed.
    pub translate: bool,
    /// How the token usage of relayed streams is determined.
    pub metering: Metering,
    /// Options for the adapter: the provider's, with the target's laid over them.
    pub options: Options,
    /// Its share under [`Strategy::Weighted`]; at least 1.
    pub weight: u32,
    /// The price here, as configured by the operator.
    pub price: Option<Price>,
    /// Time limits: the provider's, with the model's laid over them.
    pub timeouts: Timeouts,
    /// Retries: the provider's settings, with the model's laid over them.
    pub retry: Retry,
    /// Whether a request that failed here may go to another target.
    pub enable_fallback: bool,
    /// Whether another target continues a stream that breaks off.
    pub resume: bool,
    /// Where the target stands in the file.
    pub place: Place,
    /// Where the format stands in the file, or [`Target::place`].
    pub format_place: Place,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens<const N: usize>(counts: [(Bucket, u32); N]) -> Tokens {
        counts.into_iter().fold(Tokens::default(), |tokens, (bucket, count)| tokens.with(bucket, Some(count)))
    }

    #[test]
    fn c61_an_answer_from_the_cache_is_not_free() {
        let price = Price { input: Some(3.0), output: Some(15.0), cache_read: Some(0.3), ..Price::default() };
        let cached = tokens([(Bucket::Input, 0), (Bucket::CacheRead, 1_000_000), (Bucket::Output, 0)]);
        let dollars = price.of(&cached).unwrap();
        assert!((dollars - 0.3).abs() < 1e-9, "{dollars}");
        let all = [Bucket::Input, Bucket::CacheWrite, Bucket::Output, Bucket::Reasoning];
        let dollars = price.of(&tokens(all.map(|bucket| (bucket, 1_000_000)))).unwrap();
        assert!((dollars - 36.0).abs() < 1e-9, "{dollars}");
        let unpriced = Price { input: Some(3.0), ..Price::default() };
        assert_eq!(unpriced.of(&tokens([(Bucket::Input, 1), (Bucket::Output, 1)])), None);
        let by_input = unpriced.of(&tokens([(Bucket::CacheRead, 1_000_000)])).unwrap();
        assert!((by_input - 3.0).abs() < 1e-9, "{by_input}");
    }

    #[test]
    fn no_bucket_is_free_where_input_and_output_have_prices() {
        let price = Price { input: Some(1.0), output: Some(1.0), ..Price::default() };
        for bucket in Bucket::ALL {
            assert_eq!(price.of(&tokens([(bucket, 1_000_000)])), Some(1.0), "{bucket:?}");
        }
    }
}
