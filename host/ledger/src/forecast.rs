//! What a request may cost at most, before it is sent: the amount that budgets hold back.

use jiff::Timestamp;

use weir_types::contract::about::Bucket;

use crate::cost::amount;
use crate::facts::Facts;
use crate::measure::Measure;
use crate::model_prices::ModelPrices;
use crate::money::{MoneyError, Nano, Pico, Quantity};

/// The tokens that a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast<'a> {
    /// Estimated input tokens.
    pub input: u64,
    /// The most output tokens: the request's own limit, else the model's, or what remains of the budget.
    pub output: u64,
    /// Whether the request asks for input to be cached. Writing to a cache may cost more than reading input.
    pub may_cache: bool,
    /// Whether the input may be of audio, which usually costs more than text.
    pub may_be_audio: bool,
    /// The service tier that the request asks for.
    pub service_tier: Option<&'a str>,
    /// The region that serves it, in the words of the price file.
    pub region: Option<&'a str>,
    /// Whether it is a batch: the tokens are those of all its requests, none of which has so long a context.
    pub batch: bool,
}

/// Bytes of a request for each token of an estimate. Texts have fewer tokens than that, so that it is an upper bound.
const BYTES_A_TOKEN: usize = 4;

impl Forecast<'_> {
    /// Estimates the input of a request by its length.
    pub fn tokens_of(bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(BYTES_A_TOKEN)).unwrap_or(u32::MAX)
    }

    /// The cost at the dearest of these targets; `None` if one of them has no price.
    pub fn dearest(&self, targets: &[&ModelPrices], at: Timestamp) -> Result<Option<Nano>, MoneyError> {
        let mut dearest = Some(Nano::ZERO);
        for target in targets {
            dearest = match (dearest, self.cost(target, at)?) {
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

    /// The ways in which the output may be counted. A model that makes images or audio, for which it has a price, may
    /// make them whatever the request says.
    fn outputs() -> impl Iterator<Item = Bucket> {
        [Bucket::Output, Bucket::Reasoning, Bucket::OutputImage, Bucket::OutputAudio].into_iter()
    }

    /// The most that one target may charge, for every way in which the tokens may be counted.
    fn cost(&self, target: &ModelPrices, at: Timestamp) -> Result<Option<Nano>, MoneyError> {
        let mut most = None;
        for tier in [None].into_iter().chain(self.service_tier.map(Some)) {
            let Some(cost) = self.cost_in_tier(target, at, tier)? else { return Ok(None) };
            most = most.max(Some(cost));
        }
        Ok(most)
    }

    /// The cost in one service tier. Prices depend on how much input there is, not on how it is counted, so they are
    /// looked up once; the highest cost is that of the dearest input and the dearest output.
    fn cost_in_tier(
        &self,
        target: &ModelPrices,
        at: Timestamp,
        tier: Option<&str>,
    ) -> Result<Option<Nano>, MoneyError> {
        // A request is never empty, else it would have no price.
        let input = self.input.max(1);
        let [service_tier, region] = [tier, self.region].map(|word| word.map(str::to_owned));
        let context = Some(if self.batch { 0 } else { input });
        let facts = Facts { context, service_tier, region, batch: self.batch, ..Facts::at(at) };
        let offers = target.find(&facts).holding;
        let amount = |measure, count| amount(&offers, measure, Quantity::many(count));
        let Some(input) = dearest(self.inputs(), |bucket| amount(bucket, input)) else { return Ok(None) };
        // What is not used needs no price.
        let outputs = Self::outputs().filter(|_| self.output > 0);
        let Some(output) = dearest(outputs, |bucket| amount(bucket, self.output)) else { return Ok(None) };
        let request = amount(Measure::Request, 1).unwrap_or_default();
        request.plus(input)?.plus(output)?.to_nano().map(Some)
    }
}

/// The amount of the dearest of these buckets; `None` if one that has to has no price.
fn dearest(buckets: impl Iterator<Item = Bucket>, amount: impl Fn(Measure) -> Option<Pico>) -> Option<Pico> {
    let mut most = Pico::ZERO;
    for bucket in buckets {
        match amount(Measure::Tokens(bucket)) {
            Some(amount) => most = most.max(amount),
            // Few models have a price for an hour in the cache, for images or for audio; the others do not charge for
            // it.
            None if matches!(bucket, Bucket::CacheWriteHour | Bucket::OutputImage | Bucket::OutputAudio) => {}
            None => return None,
        }
    }
    Some(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Cost, price};
    use crate::price_book::{PriceBook, PriceFile, Subject};
    use std::sync::Arc;

    const PRICES: &str = r#"{"providers": {"p": {
        "small": {"input": "1", "output": "2"},
        "large": [{"input": "10", "output": "20", "reasoning": "30", "cache_write_hour": "20"},
                  {"when": {"service_tier": "priority"}, "input": "100", "output": "200"},
                  {"when": {"region": "eu"}, "input": "50"},
                  {"when": {"batch": true}, "input": "3", "output": "4", "reasoning": "6"},
                  {"when": {"context_over": 1000}, "input": "40"}],
        "voice": {"input": "4", "output": "16", "input_audio": "32", "output_audio": "64"},
        "painter": {"input": "1", "output": "2", "output_image": "30"},
        "half": {"input": "1"}}}}"#;

    fn forecast() -> Forecast<'static> {
        let (may_cache, may_be_audio, batch) = (false, false, false);
        Forecast { input: 1_000, output: 1_000, may_cache, may_be_audio, service_tier: None, region: None, batch }
    }

    fn most(models: &[&str], forecast: Forecast<'_>) -> Option<String> {
        let book = Arc::new(PriceBook::new(vec![PriceFile::parse("t", PRICES).unwrap()]));
        let targets: Vec<_> = models.iter().map(|model| ModelPrices::of(&book, Subject::of("p", model))).collect();
        forecast
            .dearest(&targets.iter().collect::<Vec<_>>(), Timestamp::UNIX_EPOCH)
            .unwrap()
            .map(|nano| nano.to_string())
    }

    #[test]
    fn the_dearest_target_and_bucket_count() {
        let plain = forecast();
        assert_eq!(most(&["small"], plain).unwrap(), "0.003");
        assert_eq!(most(&["small", "large"], plain).unwrap(), "0.04");
        assert_eq!(most(&["large"], Forecast { may_cache: true, ..plain }).unwrap(), "0.05");
        assert_eq!(most(&["large"], Forecast { service_tier: Some("priority"), ..plain }).unwrap(), "0.3");
        assert_eq!(most(&["large"], Forecast { region: Some("eu"), ..plain }).unwrap(), "0.08");
        assert_eq!(most(&["large"], Forecast { input: 2_000, ..plain }).unwrap(), "0.11");
        assert_eq!(most(&["small"], Forecast { may_cache: true, ..plain }).unwrap(), "0.003");
        assert_eq!(most(&["voice"], plain).unwrap(), "0.068", "it may speak");
        assert_eq!(most(&["painter"], plain).unwrap(), "0.031");
        assert_eq!(most(&["voice"], Forecast { may_be_audio: true, ..plain }).unwrap(), "0.096");
        assert_eq!(most(&["small"], Forecast { may_be_audio: true, ..plain }).unwrap(), "0.003");
    }

    #[test]
    fn a_batch_costs_what_its_requests_do_at_its_own_price_however_many_they_are() {
        let batch = Forecast { batch: true, ..forecast() };
        assert_eq!(most(&["large"], batch).unwrap(), "0.009");
        let many = Forecast { input: 10_000_000_000, output: 20_000_000_000, ..batch };
        assert_eq!(most(&["large"], many).unwrap(), "150000", "no context is so long");
        assert_eq!(most(&["small"], batch).unwrap(), "0.003", "without a price of batches");
    }

    #[test]
    fn no_way_of_counting_costs_more_than_the_forecast_and_one_costs_as_much() {
        let book = Arc::new(PriceBook::new(vec![PriceFile::parse("t", PRICES).unwrap()]));
        let bill = |model: &str, buckets: [Bucket; 2], forecast: &Forecast<'_>| {
            let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
            *facts.tokens.slot(buckets[0]) = u32::try_from(forecast.input).ok();
            *facts.tokens.slot(buckets[1]) = u32::try_from(forecast.output).ok();
            match price(&book, Subject::of("p", model), &facts).unwrap() {
                Cost::Priced(bill) => Some(bill.total),
                Cost::Unpriced(_) | Cost::NoUsage => None,
            }
        };
        for (model, input, may_cache, may_be_audio) in [
            ("small", 7, true, true),
            ("large", 1_000, true, false),
            ("large", 1_001, true, false),
            ("large", 33, false, true),
            ("voice", 1_500, true, true),
            ("painter", 1_500, true, false),
        ] {
            let forecast = Forecast { input, may_cache, may_be_audio, ..forecast() };
            let ways = forecast.inputs().flat_map(|input| Forecast::outputs().map(move |output| [input, output]));
            let dearest = ways.filter_map(|buckets| bill(model, buckets, &forecast)).max();
            let prices = ModelPrices::of(&book, Subject::of("p", model));
            let found = forecast.dearest(&[&prices], Timestamp::UNIX_EPOCH).unwrap();
            assert!(found.is_some() && found == dearest, "{model} {input}: {found:?} {dearest:?}");
        }
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
