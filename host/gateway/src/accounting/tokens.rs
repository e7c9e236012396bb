//! The tokens of an exchange: reported by the provider, else estimated; and their cost.

use super::Forfeited;
use super::access::Used;
use super::charges::{Charges, estimated};
use super::request_log::ChargedPart;
use super::sent_input::SentInput;
use super::unmetered;
use crate::observe::metrics::Book;
use crate::pricing::Tariff;
use std::sync::Arc;
use weir_ledger::{Cost, Facts, Nano, Timestamp};
use weir_types::contract::types::{UnitCount, Usage};
use weir_types::tokens::Tokens;

/// From this many estimated tokens on, a report of 0 is not believed. Fewer may be the structure around an empty
/// answer.
const CERTAIN: u32 = 64;

/// How much of what was used a reported usage covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Coverage {
    /// All that was used.
    #[default]
    All,
    /// A part of it; the rest is not known.
    Part,
    /// None of it: the usage is an estimate of what is billed by the piece.
    Estimate,
}

/// The token counts of an exchange.
#[derive(Debug, Default)]
pub(super) struct TokenBill {
    /// The reports of all targets that gave parts of the answer.
    pub(super) reported: Option<Usage>,
    /// Estimated output tokens of the content, of the last part if there are several; `None` if the content was not
    /// examined.
    pub(super) content: Option<u32>,
    /// Whether the reported usage is final.
    pub(super) is_final: bool,
    /// How much of what was used the reported usage covers.
    pub(super) coverage: Coverage,
    /// Whether the request wants no output, so that its answer only repeats the prompt.
    pub(super) wants_no_output: bool,
    /// Whether the usage is the sum of many requests, so that no price threshold for long contexts applies.
    pub(super) is_of_many: bool,
    /// How many of these requests made any search; `None` if the usage is that of one request.
    pub(super) searched: Option<u32>,
    /// The rates of the answering target.
    pub(super) tariff: Option<Tariff>,
    /// The cost that the answer reports, until it is charged for.
    pub(super) reported_cost: Option<Nano>,
    /// The service tier that the answer names, if it reports no usage.
    pub(super) tier: Option<String>,
    /// Estimated input tokens of the request that a provider is working on, until its answer reports them.
    pub(super) sent: Option<SentInput>,
    /// Estimated output tokens of an answer that could not be read, until the request is charged for.
    pub(super) unread: Option<u32>,
    /// Estimated input and output tokens of all parts, beyond the reported ones.
    pub(super) estimated: [u32; 2],
    /// The cost of all parts.
    pub(super) charges: Charges,
    /// What has been charged for.
    charged: Tokens,
    /// What had been charged for when another target continued the answer; `None` if none did.
    charged_before: Option<Tokens>,
    /// Input and output tokens of the parts before the last one.
    before: (u64, u64),
    /// What the parts before the last one used.
    parts: Vec<ChargedPart>,
    /// The last forecast, so that the cost is not calculated again when it is charged.
    forecast: Option<Forecast>,
}

/// The cost of some facts by the tariff.
#[derive(Debug)]
struct Forecast {
    facts: Facts,
    cost: Cost,
}

impl Forecast {
    /// The cost, if it was calculated for these facts. Their time may be a little later.
    fn of(mut self, facts: &Facts) -> Option<Cost> {
        self.facts.at = facts.at;
        (self.facts == *facts).then_some(self.cost)
    }
}

impl TokenBill {
    /// Begins the part of a target that continues the answer, at this price. Of the part before, `reported` was
    /// reported and `unreported` was not.
    pub(super) fn go_on(
        &mut self,
        reported: Option<&Usage>,
        unreported: [u32; 2],
        tariff: Option<Tariff>,
        book: &Book,
    ) {
        self.sent = None;
        let tokens = reported.map(|usage| self.beyond(usage)).unwrap_or_default();
        let (part, mark) =
            (self.tariff.as_ref().map(|tariff| ChargedPart::of(tariff, tokens, unreported)), self.charges.mark());
        let without_units = reported.map(|usage| Usage { units: Vec::new(), ..usage.clone() });
        self.charge(without_units.as_ref(), unreported, book);
        let cost = self.charges.since(mark);
        let (region, service_tier) = (self.region(reported), self.tier(reported).map(Arc::from));
        self.parts.extend(part.map(|part| ChargedPart { region, service_tier, cost, ..part }));
        self.charged_before = Some(self.charged);
        (self.forecast, self.tier) = (None, None);
        self.tariff = tariff;
    }

    /// Ends a part of the answer, and returns its input and output tokens; `None` if nothing is known.
    pub(super) fn end_part(&mut self) -> Option<(u64, u64)> {
        let part = self.of_part();
        self.before = self.sums().unwrap_or(self.before);
        part
    }

    /// Input and output tokens of the last part of the answer, reported or estimated; `None` if nothing is known.
    pub(super) fn of_part(&self) -> Option<(u64, u64)> {
        let (input, output) = self.sums()?;
        Some((input.saturating_sub(self.before.0), output.saturating_sub(self.before.1)))
    }

    /// Input and output tokens, reported or estimated; `None` if nothing is known.
    pub(super) fn sums(&self) -> Option<(u64, u64)> {
        let [input, output] = self.estimated.map(u64::from);
        let [reported_in, reported_out] = sums(self.charged);
        let is_known = self.estimated != [0; 2] || self.charged.total().is_some() || self.content.is_some();
        is_known.then_some((reported_in + input, reported_out + output))
    }

    /// Charges for this unit by estimate, since the provider reported nothing.
    pub(super) fn estimate_unit(&mut self, unit: UnitCount) {
        self.reported = Some(unmetered::only(unit));
        self.coverage = Coverage::Estimate;
    }

    /// Charges for about this many tokens of unknown cost.
    pub(super) fn charge_unknown(&mut self, tokens: u32, book: &Book) {
        let [input, _] = &mut self.estimated;
        *input = input.saturating_add(tokens);
        book.estimated([tokens, 0]);
        self.charges.add_unknown(tokens, self.tariff.as_ref());
    }

    /// Charges for all tokens. Returns whether the provider reported usage.
    pub(super) fn settle(&mut self, book: &Book) -> bool {
        let missing = self.missing(self.is_final);
        let reported = self.reported.take();
        self.charge(reported.as_ref(), missing, book);
        if let Some(usage) = &reported {
            book.units(&usage.units);
        }
        self.sent = None;
        self.reported = reported;
        self.reported.is_some()
    }

    /// What the answer costs if it ends as it is now; `None` if that is not known.
    pub(super) fn forecast(&mut self) -> Option<Nano> {
        let reported = self.reported.as_ref()?;
        let so_far = self.charges.total_so_far()?;
        let facts = self.facts(reported, self.beyond(reported), self.missing(true))?;
        let tariff = self.tariff.as_ref()?;
        let cost = self.booked_cost().unwrap_or_else(|| tariff.cost(&facts));
        let total = cost.total();
        self.forecast = Some(Forecast { facts, cost });
        Charges::sum(so_far, total?)
    }

    /// Estimated input and output tokens of the last part that the provider did not report, or reported as 0 although
    /// there are some. If the report is not final, the reported output is a lower bound. Reports before another target
    /// continued the answer do not cover that target's part.
    fn missing(&self, is_final: bool) -> [u32; 2] {
        let reported = self.reported.as_ref().map(Tokens::from).unwrap_or_default();
        let [reported_in, reported_out] = sums(reported);
        let [charged_in, charged_out] = sums(self.charged);
        let [before_in, before_out] = self.charged_before.map(sums).unwrap_or_default();
        let is_first = self.charged_before.is_none();
        let is_input_final = is_final && (is_first || reported_in > before_in);
        let is_output_final = is_final && (is_first || reported_out > before_out);
        // No answer uses nothing at all, however short it is.
        let is_nothing = reported_in == 0 && reported_out == 0;
        let is_little = |tokens: u32| tokens < CERTAIN && !is_nothing;
        let is_input_reported = reported.input().is_some()
            && (is_input_final || reported_in > charged_in)
            && (reported_in > 0 || self.has_units() || is_little(self.sent_tokens()));
        let so_far = u32::try_from(reported_out.saturating_sub(charged_out)).unwrap_or(u32::MAX);
        let input = if is_input_reported { 0 } else { self.sent_tokens() };
        let content = self.content.unwrap_or_default();
        let is_output_reported = reported.output().is_some()
            && is_output_final
            && (reported_out > 0 || self.may_have_no_output() || is_little(content));
        let output = if is_output_reported { 0 } else { content.saturating_sub(so_far) };
        [input, output]
    }

    /// Whether the provider has reported the final output tokens, so that none are estimated.
    pub(super) fn is_output_reported(&self) -> bool {
        let output = self.reported.as_ref().and_then(|usage| Tokens::from(usage).output());
        self.is_final && output.is_some_and(|output| output > 0 || self.may_have_no_output())
    }

    /// Whether an answer with content may have used no output.
    fn may_have_no_output(&self) -> bool {
        self.wants_no_output || self.has_units()
    }

    /// Whether the provider bills by units other than tokens.
    fn has_units(&self) -> bool {
        self.reported.as_ref().is_some_and(|usage| usage.units.iter().any(|unit| unit.count > 0.0))
    }

    /// Estimated input tokens of the request that a provider is working on.
    fn sent_tokens(&self) -> u32 {
        self.sent.as_ref().map_or(0, SentInput::tokens)
    }

    /// The tokens that are charged for, reported or estimated.
    pub(super) fn booked(&self) -> Tokens {
        let [input, output] = self.estimated;
        self.charged.plus(input, output)
    }

    /// All tokens used once they are settled, including the input and the cost of requests that were never answered.
    pub(super) fn used(&self, forfeited: &Forfeited) -> Used {
        let forfeits = &forfeited.charges;
        let [input, output] = self.estimated;
        let plus = |tokens: u32, more: u64| tokens.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        let (input, output) = (plus(input, forfeited.input), plus(output, forfeited.output));
        let tokens = self.charged.plus(input, output);
        let (cost, prices) = (self.charges.total(forfeits), self.charges.version().or(forfeits.version()).cloned());
        let parts = forfeited.parts.iter().chain(&self.parts).cloned().collect();
        let region = self.region(self.reported.as_ref());
        let named = self.tariff.as_ref().and_then(Tariff::served).cloned();
        Used {
            tokens,
            is_estimated: self.coverage == Coverage::Estimate || [input, output] != [0; 2],
            cost,
            prices,
            region,
            named,
            parts,
        }
    }

    /// Charges for this usage, less the tokens that have been charged for, and for the estimated tokens that it lacks.
    /// They are one bill: the price of each depends on the input of both and on the tier, and a price per request is
    /// charged once.
    fn charge(&mut self, reported: Option<&Usage>, missing: [u32; 2], book: &Book) {
        if missing != [0; 2] {
            for (sum, tokens) in self.estimated.iter_mut().zip(missing) {
                *sum = sum.saturating_add(tokens);
            }
            book.estimated(missing);
        }
        let facts = reported.and_then(|reported| {
            let beyond = self.beyond(reported);
            book.reported(beyond);
            self.charged = Tokens::from(reported);
            self.facts(reported, beyond, missing)
        });
        let booked = self.booked_cost();
        self.reported_cost = None;
        let Some(facts) = facts else {
            // Unreported tokens were served in the same tier.
            let facts = Facts { service_tier: self.tier.clone(), ..estimated(missing) };
            return self.charges.add(&facts, self.tariff.as_ref(), booked, book);
        };
        let known = booked.or_else(|| self.forecast.take().and_then(|forecast| forecast.of(&facts)));
        self.charges.add(&facts, self.tariff.as_ref(), known, book);
    }

    /// The cost that the last part reports, if that is to be booked.
    fn booked_cost(&self) -> Option<Cost> {
        let is_taken = self.tariff.as_ref().is_some_and(Tariff::takes_told);
        self.reported_cost.filter(|_| is_taken).map(Cost::reported)
    }

    /// The service tier that served the last part, as its usage names it, or its answer without a usage.
    pub(super) fn tier<'a>(&'a self, reported: Option<&'a Usage>) -> Option<&'a str> {
        reported.and_then(|usage| usage.service_tier.as_deref()).or(self.tier.as_deref())
    }

    /// The region whose prices apply to the last part: the one that its usage names, else the target's.
    fn region(&self, reported: Option<&Usage>) -> Option<Arc<str>> {
        let region = reported.and_then(|usage| usage.region.as_deref());
        region.map(Arc::from).or_else(|| self.tariff.as_ref().and_then(Tariff::region).cloned())
    }

    /// The facts of a usage, with these reported and estimated tokens to charge for; `None` if a provider reports a
    /// measure that is not a number.
    fn facts(&self, reported: &Usage, tokens: Tokens, missing: [u32; 2]) -> Option<Facts> {
        let facts = Facts::of(reported, Timestamp::now());
        let facts =
            facts.inspect_err(|error| tracing::warn!(%error, "the provider reports usage that cannot be billed"));
        let (context, searched) = (self.is_of_many.then_some(0), self.searched);
        let estimated = self.coverage == Coverage::Estimate;
        Some(Facts { tokens, context, searched, estimated, ..facts.ok()? }.with_estimate(missing))
    }

    /// The tokens of this usage that have not been charged for.
    fn beyond(&self, reported: &Usage) -> Tokens {
        let beyond =
            |reported: Option<u32>, charged: Option<u32>| Some(reported?.saturating_sub(charged.unwrap_or_default()));
        Tokens::from(reported).zip(self.charged, beyond)
    }
}

/// Input and output.
fn sums(tokens: Tokens) -> [u64; 2] {
    [tokens.input(), tokens.output()].map(|count| u64::from(count.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_ledger::{Measure, Quantity};
    use weir_types::contract::types::{Unit, UnitCount};

    #[test]
    fn the_requests_of_a_batch_that_searched_are_among_its_facts() {
        let units = vec![UnitCount { unit: Unit::Search, count: 7.0 }];
        let usage = Usage { units, ..Usage::of(Some(3), Some(5)) };
        let counted = |searched| {
            let bill = TokenBill { searched, ..TokenBill::default() };
            bill.facts(&usage, Tokens::from(&usage), [0; 2]).unwrap().count(Measure::SearchedRequest)
        };
        assert_eq!([None, Some(4)].map(counted), [1, 4].map(Quantity::whole));
    }

    #[test]
    fn none_is_believed_only_where_there_is_hardly_anything() {
        let missing = |input: u32, output: u32, change: &dyn Fn(&mut TokenBill)| {
            let reported = Some(Usage::of(Some(input), Some(output)));
            let sent = Some(SentInput::from(200));
            let mut bill = TokenBill { reported, content: Some(100), is_final: true, sent, ..TokenBill::default() };
            change(&mut bill);
            bill.missing(true)
        };
        let usage = |bill: &mut TokenBill| bill.reported.take().unwrap();
        assert_eq!(missing(0, 0, &|_| ()), [200, 100]);
        assert_eq!(missing(7, 0, &|_| ()), [0, 100]);
        assert_eq!(missing(0, 7, &|_| ()), [200, 0]);
        assert_eq!(missing(7, 0, &|bill| bill.content = Some(CERTAIN - 1)), [0, 0]);
        assert_eq!(missing(0, 7, &|bill| bill.sent = Some(SentInput::from(CERTAIN - 1))), [0, 0]);
        // Nothing at all is no report, however little there is.
        let short = |bill: &mut TokenBill| (bill.content, bill.sent) = (Some(5), Some(SentInput::from(7)));
        assert_eq!(missing(0, 0, &short), [7, 5]);
        assert_eq!(missing(0, 0, &|bill| bill.reported = Some(Usage { output: None, ..usage(bill) })), [200, 100]);
        // Thinking alone is output, and cached input is input.
        assert_eq!(missing(7, 0, &|bill| bill.reported = Some(Usage { reasoning: Some(5), ..usage(bill) })), [0, 0]);
        assert_eq!(missing(0, 7, &|bill| bill.reported = Some(Usage { cache_read: Some(5), ..usage(bill) })), [0, 0]);
        // What is billed by the piece, and a prompt that is only repeated.
        let units = vec![UnitCount { unit: Unit::Search, count: 1.0 }];
        assert_eq!(missing(0, 0, &|bill| bill.reported = Some(Usage { units: units.clone(), ..usage(bill) })), [0, 0]);
        assert_eq!(missing(7, 0, &|bill| bill.wants_no_output = true), [0, 0]);
    }

    #[test]
    fn what_is_estimated_is_billed_by_the_count_that_is_billed() {
        let plain = Usage::of(Some(100), Some(10));
        let units = vec![UnitCount { unit: Unit::BilledInput, count: 40.0 }];
        let apart = Usage { units, ..plain.clone() };
        let counted = |usage: &Usage| {
            let facts = TokenBill::default().facts(usage, Tokens::from(usage), [0, 7]).unwrap();
            let billed = [Unit::BilledInput, Unit::BilledOutput].map(|unit| facts.pieces.get(unit));
            (facts.tokens.output(), billed, facts.estimated)
        };
        assert_eq!(counted(&apart), (Some(17), [40, 7].map(Quantity::whole), true));
        assert_eq!(counted(&plain), (Some(17), [0, 0].map(Quantity::whole), true));
    }
}
