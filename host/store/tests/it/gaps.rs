//! Facts that a process numbered and the log lacks.

use std::sync::Arc;

use weir_store::{Day, Fact, FactCount, MoneyFlush, Retention, Store, Writer};

use crate::facts::{NOON, Seed, batch, today};
use crate::place::Place;
use crate::suite::user;
use crate::writer::{SECONDS, quick};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

pub(crate) fn the_first_and_the_last_facts_of_a_process_are_missed(place: &dyn Place) {
    let store = place.open();
    let day_before = today().back(1);
    let mut facts = Seed(21).facts(30, NOON, HOUR);
    facts.iter_mut().zip(0..).for_each(|(fact, number)| fact.sequence = number);
    let kept = facts.iter().filter(|fact| (5..20).contains(&fact.sequence));
    store.append(&batch(kept.cloned().map(|fact| Fact { process: -8, ..fact }))).unwrap();
    assert_eq!(store.gaps(today()).unwrap(), [], "nothing is known of a process that does not count");
    let count = |process, number, day, facts| {
        let facts = Some(FactCount { day, facts });
        store.flush_money(&MoneyFlush { process, number, facts, ..MoneyFlush::default() }).unwrap();
    };
    let missing = |day| {
        let mut gaps: Vec<_> = store.gaps(day).unwrap().iter().map(|gap| (gap.process, gap.missing)).collect();
        gaps.sort_unstable();
        gaps
    };
    count(-8, 1, today(), 20);
    assert_eq!(missing(today()), [(-8, 5)]);
    count(-8, 2, today(), 30);
    assert_eq!(missing(today()), [(-8, 15)]);
    // Of a process that began the day before, and of one of which nothing is left.
    count(-8, 3, day_before, 5);
    count(-9, 1, today(), 3);
    assert_eq!((missing(today()), missing(day_before)), (vec![(-9, 3), (-8, 10)], vec![(-8, 5)]));
    let of_none = &store.gaps(today()).unwrap()[0];
    assert_eq!((of_none.from_ms, of_none.to_ms), (today().start_ms(), today().next().start_ms()));
    store.retain(NOON, &Retention { days: 0, bytes: u64::MAX }).unwrap();
    assert_eq!(missing(today()), [(-9, 3), (-8, 10)], "where the oldest day's numbers begin is still known");
    store.retain(NOON + DAY, &Retention { days: 0, bytes: u64::MAX }).unwrap();
    assert_eq!(missing(day_before), []);
}

pub(crate) fn what_a_writer_took_and_the_log_lacks_shows(place: &dyn Place) {
    let store: Arc<dyn Store> = place.open();
    let writer = Writer::start(Arc::clone(&store), quick()).unwrap();
    let recorder = writer.recorder();
    let mut seed = Seed(22);
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    for number in 0..20 {
        // The first ones and the last ones are lost.
        let user = if (5..12).contains(&number) { "kept" } else { "lost" };
        recorder.record(&Fact { user: user.to_owned(), ..seed.fact(now()) });
    }
    assert!(recorder.flush(SECONDS));
    let missing = || {
        let days = [Day::of(now()).back(1), Day::of(now())];
        days.iter().flat_map(|day| store.gaps(*day).unwrap()).map(|gap| gap.missing).sum::<u64>()
    };
    assert_eq!((missing(), store.erase(&user("lost")).unwrap(), missing()), (0, 13, 13));
    writer.close(SECONDS);
}
