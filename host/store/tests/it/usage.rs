//! Sums of use: those of days are exactly what their hours came to, also once the hours are gone.

use std::collections::BTreeMap;

use weir_store::{
    LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, Retention, Store, Subjects, UsageBy, UsageQuery, UsageSum,
    first_hour_kept,
};

use crate::place::Place;

/// The first hour of what is written here.
const FIRST: u64 = 24 * 20_000;
const HOUR_MS: u64 = 3_600_000;

/// Use of several keys and teams in the hours of five days, with counts that differ.
fn usage_of_days(process: i64, number: u64) -> MoneyFlush {
    let of = |at: u64| {
        let key = LedgerKey {
            hour: FIRST + (at * 7 + number) % 120,
            subject: format!("{}:{}", if at.is_multiple_of(3) { "team" } else { "key" }, at % 4),
            provider: format!("provider-{}", at % 2),
            served: format!("model-{}", at % 3),
            price_dim: if at.is_multiple_of(5) { "batch".to_owned() } else { String::new() },
            bucket: if at.is_multiple_of(2) { "input".to_owned() } else { "request".to_owned() },
        };
        let count = i64::try_from(at + number).unwrap();
        (key, LedgerSums { units: 3 * count, requests: count, estimated: count / 2, cost_nano: 7_000_000_001 * count })
    };
    MoneyFlush { process, number, sums: (0..200).map(of).collect(), ..MoneyFlush::default() }
}

/// What a store puts together, from its sums by the hour.
fn put_together(store: &dyn Store, query: &UsageQuery) -> Vec<UsageSum> {
    let subject = match &query.subjects {
        Subjects::One(subject) => Some(subject.clone()),
        Subjects::Kind(_) => None,
    };
    let hours = LedgerQuery { from_hour: query.from_hour, to_hour: query.to_hour, subject };
    let mut sums = BTreeMap::<(String, String, String), LedgerSums>::new();
    for (key, of_hour) in store.ledger(&hours).unwrap() {
        if matches!(&query.subjects, Subjects::Kind(kind) if key.subject.split(':').next() != Some(kind)) {
            continue;
        }
        let group = match query.by {
            UsageBy::Subject => key.subject,
            UsageBy::Provider => key.provider,
            UsageBy::Served => key.served,
            UsageBy::Day => (key.hour / 24).to_string(),
        };
        sums.entry((group, key.price_dim, key.bucket)).or_default().merge(&of_hour);
    }
    let sum = |((group, price_dim, bucket), sums)| UsageSum { group, price_dim, bucket, sums };
    sums.into_iter().map(sum).collect()
}

/// Compares the sums of days with those of hours, for all that can be asked.
pub(crate) fn sums_of_days_agree(store: &dyn Store) {
    let mut found = 0;
    for (from_hour, to_hour) in [
        (0, u64::MAX),
        (FIRST, FIRST + 120),
        (FIRST + 5, FIRST + 100),
        (FIRST + 24, FIRST + 48),
        (FIRST + 7, FIRST + 20),
    ] {
        for subjects in
            [Subjects::Kind("key".to_owned()), Subjects::Kind("team".to_owned()), Subjects::One("key:1".to_owned())]
        {
            for by in [UsageBy::Subject, UsageBy::Provider, UsageBy::Served, UsageBy::Day] {
                let query = UsageQuery { from_hour, to_hour, subjects: subjects.clone(), by };
                let sums = store.usage(&query).unwrap();
                assert_eq!(sums, put_together(store, &query), "{query:?}");
                found += sums.len();
            }
        }
    }
    assert!(found > 100, "{found}");
}

pub(crate) fn sums_of_days_are_those_of_their_hours_to_the_nano_dollar(place: &dyn Place) {
    let store = place.open();
    for (process, number) in [(1, 1), (1, 2), (2, 1), (1, 2), (1, 3)] {
        store.flush_money(&usage_of_days(process, number)).unwrap();
    }
    sums_of_days_agree(&*store);
    // What comes late for a day that is long over counts, too.
    store.flush_money(&usage_of_days(3, 90)).unwrap();
    sums_of_days_agree(&*store);
}

/// Writes use that is to be found again.
pub(crate) fn write_usage(store: &dyn Store, process: i64) {
    store.flush_money(&usage_of_days(process, 1)).unwrap();
}

/// All sums of whole days: what they come to for each key and day.
fn of_days(store: &dyn Store, from_hour: u64, to_hour: u64) -> Vec<Vec<UsageSum>> {
    let sums = |by| {
        let query = UsageQuery { from_hour, to_hour, subjects: Subjects::Kind("key".to_owned()), by };
        store.usage(&query).unwrap()
    };
    [UsageBy::Subject, UsageBy::Provider, UsageBy::Served, UsageBy::Day].map(sums).into()
}

pub(crate) fn hours_end_and_the_sums_of_their_days_stay(place: &dyn Place) {
    let store = place.open();
    for number in 1..4 {
        store.flush_money(&usage_of_days(1, number)).unwrap();
    }
    let before = of_days(&*store, 0, u64::MAX);
    let hours = |from_hour| {
        let query = LedgerQuery { from_hour, to_hour: u64::MAX, subject: None };
        store.ledger(&query).unwrap()
    };
    let kept = hours(FIRST + 48);
    assert!(!kept.is_empty() && kept.len() < hours(0).len());
    // So late that the first two of the five days have no hours any more.
    let days = (0..400).map(|day| (FIRST + 24 * day + 5) * HOUR_MS);
    let now = days.into_iter().find(|now| first_hour_kept(*now) == FIRST + 48).unwrap();
    for _ in 0..2 {
        store.retain(now, &Retention::default()).unwrap();
        assert_eq!(hours(0), kept);
        assert_eq!(of_days(&*store, 0, u64::MAX), before);
        // A day without hours and a day with hours, cut at its end.
        let cut = |by| UsageQuery {
            from_hour: FIRST + 24,
            to_hour: FIRST + 60,
            subjects: Subjects::One("key:1".to_owned()),
            by,
        };
        let first_day = of_days(&*store, FIRST + 24, FIRST + 48);
        let found = store.usage(&cut(UsageBy::Day)).unwrap();
        let units = |sums: &[UsageSum], day: u64| -> i64 {
            sums.iter().filter(|sum| sum.group == day.to_string()).map(|sum| sum.sums.units).sum()
        };
        assert!(units(&found, 20_001) > 0 && units(&found, 20_001) < units(&first_day[3], 20_001));
        let of_hours = kept.iter().filter(|(key, _)| key.hour < FIRST + 60 && key.subject == "key:1");
        assert_eq!(units(&found, 20_002), of_hours.map(|(_, sums)| sums.units).sum::<i64>());
    }
    // What comes late for an hour that has ended is in its day, until its hour ends again.
    store.flush_money(&usage_of_days(2, 1)).unwrap();
    let late = of_days(&*store, 0, u64::MAX);
    assert_ne!(late, before);
    store.retain(now, &Retention::default()).unwrap();
    assert_eq!(of_days(&*store, 0, u64::MAX), late);
}
