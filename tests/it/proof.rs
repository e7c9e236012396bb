//! An adapter proves itself with recorded exchanges before it serves; one with a subtle bug is refused.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use weir_adapters::lock::Lock;
use weir_adapters::{Admission, Cache, Loader};
use weir_fixtures::proof;
use weir_fixtures::proof::{Bounds, Depth, Report};
use weir_sandbox::{Adapter, Digest, Engine, Limits};
use weir_tests::plugins::{component, root, target, zeta_build, zeta_fixtures, zeta_with_fault};
use weir_tests::{Folder, Gateway, Program, Upstream, log};

use crate::wire_format::{TEXT, ZETA, config, provider};

/// A gateway whose zeta has fixtures, with these lines before the providers' configuration.
async fn gateway(more: &str) -> (Gateway, Upstream) {
    let upstream = provider(ZETA).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    folder.put_fixtures("zeta", &zeta_fixtures());
    (Gateway::with(folder, &format!("{more}\n{}", config(&upstream))).await, upstream)
}

/// The operations side's reason why a newer zeta does not serve.
async fn refusal(gateway: &Gateway) -> String {
    let is_refused = |all: &[Value]| all.iter().any(|one| one.to_string().contains("fixtures"));
    gateway.until_adapter("zeta", is_refused).await;
    gateway.adapter("zeta").await.iter().map(Value::to_string).collect()
}

async fn serves(gateway: &Gateway) {
    let reply = gateway.ask(&ZETA.request("zeta-t", false)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(ZETA.parsed(&reply, false).text, TEXT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_drops_a_piece_of_a_call_at_a_border_stays_out_and_the_former_one_serves_on() {
    let (gateway, _upstream) = gateway("").await;
    serves(&gateway).await;
    gateway.folder.put("zeta", &zeta_with_fault("border"));
    let reason = refusal(&gateway).await;
    for expected in ["1 of 4 fixtures fail", "stream-calls", "frame by frame", "event 5", "Rome", "got nothing"] {
        assert!(reason.contains(expected), "{expected:?} is not in {reason}");
    }
    assert!(log::text().contains("frame by frame"), "the log says it too");
    serves(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_keeps_something_between_exchanges_stays_out() {
    let (gateway, _upstream) = gateway("").await;
    gateway.folder.put("zeta", &zeta_with_fault("memory"));
    let reason = refusal(&gateway).await;
    for expected in ["on an instance that has served before", "/usage/output", "expected 9, got"] {
        assert!(reason.contains(expected), "{expected:?} is not in {reason}");
    }
    serves(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_keeps_something_from_the_request_to_its_answer_stays_out() {
    let (gateway, _upstream) = gateway("").await;
    gateway.folder.put("zeta", &zeta_with_fault("asked"));
    let reason = refusal(&gateway).await;
    for expected in ["on an instance that has not made the request", "/usage/output"] {
        assert!(reason.contains(expected), "{expected:?} is not in {reason}");
    }
    serves(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_loses_a_parallel_call_stays_out() {
    let (gateway, _upstream) = gateway("").await;
    gateway.folder.put("zeta", &zeta_with_fault("parallel"));
    let reason = refusal(&gateway).await;
    assert!(reason.contains("/reply/wants/1/with/city"), "{reason}");
    serves(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c72_all_fixtures_run_on_every_activation() {
    let (gateway, _upstream) = gateway("").await;
    // A fixture that no adapter can satisfy comes at the end, after those that pass.
    let impossible = r#"{"operation": "chat", "kind": "quota",
        "request": {"method": "POST", "path_and_query": "/zeta/v0/minds/m:parley", "body": {"scroll": []}},
        "response": {"status": 503, "headers": {}, "body": {"woe": {"sort": "too-many"}}}}"#;
    let place = gateway.folder.path().join("zeta.fixtures/zz-impossible.json");
    std::fs::write(&place, impossible).unwrap();
    gateway.folder.put("zeta", &zeta_build(2));
    let reason = refusal(&gateway).await;
    assert!(reason.contains("1 of 5 fixtures fail: zz-impossible: error: it is not what is expected"), "{reason}");
    std::fs::remove_file(&place).unwrap();
    gateway.folder.put("zeta", &zeta_build(3));
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one.to_string().contains("zeta-build-0003"))).await;
    serves(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_fixtures_are_required_an_adapter_without_stays_out() {
    let (gateway, _upstream) = gateway("[plugins.openai]\nrequire_fixtures = true").await;
    let why: String = gateway.adapter("openai").await.iter().map(Value::to_string).collect();
    assert!(why.contains("fixtures are required and it has none"), "{why}");
    serves(&gateway).await;
}

/// Loads a component under its own name.
pub(crate) fn load(file: &Path, bytes: &[u8]) -> Arc<Adapter> {
    let engine = Engine::new(Limits::for_connections(8)).unwrap();
    let name = file.file_stem().unwrap().to_str().unwrap();
    let cache = Cache::open(&target().join("test-cache"), &engine).ok();
    Loader::new(engine, cache).load(name, bytes, &Admission::default()).unwrap()
}

fn proved(bytes: &[u8]) -> Report {
    let fixtures = proof::at(&zeta_fixtures(), Bounds::COMMAND).unwrap();
    proof::prove_to(&load(&component("zeta"), bytes), &fixtures, Depth::COMMAND)
}

#[test]
fn reports_are_for_people_for_machines_and_for_test_runners() {
    let report = proved(&zeta_with_fault("border"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["passed"], &json["failed"]), (&3.into(), &1.into()));
    let failed = &json["verdicts"][1];
    assert_eq!((&failed["fixture"], &failed["outcome"]), (&"stream-calls".into(), &"failed".into()));
    assert_eq!(failed["because"]["difference"]["at"], "event 5/delta", "{failed}");
    let junit = report.junit();
    assert!(junit.contains("<testsuite name=\"zeta\" tests=\"4\" failures=\"1\" skipped=\"0\""), "{junit}");
    assert!(junit.contains("<failure type=\"events\" message=\"events: frame by frame"), "{junit}");
    assert!(junit.contains("&quot;") && !junit.contains("message=\"\""), "{junit}");
    let human = report.human(false);
    assert!(human.contains("FAIL stream-calls\n     events: frame by frame"), "{human}");
    assert!(human.contains("3 passed, 1 failed, 0 skipped"), "{human}");
    assert!(!human.contains('\x1b') && report.human(true).contains("\x1b[31m"));
}

#[test]
fn a_fixture_with_expected_results_is_never_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (file, openai) = (folder.path().join("moved.json"), component("openai"));
    let adapter = load(&openai, &std::fs::read(&openai).unwrap());
    let proved = |expect: Option<Value>| {
        let asked = json!({"method": "POST", "path_and_query": "/moved/away", "body": {"model": "m"}});
        let mut fixture = json!({"request": asked, "response": {"status": 200, "headers": {}, "body": {}}});
        fixture.as_object_mut().unwrap().extend(expect.map(|expect| ("expect".to_owned(), expect)));
        std::fs::write(&file, fixture.to_string()).unwrap();
        proof::prove_to(&adapter, &proof::at(folder.path(), Bounds::COMMAND).unwrap(), Depth::COMMAND)
    };
    let report = proved(None);
    assert_eq!((report.failed, report.skipped), (0, 1), "{}", report.human(false));
    let report = proved(Some(json!({"losses": []})));
    assert_eq!((report.failed, report.skipped), (1, 0), "{}", report.human(false));
    let told = "it has expected results, and no acceptance and no face is for POST /moved/away";
    assert!(report.human(false).contains(told), "{}", report.human(false));
}

#[test]
fn what_came_can_be_expected_and_is_missed_when_it_no_longer_comes() {
    let adapter = load(&component("zeta"), &std::fs::read(component("zeta")).unwrap());
    let fixtures = proof::at(&zeta_fixtures(), Bounds::COMMAND).unwrap();
    let collected = proof::prove_to(&adapter, &fixtures, Depth { collects: true, ..Depth::COMMAND });
    let dir = tempfile::tempdir().unwrap();
    for (verdict, fixture) in collected.verdicts.iter().zip(&fixtures) {
        let text = proof::with_expect(&fixture.text, verdict.expect.as_ref().unwrap()).unwrap();
        std::fs::write(dir.path().join(format!("{}.json", fixture.name)), text).unwrap();
    }
    let expecting = proof::at(dir.path(), Bounds::COMMAND).unwrap();
    assert!(expecting.iter().all(proof::Fixture::expects));
    let again = proof::prove_to(&adapter, &expecting, Depth { collects: true, ..Depth::COMMAND });
    assert_eq!(again.first_failure(), None);
    for (first, second) in collected.verdicts.iter().zip(&again.verdicts) {
        assert_eq!(first.expect, second.expect, "what is written once is written the same again");
    }
    let file = dir.path().join("calls.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"cache_read\": 4", "\"cache_read\": 5")).unwrap();
    let expecting = proof::at(dir.path(), Bounds::COMMAND).unwrap();
    let failure = proof::prove(&adapter, &expecting).first_failure().unwrap();
    let expected =
        "calls: answer: it is not what is expected; first difference at /usage/cache_read: expected 5, got 4";
    assert_eq!(failure, expected);
}

#[test]
fn every_bundled_adapter_passes_its_own_fixtures() {
    let mut passed = 0;
    for entry in std::fs::read_dir(root().join("plugins")).unwrap() {
        let file = entry.unwrap().path();
        // Guards are built to the same folder, and bring fixtures of their own: `guards/proof.rs`.
        let is_adapter = file.file_stem().is_some_and(|name| root().join("plugins").join(name).is_dir());
        if file.extension().is_none_or(|ending| ending != "wasm") || !is_adapter {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        let report = proof::admit(&load(&file, &bytes), &file, &bytes, true);
        passed += report.unwrap_or_else(|reason| panic!("{}: {reason}", file.display())).passed;
    }
    assert!(passed > 100, "{passed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proved_nothing_is_called_unproved_wherever_adapters_are_listed() {
    let (gateway, _upstream) = gateway("").await;
    for place in ["/admin/plugins", "/ready"] {
        let page = gateway.get(place).await.json();
        let all = if place == "/ready" { &page["adapters"] } else { &page["plugins"] };
        for (name, proved) in [("zeta", true), ("openai", false)] {
            let one = all.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
            assert_eq!(one["proved"], proved, "{place}: {one}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_adapter_serves_from_the_start_and_leaves_if_its_fixtures_fail() {
    let upstream = provider(ZETA).await;
    for (bytes, is_good) in [(std::fs::read(component("zeta")).unwrap(), true), (zeta_with_fault("memory"), false)] {
        let folder = Folder::with(&["openai"]);
        folder.put("zeta", &bytes);
        folder.put_fixtures("zeta", &zeta_fixtures());
        Lock::pin_in(&folder.path().join("plugins.lock"), "zeta", Digest::of(&bytes)).unwrap();
        let program = Program::start(&folder, &target().join("test-cache"), &config(&upstream));
        let address = program.address();
        let start = program.log();
        let served = |line: &str| line.contains("adapter serves") && line.contains("\"zeta\"");
        assert!(start.lines().any(served) && !start.contains("adapter proved"), "{start}");
        let line = program.until(if is_good { "adapter proved" } else { "it failed its proof" });
        assert!(line.contains("\"zeta\""), "{line}");
        if is_good {
            let reply = weir_tests::program::ask(address, &ZETA.request("zeta", false)).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
        }
    }
}

#[test]
fn what_the_gateway_would_not_send_or_give_fails_the_proof() {
    let hostile = load(&component("hostile"), &std::fs::read(component("hostile")).unwrap());
    for (model, expected) in [
        ("render.dots", "the gateway would not send this request"),
        ("render.header-break", "a header that HTTP does not allow"),
        ("render.connect", "a method that asks for no answer"),
        ("write.none", "the gateway would not give this answer: the status 0"),
    ] {
        let fixture = serde_json::json!({
            "operation": "chat",
            "request": {"method": "POST", "path_and_query": format!("/hostile/{model}"), "body": {"hostile": true}},
            "response": {"status": 200, "headers": {"content-type": "application/json"}, "body": {"hostile": true}},
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("one.json"), fixture.to_string()).unwrap();
        let failure = proof::prove(&hostile, &proof::at(dir.path(), Bounds::COMMAND).unwrap()).first_failure();
        assert!(failure.as_ref().is_some_and(|failure| failure.contains(expected)), "{model}: {failure:?}");
    }
}
