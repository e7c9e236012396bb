//! `weir ledger reconcile`: the log against a provider's own figures, by day and model.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;

use super::usage_export::{ExportError, MAX_EXPORT_BYTES, Place, Used, parse};
use super::{dollars, fact_of};
use crate::cli::failure::{CommandError, Failure, NamedFileError};
use crate::cli::log::{Search, each};
use crate::cli::running::Running;
use crate::store::{bill, charged};
use weir_store::{Fact, TokenCounts};

#[derive(Debug, Args)]
pub(in crate::cli) struct Reconcile {
    /// The provider's export of use, as CSV or JSON; docs/request-log.md lists the columns.
    #[arg(long, value_name = "FILE")]
    export: PathBuf,
    /// The share by which figures may differ: 0.001 is a thousandth.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    tolerance: f64,
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    running: Running,
}

/// Why an export cannot be compared.
#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    /// It is larger than any export.
    #[error("{} is larger than {MAX_EXPORT_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// It cannot be read as an export.
    #[error("{}: {source}", path.display())]
    Export { path: PathBuf, source: ExportError },
}

impl CommandError for ReconcileError {
    const IS_OF_USAGE: bool = true;
}

/// Prints what differs; false if anything does.
pub(super) fn run(asked: &Reconcile) -> Result<bool, Failure> {
    let path = &asked.export;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(NamedFileError::at(path))?;
    let length = file.take(MAX_EXPORT_BYTES + 1).read_to_string(&mut text).map_err(NamedFileError::at(path))?;
    if length as u64 > MAX_EXPORT_BYTES {
        return Err(ReconcileError::TooLarge(path.clone()).into());
    }
    let theirs = parse(&text).map_err(|source| ReconcileError::Export { path: path.clone(), source })?;
    let (mut ours, mut failure) = (BTreeMap::<Place, Used>::new(), None);
    // A request that another provider answered may have attempts that this one charged for.
    let mut search = asked.search.clone();
    let provider = search.provider.take();
    each(&asked.running, &search, |item| match fact_of(item) {
        Ok(fact) => add(&mut ours, &fact, provider.as_deref()),
        Err(error) => _ = failure.get_or_insert(error),
    })?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let (mut lines, agrees) = compare(&ours, &theirs, asked.tolerance);
    lines.extend(provider.filter(|_| ours.is_empty()).map(|provider| nothing_of(&provider)));
    crate::cli::print(&lines.join("\n"));
    Ok(agrees)
}

/// A text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share is a number from 0 to 1")]
struct NoShare;

/// A share of a figure. What is no number would let all figures agree.
fn share(text: &str) -> Result<f64, NoShare> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or(NoShare)
}

/// Adds what providers charged for a request; only this one, if it is given. What used nothing and cost nothing, such
/// as a refused attempt or a question about a batch, is in no provider's figures.
fn add(ours: &mut BTreeMap<Place, Used>, fact: &Fact, provider: Option<&str>) {
    let used = |tokens: &TokenCounts, cost_nano: Option<i64>| Used {
        requests: Some(1),
        input: Some(tokens.all_input()),
        output: Some(tokens.all_output()),
        cost_nano,
    };
    let mut add = |of: &str, model: &str, used: Used| {
        if !of.is_empty() && provider.is_none_or(|provider| provider == of) {
            ours.entry((fact.id.day().to_string(), model.to_owned())).or_default().add(used);
        }
    };
    let others = charged::of_fact(fact);
    let last = used(&charged::rest(&fact.tokens, &others), charged::rest_of_cost(fact, &others));
    if !last.is_nothing() || bill::has_pieces(fact) {
        add(&fact.provider, &fact.model_served, as_billed(last, fact));
    }
    for other in &others {
        let part = used(&other.tokens, other.cost_nano);
        if !part.is_nothing() {
            add(&other.provider, &other.model, part);
        }
    }
}

/// The use in tokens as the provider bills them, where it reports others: its own figures count what it bills.
fn as_billed(used: Used, fact: &Fact) -> Used {
    match bill::billed_tokens(fact) {
        Some([input, output]) => Used { input: Some(input), output: Some(output), ..used },
        None => used,
    }
}

/// A line for each day and model, and whether all figures that the export has agree.
fn compare(ours: &BTreeMap<Place, Used>, theirs: &BTreeMap<Place, Used>, tolerance: f64) -> (Vec<String>, bool) {
    let places: BTreeSet<&Place> = ours.keys().chain(theirs.keys()).collect();
    let (mut lines, mut agrees) = (Vec::new(), true);
    for place in places {
        let (own, their) = (ours.get(place), theirs.get(place));
        let verdict = match (own, their) {
            (Some(own), Some(their)) => differences(own, their, tolerance),
            (None, _) => vec!["the provider has it, and the log does not: it went past Weir".to_owned()],
            (_, None) => vec!["the log has it, and the provider does not".to_owned()],
        };
        agrees &= verdict.is_empty();
        let verdict = if verdict.is_empty() { "agrees".to_owned() } else { verdict.join("; ") };
        lines.push(format!("{} {:<40} {verdict}", place.0, place.1));
    }
    lines.push(if agrees { "everything agrees".to_owned() } else { "some figures differ".to_owned() });
    (lines, agrees)
}

/// What may be wrong with the question where the log has nothing of the provider: "it went past Weir" misleads then.
fn nothing_of(provider: &str) -> String {
    format!(
        "the log has no request of a provider `{provider}` in this time: --provider takes its name in the configuration, and \
         --from and --to the time"
    )
}

fn differences(own: &Used, their: &Used, tolerance: f64) -> Vec<String> {
    let differs = |own: f64, their: f64| (own - their).abs() > tolerance * own.abs().max(their.abs());
    let counts = [
        ("requests", own.requests, their.requests),
        ("input tokens", own.input, their.input),
        ("output tokens", own.output, their.output),
    ];
    let mut found = Vec::new();
    for (name, own, their) in counts {
        let own = own.unwrap_or_default();
        if let Some(their) = their.filter(|their| differs(own as f64, *their as f64)) {
            found.push(format!("{name} {own} here, {their} there"));
        }
    }
    let own = own.cost_nano.unwrap_or_default();
    if let Some(their) = their.cost_nano.filter(|their| differs(own as f64, *their as f64)) {
        found.push(format!("{} USD here, {} USD there", dollars(own), dollars(their)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_share() {
        assert_eq!(share("0.001"), Ok(0.001));
        assert!(share("0").is_ok() && share("1").is_ok());
        for wrong in ["NaN", "inf", "-1", "2", ""] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_attempt_is_booked_at_its_own_provider() {
        let charged = serde_json::json!({"provider": "a", "adapter": "zeta", "model": "m-of-a",
            "tokens": {"input": 5, "output": 1}, "estimated": false, "cost_nano": 6});
        let attempts = serde_json::json!([{"target": "a/m", "charged": charged}]).to_string();
        let mut fact = Fact { provider: "b".into(), model_served: "m-of-b".into(), attempts, ..Fact::default() };
        (fact.tokens.input, fact.tokens.output) = (Some(12), Some(8));
        let models = |provider| {
            let mut ours = BTreeMap::new();
            add(&mut ours, &fact, provider);
            ours.into_keys().map(|(_, model)| model).collect::<Vec<_>>()
        };
        assert_eq!((models(Some("a")), models(Some("b"))), (vec!["m-of-a".to_owned()], vec!["m-of-b".to_owned()]));
        assert_eq!(models(None).len(), 2);
    }

    #[test]
    fn each_attempt_counts_and_what_is_not_charged_for_does_not() {
        let charged = serde_json::json!({"charged": {"provider": "a", "model": "m", "tokens": {"input": 5},
            "cost_nano": 6}});
        let attempts = serde_json::json!([charged, charged, {"charged": {"provider": "a", "model": "m"}}]);
        let fact = Fact { provider: "a".into(), model_served: "m".into(), ..Fact::default() };
        let counted = |fact: &Fact| {
            let mut ours = BTreeMap::new();
            add(&mut ours, fact, None);
            ours.into_values().next()
        };
        // A refused attempt, a list, and a question about a batch.
        for status in [429, 200] {
            assert_eq!(counted(&Fact { status, ..fact.clone() }), None);
        }
        assert_eq!(counted(&Fact { cost_nano: Some(0), model_served: String::new(), ..fact.clone() }), None);
        let mut twice = Fact { attempts: attempts.to_string(), cost_nano: Some(12), ..fact.clone() };
        twice.tokens.input = Some(10);
        let used = Used { requests: Some(2), input: Some(10), output: Some(0), cost_nano: Some(12) };
        assert_eq!(counted(&twice), Some(used), "and none for an answer that was refused");
        let image = Fact { units: r#"{"image":1.0}"#.to_owned(), ..fact };
        assert_eq!(counted(&image).and_then(|used| used.requests), Some(1));
    }

    #[test]
    fn tokens_count_as_the_provider_bills_them() {
        let mut fact = Fact { provider: "a".into(), model_served: "m".into(), ..Fact::default() };
        (fact.tokens.input, fact.tokens.output) = (Some(500), Some(20));
        let counts = |fact: &Fact| {
            let mut ours = BTreeMap::new();
            add(&mut ours, fact, None);
            ours.into_values().map(|used| [used.input, used.output]).collect::<Vec<_>>()
        };
        assert_eq!(counts(&fact), [[Some(500), Some(20)]]);
        fact.units = r#"{"billed_input":7.0,"billed_output":20.0}"#.to_owned();
        assert_eq!(counts(&fact), [[Some(7), Some(20)]]);
    }

    #[test]
    fn only_what_the_export_has_is_compared() {
        let place = |model: &str| ("2026-11-21".to_owned(), model.to_owned());
        let used = |input, cost_nano| Used { requests: Some(1), input: Some(input), output: Some(5), cost_nano };
        let ours = BTreeMap::from([(place("a"), used(1_000, Some(7))), (place("b"), used(10, None))]);
        let alike = Used { requests: None, input: Some(1_001), output: None, cost_nano: None };
        let (lines, agrees) =
            compare(&ours, &BTreeMap::from([(place("a"), alike), (place("b"), used(10, None))]), 0.01);
        assert!(agrees, "{lines:?}");
        let other = BTreeMap::from([(place("a"), used(2_000, Some(9))), (place("c"), used(1, None))]);
        let (lines, agrees) = compare(&ours, &other, 0.01);
        assert!(!agrees);
        assert!(lines[0].contains("1000 here, 2000 there") && lines[0].contains("USD"), "{lines:?}");
        assert!(lines[1].contains("the provider does not") && lines[2].contains("past Weir"), "{lines:?}");
    }
}
