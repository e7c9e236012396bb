//! A model as clients name it, and where requests for it go.

use std::sync::Arc;

use super::section::words;
use super::{Capabilities, Metering, Options, Place, Price, Provider, Retry, Timeouts};
use weir_types::contract::about::Bucket;
use weir_types::tokens::Tokens;

words! {
    /// How one of several targets is chosen.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Strategy {
        /// The first that is healthy.
        #[default]
        Priority = "priority",
        /// By chance, in proportion to the weights.
        Weighted = "weighted",
        /// In turn.
        RoundRobin = "round-robin",
        /// The one that answered soonest of late.
        LeastLatency = "least-latency",
        /// The one with the fewest exchanges.
        LeastBusy = "least-busy",
        /// The one with the lowest price.
        Cheapest = "cheapest",
    }
}

/// What keeps requests at one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Affinity {
    /// A session's header, where a client sends one of the usual.
    #[default]
    Session,
    /// This header, its name in lower case.
    Header(String),
    /// The caller.
    Tenant,
}

impl Capabilities {
    /// Whether something is said to be lacking.
    pub fn lacks_something(&self) -> bool {
        let said = [self.vision, self.tools, self.audio, self.documents, self.schema];
        said.contains(&Some(false))
    }

    /// What is said of a feature by the name that manifests use (`vision`, `tools`, ...).
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
    /// What an answer costs in US dollars, by its tokens. Tokens of a bucket without a price of its own cost as much as
    /// other input or output, so that nothing is free by omission; none where the price of a used bucket is not known.
    pub fn of(&self, tokens: &Tokens) -> Option<f64> {
        let mut dollars = 0.0;
        for (bucket, count) in tokens.known().filter(|(_, count)| *count > 0) {
            dollars += f64::from(count) * self.of_bucket(bucket)? / 1_000_000.0;
        }
        Some(dollars)
    }

    fn of_bucket(&self, bucket: Bucket) -> Option<f64> {
        match bucket {
            Bucket::Input | Bucket::InputAudio | Bucket::InputImage => self.input,
            Bucket::CacheRead => self.cache_read.or(self.input),
            Bucket::CacheWrite | Bucket::CacheWriteHour => self.cache_write.or(self.input),
            Bucket::Output | Bucket::OutputAudio | Bucket::OutputImage => self.output,
            Bucket::Reasoning => self.reasoning.or(self.output),
        }
    }
}

/// Where a request may go.
#[derive(Debug, Clone)]
pub struct Target {
    /// Who serves it.
    pub provider: Arc<Provider>,
    /// The provider's name for the model; the client's own if none.
    pub model: Option<String>,
    /// The format that the adapter should use, where it knows several.
    pub format: Option<String>,
    /// Whether even requests that could be relayed are translated.
    pub translate: bool,
    /// How the usage of relayed streams is learnt.
    pub metering: Metering,
    /// For the adapter: the provider's options with the target's laid over them.
    pub options: Options,
    /// Its share under [`Strategy::Weighted`]; at least 1.
    pub weight: u32,
    /// What the operator says that it costs here.
    pub price: Option<Price>,
    /// Time limits: the provider's, with the model's laid over them.
    pub timeouts: Timeouts,
    /// Repetitions: the provider's, with the model's laid over them.
    pub retry: Retry,
    /// Whether a request that failed here may go elsewhere.
    pub enable_fallback: bool,
    /// Whether a stream that breaks is gone on with elsewhere.
    pub resume: bool,
    /// The target in the file.
    pub place: Place,
    /// The format in the file, or [`Target::place`].
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
