//! Many keys in the store: a node takes them in beside its requests, and begins with them.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::{Folder, Gateway, soon};

use super::{admin, config, made, provider, with_key};
use crate::wire_format::OPENAI;

/// Keys in the test below; `KEYS_IN_STORE` sets more.
const KEYS: usize = 10_000;

/// The text of a key that was imported.
fn text(number: usize) -> String {
    format!("imported-key-{number:012}")
}

/// Writes so many keys into the store at once, as another node would; their revisions follow those that are there.
fn write(database: &Database, count: usize) {
    let statement = format!(
        "with numbers as (select n, lpad(n::text, 12, '0') as id from generate_series(1, {count}) as n),
            last as (select value from weir.counters where name = 'documents')
        insert into weir.documents (kind, id, revision, body)
            select 'key', id, value + n, json_build_object('schema', 1, 'id', id, 'name', 'key ' || id,
                'created', '2026-11-21T12:00:00Z',
                'hash', 'sha256:' || encode(sha256(('imported-key-' || id)::bytea), 'hex'))::text
            from numbers, last;
        update weir.counters set value = value + {count} where name = 'documents';"
    );
    let words = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-c", &statement, &database.url()];
    assert!(Command::new("psql").args(words).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_taken_in_beside_requests_and_at_a_start_and_none_is_refused_meanwhile() {
    let Some(database) = Database::start() else { return };
    if Command::new("psql").arg("--version").output().is_err() {
        println!("SKIPPED: psql is not installed, so this test shows nothing");
        return;
    }
    let count = std::env::var("KEYS_IN_STORE").ok().and_then(|text| text.parse().ok()).unwrap_or(KEYS);
    let upstream = provider().await;
    let settings = format!("{}\n[store]\nurl = \"{}\"\n", config(&upstream), database.url());
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &settings).await;
    let (id, known) = made(&gateway, json!({"name": "known"})).await;
    let ask = async |gateway: &Gateway, key: &str| gateway.ask(&with_key(OPENAI, "openai", false, key)).await.status();
    assert_eq!((ask(&gateway, &known).await, ask(&gateway, &text(count)).await), (200, 401));
    let writing = {
        let database = &database;
        async { tokio::task::block_in_place(|| write(database, count)) }
    };
    writing.await;
    let taken_in = async {
        let mut beside = 0;
        while ask(&gateway, &text(count)).await != 200 {
            assert_eq!(ask(&gateway, &known).await, 200, "a key that is known is never refused");
            beside += 1;
        }
        beside
    };
    assert!(soon("the keys", taken_in).await > 1, "requests waited for the keys");
    assert_eq!((ask(&gateway, &text(1)).await, ask(&gateway, &text(count / 2)).await), (200, 200));
    // Among so many, a change still counts at once.
    assert_eq!(admin(&gateway, "POST", &format!("/keys/{id}/disable"), Value::Null).await.status(), 200);
    assert_eq!(ask(&gateway, &known).await, 401);
    let other = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &settings).await;
    let begun = async {
        loop {
            match ask(&other, &text(count)).await {
                200 => return,
                // Before it knows the keys, it refuses all requests.
                status => assert!(matches!(status, 401 | 503), "{status}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the second node", begun).await;
    assert_eq!((ask(&other, &text(1)).await, ask(&other, &known).await), (200, 401));
}
