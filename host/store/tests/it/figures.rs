//! Figures: how fast facts are written and found. `WEIR_STORE_FIGURES=1000000` says with how many, and prints them;
//! without it, a few show that the measuring works.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_store::{
    Change, Expect, Fact, LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, Query, Store, Subjects, UsageBy, UsageQuery,
    Writer, WriterOptions,
};

use crate::facts::{NOON, Seed};
use crate::place::{Files, Place};
use crate::server::Schema;

const DAY: u64 = 86_400_000;
/// Days that the facts are spread over.
const DAYS: u64 = 10;

fn wanted() -> u64 {
    std::env::var("WEIR_STORE_FIGURES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000)
}

/// CPU time of this process.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.get(11..13).into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn timed<T>(label: &str, run: impl Fn() -> T) -> T {
    let mut best = Duration::MAX;
    let mut value = run();
    for _ in 0..3 {
        let begun = Instant::now();
        value = run();
        best = best.min(begun.elapsed());
    }
    eprintln!("{label:<48} {:>9.2} ms", best.as_secs_f64() * 1e3);
    value
}

fn measure(name: &str, store: &Arc<dyn Store>) {
    let total = wanted();
    let options = WriterOptions { retention: None, flush_every: Duration::from_millis(50), ..WriterOptions::default() };
    let writer = Writer::start(Arc::clone(store), options).unwrap();
    let recorder = writer.recorder();
    let mut seed = Seed(1);
    let (begun, mut waited, mut written) = (Instant::now(), Duration::ZERO, Duration::ZERO);
    let mut busy = Duration::ZERO;
    for part in 0..total.div_ceil(50_000) {
        let time = |number: u64| NOON - (DAYS - 1) * DAY + number * (DAYS * DAY / 2) / total.max(1);
        let count = 50_000.min(total - part * 50_000);
        let mut facts: Vec<Fact> = (0..count).map(|number| seed.fact(time(part * 50_000 + number))).collect();
        // A rare key besides the busy ones.
        for fact in facts.iter_mut().step_by(997) {
            fact.key = "rare".to_owned();
        }
        let (start, used) = (Instant::now(), cpu());
        for fact in &facts {
            assert!(recorder.record(fact));
        }
        waited += start.elapsed();
        assert!(recorder.flush(Duration::from_mins(2)));
        written += start.elapsed();
        busy += cpu().saturating_sub(used);
    }
    let rate = |time: Duration| total as f64 / time.as_secs_f64();
    let bytes: u64 = store.days().unwrap().iter().map(|size| size.bytes).sum();
    eprintln!(
        "{name}: {total} facts in {:.1} s; {:.0} a second while writing, {:.0} a second of this process's CPU; {:.2} µs a call; {} bytes a fact",
        begun.elapsed().as_secs_f64(),
        rate(written),
        rate(busy),
        waited.as_secs_f64() * 1e6 / total as f64,
        bytes / total
    );
    let health = writer.close(Duration::from_secs(5));
    assert_eq!((health.written_facts, health.dropped_facts.full), (total, 0));
    search(name, &**store);
    usage(name, &**store, total / 10_000);
}

/// A month's use of all keys, put together by key: from sums of days, and as it would be from those of hours.
fn usage(name: &str, store: &dyn Store, keys: u64) {
    const HOURS: u64 = 30 * 24;
    let bucket = |hour: u64, key: u64, bucket: &str| {
        let key = LedgerKey {
            hour,
            subject: format!("key:{key}"),
            provider: "p".to_owned(),
            served: "m".to_owned(),
            price_dim: String::new(),
            bucket: bucket.to_owned(),
        };
        (key, LedgerSums { units: 7, requests: 1, estimated: 0, cost_nano: 1 })
    };
    let begun = Instant::now();
    for hour in 0..HOURS {
        let sums =
            (0..keys).flat_map(|key| ["request", "input", "output"].map(|name| bucket(hour, key, name))).collect();
        store.flush_money(&MoneyFlush { process: 1, number: hour + 1, sums, ..MoneyFlush::default() }).unwrap();
    }
    let rows = HOURS * keys * 3;
    eprintln!("{name}: {rows} sums of hours written in {:.1} s", begun.elapsed().as_secs_f64());
    let subjects = Subjects::Kind("key".to_owned());
    let month = UsageQuery { from_hour: 0, to_hour: HOURS, subjects, by: UsageBy::Subject };
    let sums = timed(&format!("{name}: a month's use by key"), || store.usage(&month).unwrap());
    assert_eq!(sums.len() as u64, keys * 3);
    let hours = LedgerQuery { from_hour: 0, to_hour: HOURS, subject: None };
    let found = timed(&format!("{name}: all rows of its hours"), || store.ledger(&hours).unwrap().len());
    assert_eq!(found as u64, rows);
}

/// A node that starts reads all keys. For figures that mean something, with
/// `--config profile.dev.package.weir-store.opt-level=3`.
fn documents(name: &str, store: &dyn Store, count: u64) {
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(200));
    let begun = Instant::now();
    for part in (0..count).collect::<Vec<_>>().chunks(5_000) {
        let change = |number: &u64| Change {
            kind: "key".to_owned(),
            id: format!("k{number:012}"),
            expect: Expect::Any,
            body: Some(body.clone()),
        };
        store.change(&part.iter().map(change).collect::<Vec<_>>(), None).unwrap();
    }
    eprintln!("{name}: {count} documents written in {:.1} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let (mut version, mut read) = (0, 0);
    loop {
        let changes = store.changes_after(version, 10_000).unwrap();
        read += changes.documents.len() as u64;
        version = changes.version;
        if !changes.more {
            break;
        }
    }
    assert_eq!(read, count);
    eprintln!("{name}: {count} documents read in {:.2} s", begun.elapsed().as_secs_f64());
}

fn search(name: &str, store: &dyn Store) {
    let query = |query: Query| move || store.search(&query).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let newest = timed(&format!("{name}: newest page"), query(Query::default()));
    assert_eq!(newest.facts.len(), 50);
    let (from_ms, to_ms) = (Some(NOON - 6 * DAY), Some(NOON - 5 * DAY));
    timed(&format!("{name}: one request by id"), || store.fact(&newest.facts[20].id).unwrap());
    timed(&format!("{name}: a page of a key"), query(Query { key: text("key-1"), ..Query::default() }));
    let rare = Query { key: text("rare"), from_ms, to_ms, limit: 1_000, ..Query::default() };
    timed(&format!("{name}: a rare key's day, 1000 a page"), query(rare));
    timed(&format!("{name}: sum of a key's day"), || store.key_sum("key-1", NOON - 6 * DAY, NOON - 5 * DAY).unwrap());
    timed(&format!("{name}: sum of a key, all days"), || store.key_sum("key-1", 0, NOON * 2).unwrap());
    let missing = Query { team: text("nobody"), from_ms, to_ms, ..Query::default() };
    timed(&format!("{name}: a team's day without a fact"), query(missing));
    let failed = Query { error_text: text("no such text"), from_ms, to_ms, ..Query::default() };
    timed(&format!("{name}: text of an error, a day"), query(failed));
    timed(
        &format!("{name}: text of an error, all"),
        query(Query { error_text: text("no such text"), ..Query::default() }),
    );
    timed(&format!("{name}: cost above a bound, all"), query(Query { cost_from: Some(i64::MAX), ..Query::default() }));
}

#[test]
fn figures_of_files() {
    measure("files", &Files::new().open());
}

#[test]
fn figures_of_postgres() {
    let Some(schema) = Schema::new() else { return };
    measure("postgres", &schema.open());
}

#[test]
fn documents_of_files() {
    documents("files", &*Files::new().open(), wanted());
}

#[test]
fn documents_of_postgres() {
    let Some(schema) = Schema::new() else { return };
    documents("postgres", &*schema.open(), wanted());
}
