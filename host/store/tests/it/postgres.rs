//! PostgreSQL in trouble, and what only a server has: encryption, several nodes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_store::{
    Batch, Body, Change, Condition, Expect, Fact, HeldWork, LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, OpenWork,
    Postgres, PostgresOptions, Query, Side, Store, StoreError, WorkChanges, WorkHold, WorkKey, Writer,
};

use crate::facts::{NOON, Seed, batch, packed, today};
use crate::place::Place;
use crate::server::{Schema, Server};
use crate::suite::user;
use crate::writer::{SECONDS, count, quick, record, until};

#[test]
fn a_server_that_goes_and_comes_back_costs_no_fact() {
    let Some(server) = Server::start() else { return };
    let schema = Schema::on(&server);
    server.database.stop();
    // A gateway starts without its database.
    let store = schema.open();
    assert!(matches!(store.check(), Err(StoreError::Unavailable(_))));
    let writer = Writer::start(Arc::clone(&store), quick()).unwrap();
    let recorder = writer.recorder();
    record(&recorder, &mut Seed(1), 10);
    until("it fails", || matches!(recorder.health().log, Condition::Failing { .. }));
    server.database.go();
    assert!(recorder.flush(SECONDS));
    server.database.stop();
    record(&recorder, &mut Seed(2), 10);
    until("it fails again", || matches!(recorder.health().log, Condition::Failing { .. }));
    server.database.go();
    assert!(recorder.flush(SECONDS));
    assert_eq!((count(&*store), recorder.health().is_well()), (20, true));
}

#[test]
fn a_database_that_hangs_is_given_up_in_time() {
    let Some(schema) = Schema::new() else { return };
    let options = PostgresOptions { timeout: Duration::from_millis(300), connections: 2, ..schema.options() };
    schema.open().append(&batch(Seed(1).facts(10, NOON, 1_000))).unwrap();
    let store: Arc<dyn Store> = Arc::new(Postgres::open(&schema.url, options).unwrap());
    assert_eq!(count(&*store), 10);
    let mut other = postgres::Client::connect(&schema.url, postgres::NoTls).unwrap();
    let mut held = other.transaction().unwrap();
    held.batch_execute(&format!(
        "lock table {}.facts, {}.documents in access exclusive mode",
        schema.name, schema.name
    ))
    .unwrap();
    for _ in 0..4 {
        let begun = Instant::now();
        assert!(store.search(&Query::default()).unwrap_err().is_transient());
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    held.rollback().unwrap();
    until("it is read again", || store.search(&Query::default()).is_ok_and(|page| page.facts.len() == 10));
}

#[test]
fn slow_searches_hold_up_neither_money_nor_keys_nor_new_facts() {
    const DAY: u64 = 86_400_000;
    let Some(schema) = Schema::new() else { return };
    let options = PostgresOptions { timeout: SECONDS, connections: 2, ..schema.options() };
    let store = Postgres::open(&schema.url, options).unwrap();
    let mut seed = Seed(1);
    store.append(&batch([seed.fact(NOON), seed.fact(NOON - DAY)])).unwrap();
    let mut other = postgres::Client::connect(&schema.url, postgres::NoTls).unwrap();
    let mut watching = postgres::Client::connect(&schema.url, postgres::NoTls).unwrap();
    let mut held = other.transaction().unwrap();
    let before = format!("facts_{}", today().back(1).to_string().replace('-', "_"));
    held.batch_execute(&format!("lock table {}.{before} in access exclusive mode", schema.name)).unwrap();
    let mut waiting = || -> i64 {
        let sql = "select count(*) from pg_locks where not granted and relation = to_regclass($1)";
        watching.query_one(sql, &[&format!("{}.{before}", schema.name)]).unwrap().get(0)
    };
    std::thread::scope(|scope| {
        let searches: Vec<_> =
            (0..6).map(|_| scope.spawn(|| store.search(&Query::default()).map(|page| page.facts.len()))).collect();
        until("searches are under way", || waiting() == 2);
        let flush = MoneyFlush { process: 1, number: 1, sums: Vec::new(), ..MoneyFlush::default() };
        store.flush_money(&flush).unwrap();
        let key = Change { kind: "key".into(), id: "a".into(), expect: Expect::Absent, body: Some("{}".into()) };
        store.change(&[key], None).unwrap();
        assert_eq!(store.changes_after(0, 10).unwrap().documents.len(), 1);
        store.append(&batch([seed.fact(NOON)])).unwrap();
        assert_eq!(waiting(), 2, "the searches are still under way");
        held.rollback().unwrap();
        for search in searches {
            assert_eq!(search.join().unwrap().unwrap(), 3);
        }
    });
}

#[test]
fn an_erasure_that_cannot_go_on_keeps_what_it_has_removed() {
    let Some(schema) = Schema::new() else { return };
    let mut seed = Seed(1);
    let facts: Vec<_> = (0..3).flat_map(|day| seed.facts(40, NOON - day * 86_400_000, 1_000)).collect();
    let left = facts.iter().filter(|fact| fact.user == "user-1" && fact.id.day() == today()).count();
    schema.open().append(&batch(facts.clone())).unwrap();
    let options = PostgresOptions { timeout: Duration::from_millis(700), ..schema.options() };
    let store = Postgres::open(&schema.url, options).unwrap();
    until("it is there", || store.check().is_ok());
    let mut other = postgres::Client::connect(&schema.url, postgres::NoTls).unwrap();
    let mut held = other.transaction().unwrap();
    let last = format!("{}.facts_{}", schema.name, today().to_string().replace('-', "_"));
    let rows = held.query(&format!("select id from {last} where user_id = 'user-1' for update"), &[]).unwrap();
    assert_eq!((rows.len(), left > 0), (left, true));
    until("the days before are erased", || {
        assert!(store.erase(&user("user-1")).unwrap_err().is_transient());
        let found = store.search(&Query { user: Some("user-1".to_owned()), ..Query::default() });
        found.is_ok_and(|page| page.facts.len() == left)
    });
    held.rollback().unwrap();
    let mut removed = 0;
    until("the rest is erased", || {
        store.erase(&user("user-1")).is_ok_and(|count| {
            removed += count;
            true
        })
    });
    // A call that had given up may have been carried out once it could be, and is in no count.
    assert!([0, left as u64].contains(&removed), "{removed} of {left}");
    let found = store.search(&Query { user: Some("user-1".to_owned()), ..Query::default() });
    assert_eq!(found.unwrap().facts.len(), 0);
}

#[test]
fn a_user_with_more_in_a_day_than_one_call_removes_is_erased() {
    let Some(schema) = Schema::new() else { return };
    let mut facts = Seed(1).facts(5_000, NOON, 1_000);
    facts.iter_mut().enumerate().for_each(|(at, fact)| fact.user = ["u", "v"][usize::from(at % 50 == 0)].to_owned());
    let writing = schema.open();
    writing.append(&batch(facts.clone())).unwrap();
    // A body of one piece for each, as the store writes it.
    let mut client = postgres::Client::connect(&schema.url, postgres::NoTls).unwrap();
    let (name, day) = (&schema.name, today().number());
    let data = "convert_to(rpad(encode(id, 'hex'), 100, 'x'), 'UTF8')";
    let bodies = format!("select id, 0, 100, '\\x01'::bytea || sha256({data}) from {name}.facts");
    let chunks = format!("select {day}, sha256({data}), 100, 0, {data} from {name}.facts");
    client.batch_execute(&format!("insert into {name}.bodies {bodies}; insert into {name}.chunks {chunks}")).unwrap();
    let said = |fact: &Fact| -> Vec<u8> {
        let id = format!("{:032x}", u128::from_be_bytes(*fact.id.as_bytes()));
        format!("{id:x<100}").into_bytes()
    };
    assert_eq!(writing.body(&facts[1].id, Side::Request).unwrap(), Some(said(&facts[1])));
    let options = PostgresOptions { timeout: Duration::from_millis(500), ..schema.options() };
    let store = Postgres::open(&schema.url, options).unwrap();
    until("it is there", || store.check().is_ok());
    // Others say the same meanwhile.
    let late = Seed(2).facts(20, NOON, 1_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (fact, like) in late.iter().zip(&facts) {
                let body = Body { id: fact.id, side: Side::Request, bytes: said(like).into(), cuts: Vec::new() };
                writing.append(&Batch { facts: packed(std::slice::from_ref(fact)), bodies: vec![body] }).unwrap();
            }
        });
        until("all is erased", || store.erase(&user("u")).is_ok());
    });
    for (user, left) in [("u", 0), ("v", 100)] {
        let query = Query { user: Some(user.to_owned()), limit: 1_000, ..Query::default() };
        assert_eq!(writing.search(&query).unwrap().facts.len(), left, "{user}");
    }
    for fact in facts.iter().step_by(25) {
        let expected = (fact.user != "u").then(|| said(fact));
        assert_eq!(writing.body(&fact.id, Side::Request).unwrap(), expected);
    }
    for (fact, like) in late.iter().zip(&facts) {
        assert_eq!(writing.body(&fact.id, Side::Request).unwrap(), Some(said(like)));
    }
    let pieces: i64 = client.query_one(&format!("select count(*) from {name}.chunks"), &[]).unwrap().get(0);
    // One of the twenty that were said meanwhile is one of the hundred.
    assert_eq!(pieces, 100 + 20 - 1);
}

#[test]
fn what_was_written_beside_an_older_transaction_is_erased_with_its_pieces() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.open();
    until("it is there", || store.check().is_ok());
    let mut other = postgres::Client::connect(&schema.url, postgres::NoTls).unwrap();
    let mut older = other.transaction().unwrap();
    older.query_one("select txid_current()", &[]).unwrap();
    let mut facts = Seed(1).facts(10, NOON, 1_000);
    facts.iter_mut().enumerate().for_each(|(at, fact)| fact.user = ["u", "v"][at % 2].to_owned());
    let said = |at: usize| format!("{at:x<100}").into_bytes();
    let body = |(at, fact): (usize, &Fact)| Body {
        id: fact.id,
        side: Side::Request,
        bytes: said(at).into(),
        cuts: Vec::new(),
    };
    let bodies = facts.iter().enumerate().map(body).collect();
    store.append(&Batch { facts: packed(&facts), bodies }).unwrap();
    assert_eq!(store.erase(&user("u")).unwrap(), 5);
    for (at, fact) in facts.iter().enumerate() {
        assert_eq!(store.body(&fact.id, Side::Request).unwrap(), (fact.user == "v").then(|| said(at)));
    }
    older.rollback().unwrap();
    let pieces: i64 = other.query_one(&format!("select count(*) from {}.chunks", schema.name), &[]).unwrap().get(0);
    assert_eq!(pieces, 5);
}

#[test]
fn nodes_that_start_together_make_the_tables_once_and_see_each_other() {
    let Some(schema) = Schema::new() else { return };
    let nodes: Vec<_> = (0..4).map(|_| schema.open()).collect();
    std::thread::scope(|scope| {
        for (number, node) in nodes.iter().enumerate() {
            scope.spawn(move || {
                node.append(&batch(Seed(number as u64).facts(25, NOON, 1_000))).unwrap();
                let id = format!("{number}");
                let (kind, body) = ("key".to_owned(), Some("{}".to_owned()));
                node.change(&[Change { kind, id, expect: Expect::Absent, body }], None).unwrap();
            });
        }
    });
    for node in &nodes {
        assert_eq!((count(&**node), node.version().unwrap()), (100, 4));
    }
    // One node ends a day that another still knows.
    let keep = weir_store::Retention { days: 0, bytes: u64::MAX };
    assert_eq!(nodes[0].retain(NOON + 86_400_000, &keep).unwrap(), [today()]);
    let late = batch(Seed(9).facts(5, NOON, 1_000));
    let first = nodes[1].append(&late);
    assert!(first.as_ref().map_or_else(StoreError::is_transient, |()| true), "{first:?}");
    nodes[1].append(&late).unwrap();
    assert_eq!(count(&*nodes[2]), 5);
}

#[test]
fn nodes_that_book_the_same_sums_in_other_orders_around_an_hours_end_do_not_lock_each_other_out() {
    const FLUSHES: u64 = 60;
    let Some(schema) = Schema::new() else { return };
    let nodes = [schema.open(), schema.open()];
    // The last hour of a day and the first of the next.
    let hours = [24_000 - 1, 24_000];
    let key = |hour: u64, number: u64| LedgerKey {
        hour,
        subject: format!("key:{}", number % 10),
        provider: "p".to_owned(),
        served: "m".to_owned(),
        price_dim: String::new(),
        bucket: format!("bucket-{}", number / 10),
    };
    let sum = LedgerSums { units: 1, requests: 1, estimated: 0, cost_nano: 3 };
    std::thread::scope(|scope| {
        for (process, node) in (1..).zip(&nodes) {
            scope.spawn(move || {
                for number in 1..=FLUSHES {
                    let keys = hours.into_iter().flat_map(|hour| (0..40).map(move |number| key(hour, number)));
                    let mut sums: Vec<_> = keys.map(|key| (key, sum)).collect();
                    if (number + process as u64).is_multiple_of(2) {
                        sums.reverse();
                    }
                    node.flush_money(&MoneyFlush { process, number, sums, ..MoneyFlush::default() }).unwrap();
                }
            });
        }
    });
    let found = nodes[0].ledger(&LedgerQuery { from_hour: 0, to_hour: 30_000, subject: None }).unwrap();
    assert_eq!(found.len(), 80);
    for (key, sums) in found {
        assert_eq!((sums.units, sums.cost_nano), (2 * FLUSHES as i64, 6 * FLUSHES as i64), "{key:?}");
    }
}

#[test]
fn work_of_a_node_is_its_own_until_its_time_is_over_and_then_one_other_nodes() {
    let Some(schema) = Schema::new() else { return };
    let nodes: Vec<_> = (0..3).map(|_| schema.open()).collect();
    let work = |id: usize| {
        let key = WorkKey { tenant: "one".to_owned(), id: format!("batch-{id:02}") };
        OpenWork { key, made_ms: 1, body: "{}".to_owned() }
    };
    let made = (0..40).map(work).collect();
    let work = WorkChanges { made, ended: Vec::new() };
    nodes[0].flush_money(&MoneyFlush { process: 1, number: 1, work, ..MoneyFlush::default() }).unwrap();
    let hold = |process, for_ms| WorkHold { process, for_ms, room: 100 };
    assert_eq!(nodes[1].hold_work(hold(2, 60_000)).unwrap(), HeldWork::default(), "the node that wrote it holds it");
    assert_eq!(nodes[0].hold_work(hold(1, 300)).unwrap().kept.len(), 40);
    std::thread::sleep(Duration::from_millis(400));
    let taken: usize = std::thread::scope(|scope| {
        let take = |(process, node): (i64, &Arc<dyn Store>)| {
            let node = Arc::clone(node);
            scope.spawn(move || node.hold_work(hold(process, 60_000)).unwrap().taken.len())
        };
        let both: Vec<_> = [(2, &nodes[1]), (3, &nodes[2])].into_iter().map(take).collect();
        both.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(taken, 40, "each has one holder");
    assert_eq!(nodes[0].hold_work(hold(1, 300)).unwrap(), HeldWork::default());
}

#[test]
fn connections_are_encrypted_where_that_is_set_up() {
    let Some(server) = Server::shared() else { return };
    let schema = Schema::on(server);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.certificate.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = Some(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let url = format!("postgres://weir@localhost:{}/postgres?sslmode=require", server.database.port());
    let options = PostgresOptions { schema: schema.name.clone(), tls, ..PostgresOptions::default() };
    let store = Postgres::open(&url, options).unwrap();
    store.check().unwrap();
    let wrong = url.replace("localhost", "127.0.0.1");
    let options = PostgresOptions { tls: Some(Arc::clone(&untrusting())), ..PostgresOptions::default() };
    assert!(matches!(Postgres::open(&wrong, options).unwrap().check(), Err(StoreError::Unavailable(_))));
    assert!(matches!(Postgres::open(&url, PostgresOptions::default()), Err(StoreError::Settings(_))));
}

fn untrusting() -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

#[test]
fn addresses_and_schemas_that_cannot_be_used_are_refused_without_the_password() {
    for url in ["", "postgres://user:geheim@host:port/x", "mysql://user:geheim@host"] {
        let text = match Postgres::open(url, PostgresOptions::default()) {
            Err(error) => error.to_string(),
            Ok(store) => format!("{store:?}"),
        };
        assert!(!text.contains("geheim"), "{text}");
    }
    let store = Postgres::open("postgres://user:geheim@host/x", PostgresOptions::default()).unwrap();
    assert!(!format!("{store:?}").contains("geheim"));
    for schema in ["", "a;b", "Weir", "a\"b", "ä"] {
        let options = PostgresOptions { schema: schema.to_owned(), ..PostgresOptions::default() };
        assert!(matches!(Postgres::open("postgres://host/x", options), Err(StoreError::Settings(_))), "{schema}");
    }
}

#[test]
fn a_document_that_a_server_sends_damaged_is_none_and_takes_no_other_away() {
    // While the text is damaged, the whole server takes its texts for bytes.
    let Some(server) = Server::start() else { return };
    crate::suite::a_damaged_document_is_none_and_takes_no_other_away(&Schema::on(&server));
    crate::suite::rows_with_damaged_names_are_found_and_removed_alone(&Schema::on(&server));
}
