//! Stores that are restored from a backup: a key that was revoked since stays revoked where that is known.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::plugins::target;
use weir_tests::{Folder, Program, program};

use super::nodes::{admin, ask};
use super::{config, provider};
use crate::wire_format::OPENAI;

const ADAPTERS: [&str; 3] = ["openai", "anthropic", "gemini"];

async fn until(address: SocketAddr, key: &str, status: u16) {
    let begun = Instant::now();
    loop {
        let found = ask(address, key).await;
        if found == status {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{found}, not {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a key; returns its id and its text.
async fn made(address: SocketAddr, name: &str) -> (String, String) {
    let begun = Instant::now();
    loop {
        let reply = admin(address, "POST", "/keys", json!({"name": name})).await;
        if reply.status() == 201 {
            let text = |field: &str| reply.json()[field].as_str().unwrap().to_owned();
            return (text("id"), text("key"));
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", reply.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn disable(address: SocketAddr, id: &str) {
    let reply = admin(address, "POST", &format!("/keys/{id}/disable"), Value::Null).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

fn end(program: Program) {
    program.stop();
    assert!(program.has_succeeded());
}

/// Puts the files of a store from one folder into another, in place of those that it has.
fn put(from: &Path, to: &Path, is_wanted: impl Fn(&str) -> bool) {
    let files = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let is_wanted =
        |name: &std::ffi::OsString| name.to_str().is_some_and(|name| name.starts_with("weir.db") && is_wanted(name));
    for name in files(to).filter(is_wanted).collect::<Vec<_>>() {
        fs::remove_file(to.join(name)).unwrap();
    }
    for name in files(from).filter(is_wanted) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// Whether a file is the node's own, and no part of the store.
fn is_of_node(name: &str) -> bool {
    name.ends_with(".version") || name.ends_with(".revoked")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_with_a_restored_file_revives_no_key_that_it_knew_as_revoked() {
    let upstream = provider().await;
    let text = config(&upstream);
    let (folder, backup, own) = (Folder::with(&ADAPTERS), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let start = || {
        let program = Program::start(&folder, &target().join("test-cache"), &text);
        let address = program.address();
        (program, address)
    };
    let (program, address) = start();
    let ((gone, gone_key), (_, key)) = (made(address, "gone").await, made(address, "stays").await);
    end(program);
    put(folder.path(), backup.path(), |_| true);
    let (program, address) = start();
    disable(address, &gone).await;
    end(program);
    // What the node knew is its own; the store is the backup's.
    put(folder.path(), own.path(), is_of_node);
    put(backup.path(), folder.path(), |name| !is_of_node(name));
    for _ in 0..2 {
        let (program, address) = start();
        assert_eq!((ask(address, &gone_key).await, ask(address, &key).await), (401, 200));
        end(program);
    }
    // Also where the restored store has gone on beyond what the node knew, here without the node.
    put(backup.path(), folder.path(), |_| true);
    fs::remove_file(folder.path().join("weir.db.version")).unwrap();
    fs::remove_file(folder.path().join("weir.db.revoked")).unwrap_or_default();
    let (program, address) = start();
    assert_eq!(ask(address, &gone_key).await, 200, "nothing is known of it");
    for number in 0..5 {
        made(address, &format!("later-{number}")).await;
    }
    end(program);
    put(own.path(), folder.path(), is_of_node);
    let (program, address) = start();
    assert!(program.log().contains("the store is older than what this node knew"), "{}", program.log());
    assert_eq!((ask(address, &gone_key).await, ask(address, &key).await), (401, 200));
    // What is written about it from now on counts.
    let reply = admin(address, "PATCH", &format!("/keys/{gone}"), json!({"tags": ["x"]})).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    until(address, &gone_key, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_store_was_emptied_still_asks_for_a_key_until_it_is_told_that_this_was_meant() {
    let upstream = provider().await;
    let text = config(&upstream);
    let folder = Folder::with(&ADAPTERS);
    let start = || {
        let program = Program::start(&folder, &target().join("test-cache"), &text);
        let address = program.address();
        (program, address)
    };
    let without_key = async |address| program::ask(address, &OPENAI.request("openai", false)).await.status();
    let (program, address) = start();
    assert_eq!(without_key(address).await, 200, "there is no key yet");
    let (id, key) = made(address, "gone").await;
    disable(address, &id).await;
    end(program);
    let (program, address) = start();
    assert_eq!((without_key(address).await, ask(address, &key).await), (401, 401));
    end(program);
    for lose in [|file: &Path| fs::write(file, "").unwrap(), |file: &Path| fs::remove_file(file).unwrap()] {
        lose(&folder.path().join("weir.db"));
        // More than once: what was found at the first start is not forgotten at the second.
        for _ in 0..2 {
            let (program, address) = start();
            assert!(program.log().contains("the store has no keys, although this node knew some"), "{}", program.log());
            assert_eq!((without_key(address).await, ask(address, &key).await), (401, 401));
            end(program);
        }
    }
    fs::remove_file(folder.path().join("weir.db.version")).unwrap();
    let (_program, address) = start();
    assert_eq!(without_key(address).await, 200);
}

/// Sends a signal to a process.
fn signal(program: &Program, name: &str) {
    let sent = Command::new("kill").args([name, &program.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_restored_and_has_gone_on_between_two_questions_revives_no_key() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let text = format!("{}\n[store]\nurl = \"{}\"\n", config(&upstream), database.url());
    let folders = [(); 2].map(|()| Folder::with(&ADAPTERS));
    let start = |at: usize| {
        let program = Program::start(&folders[at], &target().join("test-cache"), &text);
        let address = program.address();
        (program, address)
    };
    let (old, at_old) = start(0);
    let ((gone, gone_key), (_, key)) = (made(at_old, "gone").await, made(at_old, "stays").await);
    database.back_up();
    until(at_old, &gone_key, 200).await;
    let begun = Instant::now();
    while admin(at_old, "POST", &format!("/keys/{gone}/disable"), Value::Null).await.status() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until(at_old, &gone_key, 401).await;
    // It asks nothing while the database is restored and used by another node.
    signal(&old, "-STOP");
    database.restore();
    let (new, at_new) = start(1);
    assert_eq!(ask(at_new, &gone_key).await, 200, "nothing is known of it there");
    for number in 0..5 {
        made(at_new, &format!("later-{number}")).await;
    }
    end(new);
    signal(&old, "-CONT");
    old.until("the store was put back to an older state");
    assert_eq!((ask(at_old, &gone_key).await, ask(at_old, &key).await), (401, 200));
    end(old);
    let (_again, address) = start(0);
    assert_eq!((ask(address, &gone_key).await, ask(address, &key).await), (401, 200), "also after a restart");
}
