//! A store with a damaged row: that key is refused, and no other.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use weir_tests::plugins::target;
use weir_tests::{Folder, Program, program};

use super::{asked, config, provider, with_key};
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
    let ready = program::ask(address, &weir_tests::Request::get("/ready")).await.json();
    assert_eq!(ready["store"]["keys"], "working", "{ready}");
    // What is made and changed later is followed as ever.
    let made = program::ask(address, &asked("POST", "/keys", &json!({"name": "third"}))).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!(status(made.json()["key"].as_str().unwrap()).await, 200);
    let disabled = program::ask(address, &asked("POST", &format!("/keys/{other_id}/disable"), &Value::Null)).await;
    assert_eq!(disabled.status(), 200, "{}", disabled.text());
    assert_eq!(status(&other).await, 401);
}
