//! A process that writes is killed at random moments: what was committed is there, whole batches only, and the store
//! opens.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use weir_store::{LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, Postgres, PostgresOptions, Query, Sqlite, Store};

use crate::facts::{NOON, Seed, batch};
use crate::place::{Files, Place};
use crate::server::Schema;

const ROWS: u64 = 40;
const PLACE: &str = "WEIR_STORE_CRASH_PLACE";

/// What the child does: writes until it is killed, and prints each batch's number once it is committed.
#[test]
fn child() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let process: i64 = std::env::var("WEIR_STORE_CRASH_PROCESS").unwrap().parse().unwrap();
    let store: Arc<dyn Store> = match place.split_once(' ') {
        Some((schema, url)) => {
            let schema = schema.to_owned();
            Arc::new(Postgres::open(url, PostgresOptions { schema, ..PostgresOptions::default() }).unwrap())
        }
        None => Arc::new(Sqlite::open(place).unwrap()),
    };
    let mut seed = Seed(process as u64);
    for number in 1.. {
        let mut facts = seed.facts(ROWS, NOON, 3_600_000);
        for fact in &mut facts {
            (fact.process, fact.key) = (process, format!("process-{process}"));
        }
        store.append(&batch(facts)).unwrap();
        println!("facts {number}");
        store.flush_money(&flush(process, number)).unwrap();
        println!("money {number}");
    }
}

fn flush(process: i64, number: u64) -> MoneyFlush {
    let key = LedgerKey {
        hour: number,
        subject: format!("process:{process}"),
        provider: String::new(),
        served: String::new(),
        price_dim: String::new(),
        bucket: "input".to_owned(),
    };
    let sums = LedgerSums { units: 1, requests: 1, estimated: 0, cost_nano: 1 };
    MoneyFlush { process, number, sums: vec![(key, sums)], ..MoneyFlush::default() }
}

/// Runs the child for some time, kills it, and returns the last numbers that it printed.
fn run_and_kill(place: &str, process: i64, after: Duration) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(PLACE, place)
        .env("WEIR_STORE_CRASH_PROCESS", process.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (mut facts, mut money) = (0, 0);
    let mut count = |line: &str| match line.trim().rsplit_once(' ') {
        Some((word, number)) if word.ends_with("facts") => facts = number.parse().unwrap(),
        Some(("money", number)) => money = number.parse().unwrap(),
        _ => {}
    };
    let mut killer = None;
    for line in lines {
        count(&line);
        if killer.is_none() && line.ends_with("facts 1") {
            let id = child.id();
            killer = Some(std::thread::spawn(move || {
                std::thread::sleep(after);
                assert!(Command::new("kill").args(["-9", &id.to_string()]).status().unwrap().success());
            }));
        }
    }
    killer.expect("the child wrote something").join().unwrap();
    child.wait().unwrap();
    (facts, money)
}

fn check(place: &dyn Place, name: &str, rounds: i64) {
    let mut waits = Seed(99);
    for process in 1..=rounds {
        let (facts, money) = run_and_kill(name, process, Duration::from_micros(waits.below(60_000)));
        let store = place.open();
        let key = format!("process-{process}");
        let mut query = Query { key: Some(key.clone()), limit: 1_000, ..Query::default() };
        let mut found = 0;
        loop {
            let page = store.search(&query).unwrap();
            found += page.facts.len() as u64;
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(found % ROWS, 0, "a part of a batch after {facts} batches");
        let batches = found / ROWS;
        assert!((facts..=facts + 1).contains(&batches), "{batches} batches where {facts} were committed");
        assert_eq!(store.key_sum(&key, 0, NOON * 2).unwrap().requests, found);
        let subject = Some(format!("process:{process}"));
        let sums = store.ledger(&LedgerQuery { from_hour: 0, to_hour: u64::MAX, subject }).unwrap();
        let units: i64 = sums.iter().map(|(_, sums)| sums.units).sum();
        assert!((money as i64..=money as i64 + 1).contains(&units), "{units} flushes where {money} were committed");
    }
}

#[test]
fn a_killed_process_costs_no_committed_batch_of_files() {
    let files = Files::new();
    check(&files, files.main().to_str().unwrap(), 25);
}

#[test]
fn a_killed_process_costs_no_committed_batch_in_postgres() {
    let Some(schema) = Schema::new() else { return };
    check(&schema, &format!("{} {}", schema.name, schema.url), 8);
}
