//! The page of costs: a row for each provider and model.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use weir_ledger::{Confidence, Cost, Facts, Measure, PriceBook, Quantity, Seen, Subject, Timestamp, price};

use crate::read::{PROVIDERS, Read, read};
use crate::recording::Recording;

/// When all recordings are priced: a Wednesday, so that prices by time are those of a working day.
const AT: &str = "2026-11-18T08:00:00Z";

/// The answers of one model.
#[derive(Debug, Default)]
struct Row {
    answers: usize,
    counts: BTreeMap<usize, Quantity>,
    nanos: i64,
    /// What has no price.
    missing: Vec<&'static str>,
    /// Whether something was taken for granted.
    notes: Vec<String>,
}

/// What became of the recordings of a provider.
#[derive(Debug, Default)]
struct Sum {
    priced: usize,
    unpriced: usize,
    without_usage: usize,
    unread: usize,
    nanos: i64,
    /// Bills that agree to the pico-dollar with the cost that the answer reports, and those that differ.
    agreeing: usize,
    differing: usize,
}

/// Prices all recordings and writes the page.
pub fn write(book: &PriceBook, recordings: &[Recording]) -> String {
    let (mut rows, mut sums) = (BTreeMap::<(&str, String), Row>::new(), BTreeMap::<&str, Sum>::new());
    for recording in recordings {
        let Some((_, kind)) = PROVIDERS.iter().find(|(folder, _)| *folder == recording.provider) else { continue };
        if matches!(recording.operation.as_str(), "models" | "count_tokens" | "moderations" | "completions" | "invoke")
        {
            continue;
        }
        let sum = sums.entry(kind).or_default();
        match read(kind, recording) {
            None => sum.unread += 1,
            Some(read) if !read.has_usage => sum.without_usage += 1,
            Some(read) => book_one(book, kind, recording, read, &mut rows, sum),
        }
    }
    text(book, &rows, &sums)
}

fn book_one<'a>(
    book: &PriceBook,
    kind: &'a str,
    recording: &Recording,
    read: Read,
    rows: &mut BTreeMap<(&'a str, String), Row>,
    sum: &mut Sum,
) {
    let asked = recording.model();
    let served = read.model.clone().unwrap_or_else(|| asked.clone());
    let mut attempt = read.reports.finish(Seen { is_whole: true, ..Seen::default() });
    attempt.usage.take_tier(read.service_tier.as_deref());
    let at: Timestamp = AT.parse().unwrap();
    let mut facts = Facts::of(&attempt.usage, at).unwrap();
    facts.estimated = attempt.confidence != Confidence::Reported;
    let subject = Subject { provider: kind, kind, served: &served, asked: &asked };
    let cost = price(book, subject, &facts).unwrap();
    if cost == Cost::NoUsage {
        sum.without_usage += 1;
        return;
    }
    let row = rows.entry((kind, served)).or_default();
    row.answers += 1;
    // What was counted, not what follows from that.
    let is_counted = |measure: Measure| matches!(measure, Measure::Tokens(_) | Measure::Pieces(_));
    for (at, measure) in Measure::all().enumerate().filter(|(_, measure)| is_counted(*measure)) {
        let count = row.counts.entry(at).or_default();
        *count = count.saturating_add(facts.count(measure));
    }
    let bill = match cost {
        Cost::Priced(bill) => {
            sum.priced += 1;
            match recording.reported_ticks() {
                Some(ticks) if ticks * 100 == bill.exact.get() => sum.agreeing += 1,
                Some(ticks) => {
                    sum.differing += 1;
                    row.notes.push(format!(
                        "{} reports {} nano-dollars, not {}",
                        recording.id,
                        ticks / 10,
                        bill.total.get()
                    ));
                }
                None => {}
            }
            sum.nanos += bill.total.get();
            row.nanos += bill.total.get();
            bill
        }
        Cost::Unpriced(partial) => {
            sum.unpriced += 1;
            row.missing.extend(partial.missing.iter().map(|(measure, _)| measure.name()));
            partial.known
        }
        Cost::NoUsage => return,
    };
    row.notes.extend(bill.assumptions.iter().map(ToString::to_string));
}

fn text(book: &PriceBook, rows: &BTreeMap<(&str, String), Row>, sums: &BTreeMap<&str, Sum>) -> String {
    let mut page = format!(
        "# What recorded answers cost\n\n\
         Every recording of a provider that adapters are bundled for, read by its adapter and priced by the bundled\n\
         price file ({}) as of {AT}. The table shows that each bucket reaches its price; a change of an adapter or\n\
         of a price changes it. `UPDATE_DOCS=1 cargo test -p weir-costs` writes it, from recordings that are not part\n\
         of this repository. One dollar is 1,000,000,000 nano-dollars. A model without a price for something that\n\
         was counted has no cost: it is never taken for zero. Where an answer reports its cost to that precision, the\n\
         bill is compared with it; prices that have changed since the recording make a difference.\n\n\
         | provider | priced | without a price | without usage | of another format | as reported | other than reported | nano-dollars |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n",
        book.version()
    );
    for (kind, sum) in sums {
        let Sum { priced, unpriced, without_usage, unread, nanos, agreeing, differing } = sum;
        let counts = format!("{priced} | {unpriced} | {without_usage} | {unread} | {agreeing} | {differing}");
        let _ = writeln!(page, "| {kind} | {counts} | {nanos} |");
    }
    page += "\n| provider | model | answers | counted | nano-dollars |\n|---|---|--:|---|--:|\n";
    for ((kind, model), row) in rows {
        let counted: Vec<String> = Measure::all()
            .enumerate()
            .filter_map(|(at, measure)| Some((measure, row.counts.get(&at).filter(|count| !count.is_zero())?)))
            .map(|(measure, count)| format!("{measure} {count}"))
            .collect();
        let mut missing = row.missing.clone();
        missing.sort_unstable();
        missing.dedup();
        let mut notes = row.notes.clone();
        notes.sort_unstable();
        notes.dedup();
        let cost = if missing.is_empty() { row.nanos.to_string() } else { format!("no price: {}", missing.join(", ")) };
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        let _ = writeln!(page, "| {kind} | `{model}` | {} | {} | {cost}{notes} |", row.answers, counted.join(", "));
    }
    page
}
