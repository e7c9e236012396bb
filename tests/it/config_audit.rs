//! Which configurations were taken and refused is in the audit log: by whom, and what changed, without a value of it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::plugins::target;
use weir_tests::{Folder, Program, Reply, Request, Upstream, program, soon};

use crate::wire_format::{OPENAI, config_of, provider};

const TOKEN: &str = "the-token-of-the-operator-0123";
const SECRET: &str = "the-key-of-the-first-client";
const OTHER_SECRET: &str = "the-key-of-another-client";

fn config(upstream: &Upstream, store: &str, more: &str) -> String {
    let client = format!("[[clients]]\nname = \"a\"\nkey = \"{SECRET}\"\n");
    format!(
        "[admin]\ntoken = \"{TOKEN}\"\n[store]\nurl = \"{store}\"\n{client}{}{more}",
        config_of(&[OPENAI], upstream)
    )
}

async fn admin(address: SocketAddr, request: Request) -> Reply {
    program::ask(address, &request.header("authorization", &format!("Bearer {TOKEN}"))).await
}

/// The event of the newest entry of an action by an actor of this kind, once there is one.
async fn entry(address: SocketAddr, action: &str, actor: &str) -> Value {
    let found = async {
        loop {
            let list = admin(address, Request::get("/admin/v1/audit?limit=1000")).await.json();
            let events = list["items"].as_array().unwrap().iter().map(|item| &item["event"]);
            let mut events = events.filter(|event| event["action"] == action && event["actor"]["kind"] == actor);
            if let Some(event) = events.next() {
                return event.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("an entry", found).await
}

async fn all_of_it_is_recorded(folder: &Folder, store: &str) {
    let upstream = provider(OPENAI).await;
    let file = folder.path().join("weir.toml");
    let write = |text: &str| {
        std::fs::write(file.with_extension("new"), text).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
    };
    let first = config(&upstream, store, "");
    let program = Program::start(folder, &target().join("test-cache"), &first);
    let address = program.address();
    let started = entry(address, "start", "start").await;
    assert!(started["actor"]["id"].as_str().unwrap().starts_with("weir/"), "{started}");
    assert_eq!((&started["before"], &started["after"]["version"]), (&json!(null), &json!(1)));
    let reload = || admin(address, Request::post("/admin/v1/config/reload", ""));

    let model = "[[models]]\nalias = \"second\"\ntarget = { provider = \"openai\", model = \"m\" }\n";
    let second = config(&upstream, store, model).replace(SECRET, OTHER_SECRET);
    write(&second);
    assert_eq!(reload().await.status(), 200);
    let taken = entry(address, "reload", "token").await;
    assert_eq!(
        (&taken["kind"], &taken["actor"]["id"], &taken["id"]),
        (&json!("config"), &json!("admin.token"), &json!("2"))
    );
    assert_eq!((&taken["before"]["version"], &taken["after"]["version"]), (&json!(1), &json!(2)));
    assert_eq!(taken["before"], started["after"]);
    assert_ne!(taken["before"]["digest"], taken["after"]["digest"]);
    assert_eq!((&taken["changed"], &taken["secret_files_changed"]), (&json!(["clients", "models"]), &json!(false)));

    write(&second.replace("alias = \"second\"", &format!("alais = \"{SECRET}\"")));
    assert_eq!(reload().await.status(), 422);
    let refused = entry(address, "refuse-reload", "token").await;
    assert_eq!((&refused["id"], &refused["before"]["version"]), (&json!("2"), &json!(2)));
    assert_eq!(refused["refused"]["digest"].as_str().map(str::len), Some(64), "{refused}");
    assert!(refused["refused"]["why"].as_str().unwrap().contains("`[[models]]` needs `alias`"), "{refused}");

    assert_eq!(admin(address, Request::post("/admin/v1/config/rollback", "")).await.status(), 200);
    let back = entry(address, "rollback", "token").await;
    assert_eq!((&back["before"], &back["after"]["digest"]), (&taken["after"], &taken["before"]["digest"]));

    write(&config(&upstream, store, &model.replace("second", "third")));
    let seen = entry(address, "reload", "file").await;
    assert_eq!((&seen["actor"]["id"], &seen["changed"]), (&json!("weir.toml"), &json!(["models"])));

    let hang_up = Command::new("kill").args(["-HUP", &program.id().to_string()]).status();
    assert!(hang_up.unwrap().success());
    let signalled = entry(address, "reload", "signal").await;
    assert_eq!((&signalled["actor"]["id"], &signalled["changed"]), (&json!("SIGHUP"), &json!([])));

    let all = admin(address, Request::get("/admin/v1/audit?limit=1000")).await.text();
    assert!(![SECRET, OTHER_SECRET, TOKEN, "KEY-OF"].into_iter().any(|secret| all.contains(secret)), "{all}");
    assert_eq!(admin(address, Request::get("/admin/v1/audit/check")).await.json()["intact"], true);

    // A start with what was in force last needs no entry; one with another configuration has one.
    drop(program);
    let third = std::fs::read_to_string(&file).unwrap();
    for (text, expected) in [(third.clone(), 1), (third.replace("\"third\"", "\"fourth\""), 2)] {
        let program = Program::start(folder, &target().join("test-cache"), &text);
        let address = program.address();
        let starts = async || {
            let all = admin(address, Request::get("/admin/v1/audit?limit=1000")).await.json();
            let events = all["items"].as_array().unwrap().iter().map(|item| item["event"].clone());
            events.filter(|event| event["action"] == "start").collect::<Vec<_>>()
        };
        // It is written beside the start.
        let earlier = [&started["after"]["digest"], &signalled["after"]["digest"]];
        let written = async {
            while expected == 2 && earlier.contains(&&starts().await[0]["after"]["digest"]) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon("the last start", written).await;
        let all = starts().await;
        assert_eq!(all.len(), expected, "{all:?}");
        assert_eq!(all[0]["before"]["digest"] == signalled["after"]["digest"], expected == 2, "{all:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_rollbacks_are_in_the_audit_log_of_files() {
    all_of_it_is_recorded(&Folder::with(&["openai"]), "sqlite://weir.db").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_rollbacks_are_in_the_audit_log_of_a_database() {
    let Some(database) = Database::start() else { return };
    all_of_it_is_recorded(&Folder::with(&["openai"]), &database.url()).await;
}
