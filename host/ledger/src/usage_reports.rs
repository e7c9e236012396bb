//! The usage of one attempt as its answer reports it, piece by piece: what of it may be billed.
//!
//! Providers report usage once, repeatedly, partly, as zeros, or not at all, and an answer may break off before the
//! report. What is missing is estimated and marked so; what cannot be estimated stays unknown. Nothing becomes zero.

use weir_types::contract::about::Bucket;
use weir_types::contract::types::{Unit, UnitCount, Usage};
use weir_types::tokens::Tokens;

/// How well the usage of an attempt is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Confidence {
    /// The provider reported it.
    Reported,
    /// Some of it, or all, is an estimate.
    Estimated,
    /// The provider did not report all of it, and there is no estimate for the rest. The reservation is to be kept.
    Unknown,
}

/// Reports that do not fit, to be counted by metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Oddities {
    /// No report.
    pub is_missing: bool,
    /// A report without input or without output.
    pub is_partial: bool,
    /// A whole answer whose tokens are all zero.
    pub is_zero: bool,
    /// A report with less than an earlier one. The larger count is kept.
    pub is_decreasing: bool,
}

/// What the gateway itself saw of an attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Estimated tokens of the request.
    pub input: Option<u32>,
    /// Estimated tokens of the content that arrived.
    pub output: Option<u32>,
    /// Whether the answer arrived to its end. Before the end, the reported output is a lower bound.
    pub is_whole: bool,
}

/// The usage of an attempt that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptUsage {
    /// The tokens and what else was reported, completed by estimates.
    pub usage: Usage,
    /// How well it is known.
    pub confidence: Confidence,
    /// What was odd about the reports.
    pub oddities: Oddities,
}

/// Collects the reports of an attempt.
#[derive(Debug, Clone, Default)]
pub struct UsageReports {
    sum: Option<Usage>,
    is_decreasing: bool,
}

impl UsageReports {
    /// Takes a report. Counts are totals: a report that is repeated changes nothing.
    pub fn add(&mut self, report: &Usage) {
        let Some(sum) = &mut self.sum else {
            self.sum = Some(report.clone());
            return;
        };
        let mut merged = report.clone();
        for bucket in Bucket::ALL {
            let (known, new) = (sum.bucket(bucket), report.bucket(bucket));
            self.is_decreasing |= known.zip(new).is_some_and(|(known, new)| new < known);
            *merged.bucket_mut(bucket) = new.max(known);
        }
        for count in &sum.units {
            match merged.units.iter_mut().find(|new| new.unit == count.unit) {
                Some(new) => {
                    self.is_decreasing |= new.count < count.count;
                    new.count = new.count.max(count.count);
                }
                None => merged.units.push(*count),
            }
        }
        sum.update(&merged);
    }

    /// Ends the attempt.
    pub fn finish(self, seen: Seen) -> AttemptUsage {
        let is_missing = self.sum.is_none();
        let mut usage = self.sum.unwrap_or_default();
        let tokens = Tokens::from(&usage);
        let has_pieces = usage.units.iter().any(|count| count.count > 0.0);
        let is_zero = !is_missing && tokens.total() == Some(0) && !has_pieces;
        let has_input = tokens.input().is_some_and(|input| input > 0);
        let has_output = tokens.output().is_some() && !is_zero;
        let is_partial =
            !is_missing && !is_zero && !has_pieces && (tokens.input().is_none() || tokens.output().is_none());
        let mut confidence = Confidence::Reported;
        if !has_input && !has_pieces {
            fill(&mut usage, Bucket::Input, seen.input, &mut confidence);
        }
        if !has_output && !has_pieces {
            fill(&mut usage, Bucket::Output, seen.output, &mut confidence);
        } else if !seen.is_whole {
            let beyond = seen.output.unwrap_or_default().saturating_sub(tokens.output().unwrap_or_default());
            let output = usage.output.unwrap_or_default().saturating_add(beyond);
            usage.output = Some(output);
            bill_output(&mut usage, beyond);
            confidence = confidence.max(Confidence::Estimated);
        }
        let oddities = Oddities { is_missing, is_partial, is_zero, is_decreasing: self.is_decreasing };
        AttemptUsage { usage, confidence, oddities }
    }
}

impl Confidence {
    fn max(self, other: Self) -> Self {
        let rank = |confidence| match confidence {
            Self::Reported => 0,
            Self::Estimated => 1,
            Self::Unknown => 2,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// Adds output to what is billed, if the provider bills tokens by another count than it reports: the buckets have no
/// price then.
fn bill_output(usage: &mut Usage, more: u32) {
    let is_billed =
        |count: &UnitCount| count.count > 0.0 && matches!(count.unit, Unit::BilledInput | Unit::BilledOutput);
    if more == 0 || !usage.units.iter().any(is_billed) {
        return;
    }
    match usage.units.iter_mut().find(|count| count.unit == Unit::BilledOutput) {
        Some(billed) => billed.count += f64::from(more),
        None => usage.units.push(UnitCount { unit: Unit::BilledOutput, count: f64::from(more) }),
    }
}

fn fill(usage: &mut Usage, bucket: Bucket, estimate: Option<u32>, confidence: &mut Confidence) {
    let found = if estimate.is_some() { Confidence::Estimated } else { Confidence::Unknown };
    *usage.bucket_mut(bucket) = estimate;
    *confidence = confidence.max(found);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen { input: Some(100), output: Some(3), is_whole: true };

    fn finish(reports: &[Usage], seen: Seen) -> AttemptUsage {
        let mut collected = UsageReports::default();
        for report in reports {
            collected.add(report);
        }
        collected.finish(seen)
    }

    fn counts(attempt: &AttemptUsage) -> (Option<u32>, Option<u32>, Confidence) {
        (attempt.usage.input, attempt.usage.output, attempt.confidence)
    }

    #[test]
    fn acceptance_4_a_client_that_leaves_after_three_tokens_pays_for_input_and_what_was_seen() {
        let left = Seen { is_whole: false, ..SEEN };
        let silent = finish(&[], left);
        assert_eq!(counts(&silent), (Some(100), Some(3), Confidence::Estimated));
        // The first report of a stream has the input, and an output that is hardly begun.
        let begun = finish(&[Usage::of(Some(80), Some(1))], left);
        assert_eq!(counts(&begun), (Some(80), Some(3), Confidence::Estimated));
        // The report arrived although the client had left, which counts more than what was seen.
        let report = finish(&[Usage::of(Some(80), Some(20))], left);
        assert_eq!(counts(&report), (Some(80), Some(20), Confidence::Estimated));
    }

    #[test]
    fn acceptance_5_missing_partial_zero_repeated_and_decreasing_usage_is_never_zero() {
        let missing = finish(&[], SEEN);
        assert_eq!(counts(&missing), (Some(100), Some(3), Confidence::Estimated));
        assert!(missing.oddities.is_missing);

        let zero = finish(&[Usage::of(Some(0), Some(0))], SEEN);
        assert_eq!(counts(&zero), (Some(100), Some(3), Confidence::Estimated));
        assert!(zero.oddities.is_zero && !zero.oddities.is_missing);

        let partial = finish(&[Usage::of(Some(80), None)], SEEN);
        assert_eq!(counts(&partial), (Some(80), Some(3), Confidence::Estimated));
        assert!(partial.oddities.is_partial);

        let repeated = finish(&[Usage::of(Some(80), Some(9)), Usage::of(Some(80), Some(9))], SEEN);
        assert_eq!(counts(&repeated), (Some(80), Some(9), Confidence::Reported));
        assert_eq!(repeated.oddities, Oddities::default());

        let decreasing = finish(&[Usage::of(Some(80), Some(9)), Usage::of(Some(80), Some(2))], SEEN);
        assert_eq!(counts(&decreasing), (Some(80), Some(9), Confidence::Reported));
        assert!(decreasing.oddities.is_decreasing);

        let unknown = finish(&[], Seen::default());
        assert_eq!(counts(&unknown), (None, None, Confidence::Unknown));
    }

    #[test]
    fn what_is_billed_by_the_piece_needs_no_tokens() {
        let usage = Usage { units: vec![UnitCount { unit: Unit::Search, count: 2.0 }], ..Usage::default() };
        let attempt = finish(&[usage.clone(), Usage::default()], SEEN);
        assert_eq!((attempt.confidence, attempt.usage.units), (Confidence::Reported, usage.units));
    }

    #[test]
    fn output_beyond_the_report_is_billed_also_where_other_counts_are_billed() {
        let count = |unit, count| UnitCount { unit, count };
        let report = |units| Usage { units, ..Usage::of(Some(80), Some(9)) };
        let billed = |units: Vec<UnitCount>, is_whole| {
            let seen = Seen { output: Some(20), is_whole, ..SEEN };
            finish(&[report(units)], seen).usage.units
        };
        let (input, output) = (count(Unit::BilledInput, 50.0), |so_many| count(Unit::BilledOutput, so_many));
        assert_eq!(billed(vec![input, output(8.0)], false), [input, output(19.0)]);
        assert_eq!(billed(vec![input], false), [input, output(11.0)]);
        assert_eq!(billed(vec![input, output(8.0)], true), [input, output(8.0)]);
        assert_eq!(billed(vec![count(Unit::Search, 1.0)], false), [count(Unit::Search, 1.0)]);
    }
}
