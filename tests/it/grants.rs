//! Tests of grants (a clock, random numbers, folders to read): the adapter gets these and nothing else, other adapters
//! get none, and every list of adapters shows the grants.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use weir_tests::plugins::component;
use weir_tests::{Folder, Gateway, Upstream};

use crate::commands::CommandFolder;
use crate::wire_format::{OPENAI, ZETA, config, provider};

/// Creates a folder `prices` to be granted, and a file `secret` beside it.
fn data() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir_all(data.path().join("prices/deep")).unwrap();
    fs::write(data.path().join("prices/list.txt"), "tea 3").unwrap();
    fs::write(data.path().join("prices/deep/more.txt"), "coffee 4").unwrap();
    fs::write(data.path().join("secret"), "THE SECRET").unwrap();
    data
}

fn folder() -> Folder {
    Folder::with(&["openai", "anthropic", "zeta", "gemini", "clockwork"])
}

async fn gateway(upstream: &Upstream, grants: &str) -> Gateway {
    Gateway::with(folder(), &format!("{}{grants}", config(upstream))).await
}

fn granted(grants: &str) -> String {
    format!("[plugins.clockwork]\ngrants = {{ {grants} }}\n")
}

fn reading(data: &TempDir) -> String {
    granted(&format!("read = [\"{}\"]", data.path().join("prices").display()))
}

async fn ask(gateway: &Gateway, asked: Value) -> String {
    let mut body = json!({"model": "openai"});
    body.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
    gateway.post("/clockwork/ask", &body.to_string()).await.text()
}

async fn output_of(gateway: &Gateway, what: &str) -> String {
    ask(gateway, json!({ "do": what })).await
}

/// Does something with a path in the granted folder.
async fn with_file(gateway: &Gateway, what: &str, path: &str) -> String {
    ask(gateway, json!({"do": what, "dir": "/read/prices", "path": path})).await
}

#[track_caller]
fn is_in(expected: &str, text: &str) {
    assert!(text.contains(expected), "{expected:?} is not in {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_grants_the_world_is_as_inert_as_ever() {
    let upstream = provider(OPENAI).await;
    let gateway = gateway(&upstream, "").await;
    is_in("wall 0 monotonic 1", &output_of(&gateway, "clock").await);
    is_in("[0, 1, 2, 3, 4, 5, 6, 7] (0, 0)", &output_of(&gateway, "random").await);
    is_in("folders []", &output_of(&gateway, "folders").await);
    is_in("slept", &ask(&gateway, json!({"do": "sleep", "path": "3600000"})).await);
    let adapter = gateway.adapter("clockwork").await.remove(0);
    assert_eq!((&adapter["grants"]["clock"], &adapter["impurity"]), (&json!(false), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_clock_and_random_numbers_are_live_and_the_rest_stays_closed() {
    let upstream = provider(OPENAI).await;
    let gateway = gateway(&upstream, &granted("clock = true, random = true")).await;
    let clock = output_of(&gateway, "clock").await;
    let wall: u64 = clock.split("wall ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    assert!(wall > 1_700_000_000, "{clock}");
    let random = output_of(&gateway, "random").await;
    assert!(random.contains(", ") && !random.contains("[0, 1, 2, 3, 4, 5, 6, 7]"), "{random}");
    assert_ne!(random, output_of(&gateway, "random").await);
    is_in("folders []", &output_of(&gateway, "folders").await);
    is_in("0 arguments, 0 variables", &output_of(&gateway, "world").await);
    is_in("access-denied", &output_of(&gateway, "socket").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_grant_brings_no_other() {
    let upstream = provider(OPENAI).await;
    let only_random = gateway(&upstream, &granted("random = true")).await;
    is_in("wall 0 monotonic 1", &output_of(&only_random, "clock").await);
    let only_clock = gateway(&upstream, &granted("clock = true")).await;
    is_in("[0, 1, 2, 3, 4, 5, 6, 7] (0, 0)", &output_of(&only_clock, "random").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_folder_is_read_and_never_written() {
    let (upstream, data) = (provider(OPENAI).await, data());
    let gateway = gateway(&upstream, &reading(&data)).await;
    is_in("folders [\\\"/read/prices\\\"]", &output_of(&gateway, "folders").await);
    is_in("tea 3", &with_file(&gateway, "read", "list.txt").await);
    is_in("coffee 4", &with_file(&gateway, "read", "deep/more.txt").await);
    fs::write(data.path().join("prices/list.txt"), "tea 5").unwrap();
    is_in("tea 5", &with_file(&gateway, "read", "list.txt").await);
    for (what, path) in [
        ("write", "new.txt"),
        ("write", "list.txt"),
        ("overwrite", "list.txt"),
        ("make", "folder"),
        ("link", "link"),
        ("rename", "list.txt"),
        ("remove", "list.txt"),
    ] {
        let output = with_file(&gateway, what, path).await;
        assert!(output.contains("not-permitted") || output.contains("bad-descriptor"), "{what} {path}: {output}");
    }
    let names = |folder: &str| fs::read_dir(data.path().join(folder)).unwrap().count();
    assert_eq!((names("prices"), names("prices/deep"), names("")), (2, 1, 2));
    assert_eq!(fs::read_to_string(data.path().join("prices/list.txt")).unwrap(), "tea 5");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_out_of_a_granted_folder() {
    let (upstream, data) = (provider(OPENAI).await, data());
    let prices = data.path().join("prices");
    std::os::unix::fs::symlink("../secret", prices.join("up")).unwrap();
    std::os::unix::fs::symlink(data.path().join("secret"), prices.join("away")).unwrap();
    std::os::unix::fs::symlink(data.path(), prices.join("beside")).unwrap();
    std::os::unix::fs::symlink("deep/more.txt", prices.join("within")).unwrap();
    let gateway = gateway(&upstream, &reading(&data)).await;
    is_in("coffee 4", &with_file(&gateway, "read", "within").await);
    let secret = data.path().join("secret");
    for path in ["../secret", "deep/../../secret", "up", "away", "beside/secret", secret.to_str().unwrap()] {
        let output = with_file(&gateway, "read", path).await;
        assert!(!output.contains("THE SECRET"), "{path}: {output}");
        is_in("not-permitted", &output);
    }
    let other = data.path().to_str().unwrap();
    for dir in ["/", "/read", "/read/secret", other] {
        is_in("no folder", &ask(&gateway, json!({"do": "read", "dir": dir, "path": "secret"})).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_a_granted_folder_holds_up_nothing() {
    let (upstream, data) = (provider(OPENAI).await, data());
    let pipe = data.path().join("prices/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let gateway = gateway(&upstream, &reading(&data)).await;
    is_in("not-permitted", &with_file(&gateway, "read", "pipe").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_ends_at_the_deadline_and_so_does_a_loop() {
    let upstream = provider(OPENAI).await;
    let settings = "[plugins.clockwork]\ngrants = { clock = true }\ndeadline = \"300ms\"\n";
    let gateway = gateway(&upstream, settings).await;
    is_in("slept", &ask(&gateway, json!({"do": "sleep", "path": "1"})).await);
    let begun = Instant::now();
    for asked in [json!({"do": "sleep", "path": "3600000"}), json!({"do": "spin"})] {
        assert!(!ask(&gateway, asked).await.contains("slept"));
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let adapter = gateway.adapter("clockwork").await.remove(0);
    assert_eq!(adapter["faults_by_kind"]["deadline"], 2, "{adapter}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_shown_and_others_have_none() {
    let (upstream, data) = (provider(OPENAI).await, data());
    let gateway = gateway(&upstream, &reading(&data)).await;
    let adapter = gateway.adapter("clockwork").await.remove(0);
    let prices = data.path().join("prices").display().to_string();
    assert_eq!(adapter["grants"], json!({"clock": false, "random": false, "read": [prices]}));
    assert_eq!(adapter["impurity"], format!("not proved pure: may read {prices}"));
    let report = gateway.act("clockwork", "test", "").await.json();
    assert_eq!(report["report"]["impurity"], adapter["impurity"], "{report}");
    is_in("adapter loaded with grants, not proved pure", &weir_tests::log::text());
    for other in ["zeta", "openai"] {
        assert_eq!(gateway.adapter(other).await.remove(0)["impurity"], Value::Null);
    }
    for wire_format in [OPENAI, ZETA] {
        let reply = gateway.ask(&wire_format.request("openai-t", false)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_gives_and_withdraws() {
    let upstream = provider(OPENAI).await;
    let folder = folder();
    let with = |grants: &str| format!("{}{grants}", config(&upstream));
    fs::write(folder.path().join("weir.toml"), with("")).unwrap();
    let gateway = Gateway::with(folder, "").await;
    is_in("wall 0 monotonic 1", &output_of(&gateway, "clock").await);
    let steps = [(with(&granted("clock = true")), true), (with(""), false)];
    for (config, has_clock) in steps {
        gateway.configure(&config);
        let reply = gateway.post("/admin/reload", "").await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.json()["at_next_start"], json!([]), "{}", reply.text());
        let is = |all: &[Value]| all.iter().any(|one| one["grants"]["clock"] == has_clock);
        gateway.until_adapter("clockwork", is).await;
        let output = output_of(&gateway, "clock").await;
        assert_eq!(!output.contains("wall 0 monotonic 1"), has_clock, "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_with_a_folder_that_is_not_there_is_refused() {
    let upstream = provider(OPENAI).await;
    let folder = folder();
    fs::write(folder.path().join("weir.toml"), config(&upstream)).unwrap();
    let gateway = Gateway::with(folder, "").await;
    gateway.configure(&format!("{}{}", config(&upstream), granted("read = [\"nowhere\"]")));
    let reply = gateway.post("/admin/reload", "").await;
    assert_eq!(reply.status(), 422, "{}", reply.text());
    is_in("there is no folder", &reply.text());
}

#[test]
fn commands_show_grants_and_check_misses_folders() {
    let desk = CommandFolder::with(
        &fs::read(component("zeta")).unwrap(),
        "[plugins.zeta]\ngrants = { clock = true, read = [\"data\"] }\n",
    );
    fs::create_dir(desk.at("served")).unwrap();
    fs::copy(desk.at("zeta.wasm"), desk.at("served/zeta.wasm")).unwrap();
    let missing = desk.types_with(&[], "check --config weir.toml", 2);
    is_in("weir.toml:5:", &missing);
    is_in("there is no folder data", &missing);
    fs::create_dir(desk.at("data")).unwrap();
    let impurity = "not proved pure: may read a clock, ";
    is_in(&format!("adapter zeta: {impurity}"), &desk.types_with(&[], "check --config weir.toml", 0));
    is_in(impurity, &desk.types("list --config weir.toml", 0));
    is_in("\"clock\": true", &desk.types("list --json --config weir.toml", 0));
    is_in(impurity, &desk.types("inspect zeta.wasm", 0));
    is_in(impurity, &desk.types("test zeta.wasm", 0));
    is_in(impurity, &desk.types("install zeta.wasm --config weir.toml", 0));
}
