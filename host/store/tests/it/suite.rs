//! What every store promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use weir_store::{
    AuditEvent, Batch, Body, BudgetAnswer, BudgetChange, BudgetCount, BudgetExchange, BudgetWindow, ChainCheck, Change,
    Cursor, Day, ErasureSubject, Expect, Fact, KeySum, LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, PackedFact,
    Query, RenamedShape, RequestId, Retention, Side, Store, StoreError, StoredRow, export_json_lines,
};

use crate::facts::{NOON, Seed, batch, packed, today};
use crate::place::Place;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// All facts of a query, page by page.
fn all(store: &dyn Store, mut query: Query) -> Vec<Fact> {
    let mut facts = Vec::new();
    loop {
        let page = store.search(&query).unwrap();
        facts.extend(page.facts);
        match page.next {
            // As a client would send it back.
            Some(next) => query.after = Some(next.to_string().parse::<Cursor>().unwrap()),
            None => return facts,
        }
    }
}

fn newest_first(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_by_key(|fact| std::cmp::Reverse(fact.id));
    facts
}

pub(crate) fn a_fact_comes_back_as_it_was(place: &dyn Place) {
    let store = place.open();
    let mut fact = Seed(1).fact(NOON);
    fact.client_request_id = "req-1".to_owned();
    fact.units = r#"{"searches":2}"#.to_owned();
    fact.losses = r#"["logit_bias"]"#.to_owned();
    fact.estimated = true;
    fact.saved_nano = Some(-3);
    fact.similarity_millionths = Some(951_234);
    fact.region = "eu-west-1".to_owned();
    fact.model_named = "model-2-2026-08-01".to_owned();
    fact.tokens.reasoning = Some(u64::from(u32::MAX) + 7);
    fact.tokens.output_image = Some(0);
    let empty = Fact::of(RequestId::new(NOON + 1, [9; 10]));
    store.append(&batch(vec![fact.clone(), empty.clone()])).unwrap();
    assert_eq!(store.fact(&fact.id).unwrap(), Some(fact.clone()));
    assert_eq!(store.fact(&empty.id).unwrap(), Some(empty));
    assert_eq!(store.fact(&RequestId::new(NOON, [1; 10])).unwrap(), None);
    assert_eq!(store.fact(&RequestId::from_bytes([255; 16])).unwrap(), None);
}

pub(crate) fn pages_show_each_fact_once_newest_first(place: &dyn Place) {
    let store = place.open();
    let facts = Seed(2).facts(700, NOON, 3 * DAY);
    for some in facts.chunks(97) {
        store.append(&batch(some.to_vec())).unwrap();
    }
    let expected = newest_first(facts);
    for limit in [7, 0, 699, 700, 701, usize::MAX] {
        let found = all(&*store, Query { limit, ..Query::default() });
        assert_eq!(found, expected, "pages of {limit}");
    }
    // Facts that come while a client pages change nothing of what it has still to see.
    let first = store.search(&Query { limit: 100, ..Query::default() }).unwrap();
    store.append(&batch(Seed(3).facts(50, NOON + DAY, HOUR))).unwrap();
    let rest = all(&*store, Query { after: first.next, ..Query::default() });
    assert_eq!([first.facts, rest].concat(), expected);
    assert!(matches!("x".parse::<Cursor>(), Err(StoreError::Cursor)));
}

pub(crate) fn every_condition_finds_what_a_plain_filter_finds(place: &dyn Place) {
    let store = place.open();
    let facts = newest_first(Seed(4).facts(600, NOON, 2 * DAY));
    store.append(&batch(facts.clone())).unwrap();
    let some = |text: &str| Some(text.to_owned());
    let is = |query: Query, keep: &dyn Fn(&Fact) -> bool| {
        let expected: Vec<Fact> = facts.iter().filter(|fact| keep(fact)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < facts.len(), "{query:?} tells nothing");
        assert_eq!(all(&*store, query.clone()), expected, "{query:?}");
    };
    let none = Query::default;
    let chosen = facts[17].clone();
    is(Query { id: Some(chosen.id), ..none() }, &|fact| fact.id == chosen.id);
    is(Query { key: some("key-3"), ..none() }, &|fact| fact.key == "key-3");
    is(Query { team: some("team-1"), ..none() }, &|fact| fact.team == "team-1");
    is(Query { organisation: some("organisation-1"), ..none() }, &|fact| fact.organisation == "organisation-1");
    is(Query { user: some("user-2"), ..none() }, &|fact| fact.user == "user-2");
    is(Query { tag: Some(("project".to_owned(), "p1".to_owned())), ..none() }, &|fact| fact.tags["project"] == "p1");
    is(Query { model: some("model-1"), ..none() }, &|fact| fact.model_asked == "model-1");
    is(Query { model: some("model-2-2026-08"), ..none() }, &|fact| fact.model_served == "model-2-2026-08");
    is(Query { provider: some("provider-0"), ..none() }, &|fact| fact.provider == "provider-0");
    is(Query { status: Some((400, 499)), ..none() }, &|fact| (400..=499).contains(&fact.status));
    is(Query { outcome: some("failed"), ..none() }, &|fact| fact.outcome == "failed");
    is(Query { failed: true, ..none() }, &|fact| fact.has_error());
    is(Query { from_ms: Some(NOON - 7 * HOUR), ..none() }, &|fact| fact.id.time_ms() >= NOON - 7 * HOUR);
    is(Query { to_ms: Some(NOON - 20 * HOUR), ..none() }, &|fact| fact.id.time_ms() < NOON - 20 * HOUR);
    is(Query { cost_from: Some(500_000), ..none() }, &|fact| fact.cost_nano.is_some_and(|cost| cost >= 500_000));
    is(Query { cost_to: Some(500_000), ..none() }, &|fact| fact.cost_nano.is_some_and(|cost| cost < 500_000));
    is(Query { error_text: some("too MANY tokens: 1"), ..none() }, &|fact| fact.error_text.contains(": 1 "));
    is(Query { error_text: some("1 of 100%_\\"), ..none() }, &|fact| fact.error_text.contains(": 1 "));
    let both = Query { key: some("key-1"), failed: true, from_ms: Some(NOON - 30 * HOUR), to_ms: Some(NOON), ..none() };
    is(both, &|fact| fact.key == "key-1" && fact.has_error() && (NOON - 30 * HOUR..NOON).contains(&fact.id.time_ms()));
    assert_eq!(all(&*store, Query { key: some("key-9"), ..none() }), []);
    for text in ["\0".to_owned(), "%".repeat(60_000)] {
        let query = Query { error_text: Some(text.clone()), tag: Some((text.clone(), text.clone())), ..none() };
        assert_eq!(all(&*store, query), []);
        assert_eq!(all(&*store, Query { key: Some(text), ..none() }), []);
    }
    assert_eq!(all(&*store, Query { error_text: some("%"), key: some("key-9"), ..none() }), []);
}

pub(crate) fn tags_that_differ_in_case_are_not_mixed_up(place: &dyn Place) {
    let store = place.open();
    let mut facts = newest_first(Seed(6).facts(90, NOON, HOUR));
    for (at, fact) in facts.iter_mut().enumerate() {
        fact.tags.insert("stage".to_owned(), if at < 60 { "Prod" } else { "prod" }.to_owned());
    }
    store.append(&batch(facts.clone())).unwrap();
    let tag = Some(("stage".to_owned(), "prod".to_owned()));
    let page = store.search(&Query { tag, limit: 20, ..Query::default() }).unwrap();
    assert_eq!(page.facts, facts[60..80], "what has the other tag takes no place on a page");
    assert!(page.next.is_some());
}

pub(crate) fn a_batch_that_is_repeated_counts_once(place: &dyn Place) {
    let store = place.open();
    let facts = Seed(5).facts(40, NOON, HOUR);
    store.append(&batch(facts[..30].to_vec())).unwrap();
    store.append(&batch(facts[..30].to_vec())).unwrap();
    // As after a kill between two days of a batch: a part is there, and a part is not.
    store.append(&batch(facts.clone())).unwrap();
    let twice = [facts.clone(), facts.clone()].concat();
    store.append(&batch(twice)).unwrap();
    assert_eq!(all(&*store, Query::default()), newest_first(facts.clone()));
    let requests: u64 = (0..6).map(|key| store.key_sum(&format!("key-{key}"), 0, NOON + HOUR).unwrap().requests).sum();
    assert_eq!(requests, 40);
}

pub(crate) fn a_key_sum_is_the_sum_of_its_facts(place: &dyn Place) {
    let store = place.open();
    let facts = Seed(6).facts(500, NOON, 2 * DAY);
    for some in facts.chunks(61) {
        store.append(&batch(some.to_vec())).unwrap();
    }
    for (from, to) in [(0, NOON + HOUR), (NOON - DAY, NOON), (NOON - 5 * HOUR, NOON - 4 * HOUR), (NOON, NOON)] {
        let mut expected = KeySum::default();
        for fact in facts.iter().filter(|fact| fact.key == "key-2" && (from..to).contains(&fact.id.time_ms())) {
            expected.merge(&KeySum {
                requests: 1,
                failed: u64::from(fact.has_error()),
                unpriced: u64::from(fact.cost_nano.is_none()),
                input: fact.tokens.all_input(),
                output: fact.tokens.all_output(),
                cost_nano: fact.cost_nano.unwrap_or(0),
            });
        }
        assert_eq!(store.key_sum("key-2", from, to).unwrap(), expected, "{from} to {to}");
    }
}

pub(crate) fn no_fact_is_lost_between_days(place: &dyn Place) {
    let store = place.open();
    let midnight = today().next().start_ms();
    // Before and after midnight in one batch, a clock set back, one that stands at the beginning, and one far ahead.
    let times = [midnight, midnight - 1, midnight + 1, midnight - 2 * HOUR, 0, midnight + 40 * 365 * DAY];
    let mut seed = Seed(7);
    let facts: Vec<Fact> = times.iter().map(|time| seed.fact(*time)).collect();
    store.append(&batch(facts.clone())).unwrap();
    assert_eq!(all(&*store, Query::default()), newest_first(facts.clone()));
    for fact in &facts {
        assert_eq!(store.fact(&fact.id).unwrap().as_ref(), Some(fact));
    }
    let days: Vec<Day> = store.days().unwrap().iter().map(|size| size.day).collect();
    for fact in &facts {
        assert!(days.contains(&fact.id.day()));
    }
    assert!(days.is_sorted());
}

pub(crate) fn days_end_as_a_whole(place: &dyn Place) {
    let store = place.open();
    let mut seed = Seed(8);
    let facts: Vec<Fact> = (0..5).flat_map(|day| seed.facts(20, NOON - day * DAY, HOUR)).collect();
    let body = Body { id: facts[99].id, side: Side::Request, bytes: "hello".repeat(50).into(), cuts: Vec::new() };
    store.append(&Batch { facts: packed(&facts), bodies: vec![body] }).unwrap();
    assert!(store.body(&facts[99].id, Side::Request).unwrap().is_some());
    let keep = |days, bytes| Retention { days, bytes };
    assert_eq!(store.retain(NOON, &keep(30, u64::MAX)).unwrap(), []);
    assert_eq!(store.retain(NOON, &keep(3, u64::MAX)).unwrap(), [today().back(4)]);
    assert_eq!(store.body(&facts[99].id, Side::Request).unwrap(), None);
    assert_eq!(store.fact(&facts[99].id).unwrap(), None);
    assert_eq!(all(&*store, Query::default()).len(), 80);
    let sizes: Vec<_> = store.days().unwrap().into_iter().filter(|size| size.day <= today()).collect();
    assert!(sizes.len() == 4 && sizes.iter().all(|size| size.bytes > 1_000), "{sizes:?}");
    let two: u64 = sizes[2..].iter().map(|size| size.bytes).sum();
    let ahead: u64 = store.days().unwrap().iter().filter(|size| size.day > today()).map(|size| size.bytes).sum();
    assert_eq!(store.retain(NOON, &keep(30, two + ahead)).unwrap(), [today().back(3), today().back(2)]);
    assert_eq!(store.retain(NOON, &keep(30, 0)).unwrap(), [today().back(1)]);
    // A late fact of a day that has ended makes the day again.
    store.append(&batch(vec![facts[99].clone()])).unwrap();
    assert_eq!(store.fact(&facts[99].id).unwrap().as_ref(), Some(&facts[99]));
    assert_eq!(all(&*store, Query::default()).len(), 21);
}

pub(crate) fn days_that_end_while_a_reader_pages_cost_it_nothing_else(place: &dyn Place) {
    let store = place.open();
    let mut seed = Seed(18);
    let facts: Vec<Fact> = (0..6).flat_map(|day| seed.facts(20, NOON - day * DAY, HOUR)).collect();
    store.append(&batch(facts.clone())).unwrap();
    let expected = newest_first(facts);
    // The reader stands at a day's first fact, within it, and at its last one, when that day and those before end.
    for (read, days) in [(100, 4), (70, 3), (60, 2), (39, 0)] {
        let first = store.search(&Query { limit: read, ..Query::default() }).unwrap();
        assert_eq!(first.facts, expected[..read], "{read}");
        store.retain(NOON, &Retention { days, bytes: u64::MAX }).unwrap();
        let kept = (usize::try_from(days).unwrap() + 1) * 20;
        let rest = first.next.map(|next| all(&*store, Query { after: Some(next), limit: 7, ..Query::default() }));
        assert_eq!(rest.unwrap_or_default(), expected[read.min(kept)..kept], "{read} read, and {kept} left");
        let mut exported = Vec::new();
        assert_eq!(export_json_lines(&*store, &Query::default(), &mut exported).unwrap(), kept as u64);
    }
}

pub(crate) fn everything_is_there_after_a_restart(place: &dyn Place) {
    let facts = Seed(9).facts(50, NOON, 2 * DAY);
    let body = |side| Body { id: facts[0].id, side, bytes: "what was said".repeat(30).into(), cuts: Vec::new() };
    let store = place.open();
    store.append(&Batch { facts: packed(&facts), bodies: vec![body(Side::Request), body(Side::Response)] }).unwrap();
    store.change(&[put("key", "a", Expect::Absent, "{}")], Some(&event(1))).unwrap();
    store.flush_money(&flush(1, 1)).unwrap();
    drop(store);
    let store = place.open();
    assert_eq!(all(&*store, Query::default()), newest_first(facts.clone()));
    assert_eq!(store.body(&facts[0].id, Side::Response).unwrap().unwrap().len(), 390);
    assert_eq!((store.version().unwrap(), store.audit_page(None, 10).unwrap().len()), (1, 1));
    assert_eq!(units(&*store), 10);
    store.check().unwrap();
}

pub(crate) fn bodies_come_back_and_messages_are_stored_once(place: &dyn Place) {
    let store = place.open();
    let mut seed = Seed(10);
    let mut turns = Vec::new();
    let message = |seed: &mut Seed| {
        let words: Vec<String> = (0..200).map(|_| format!("{:x}", seed.below(1 << 40))).collect();
        format!("{{\"role\":\"user\",\"content\":\"{}\"}}", words.join(" "))
    };
    let messages: Vec<String> = (0..60).map(|_| message(&mut seed)).collect();
    for count in 1..=messages.len() {
        let (mut text, mut cuts) = ("{\"messages\":[".to_owned(), Vec::new());
        for (number, message) in messages[..count].iter().enumerate() {
            text.push_str(if number > 0 { "," } else { "" });
            cuts.push(text.len());
            text.push_str(message);
            cuts.push(text.len());
        }
        text.push_str("]}");
        turns.push(Body { id: seed.id(NOON + count as u64), side: Side::Request, bytes: text.into(), cuts });
    }
    let empty = Body { id: turns[0].id, side: Side::Response, bytes: bytes::Bytes::new(), cuts: vec![3, 1, 0] };
    let large: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let large = Body { id: turns[1].id, side: Side::Response, bytes: large.into(), cuts: Vec::new() };
    let before = size_of_day(&*store);
    for some in turns.chunks(7) {
        store.append(&Batch { facts: Vec::new(), bodies: some.to_vec() }).unwrap();
    }
    let stored = size_of_day(&*store) - before;
    let raw: usize = turns.iter().map(|turn| turn.bytes.len()).sum();
    // As files, the day has its write-ahead log as well, which is larger than what it logs.
    assert!(stored * 4 < raw as u64, "{stored} bytes for {raw}");
    store.append(&Batch { facts: Vec::new(), bodies: vec![empty.clone(), large.clone(), turns[0].clone()] }).unwrap();
    for body in turns.iter().chain([&empty, &large]) {
        assert!(store.body(&body.id, body.side).unwrap().unwrap() == body.bytes, "{} {:?}", body.id, body.side);
    }
    assert_eq!(store.body(&turns[0].id, Side::UpstreamRequest).unwrap(), None);
}

fn size_of_day(store: &dyn Store) -> u64 {
    store.days().unwrap().iter().filter(|size| size.day == today()).map(|size| size.bytes).sum()
}

pub(crate) fn texts_of_any_kind_can_be_stored_and_found(place: &dyn Place) {
    let store = place.open();
    for (number, text) in
        ["'; drop table facts; --", "naïve 🦀 \u{202e}", "a\0b", "\\x00", "%", "_", "\"", "\n\t", "\u{1}"]
            .into_iter()
            .enumerate()
    {
        let mut fact = Seed(11 + number as u64).fact(NOON + number as u64);
        (fact.key, fact.model_asked) = (text.to_owned(), text.to_owned());
        (fact.error_kind, fact.error_text) = ("other".to_owned(), format!("before {text} after"));
        fact.tags.insert(text.to_owned(), text.to_owned());
        let fact = PackedFact::from(&fact).unpack().unwrap();
        let clean = text.replace('\0', "");
        store.append(&batch(vec![fact.clone()])).unwrap();
        let queries = [
            // By the whole name, since callers do not know what the store cut.
            Query { key: Some(text.to_owned()), ..Query::default() },
            Query { model: Some(clean.clone()), ..Query::default() },
            Query { error_text: Some(format!("e {clean} a")), ..Query::default() },
            Query { tag: Some((clean.clone(), clean.clone())), ..Query::default() },
        ];
        for query in queries {
            assert_eq!(store.search(&query).unwrap().facts, std::slice::from_ref(&fact), "{query:?}");
        }
        let document = store.change(&[put("key", &clean, Expect::Any, &clean)], None).unwrap();
        assert_eq!(store.document("key", &clean).unwrap().as_ref(), document.first());
    }
}

pub(crate) fn the_text_of_an_error_is_found_in_letters_of_either_case(place: &dyn Place) {
    let store = place.open();
    let texts = ["überlastet", "ÜBERLASTET", "SØRENS Kılıç", "273 \u{212a} ÉTÉ", "ΟΔΟΣ"];
    // So many that look alike to a database that more than one look is needed.
    let others = (0..250).map(|number| format!("Yberlastet s0rens 273 x 4t4 οδο {number}"));
    let mut facts = Vec::new();
    for (text, number) in texts.iter().map(ToString::to_string).chain(others).zip(0..) {
        let mut fact = Seed(500 + number).fact(NOON + number);
        (fact.error_kind, fact.error_text) = ("other".to_owned(), text);
        facts.push(fact);
    }
    store.append(&batch(facts.clone())).unwrap();
    for (wanted, found) in [
        ("Überlastet", &facts[..2]),
        ("ÜBERLAST", &facts[..2]),
        ("sørens KI", &[]),
        ("sØrens k", &facts[2..3]),
        ("273 k été", &facts[3..4]),
        ("οδοσ", &facts[4..5]),
        ("%berlastet", &[]),
    ] {
        let query = Query { error_text: Some(wanted.to_owned()), ..Query::default() };
        for limit in [1, 50] {
            assert_eq!(all(&*store, Query { limit, ..query.clone() }), newest_first(found.to_vec()), "{wanted}");
        }
        assert!(found.iter().all(|fact| query.finds_error(fact)), "{wanted}");
    }
    let every = Query { error_text: Some("BERLASTET".to_owned()), limit: 70, ..Query::default() };
    assert_eq!(all(&*store, every).len(), 252);
}

pub(crate) fn requests_over_midnight_are_not_missing(place: &dyn Place) {
    const MINUTE: u64 = 60_000;
    let store = place.open();
    let midnight = today().next().start_ms();
    // One begins each minute, and every seventh goes on for half an hour.
    let mut seed = Seed(15);
    let mut facts: Vec<(u64, Fact)> = (0..120)
        .map(|minute| {
            let began = midnight - 60 * MINUTE + minute * MINUTE;
            (began + if minute % 7 == 0 { 30 * MINUTE } else { 1_000 }, seed.fact(began))
        })
        .collect();
    facts.sort_by_key(|(end, _)| *end);
    let facts: Vec<Fact> = facts.into_iter().zip(0..).map(|((_, fact), sequence)| Fact { sequence, ..fact }).collect();
    let days = [today(), today().next()];
    assert!(facts.is_sorted_by_key(|fact| fact.sequence) && !facts.is_sorted_by_key(|fact| fact.id.day()));
    for some in facts.chunks(17) {
        store.append(&batch(some.to_vec())).unwrap();
    }
    assert_eq!(days.map(|day| store.gaps(day).unwrap()), [vec![], vec![]]);
    // Of another process, one number is lost before all those of the next day, and one among those of both.
    let first_of_next = facts.iter().position(|fact| fact.id.day() == days[1]).unwrap() as u64;
    let lost = [first_of_next - 9, first_of_next + 1];
    let kept = facts.iter().filter(|fact| !lost.contains(&fact.sequence)).cloned();
    let kept = kept.map(|fact| Fact { process: -8, id: seed.id(fact.id.time_ms()), ..fact });
    store.append(&batch(kept)).unwrap();
    let missing = |day| store.gaps(day).unwrap().iter().map(|gap| (gap.process, gap.missing)).collect::<Vec<_>>();
    assert_eq!(days.map(missing), [vec![(-8, 2)], vec![(-8, 1)]]);
}

pub(crate) fn lost_facts_are_counted(place: &dyn Place) {
    let store = place.open();
    let mut facts = Seed(12).facts(30, NOON, HOUR);
    facts.sort_by_key(|fact| fact.id);
    facts.iter_mut().zip(0..).for_each(|(fact, number)| fact.sequence = number);
    store.append(&batch(facts.clone())).unwrap();
    assert_eq!(store.gaps(today()).unwrap(), []);
    let (first, last) = (facts[0].id.time_ms(), facts[29].id.time_ms());
    let mut other: Vec<Fact> = Seed(13).facts(30, NOON, HOUR);
    other.retain(|fact| !(10..=26).contains(&fact.sequence));
    for fact in &mut other {
        fact.process = -8;
    }
    store.append(&batch(other.clone())).unwrap();
    let gaps = store.gaps(today()).unwrap();
    assert_eq!((gaps.len(), gaps[0].process, gaps[0].missing), (1, -8, 17));
    let times: BTreeSet<u64> = other.iter().map(|fact| fact.id.time_ms()).collect();
    assert_eq!((Some(&gaps[0].from_ms), Some(&gaps[0].to_ms)), (times.first(), times.last()));
    assert!(first < last);
}

pub(crate) fn user(id: &str) -> ErasureSubject {
    ErasureSubject::User(id.to_owned())
}

pub(crate) fn a_user_is_erased_with_what_only_they_said(place: &dyn Place) {
    let store = place.open();
    let facts = Seed(14).facts(60, NOON, 2 * DAY);
    let shared = "a system prompt that all share ".repeat(20);
    let bodies: Vec<Body> = facts
        .iter()
        .map(|fact| {
            let own = format!("said by {} only ", fact.user).repeat(20);
            let cuts = vec![shared.len()];
            Body { id: fact.id, side: Side::Request, bytes: format!("{shared}{own}").into(), cuts }
        })
        .collect();
    store.append(&Batch { facts: packed(&facts), bodies: bodies.clone() }).unwrap();
    let count = facts.iter().filter(|fact| fact.user == "user-1").count() as u64;
    assert_eq!(store.erase(&user("user-1")).unwrap(), count);
    assert_eq!(store.erase(&user("user-1")).unwrap(), 0);
    let of_key = facts.iter().filter(|fact| fact.user != "user-1" && fact.key == "key-2").count() as u64;
    assert!(of_key > 0);
    assert_eq!(store.erase(&ErasureSubject::Key("key-2".to_owned())).unwrap(), of_key);
    for (fact, body) in facts.iter().zip(&bodies) {
        let is_erased = fact.user == "user-1" || fact.key == "key-2";
        assert_eq!(store.fact(&fact.id).unwrap().is_none(), is_erased);
        assert_eq!(store.body(&fact.id, Side::Request).unwrap(), (!is_erased).then(|| body.bytes.to_vec()));
    }
}

pub(crate) fn a_long_name_is_found_and_erased_by_the_whole_of_it(place: &dyn Place) {
    let store = place.open();
    let long = |end: &str| format!("token:login:{}{end}", "s".repeat(250));
    let (one, other) = (long("one"), long("other"));
    let mut facts = Seed(41).facts(12, NOON, 1_000);
    for (at, fact) in facts.iter_mut().enumerate() {
        let name = if at % 3 == 0 { &one } else { &other };
        (fact.key, fact.user) = (name.clone(), name.clone());
    }
    store.append(&batch(facts)).unwrap();
    let count = |query: Query| store.search(&query).unwrap().facts.len();
    let of_key = |key: &str| count(Query { key: Some(key.to_owned()), ..Query::default() });
    assert_eq!((of_key(&one), of_key(&other)), (4, 8));
    assert_eq!(count(Query { user: Some(one.clone()), ..Query::default() }), 4);
    assert_eq!(store.key_sum(&one, NOON - DAY, NOON + DAY).unwrap().requests, 4);
    let stored = store.search(&Query { key: Some(other.clone()), ..Query::default() }).unwrap().facts.remove(0).key;
    assert_eq!((of_key(&stored), stored.len() <= 256), (8, true), "it is found as the log shows it, too");
    assert_eq!(store.erase(&ErasureSubject::Key(one.clone())).unwrap(), 4);
    assert_eq!((of_key(&one), of_key(&other)), (0, 8));
    assert_eq!(store.erase(&user(&other)).unwrap(), 8);
}

pub(crate) fn a_damaged_document_is_none_and_takes_no_other_away(place: &dyn Place) {
    let store = place.open();
    let made: Vec<Change> = ["a", "b", "c", "d", "e"].iter().map(|id| put("key", id, Expect::Absent, "{}")).collect();
    store.change(&made, None).unwrap();
    place.damage("a");
    place.execute("update documents set revision = -7 where id = 'b'");
    let mut all = Vec::new();
    let mut take = |part| {
        all.extend(part);
        true
    };
    store.all_documents(&mut take).unwrap();
    let whole = |documents: &[weir_store::Document]| {
        let mut ids: Vec<String> = documents
            .iter()
            .filter(|document| document.body.as_deref() == Some("{}"))
            .map(|document| document.id.clone())
            .collect();
        ids.sort_unstable();
        ids.concat()
    };
    assert_eq!((all.len(), whole(&all).as_str()), (5, "cde"));
    assert_eq!(whole(&store.documents("key", "", 10).unwrap()), "cde");
    let changes = store.changes_after(0, 10).unwrap();
    assert_eq!((whole(&changes.documents).as_str(), changes.version), ("cde", 5));
    for (id, is_whole) in [("a", false), ("b", false), ("c", true)] {
        let body = store.document("key", id).unwrap().unwrap().body;
        assert_eq!(body.as_deref() == Some("{}"), is_whole, "{id}: {body:?}");
    }
    // It can be deleted, and written anew.
    store.change(&[delete("key", "a", Expect::Any), put("key", "b", Expect::Any, "{}")], None).unwrap();
    assert_eq!(whole(&store.documents("key", "", 10).unwrap()), "bcde");
}

pub(crate) fn rows_with_damaged_names_are_found_and_removed_alone(place: &dyn Place) {
    let store = place.open();
    let made: Vec<Change> = ["a", "b", "c"].iter().map(|id| put("key", id, Expect::Absent, "{}")).collect();
    store.change(&made, None).unwrap();
    place.damage_id("b");
    place.execute("update documents set kind = 'kez' where id = 'c'");
    let rows = || {
        let mut rows = Vec::new();
        store.each_row(&mut |row| rows.push(row)).unwrap();
        rows.sort_by_key(|row| row.document.revision);
        rows
    };
    let all = rows();
    let seen = |row: &StoredRow| (row.is_named(), row.document.kind.clone(), row.document.revision);
    let expected = [(true, "key", 1), (false, "key", 2), (true, "kez", 3)];
    assert_eq!(all.iter().map(seen).collect::<Vec<_>>(), expected.map(|(is, kind, at)| (is, kind.to_owned(), at)));
    let mut marks: Vec<String> = all.iter().map(StoredRow::mark).collect();
    marks.dedup();
    assert!(marks.len() == 3 && marks.iter().all(|mark| mark.len() == 16), "{marks:?}");
    assert!(all.iter().all(|row| row.text.as_deref() == Some("{}")), "{all:?}");
    for row in &all[1..] {
        let gone = format!("gone-{}", row.document.revision);
        // What is there by another row stays, and what cannot be stored is left out.
        let changes = [gone.as_str(), "a", "\0"].map(|id| delete("key", id, Expect::Absent));
        let before = store.version().unwrap();
        assert!(store.remove_row(row, &changes, &event(row.document.revision)).unwrap());
        let changed = store.changes_after(before, 10).unwrap();
        let found: Vec<_> = changed.documents.iter().map(|one| (one.id.as_str(), one.body.is_none())).collect();
        assert_eq!((found, changed.version), (vec![(gone.as_str(), true)], before + 1));
        assert!(!store.remove_row(row, &changes, &event(9)).unwrap(), "it is there once");
        assert_eq!(store.version().unwrap(), before + 1);
    }
    assert_eq!(rows()[0], all[0]);
    assert!(rows()[1..].iter().all(|row| row.document.body.is_none()));
    let audit = store.audit_page(None, 10).unwrap();
    assert_eq!(audit.iter().map(|entry| entry.time_ms - NOON).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(store.check_audit().unwrap(), ChainCheck::Intact { last: 2 });
}

pub(crate) fn the_log_is_exported_as_json_lines(place: &dyn Place) {
    let store = place.open();
    let facts = Seed(15).facts(1_500, NOON, 2 * DAY);
    store.append(&batch(facts.clone())).unwrap();
    let mut text = Vec::new();
    let count = export_json_lines(&*store, &Query { limit: 3, ..Query::default() }, &mut text).unwrap();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let read: Vec<Fact> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    assert_eq!((count, read), (1_500, newest_first(facts)));
}

fn put(kind: &str, id: &str, expect: Expect, body: &str) -> Change {
    Change { kind: kind.to_owned(), id: id.to_owned(), expect, body: Some(body.to_owned()) }
}

fn delete(kind: &str, id: &str, expect: Expect) -> Change {
    Change { kind: kind.to_owned(), id: id.to_owned(), expect, body: None }
}

fn event(number: u64) -> AuditEvent {
    AuditEvent { time_ms: NOON + number, event: format!(r#"{{"action":"key.create","number":{number}}}"#) }
}

pub(crate) fn documents_change_only_as_expected(place: &dyn Place) {
    let store = place.open();
    let made =
        store.change(&[put("key", "a", Expect::Absent, "1"), put("team", "a", Expect::Absent, "2")], None).unwrap();
    assert_eq!((made[0].revision, made[1].revision, store.version().unwrap()), (1, 2, 2));
    let conflict = |changes: &[Change], revision: Option<u64>| {
        let error = store.change(changes, Some(&event(0))).unwrap_err();
        assert!(matches!(&error, StoreError::Conflict { found, .. } if *found == revision), "{error}");
        assert!(!error.is_transient());
    };
    conflict(&[put("key", "a", Expect::Absent, "x")], Some(1));
    conflict(&[put("key", "a", Expect::Revision(2), "x")], Some(1));
    conflict(&[put("key", "b", Expect::Revision(1), "x")], None);
    // All or none, the audit log included.
    conflict(&[put("key", "c", Expect::Any, "x"), delete("key", "a", Expect::Revision(9))], Some(1));
    assert_eq!((store.document("key", "c").unwrap(), store.version().unwrap()), (None, 2));
    assert_eq!(store.audit_page(None, 9).unwrap(), []);
    let changed = store.change(&[put("key", "a", Expect::Revision(1), "3")], Some(&event(1))).unwrap();
    assert_eq!(store.document("key", "a").unwrap().as_ref(), changed.first());
    store.change(&[delete("key", "a", Expect::Revision(3))], None).unwrap();
    let gone = store.document("key", "a").unwrap().unwrap();
    assert_eq!((gone.revision, gone.body), (4, None));
    conflict(&[put("key", "a", Expect::Revision(4), "x")], None);
    store.change(&[put("key", "a", Expect::Absent, "again")], None).unwrap();
    for bad in [
        put("key", "a\0", Expect::Any, "x"),
        put("key", "e", Expect::Any, "\0"),
        put("key", &"e".repeat(2_000), Expect::Any, "x"),
    ] {
        assert!(matches!(store.change(&[bad], None), Err(StoreError::Refused(_))));
    }
    // Within one change, a later part sees the earlier ones.
    let both = [put("key", "d", Expect::Absent, "1"), put("key", "d", Expect::Revision(6), "2")];
    assert_eq!(store.change(&both, None).unwrap()[1].revision, 7);
}

pub(crate) fn the_version_log_shows_every_change_once(place: &dyn Place) {
    let store = place.open();
    let mut seed = Seed(16);
    let (mut known, mut version) = (BTreeMap::new(), 0);
    let mut truth = BTreeMap::new();
    for round in 0..60 {
        let id = format!("k{}", seed.below(12));
        let body = (seed.below(4) > 0).then(|| format!("{round}"));
        let change = Change { kind: "key".to_owned(), id: id.clone(), expect: Expect::Any, body: body.clone() };
        store.change(&[change], None).unwrap();
        truth.insert(id, body);
        while seed.below(3) == 0 {
            let changes = store.changes_after(version, 3).unwrap();
            assert!(changes.documents.is_sorted_by_key(|document| document.revision));
            known.extend(changes.documents.into_iter().map(|document| (document.id, document.body)));
            assert!(changes.version >= version);
            version = changes.version;
        }
    }
    loop {
        let changes = store.changes_after(version, 3).unwrap();
        known.extend(changes.documents.into_iter().map(|document| (document.id, document.body)));
        version = changes.version;
        if !changes.more {
            break;
        }
    }
    assert_eq!((&known, version), (&truth, store.version().unwrap()));
    assert_eq!(store.changes_after(version, 3).unwrap().documents, []);
    let mut all = Vec::new();
    let mut take = |part| {
        all.extend(part);
        true
    };
    store.all_documents(&mut take).unwrap();
    assert_eq!(all.iter().map(|document: &weir_store::Document| document.revision).max(), Some(version));
    assert_eq!(all.len(), truth.len());
    assert_eq!(all.into_iter().map(|document| (document.id, document.body)).collect::<BTreeMap<_, _>>(), truth);
}

/// Numbers that are given out before a commit may appear out of order; a reader that has gone on would miss one.
pub(crate) fn no_reader_of_the_version_log_misses_a_change(place: &dyn Place) {
    let store = place.open();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..25 {
                        let id = format!("{writer}-{number}");
                        store.change(&[put("key", &id, Expect::Absent, "{}")], Some(&event(number))).unwrap();
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let (mut seen, mut version) = (0, 0);
            loop {
                let is_last = done.load(Ordering::SeqCst);
                let changes = store.changes_after(version, 1_000).unwrap();
                seen += changes.documents.len();
                version = changes.version;
                if is_last {
                    return (seen, version);
                }
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        assert_eq!(reader.join().unwrap(), (100, 100));
    });
    assert_eq!(store.check_audit().unwrap(), ChainCheck::Intact { last: 100 });
}

pub(crate) fn documents_are_paged_by_id(place: &dyn Place) {
    let store = place.open();
    // In the order of bytes, whatever the language of the database.
    let mut ids = vec!["a", "B", "b", "ä", "Z", "a-1", "a_1", "a1", "10", "9", " x"];
    let changes: Vec<Change> = ids.iter().map(|id| put("key", id, Expect::Absent, "{}")).collect();
    store.change(&changes, None).unwrap();
    store.change(&[delete("key", "b", Expect::Any), put("team", "c", Expect::Any, "{}")], None).unwrap();
    ids.retain(|id| *id != "b");
    ids.sort_unstable();
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.documents("key", &after, 3).unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        found.extend(page.into_iter().map(|document| document.id));
    }
    assert_eq!(found, ids);
}

pub(crate) fn the_audit_log_is_a_chain(place: &dyn Place) {
    let store = place.open();
    assert_eq!(store.check_audit().unwrap(), ChainCheck::Intact { last: 0 });
    for number in 0..25 {
        let entry = store.audit(&event(number)).unwrap();
        assert_eq!(entry.sequence, number + 1);
    }
    assert_eq!(store.check_audit().unwrap(), ChainCheck::Intact { last: 25 });
    let (newest, older) = (store.audit_page(None, 10).unwrap(), store.audit_page(Some(16), 100).unwrap());
    let numbers: Vec<u64> = newest.iter().chain(&older).map(|entry| entry.sequence).collect();
    assert_eq!(numbers, (1..=25).rev().collect::<Vec<_>>());
    let mut hash = [0; 32];
    for entry in older.iter().rev() {
        hash = weir_store::entry_hash(&hash, entry.sequence, entry.time_ms, &entry.event);
        assert_eq!(hash, entry.hash);
    }
}

fn ledger_key(number: u64) -> LedgerKey {
    LedgerKey {
        hour: 500_000 + number / 10,
        subject: format!("key:{}", number % 10),
        provider: "provider-1".to_owned(),
        served: "model-1".to_owned(),
        price_dim: String::new(),
        bucket: "input".to_owned(),
    }
}

fn flush(process: i64, number: u64) -> MoneyFlush {
    let sums = LedgerSums { units: 10, requests: 1, estimated: 0, cost_nano: -3 };
    MoneyFlush { process, number, sums: vec![(ledger_key(0), sums)], ..MoneyFlush::default() }
}

fn units(store: &dyn Store) -> i64 {
    let query = LedgerQuery { from_hour: 0, to_hour: u64::MAX, subject: None };
    store.ledger(&query).unwrap().iter().map(|(_, sums)| sums.units).sum()
}

pub(crate) fn sums_add_up_and_a_repeated_flush_counts_once(place: &dyn Place) {
    let store = place.open();
    for (process, number) in [(1, 1), (1, 1), (1, 2), (2, 1), (1, 2), (1, 1), (2, 1)] {
        store.flush_money(&flush(process, number)).unwrap();
    }
    assert_eq!(units(&*store), 30);
    let one = LedgerSums { units: 1, ..LedgerSums::default() };
    let sums = (0..200).chain(0..50).map(|number| (ledger_key(number), one)).collect();
    store.flush_money(&MoneyFlush { process: 3, number: 1, sums, ..MoneyFlush::default() }).unwrap();
    assert_eq!(units(&*store), 280);
    let query = LedgerQuery { from_hour: 500_003, to_hour: 500_005, subject: Some("key:4".to_owned()) };
    let found = store.ledger(&query).unwrap();
    let expected = |number, units| (ledger_key(number), LedgerSums { units, ..LedgerSums::default() });
    assert_eq!(found, [expected(34, 2), expected(44, 2)]);
}

fn budget_count(budget: &str, used: i64) -> BudgetCount {
    let window = BudgetWindow { budget: budget.to_owned(), shape: "tokens".to_owned(), start: 60 };
    BudgetCount { window, end: Some(120), used }
}

fn budget_change(budget: &str, used: i64, added: i64) -> BudgetChange {
    BudgetChange { count: budget_count(budget, used), added }
}

/// The version and the counts that the store answers with, in order.
fn exchanged(store: &dyn Store, exchange: &BudgetExchange) -> (u64, Vec<BudgetCount>) {
    match store.exchange_budgets(exchange).unwrap() {
        BudgetAnswer::Counts { version, mut counts } => {
            counts.sort_by(|one, other| one.window.cmp(&other.window));
            (version, counts)
        }
        BudgetAnswer::PutBack => (0, Vec::new()),
    }
}

pub(crate) fn nodes_count_at_budgets_together_and_each_exchange_once(place: &dyn Place) {
    let store = place.open();
    let exchange = |process, number, since, changes| BudgetExchange {
        process,
        number,
        since,
        changes,
        ..BudgetExchange::default()
    };
    assert_eq!(exchanged(&*store, &exchange(1, 1, 0, Vec::new())), (0, Vec::new()));
    let first = exchange(1, 1, 0, vec![budget_change("a", 10, 10), budget_change("b", 1, 1)]);
    let (version, counts) = exchanged(&*store, &first);
    assert_eq!(counts, [budget_count("a", 10), budget_count("b", 1)]);
    // Its answer was lost, and it is told again after another node has added.
    let (of_other, counts) = exchanged(&*store, &exchange(2, 1, version, vec![budget_change("a", 5, 5)]));
    assert_eq!(counts, [budget_count("a", 15)]);
    let (version, counts) = exchanged(&*store, &first);
    assert!(version > of_other);
    assert_eq!(counts, [budget_count("a", 15), budget_count("b", 1)]);
    // What is returned is taken off; below 0 there is nothing, and beyond the largest number nothing either.
    let changes = vec![budget_change("a", 12, -3), budget_change("b", 0, -9), budget_change("c", i64::MAX, i64::MAX)];
    exchanged(&*store, &exchange(1, 2, version, changes));
    let (version, counts) = exchanged(&*store, &exchange(2, 2, of_other, vec![budget_change("c", i64::MAX, i64::MAX)]));
    let most = counts[2].used;
    assert_eq!((counts[0].used, counts[1].used, counts.len()), (12, 0, 3));
    assert!(most > i64::MAX / 4);
    assert_eq!(exchanged(&*store, &exchange(1, 3, version, Vec::new())), (version, Vec::new()), "nothing is new");
    // A store that knows less than the node was put back, and then has at least what the node knows.
    let mut back = exchange(3, 1, version + 9, vec![budget_change("a", 40, 1), budget_change("b", 0, 0)]);
    assert_eq!(store.exchange_budgets(&back).unwrap(), BudgetAnswer::PutBack);
    (back.since, back.at_least) = (0, true);
    let (version, counts) = exchanged(&*store, &back);
    assert_eq!(counts[..2], [budget_count("a", 40), budget_count("b", 0)]);
    // Counts of a former shape go on under the new one, once, and where there are none yet.
    let [kept, other] = ["a", "b"].map(|name| budget_count(name, 0).window);
    let to = format!("{} of all", kept.shape);
    let renamed = |budget: &str| RenamedShape { budget: budget.to_owned(), from: kept.shape.clone(), to: to.clone() };
    let moved = BudgetCount { window: BudgetWindow { shape: to.clone(), ..other.clone() }, ..budget_count("b", 7) };
    exchanged(&*store, &exchange(4, 1, version, vec![BudgetChange { count: moved.clone(), added: 7 }]));
    let rename = BudgetExchange { renamed: vec![renamed("a"), renamed("b")], ..exchange(4, 2, 0, Vec::new()) };
    for _ in 0..2 {
        let counts = exchanged(&*store, &rename).1;
        let used = |window: &BudgetWindow| counts.iter().find(|count| count.window == *window).map(|count| count.used);
        assert_eq!((used(&kept), used(&BudgetWindow { shape: to.clone(), ..kept.clone() })), (None, Some(40)));
        assert_eq!((used(&other), used(&moved.window)), (Some(0), Some(7)));
    }
    let (version, counts) = exchanged(&*store, &exchange(4, 3, 0, Vec::new()));
    // Windows end, and not those that a clock which is set back finds again.
    for (now, left) in [(120, counts.len()), (3_780, counts.len()), (3_781, 0)] {
        store.retain(now * 1_000, &Retention::default()).unwrap();
        assert_eq!(exchanged(&*store, &exchange(1, 4, 0, Vec::new())), (version, counts[..left].to_vec()), "{now}");
    }
}
