//! `weir ledger reprice`: what past requests would have cost by another price file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::{NoFact, dollars, fact_of};
use crate::cli::failure::{CommandError, Failure, NamedFileError};
use crate::cli::log::{Search, each};
use crate::cli::running::Running;
use crate::store::bill::{self, BillError, Part};
use weir_ledger::{MoneyError, PriceBook, PriceFile, PriceFileError, REPORTED, Subject, price};
use weir_store::{Fact, RequestId};

#[derive(Debug, Args)]
pub(in crate::cli) struct Reprice {
    /// The price file; docs/budgets.md describes the format. Models that it does not name keep the bundled prices.
    #[arg(long, value_name = "FILE")]
    prices: PathBuf,
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    running: Running,
}

/// The sums of one model.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sums {
    requests: u64,
    then: i64,
    now: i64,
    /// How much more those requests cost now that have a price both times: a missing price saves nothing.
    more: i64,
    /// Requests without a price then, and now.
    unpriced: [u64; 2],
}

impl Sums {
    fn add(&mut self, then: Option<i64>, now: Option<i64>) {
        self.requests += 1;
        self.then = self.then.saturating_add(then.unwrap_or_default());
        self.now = self.now.saturating_add(now.unwrap_or_default());
        let more = now.zip(then).map_or(0, |(now, then)| now.saturating_sub(then));
        self.more = self.more.saturating_add(more);
        self.unpriced[0] += u64::from(then.is_none());
        self.unpriced[1] += u64::from(now.is_none());
    }

    /// A sum, unless no request has a price.
    fn shown(&self, sum: i64, unpriced: u64) -> String {
        if unpriced > 0 && unpriced == self.requests { "unknown".to_owned() } else { dollars(sum) }
    }
}

/// Why nothing is priced, or not everything.
#[derive(Debug, thiserror::Error)]
enum RepriceError {
    /// The price file that was named has a mistake.
    #[error(transparent)]
    Prices(PriceFileError),
    /// The bundled one has.
    #[error(transparent)]
    Bundled(PriceFileError),
    /// Some requests have no price; the others have been printed.
    #[error("not everything could be priced: {0}")]
    Partly(#[from] Unpriced),
}

impl CommandError for RepriceError {
    fn is_of_usage(&self) -> bool {
        matches!(self, Self::Prices(_))
    }
}

/// Why a request cannot be priced.
#[derive(Debug, thiserror::Error)]
enum Unpriced {
    /// It cannot be read.
    #[error(transparent)]
    Fact(#[from] NoFact),
    /// Its counts cannot be.
    #[error("{id}: {source}")]
    Counts { id: RequestId, source: BillError },
    /// The amount is not valid.
    #[error("{id}: {source}")]
    Amount { id: RequestId, source: MoneyError },
}

pub(super) fn run(asked: &Reprice) -> Result<(), Failure> {
    let shown = asked.prices.display().to_string();
    let text = std::fs::read_to_string(&asked.prices).map_err(NamedFileError::at(&asked.prices))?;
    let own = PriceFile::parse(&shown, &text).map_err(RepriceError::Prices)?;
    let bundled = PriceFile::bundled().map_err(RepriceError::Bundled)?;
    let book = PriceBook::new(vec![bundled, own]);
    let (mut sums, mut failure) = (BTreeMap::<String, Sums>::new(), None);
    each(&asked.running, &asked.search, |item| {
        let added = fact_of(item).map_err(Unpriced::from).and_then(|fact| add(&mut sums, &book, &fact));
        if let Err(error) = added {
            failure.get_or_insert(error);
        }
    })?;
    crate::cli::print(&table(&sums, book.version()));
    failure.map_or(Ok(()), |failure| Err(RepriceError::Partly(failure).into()))
}

/// Adds a request that used anything.
fn add(sums: &mut BTreeMap<String, Sums>, book: &PriceBook, fact: &Fact) -> Result<(), Unpriced> {
    let parts = bill::parts(fact).map_err(|source| Unpriced::Counts { id: fact.id, source })?;
    if parts.is_empty() {
        return Ok(());
    }
    // Each attempt at the prices of its own provider. All of them count as use of the model that answered.
    let mut now = Some(0_i64);
    for part in &parts {
        let cost = price(book, subject(part), &part.counts);
        let cost = cost.map_err(|source| Unpriced::Amount { id: fact.id, source })?;
        now = now.zip(cost.total()).map(|(sum, cost)| sum.saturating_add(cost.get()));
    }
    // A cost that the answer reported stays, unless the file has a price in place of it.
    if fact.price_version == REPORTED && !parts.iter().all(|part| book.has_own(subject(part))) {
        now = fact.cost_nano;
    }
    sums.entry(format!("{}/{}", fact.provider, fact.model_served)).or_default().add(fact.cost_nano, now);
    Ok(())
}

/// Whose price holds for a part.
fn subject(part: &Part) -> Subject<'_> {
    let Part { provider, adapter, model, named, .. } = part;
    let served = if named.is_empty() { model } else { named };
    Subject { provider, kind: adapter, served, asked: model }
}

fn table(sums: &BTreeMap<String, Sums>, version: &str) -> String {
    let mut lines =
        vec![format!("{:<48} {:>10} {:>16} {:>16} {:>16}", "model", "requests", "USD then", "USD now", "difference")];
    let mut all = Sums::default();
    let line = |name: &str, sums: &Sums| {
        let [then, now] = sums.unpriced;
        let unpriced = if then + now > 0 { format!("  unpriced: {then} then, {now} now") } else { String::new() };
        let (was, is, more) = (sums.shown(sums.then, then), sums.shown(sums.now, now), dollars(sums.more));
        format!("{name:<48} {:>10} {was:>16} {is:>16} {more:>16}{unpriced}", sums.requests)
    };
    for (name, one) in sums {
        lines.push(line(name, one));
        all.requests += one.requests;
        all.then = all.then.saturating_add(one.then);
        all.now = all.now.saturating_add(one.now);
        all.more = all.more.saturating_add(one.more);
        all.unpriced = [all.unpriced[0] + one.unpriced[0], all.unpriced[1] + one.unpriced[1]];
    }
    lines.push(line(&format!("all, by prices {version}"), &all));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_as_billed_and_searched_requests_are_priced_anew() {
        let file = r#"{"providers":{"p":{"m":{"input":2,"output":4,"searched_request":"0.5"}}}}"#;
        let book = PriceBook::new(vec![PriceFile::parse("new.json", file).unwrap()]);
        let mut fact = Fact::of(RequestId::new(1_795_262_400_000, [1; 10]));
        (fact.provider, fact.model_served) = ("p".to_owned(), "m".to_owned());
        (fact.tokens.input, fact.tokens.output) = (Some(1_000_000), Some(500_000));
        fact.units = r#"{"billed_input":1000.0,"billed_output":500.0,"search":3.0}"#.to_owned();
        let mut sums = BTreeMap::new();
        add(&mut sums, &book, &fact).unwrap();
        assert_eq!(sums["p/m"].now, 1_000 * 2_000 + 500 * 4_000 + 500_000_000);
    }

    #[test]
    fn a_cost_that_was_told_stays_unless_the_file_has_a_price_for_it() {
        let file = r#"{"providers":{"p":{"m":{"input":2}}}}"#;
        let book = PriceBook::new(vec![PriceFile::bundled().unwrap(), PriceFile::parse("new.json", file).unwrap()]);
        let mut fact = Fact::of(RequestId::new(1_795_262_400_000, [1; 10]));
        (fact.provider, fact.tokens.input, fact.cost_nano) = ("p".to_owned(), Some(1_000), Some(77));
        fact.price_version = REPORTED.to_owned();
        let mut now = |model: &str| {
            fact.model_served = model.to_owned();
            let mut sums = BTreeMap::new();
            add(&mut sums, &book, &fact).unwrap();
            sums[&format!("p/{model}")].now
        };
        assert_eq!([now("m"), now("other")], [2_000_000, 77]);
    }

    #[test]
    fn thresholds_of_context_apply_to_each_attempt_and_to_no_batch() {
        let file = r#"{"providers":{"p":{"m":[{"input":2,"request":"0.5"},
            {"when":{"context_over":200000},"input":9,"request":"0.5"},{"when":{"batch":true},"input":1},
            {"when":{"batch":true,"context_over":200000},"input":8}]}}}"#;
        let book = PriceBook::new(vec![PriceFile::parse("new.json", file).unwrap()]);
        let mut fact = Fact::of(RequestId::new(1_795_262_400_000, [1; 10]));
        (fact.provider, fact.model_served) = ("p".to_owned(), "m".to_owned());
        (fact.tokens.input, fact.operation) = (Some(300_000), "chat".to_owned());
        let now = |fact: &Fact| {
            let mut sums = BTreeMap::new();
            add(&mut sums, &book, fact).unwrap();
            sums["p/m"].now
        };
        assert_eq!(now(&fact), 300_000 * 9_000 + 500_000_000);
        let mut twice = fact.clone();
        twice.attempts = r#"[{"target":"p/m","charged":{"provider":"p","adapter":"a","model":"m",
            "tokens":{"input":150000}}}]"#
            .to_owned();
        assert_eq!(now(&twice), 300_000 * 2_000 + 2 * 500_000_000);
        let batch = Fact { batch: true, operation: "batches-get".to_owned(), ..fact.clone() };
        assert_eq!(now(&batch), 300_000 * 1_000 + 500_000_000);
        assert_eq!(now(&Fact { operation: "passthrough".to_owned(), ..batch.clone() }), now(&batch));
        assert_eq!(now(&Fact { operation: "chat".to_owned(), ..batch }), 300_000 * 8_000 + 500_000_000);
    }

    #[test]
    fn counts_are_priced_anew() {
        let file = r#"{"version":"new","providers":{"p":{"m":{"input":2,"output":4},"n":[{"input":2,"output":4},
            {"when":{"region":"eu"},"input":4,"output":8}]},
            "q":{"x":{"input":10,"output":10}}}}"#;
        let book = PriceBook::new(vec![PriceFile::parse("new.json", file).unwrap()]);
        let mut fact = Fact::of(RequestId::new(1_795_262_400_000, [1; 10]));
        (fact.provider, fact.model_served, fact.cost_nano) = ("p".to_owned(), "m".to_owned(), Some(1_000_000));
        (fact.tokens.input, fact.tokens.output) = (Some(1_000_000), Some(500_000));
        let mut sums = BTreeMap::new();
        add(&mut sums, &book, &fact).unwrap();
        fact.model_served = "other".to_owned();
        add(&mut sums, &book, &fact).unwrap();
        assert_eq!(
            sums["p/m"],
            Sums { requests: 1, then: 1_000_000, now: 4_000_000_000, more: 3_999_000_000, unpriced: [0, 0] }
        );
        assert_eq!(sums["p/other"].unpriced, [0, 1]);
        // An attempt at another provider was charged for before this one answered.
        let mut resumed = Fact { model_served: "n".to_owned(), cost_nano: Some(9), ..fact.clone() };
        resumed.attempts = r#"[{"target":"q/x","failed":"timeout"},{"target":"p/n","status":200},
            {"target":"q/x","charged":{"provider":"q","adapter":"a","model":"x","tokens":{"input":400000}}}]"#
            .to_owned();
        add(&mut sums, &book, &resumed).unwrap();
        assert_eq!(sums["p/n"].now, 600_000 * 2_000 + 500_000 * 4_000 + 400_000 * 10_000);
        let in_region = Fact { region: "eu".to_owned(), attempts: String::new(), ..resumed };
        add(&mut sums, &book, &in_region).unwrap();
        assert_eq!(sums["p/n"].now, 600_000 * 2_000 + 400_000 * 10_000 + 500_000 * 12_000 + 1_000_000 * 4_000);
        assert_eq!(sums["p/other"].more, 0, "a missing price saves nothing");
        let table = table(&sums, "new");
        assert!(table.lines().any(|line| line.starts_with("p/other") && line.contains("unknown")), "{table}");
        assert!(table.contains("3.999") && table.contains("all, by prices new"), "{table}");
    }
}
