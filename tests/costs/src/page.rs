//! The page of costs: a row for each provider and model.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use weir_ledger::{Bill, Confidence, Cost, Facts, Measure, PriceBook, Quantity, Seen, Subject, Timestamp, price};

use crate::read::{Read, read};
use crate::recording::Recording;
use crate::source::{ReportedCost, SOURCES, Source, maker};

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
        let Some(source) = SOURCES.iter().find(|source| source.folder == recording.provider) else { continue };
        if matches!(recording.operation.as_str(), "models" | "count_tokens" | "moderations" | "completions" | "invoke")
        {
            continue;
        }
        let sum = sums.entry(source.name).or_default();
        match read(source.kind, recording).map(|read| Answered::of(book, source, recording, read)) {
            None => sum.unread += 1,
            Some(None) => sum.without_usage += 1,
            Some(Some(answered)) => {
                let row = rows.entry((source.name, answered.served.clone())).or_default();
                row.count(&answered.facts);
                row.compare(&answered, recording, sum);
                row.settle(answered, sum);
            }
        }
    }
    text(book, &rows, &sums)
}

/// A recorded answer with usage, priced.
struct Answered {
    /// The model that its provider names.
    served: String,
    facts: Facts,
    cost: Cost,
    /// What the answer itself says that it costs.
    told: Option<ReportedCost>,
    /// Whether that is booked, in place of what the price file says.
    is_told_booked: bool,
}

impl Answered {
    /// Prices an answer; `None` if it has no usage.
    fn of(book: &PriceBook, source: &Source, recording: &Recording, read: Read) -> Option<Self> {
        if !read.has_usage {
            return None;
        }
        let asked = recording.model();
        let served = read.model.clone().unwrap_or_else(|| asked.clone());
        let told = source.cost_place.and_then(|place| read.told(place));
        let is_told_booked = source.books_reported && told.is_some();
        let mut attempt = read.reports.finish(Seen { is_whole: true, ..Seen::default() });
        attempt.usage.take_tier(read.service_tier.as_deref());
        let at: Timestamp = AT.parse().unwrap();
        let mut facts = Facts::of(&attempt.usage, at).unwrap();
        facts.estimated = attempt.confidence != Confidence::Reported;
        let own = Subject { provider: source.name, kind: source.kind, served: &served, asked: &asked };
        let of_maker = |(kind, model)| Subject { provider: kind, kind, served: model, asked: model };
        // What a router tells is compared with what the maker of the model charges.
        let subject = if is_told_booked { maker(&served).map_or(own, of_maker) } else { own };
        let cost = price(book, subject, &facts).unwrap();
        (cost != Cost::NoUsage).then_some(Self { served, facts, cost, told, is_told_booked })
    }
}

impl Row {
    /// Adds what was counted, not what follows from that.
    fn count(&mut self, facts: &Facts) {
        self.answers += 1;
        let is_counted = |measure: Measure| matches!(measure, Measure::Tokens(_) | Measure::Pieces(_));
        for (at, measure) in Measure::all().enumerate().filter(|(_, measure)| is_counted(*measure)) {
            let count = self.counts.entry(at).or_default();
            *count = count.saturating_add(facts.count(measure));
        }
    }

    /// Compares the bill with the cost that the answer reports, if it does.
    fn compare(&mut self, answered: &Answered, recording: &Recording, sum: &mut Sum) {
        let reported = recording.reported_ticks().map(Reported::Ticks).or(answered.told.map(Reported::Told));
        let (Cost::Priced(bill), Some(reported)) = (&answered.cost, reported) else { return };
        if reported.agrees(bill) {
            sum.agreeing += 1;
            return;
        }
        sum.differing += 1;
        let (id, nanos, total) = (&recording.id, reported.nanos(), bill.total.get());
        self.notes.push(format!("{id} reports {nanos} nano-dollars, not {total}"));
    }

    /// Adds the cost.
    fn settle(&mut self, answered: Answered, sum: &mut Sum) {
        let told = answered.told.filter(|_| answered.is_told_booked);
        let (bill, nanos) = match (answered.cost, told) {
            (_, Some(told)) => (None, Some(told.nanos)),
            (Cost::Priced(bill), None) => {
                let nanos = bill.total.get();
                (Some(bill), Some(nanos))
            }
            (Cost::Unpriced(partial), None) => {
                self.missing.extend(partial.missing.iter().map(|(measure, _)| measure.name()));
                (Some(partial.known), None)
            }
            (Cost::NoUsage, None) => return,
        };
        match nanos {
            Some(nanos) => {
                sum.priced += 1;
                sum.nanos += nanos;
                self.nanos += nanos;
            }
            None => sum.unpriced += 1,
        }
        self.notes.extend(bill.iter().flat_map(|bill| &bill.assumptions).map(ToString::to_string));
    }
}

/// A cost that an answer reports.
#[derive(Debug, Clone, Copy)]
enum Reported {
    /// To 100 pico-dollars.
    Ticks(i128),
    /// To its last decimal.
    Told(ReportedCost),
}

impl Reported {
    fn agrees(self, bill: &Bill) -> bool {
        match self {
            Self::Ticks(ticks) => ticks * 100 == bill.exact.get(),
            Self::Told(told) => told.agrees(bill.total.get()),
        }
    }

    fn nanos(self) -> i128 {
        match self {
            Self::Ticks(ticks) => ticks / 10,
            Self::Told(told) => told.nanos.into(),
        }
    }
}

fn text(book: &PriceBook, rows: &BTreeMap<(&str, String), Row>, sums: &BTreeMap<&str, Sum>) -> String {
    let mut page = format!(
        "# What recorded answers cost\n\n\
         Every recording of a provider that reports its usage, read by its adapter (that of OpenAI's format where there is\n\
         none of its own) and priced by the bundled price file ({}) as of {AT}. The table shows that each bucket reaches\n\
         its price; a change of an adapter or of a price changes it. `UPDATE_DOCS=1 cargo test -p weir-costs` writes it,\n\
         from recordings that are not part of this repository. One dollar is 1,000,000,000 nano-dollars. A model without a\n\
         price for something that was counted has no cost: it is never taken for zero. Where an answer reports its cost,\n\
         the bill is compared with that as far as it is written; prices that have changed since the recording make a\n\
         difference. Answers of OpenRouter and of Vercel's gateway are booked by what they report, as with\n\
         `cost_place = \"/usage/cost\"`, and compared with what the maker of the model charges.\n\n\
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
