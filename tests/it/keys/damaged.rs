//! A store with a damaged row: that key is refused, and no other; and what cannot be read can be deleted.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_store::{Change, Expect, Postgres, PostgresOptions, Sqlite, Store};
use weir_test_postgres::Database;
use weir_tests::plugins::target;
use weir_tests::{Folder, Program, Reply, Request, Upstream, program};

use super::nodes::{ADAPTERS, admin, ask, until};
use super::{READER, TOKEN, asked, config, provider, with_key};
use crate::kept_budgets::sql;
use crate::wire_format::OPENAI;

/// Puts a byte that no text has in place of the first one of these, wherever they stand in a file.
fn damage(file: &Path, word: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(word)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] = 0xff;
    }
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_is_refused_and_told_and_no_other_is() {
    let upstream = provider().await;
    let (folder, text) = (Folder::with(&["openai", "anthropic", "gemini"]), config(&upstream));
    let start = || {
        let program = Program::start(&folder, &target().join("test-cache"), &text);
        let address = program.address();
        (program, address)
    };
    let (first, address) = start();
    let mut keys = Vec::new();
    for name in ["damaged-one", "other"] {
        let reply = program::ask(address, &asked("POST", "/keys", &json!({"name": name}))).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        keys.push(["id", "key"].map(|member| reply.json()[member].as_str().unwrap().to_owned()));
    }
    first.stop();
    assert!(first.has_succeeded());
    let [[id, damaged], [other_id, other]] = [keys[0].clone(), keys[1].clone()];
    damage(&folder.path().join("weir.db"), b"damaged-one\"");

    let (second, address) = start();
    let status = async |key: &str| program::ask(address, &with_key(OPENAI, "openai", false, key)).await.status();
    assert_eq!((status(&damaged).await, status(&other).await), (401, 200));
    assert_eq!(program::ask(address, &OPENAI.request("openai", false)).await.status(), 401, "nothing is open");
    // Before it listens.
    let log = second.log();
    let told = log.lines().find(|line| line.contains("cannot be read, and is left out"));
    assert!(told.is_some_and(|told| told.contains(&id)), "{log}");
    let listed = program::ask(address, &asked("GET", "/keys", &Value::Null)).await.json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &json!(other_id)));
    let ready = program::ask(address, &Request::get("/ready")).await.json();
    assert_eq!(ready["store"]["keys"], "working", "{ready}");
    // What is made and changed later is followed as ever.
    let made = program::ask(address, &asked("POST", "/keys", &json!({"name": "third"}))).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(status(made.json()["key"].as_str().unwrap()).await, 200);
    let disabled = program::ask(address, &asked("POST", &format!("/keys/{other_id}/disable"), &Value::Null)).await;
    assert_eq!(disabled.status(), 200, "{}", disabled.text());
    assert_eq!(status(&other).await, 401);
    // The row goes as that of any other key does.
    let deleted = program::ask(address, &asked("DELETE", &format!("/keys/{id}"), &Value::Null)).await;
    assert_eq!(deleted.status(), 204, "{}", deleted.text());
    second.stop();
    assert!(second.has_succeeded());
    let (third, address) = start();
    assert_eq!(program::ask(address, &with_key(OPENAI, "openai", false, &damaged)).await.status(), 401);
    assert!(!third.log().contains("cannot be read, and is left out"), "{}", third.log());
}

/// A request to the admin side by another token.
fn by(token: &str, method: &str, path: &str) -> Request {
    Request::new(method, &format!("/admin/v1{path}")).header("authorization", &format!("Bearer {token}"))
}

fn text(reply: &Reply, member: &str) -> String {
    reply.json()[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", reply.text())).to_owned()
}

/// What is made of each kind, with the path of its list. A key's id is told when it is made.
fn documents() -> [(&'static str, &'static str, Value); 6] {
    [
        ("organisation", "/organisations", json!({"id": "acme", "name": "Acme"})),
        ("team", "/teams", json!({"id": "blue", "name": "Blue"})),
        ("user", "/users", json!({"id": "ada", "name": "Ada"})),
        ("budget", "/budgets", json!({"id": "spare", "for": "all", "requests": 1_000, "per": "total"})),
        ("price", "/prices", json!({"id": "large", "provider": "openai", "model": "m", "rates": {"input": "1"}})),
        ("key", "/keys", json!({"name": "build"})),
    ]
}

/// Makes each of these documents, damages it while nothing runs, and deletes it over the admin side.
async fn what_cannot_be_read_is_deleted(upstream: &Upstream, url: &str, open: impl Fn() -> Box<dyn Store>) {
    let folder = Folder::with(&["openai", "anthropic", "gemini"]);
    let settings = format!("{}\n[store]\nurl = \"{url}\"\n", config(upstream));
    let start = || {
        let program = Program::start(&folder, &target().join("test-cache"), &settings);
        let address = program.address();
        (program, address)
    };
    let (first, address) = start();
    let make = async |address, path: &str, body: &Value| program::ask(address, &asked("POST", path, body)).await;
    assert_eq!(make(address, "/teams", &json!({"id": "red", "name": "Red"})).await.status(), 201);
    let lead = json!({"name": "lead", "owner": {"team": "red"}, "grants": [{"access": "write", "team": "red"}]});
    let lead = text(&make(address, "/keys", &lead).await, "key");
    let (mut ids, mut damaged) = (Vec::new(), String::new());
    for (_, path, body) in documents() {
        let made = make(address, path, &body).await;
        assert_eq!(made.status(), 201, "{path}: {}", made.text());
        ids.push(text(&made, "id"));
        made.json()["key"].as_str().unwrap_or_default().clone_into(&mut damaged);
    }
    first.stop();
    assert!(first.has_succeeded());
    let spoiled = documents().into_iter().zip(&ids).map(|((kind, ..), id)| Change {
        kind: kind.to_owned(),
        id: id.clone(),
        expect: Expect::Any,
        body: Some("{\"schema\": 1, \"id\":".to_owned()),
    });
    tokio::task::block_in_place(|| open().change(&spoiled.collect::<Vec<_>>(), None)).unwrap();

    let (second, address) = start();
    let status = async |request: &Request| program::ask(address, request).await.status();
    assert_eq!(status(&with_key(OPENAI, "openai", false, &damaged)).await, 401);
    for ((kind, list, body), id) in documents().into_iter().zip(&ids) {
        let path = format!("{list}/{id}");
        assert_eq!(status(&asked("PATCH", &path, &json!({"metadata": {"a": 1}}))).await, 503, "{kind} is not changed");
        // Whose it is, nobody knows any more.
        assert_eq!(status(&by(READER, "DELETE", &path)).await, 403, "{kind}");
        let of_team = status(&by(&lead, "DELETE", &path)).await;
        assert!(matches!(of_team, 403 | 404), "{kind}: {of_team}");
        let of_other = asked("DELETE", &path, &Value::Null).header("if-match", "\"1\"");
        assert_eq!(status(&of_other).await, 409, "{kind}");
        let deleted = program::ask(address, &asked("DELETE", &path, &Value::Null)).await;
        assert_eq!(deleted.status(), 204, "{kind}: {}", deleted.text());
        for method in ["GET", "DELETE"] {
            assert_eq!(status(&asked(method, &path, &Value::Null)).await, 404, "{method} {kind}");
        }
        let audit = program::ask(address, &asked("GET", "/audit?limit=1", &Value::Null)).await.json();
        let event = &audit["items"][0]["event"];
        let said = ["action", "kind", "id"].map(|member| event[member].as_str().unwrap());
        assert_eq!(said, ["delete", kind, id], "{audit}");
        assert!(event.get("before").is_none() && event["actor"]["kind"].is_string(), "{audit}");
        assert_eq!(make(address, list, &body).await.status(), 201, "{kind}, made anew");
    }
    assert_eq!(status(&with_key(OPENAI, "openai", false, &damaged)).await, 401, "the other key is none of it");
    let checked = program::ask(address, &asked("GET", "/audit/check", &Value::Null)).await.json();
    assert_eq!(checked["intact"], true, "{checked}");
    second.stop();
    assert!(second.has_succeeded());
    let (third, address) = start();
    assert_eq!(program::ask(address, &with_key(OPENAI, "openai", false, &lead)).await.status(), 200);
    assert!(!third.log().contains("cannot be read, and is left out"), "{}", third.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_of_a_file_is_deleted_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.db");
    let open = || -> Box<dyn Store> { Box::new(Sqlite::open(&file).unwrap()) };
    what_cannot_be_read_is_deleted(&provider().await, &format!("sqlite://{}", file.display()), open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_of_a_database_is_deleted_and_recorded() {
    let Some(database) = Database::start() else { return };
    let url = database.url();
    let open = || -> Box<dyn Store> { Box::new(Postgres::open(&url, PostgresOptions::default()).unwrap()) };
    what_cannot_be_read_is_deleted(&provider().await, &url, open).await;
}

/// `weir keys damaged …`, by this token.
async fn command(address: SocketAddr, token: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program::file());
    command.args(["keys", "damaged", "--admin", &format!("http://{address}")]).args(arguments);
    command.env("WEIR_ADMIN_TOKEN", token);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_name_finds_are_listed_and_removed_by_a_command() {
    let upstream = provider().await;
    let (folder, text) = (Folder::with(&["openai", "anthropic", "gemini"]), config(&upstream));
    let start = || Program::start(&folder, &target().join("test-cache"), &text);
    let first = start();
    let address = first.address();
    let made = program::ask(address, &asked("POST", "/keys", &json!({"name": "whole"}))).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(command(address, TOKEN, &[]).await, (true, "no row has a damaged kind or id\n".to_owned()));
    first.stop();
    assert!(first.has_succeeded());
    let spoiled = [("kez", "0123456789ab"), ("key", "0123\u{1b}[2J6789ab"), ("team", "r/d")].map(|(kind, id)| Change {
        kind: kind.to_owned(),
        id: id.to_owned(),
        expect: Expect::Any,
        body: Some("{}".to_owned()),
    });
    let file = folder.path().join("weir.db");
    tokio::task::block_in_place(|| Sqlite::open(&file).unwrap().change(&spoiled, None)).unwrap();

    let second = start();
    let address = second.address();
    let (_, listed) = command(address, TOKEN, &[]).await;
    let rows: Vec<Vec<&str>> = listed.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let names: Vec<[&str; 2]> = rows.iter().map(|row| [row[1], row[2]]).collect();
    assert_eq!(names, [["key", "0123\\u{1b}[2J6789ab"], ["kez", "0123456789ab"], ["team", "r/d"]], "{listed}");
    assert!(command(address, READER, &[]).await.0);
    assert!(!command(address, READER, &["--remove", rows[0][0]]).await.0, "it takes a right to write");
    for row in &rows {
        assert_eq!(command(address, TOKEN, &["--remove", row[0]]).await, (true, "removed\n".to_owned()));
        let (done, why) = command(address, TOKEN, &["--remove", row[0]]).await;
        assert!(!done && why.contains("no damaged row has this mark"), "{why}");
    }
    assert_eq!(command(address, TOKEN, &[]).await.1, "no row has a damaged kind or id\n");
    let audit = program::ask(address, &asked("GET", "/audit?limit=3", &Value::Null)).await.json();
    let said: Vec<[&str; 2]> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| ["action", "kind"].map(|member| entry["event"][member].as_str().unwrap()))
        .collect();
    assert_eq!(said, [["delete", "team"], ["delete", "kez"], ["delete", "key"]], "{audit}");
    let checked = program::ask(address, &asked("GET", "/audit/check", &Value::Null)).await.json();
    assert_eq!(checked["intact"], true, "{checked}");
    let whole = with_key(OPENAI, "openai", false, made.json()["key"].as_str().unwrap());
    assert_eq!(program::ask(address, &whole).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_forget_what_they_know_by_a_row_that_is_removed_and_nothing_that_another_row_has() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let text = format!("{}\n[store]\nurl = \"{}\"\n", config(&upstream), database.url());
    let folders = [(); 2].map(|()| Folder::with(&ADAPTERS));
    let nodes = folders.each_ref().map(|folder| Program::start(folder, &target().join("test-cache"), &text));
    let [here, there] = nodes.each_ref().map(Program::address);
    let mut keys = Vec::new();
    for name in ["id", "kind", "body", "copy"] {
        let made = admin(here, "POST", "/keys", json!({"name": name})).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        keys.push(["id", "key"].map(|member| made.json()[member].as_str().unwrap().to_owned()));
    }
    let [id, kind, body, copy] = &keys[..] else { panic!("{keys:?}") };
    // Nodes know these keys when their rows are damaged.
    for key in [id, kind, body, copy] {
        until(there, &key[1], 200).await;
    }
    let spoil = format!(
        "update weir.documents set id = 'x/' || id where id = '{}'; update weir.documents set kind = 'kez' where id = '{}'; \
         update weir.documents set kind = 'kez', body = '{{' where id = '{}'; \
         insert into weir.documents select kind, 'y/' || id, -1, body from weir.documents where id = '{}'",
        id[0], kind[0], body[0], copy[0]
    );
    sql(&database, &spoil);
    let listed = admin(here, "GET", "/damaged", Value::Null).await.json();
    let rows = listed["items"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 4, "{listed}");
    for key in [id, kind, body, copy] {
        assert_eq!((ask(here, &key[1]).await, ask(there, &key[1]).await), (200, 200), "they are still known");
    }
    for row in rows {
        let path = format!("/damaged/{}", row["mark"].as_str().unwrap());
        assert_eq!(admin(here, "DELETE", &path, Value::Null).await.status(), 204);
    }
    for key in [id, kind, body] {
        assert_eq!(ask(here, &key[1]).await, 401, "here at once");
        until(there, &key[1], 401).await;
        assert_eq!(admin(there, "GET", &format!("/keys/{}", key[0]), Value::Null).await.status(), 404);
    }
    assert_eq!((ask(here, &copy[1]).await, ask(there, &copy[1]).await), (200, 200), "its own row is there");
    assert_eq!(admin(here, "GET", "/damaged", Value::Null).await.json()["items"], json!([]));
}
