//! The tokens of an exchange: as they were told, by estimate where nobody tells them, and what they cost.

use crate::config::Price;
use crate::contract::types::Usage;
use crate::observe::metrics::Series;

/// What is known of an exchange's tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// As the provider told, of all targets that gave parts of the answer.
    pub(super) told: Option<Usage>,
    /// By estimate, input and output, for the case that nobody tells.
    pub(super) estimate: Option<[u32; 2]>,
    /// What tokens cost where the answer comes from, if that is known.
    pub(super) price: Option<Price>,
    /// Of answers that broke off and were gone on with, as far as nobody told: input and output, by estimate.
    untold: [u32; 2],
    /// What has been charged for: input, cache reads, cache writes, output, reasoning.
    charged: [Option<u32>; 5],
}

impl Tokens {
    /// Somebody else goes on with an answer, at this price, of which so much was told, and of the last part so much not.
    pub(super) fn go_on(&mut self, told: Option<&Usage>, untold: [u32; 2], price: Option<Price>, series: &Series) {
        for (sum, tokens) in self.untold.iter_mut().zip(untold) {
            *sum = sum.saturating_add(tokens);
        }
        if let Some(usage) = told {
            self.charge(buckets(usage), series);
        }
        self.price = price;
    }

    /// Input and output, whoever says so; none where nobody does.
    pub(super) fn sums(&self) -> Option<(u64, u64)> {
        let [input, output] = self.untold.map(u64::from);
        let told = self.told.as_ref().map(|usage| {
            let sum = |counts: &[Option<u32>]| counts.iter().flatten().map(|count| u64::from(*count)).sum::<u64>();
            let told_in = sum(&[usage.input, usage.cache_read, usage.cache_write]);
            (told_in + input, sum(&[usage.output, usage.reasoning]) + output)
        });
        told.or_else(|| self.estimate.map(|[input, output]| (u64::from(input), u64::from(output))))
    }

    /// Counts them all; whether somebody told them.
    pub(super) fn settle(&mut self, series: &Series) -> bool {
        series.estimated(self.untold);
        if let Some(tokens) = self.told.as_ref().map(buckets) {
            self.charge(tokens, series);
            series.tokens(tokens);
            return true;
        }
        self.estimate.into_iter().for_each(|tokens| series.estimated(tokens));
        false
    }

    /// Charges for these tokens, less those that have been charged for.
    fn charge(&mut self, told: [Option<u32>; 5], series: &Series) {
        let mut fresh = told;
        for (fresh, charged) in fresh.iter_mut().zip(self.charged) {
            *fresh = fresh.map(|tokens| tokens.saturating_sub(charged.unwrap_or_default()));
        }
        if let Some(dollars) = self.price.and_then(|price| price.of(fresh)) {
            series.cost(dollars);
        }
        self.charged = told;
    }
}

/// Input, cache reads, cache writes, output, reasoning.
fn buckets(usage: &Usage) -> [Option<u32>; 5] {
    let Usage { input, cache_read, cache_write, output, reasoning, .. } = usage;
    [*input, *cache_read, *cache_write, *output, *reasoning]
}
