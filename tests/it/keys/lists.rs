//! Lists of keys, for who may see a few among very many.

use serde_json::{Value, json};
use weir_store::{Change, Expect, Postgres, PostgresOptions, Sqlite, Store};
use weir_test_postgres::Database;
use weir_tests::{Folder, Gateway};

use super::admin::by;
use super::{admin, config, made, provider};

/// Keys of another team: more than any page is looked through for.
const KEYS: usize = 25_000;
/// How many are written at once.
const TOGETHER: usize = 5_000;

/// Writes keys of the team `blue`, whose ids come before nearly all others.
fn write(store: &dyn Store) {
    let key = |number: usize| {
        let id = format!("{number:012}");
        let body = json!({"schema": 1, "id": id, "name": id, "created": "2026-11-21T12:00:00Z",
            "hash": format!("sha256:{number:064x}"), "owner": {"team": "blue"}});
        Change { kind: "key".to_owned(), id, expect: Expect::Any, body: Some(body.to_string()) }
    };
    for first in (0..KEYS).step_by(TOGETHER) {
        store.change(&(first..first + TOGETHER).map(key).collect::<Vec<_>>(), None).unwrap();
    }
}

/// Reads all pages of a list; returns the ids that they show, and checks that no cursor is another one.
async fn paged(gateway: &Gateway, token: &str, query: &str) -> Vec<String> {
    let (mut shown, mut cursor) = (Vec::<String>::new(), String::new());
    loop {
        let page = gateway.ask(&by(token, "GET", &format!("/v1/keys?limit=2{query}{cursor}"), "")).await.json();
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
        shown.extend(items.iter().filter_map(|key| key["id"].as_str().map(str::to_owned)));
        let Some(next) = page["next_cursor"].as_str() else { return shown };
        assert_eq!(shown.last().map(String::as_str), Some(next), "a cursor is the id of the last key that is shown");
        cursor = format!("&cursor={next}");
    }
}

async fn only_own_ids_are_told(upstream: &weir_tests::Upstream, store: &str) {
    let settings = format!("{}\n[store]\nurl = \"{store}\"\n", config(upstream));
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &settings).await;
    for team in ["red", "blue"] {
        let reply = admin(&gateway, "POST", "/teams", json!({"id": team, "name": team})).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
    }
    let lead = json!({"name": "lead", "owner": {"team": "red"}, "grants": [{"access": "read", "team": "red"}]});
    let (id, lead) = made(&gateway, lead).await;
    let mut own = vec![id];
    for number in 0..4 {
        own.push(made(&gateway, json!({"name": format!("n{number}"), "owner": {"team": "red"}})).await.0);
    }
    own.sort_unstable();
    assert_eq!(paged(&gateway, &lead, "").await, own);
    assert_eq!(paged(&gateway, &lead, "&team=red").await, own);
    assert!(paged(&gateway, &lead, "&team=blue").await.is_empty());
    assert_eq!(paged(&gateway, super::READER, "&team=red").await, own);
    let all = admin(&gateway, "GET", "/keys?limit=1000", Value::Null).await.json();
    assert_eq!((all["items"].as_array().unwrap().len(), &all["next_cursor"]), (1_000, &json!("000000000999")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_tells_no_id_of_another_teams_key_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.db");
    write(&Sqlite::open(&file).unwrap());
    only_own_ids_are_told(&provider().await, &format!("sqlite://{}", file.display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_tells_no_id_of_another_teams_key_from_a_database() {
    let Some(database) = Database::start() else { return };
    let url = database.url();
    let written = tokio::task::spawn_blocking({
        let url = url.clone();
        move || write(&Postgres::open(&url, PostgresOptions::default()).unwrap())
    });
    written.await.unwrap();
    only_own_ids_are_told(&provider().await, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_version_wrote_hides_nothing_else_of_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.db");
    let key = |number: usize, more: &str| {
        let id = format!("{number:012}");
        let hash = format!("sha256:{number:064x}");
        let body = format!(
            r#"{{"schema": 1, "id": "{id}", "name": "{id}", "created": "2026-11-21T12:00:00Z", "hash": "{hash}"{more}}}"#
        );
        Change { kind: "key".to_owned(), id, expect: Expect::Any, body: Some(body) }
    };
    let newer = r#", "of_a_newer_version": true"#;
    Sqlite::open(&file).unwrap().change(&[key(1, ""), key(2, newer), key(3, ""), key(4, newer)], None).unwrap();
    let upstream = provider().await;
    let settings = format!("{}\n[store]\nurl = \"sqlite://{}\"\n", config(&upstream), file.display());
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &settings).await;
    let (mut shown, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = admin(&gateway, "GET", &format!("/keys?limit=1{cursor}"), Value::Null).await;
        assert_eq!(page.status(), 200, "{}", page.text());
        let page = page.json();
        shown.extend(page["items"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((shown, pages), (vec!["000000000001".to_owned(), "000000000003".to_owned()], 4));
    let one = admin(&gateway, "GET", "/keys/000000000002", Value::Null).await;
    assert_eq!(one.status(), 503, "{}", one.text());
    assert!(one.text().contains("a newer one wrote it"), "{}", one.text());
}
