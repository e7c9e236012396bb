//! What a request may cost at most, before it is sent: the amount that budgets hold back.

use jiff::Timestamp;

use weir_types::contract::about::Bucket;

use crate::cost::{Cost, price};
use crate::facts::Facts;
use crate::money::{MoneyError, Nano};
use crate::price_book::{PriceBook, Subject};

/// The tokens that a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast<'a> {
    /// Estimated input tokens.
    pub input: u32,
    /// The most output tokens: the request's own limit, else the model's, or what remains of the budget.
    pub output: u32,
    /// Whether the request asks for input to be cached. Writing to a cache may cost more than reading input.
    pub may_cache: bool,
    /// Whether the tokens may be of audio, which usually costs more than text.
    pub may_be_audio: bool,
    /// The service tier that the request asks for.
    pub service_tier: Option<&'a str>,
}

/// Bytes of a request for each token of an estimate. Texts have fewer tokens than that, so that it is an upper bound.
const BYTES_A_TOKEN: usize = 4;

impl Forecast<'_> {
    /// Estimates the input of a request by its length.
    pub fn tokens_of(bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(BYTES_A_TOKEN)).unwrap_or(u32::MAX)
    }

    /// The cost at the dearest of these targets; `None` if one of them has no price.
    pub fn dearest(
        &self,
        book: &PriceBook,
        targets: &[Subject<'_>],
        at: Timestamp,
    ) -> Result<Option<Nano>, MoneyError> {
        let mut dearest = Some(Nano::ZERO);
        for target in targets {
            dearest = match (dearest, self.cost(book, *target, at)?) {
                (Some(known), Some(cost)) => Some(known.max(cost)),
                _ => None,
            };
        }
        Ok(dearest.filter(|_| !targets.is_empty()))
    }

    /// The ways in which the input may be counted.
    fn inputs(&self) -> impl Iterator<Item = Bucket> {
        let cached = [Bucket::CacheWrite, Bucket::CacheWriteHour].into_iter().filter(|_| self.may_cache);
        let audio = Some(Bucket::InputAudio).filter(|_| self.may_be_audio);
        [Bucket::Input].into_iter().chain(cached).chain(audio)
    }

    /// The ways in which the output may be counted.
    fn outputs(&self) -> impl Iterator<Item = Bucket> {
        let audio = Some(Bucket::OutputAudio).filter(|_| self.may_be_audio);
        [Bucket::Output, Bucket::Reasoning].into_iter().chain(audio)
    }

    /// The most that one target may charge, for every way in which the tokens may be counted.
    fn cost(&self, book: &PriceBook, target: Subject<'_>, at: Timestamp) -> Result<Option<Nano>, MoneyError> {
        let mut most = None;
        for tier in [None, self.service_tier] {
            for input in self.inputs() {
                for output in self.outputs() {
                    let mut facts = Facts::at(at);
                    // A request is never empty, else it would have no price.
                    *facts.tokens.slot(input) = Some(self.input.max(1));
                    *facts.tokens.slot(output) = Some(self.output);
                    facts.service_tier = tier.map(str::to_owned);
                    match price(book, target, &facts)? {
                        Cost::Priced(bill) => most = most.max(Some(bill.total)),
                        // Few models have a price for an hour in the cache, or for audio; the others do not charge for it.
                        Cost::Unpriced(_) if input == Bucket::CacheWriteHour || output == Bucket::OutputAudio => {}
                        Cost::Unpriced(_) | Cost::NoUsage => return Ok(None),
                    }
                }
            }
        }
        Ok(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price_book::PriceFile;

    const PRICES: &str = r#"{"providers": {"p": {
        "small": {"input": "1", "output": "2"},
        "large": [{"input": "10", "output": "20", "reasoning": "30", "cache_write_hour": "20"},
                  {"when": {"service_tier": "priority"}, "input": "100", "output": "200"},
                  {"when": {"context_over": 1000}, "input": "40"}],
        "voice": {"input": "4", "output": "16", "input_audio": "32", "output_audio": "64"},
        "half": {"input": "1"}}}}"#;

    fn forecast() -> Forecast<'static> {
        Forecast { input: 1_000, output: 1_000, may_cache: false, may_be_audio: false, service_tier: None }
    }

    fn most(models: &[&str], forecast: Forecast<'_>) -> Option<String> {
        let book = PriceBook::new(vec![PriceFile::parse("t", PRICES).unwrap()]);
        let targets: Vec<_> = models.iter().map(|model| Subject::of("p", model)).collect();
        forecast.dearest(&book, &targets, Timestamp::UNIX_EPOCH).unwrap().map(|nano| nano.to_string())
    }

    #[test]
    fn the_dearest_target_and_bucket_count() {
        let plain = forecast();
        assert_eq!(most(&["small"], plain).unwrap(), "0.003");
        assert_eq!(most(&["small", "large"], plain).unwrap(), "0.04");
        assert_eq!(most(&["large"], Forecast { may_cache: true, ..plain }).unwrap(), "0.05");
        assert_eq!(most(&["large"], Forecast { service_tier: Some("priority"), ..plain }).unwrap(), "0.3");
        assert_eq!(most(&["large"], Forecast { input: 2_000, ..plain }).unwrap(), "0.11");
        assert_eq!(most(&["small"], Forecast { may_cache: true, ..plain }).unwrap(), "0.003");
        assert_eq!(most(&["voice"], plain).unwrap(), "0.02");
        assert_eq!(most(&["voice"], Forecast { may_be_audio: true, ..plain }).unwrap(), "0.096");
        assert_eq!(most(&["small"], Forecast { may_be_audio: true, ..plain }).unwrap(), "0.003");
    }

    #[test]
    fn acceptance_6_a_target_without_a_price_has_no_forecast() {
        let plain = forecast();
        for models in [&["unknown"][..], &["half"], &["small", "half"], &[]] {
            assert_eq!(most(models, plain), None, "{models:?}");
        }
        assert_eq!(Forecast::tokens_of(5), 2);
    }
}
