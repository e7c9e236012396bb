//! The life of an adapter: a failing version is rolled back, a new one is tried, an unpinned one is refused, and the
//! operator's decisions hold.

use serde_json::{Value, json};
use weir_adapters::Lock;
use weir_adapters::sign::SigningKey;
use weir_sandbox::Digest;
use weir_tests::plugins::{target, twin, zeta_build};
use weir_tests::{Answer, Folder, Gateway, Program, Reply, Request, Upstream, program};

use crate::swap::written_by;
use crate::wire_format::{OPENAI, TEXT, ZETA, config, provider};

/// The hostile adapter's text for a normal request.
const WELL: &str = "well";

fn hostile(upstream: &Upstream, settings: &str) -> String {
    format!(
        "default_provider = \"hostile\"\n[plugins.hostile]\n{settings}\n\
         [[providers]]\nname = \"hostile\"\nadapter = \"hostile\"\nurl = \"{}\"\napi_key = \"HOSTILE-KEY\"\n",
        upstream.url()
    )
}

/// A request to the hostile adapter; `length` makes requests different.
async fn ask(gateway: &Gateway, model: &str, length: usize) -> Reply {
    let content = "x".repeat(length);
    let body = format!("{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"{content}\"}}]}}");
    gateway.post("/v1/chat/completions", &body).await
}

/// The version that answered.
fn by(reply: &Reply) -> String {
    reply.header("x-weir-adapter").unwrap_or_default().to_owned()
}

fn name(bytes: &[u8]) -> String {
    format!("hostile@{}", Digest::of(bytes).short())
}

async fn until_serving(gateway: &Gateway, adapter: &str, digest: Digest) {
    let is = |one: &Value| one["status"] == "serving" && one["digest"] == digest.hex();
    gateway.until_adapter(adapter, |all| all.iter().any(is)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_traps_too_often_is_quarantined_and_the_last_good_one_returns() {
    let upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::with(
        Folder::with(&["openai", "hostile"]),
        &hostile(&upstream, "quarantine = { faults = 3, window = \"1m\", share = 0.1 }"),
    )
    .await;
    let (first, second) = (std::fs::read(gateway.folder.file("hostile")).unwrap(), twin("hostile", 2));
    gateway.folder.put("hostile", &second);
    until_serving(&gateway, "hostile", Digest::of(&second)).await;
    let reply = ask(&gateway, "fine", 1).await;
    assert_eq!((OPENAI.parsed(&reply, false).text.as_str(), by(&reply)), (WELL, name(&second)));
    for length in 1..=3 {
        assert_eq!(ask(&gateway, "render.trap", length).await.status(), 502);
    }
    until_serving(&gateway, "hostile", Digest::of(&first)).await;
    let reply = ask(&gateway, "fine", 1).await;
    assert_eq!((OPENAI.parsed(&reply, false).text.as_str(), by(&reply)), (WELL, name(&first)));
    let about = gateway.get("/admin/plugins").await.json();
    assert_eq!(about["quarantined"][0]["digest"], Digest::of(&second).hex());
    assert!(about["quarantined"][0]["reason"].to_string().contains("trap 3"), "{about}");
    let refused = gateway.adapter("hostile").await.into_iter().find(|one| one["status"] == "refused").unwrap();
    assert!(refused["reason"].to_string().contains("quarantined"), "{refused}");

    // The version that returned fails too, and there is no other.
    for length in 1..=3 {
        ask(&gateway, "render.trap", length).await;
    }
    gateway.until_adapter("hostile", |all| all.iter().any(|one| one["status"] == "quarantined")).await;
    let reply = ask(&gateway, "fine", 1).await;
    assert_eq!((reply.status(), reply.header("x-weir-error-source")), (503, Some("adapter")), "{}", reply.text());
    let message = OPENAI.error(&reply).unwrap();
    assert!(message.contains("out of service") && message.contains("different requests"), "{message}");
    let series = format!(
        "weir_plugin_traps_total{{digest=\"{}\",kind=\"trap\",plugin=\"hostile\"}}",
        Digest::of(&first).short()
    );
    assert_eq!(gateway.metric(&series).await, 3.0, "{}", gateway.metrics().await);
    assert_eq!(gateway.metric("weir_plugin_activations_total{plugin=\"hostile\",result=\"quarantined\"}").await, 2.0);

    // The operator releases it.
    let released = gateway.act("hostile", "release", &json!({"digest": Digest::of(&first).hex()}).to_string()).await;
    assert_eq!(released.status(), 200, "{}", released.text());
    assert_eq!(OPENAI.parsed(&ask(&gateway, "fine", 1).await, false).text, WELL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_request_that_is_sent_again_and_again_takes_nothing_away() {
    let upstream = Upstream::always(Answer::json(200, "{}")).await;
    let settings = "quarantine = { faults = 2, window = \"1m\", share = 0.1 }";
    let gateway = Gateway::with(Folder::with(&["openai", "hostile"]), &hostile(&upstream, settings)).await;
    for _ in 0..20 {
        assert_eq!(ask(&gateway, "parse.trap", 7).await.status(), 502);
    }
    // A second, different request is enough, so the judge has seen all earlier ones when it acts on it.
    assert_eq!(gateway.adapter("hostile").await[0]["status"], "serving");
    assert_eq!(ask(&gateway, "render.trap", 8).await.status(), 502);
    gateway.until_adapter("hostile", |all| all.iter().any(|one| one["status"] == "quarantined")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_gets_its_share_and_then_everything() {
    let upstream = provider(ZETA).await;
    let settings = format!("{}[plugins.zeta]\ncanary = {{ share = 0.5, requests = 8 }}\n", config(&upstream));
    let gateway = Gateway::open(&settings).await;
    gateway.folder.put("zeta", &zeta_build(2));
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one["canary"]["share"] == 0.5)).await;
    assert!(gateway.adapter("zeta").await[0]["version"].to_string().contains("0001"), "it is only tried");
    let mut by_new = 0;
    for _ in 0..8 {
        for stream in [false, true] {
            let reply = gateway.ask(&ZETA.request("zeta-t", stream)).await;
            assert_eq!(ZETA.parsed(&reply, stream).text, TEXT, "{}", reply.text());
            by_new += u32::from(reply.text().contains("zeta-build-0002"));
        }
    }
    // Both sides of an exchange use one version: the version on trial gets every second exchange.
    assert!(by_new >= 8, "{by_new}");
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one["version"].to_string().contains("0002"))).await;
    let zeta = gateway.adapter("zeta").await.remove(0);
    assert!(zeta["cause"].to_string().contains("promoted") && zeta["canary"].is_null(), "{zeta}");
    assert_eq!(zeta["versions"][0]["status"], "retired");
    assert_eq!(gateway.metric("weir_plugin_activations_total{plugin=\"zeta\",result=\"promoted\"}").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_fails_more_than_the_former_one_goes_again() {
    let upstream = Upstream::always(Answer::json(200, "{}")).await;
    let settings = "canary = { share = 0.5, requests = 1000, max_fault_rate = 0.001 }";
    let gateway = Gateway::with(Folder::with(&["openai", "hostile"]), &hostile(&upstream, settings)).await;
    let (first, second) = (std::fs::read(gateway.folder.file("hostile")).unwrap(), twin("hostile", 2));
    gateway.folder.put("hostile", &second);
    gateway.until_adapter("hostile", |all| all.iter().any(|one| one["canary"].is_object())).await;
    // Every second exchange goes to the new version, which fails.
    for _ in 0..3 {
        let reply = ask(&gateway, "fine", 1).await;
        assert_eq!((reply.status(), by(&reply)), (200, name(&first)));
        assert_eq!(ask(&gateway, "parse.trap", 1).await.status(), 502);
    }
    gateway.until_adapter("hostile", |all| all.iter().any(|one| one["canary"].is_null())).await;
    let about = gateway.get("/admin/plugins").await.json();
    assert_eq!(about["quarantined"][0]["digest"], Digest::of(&second).hex());
    assert!(about["quarantined"][0]["reason"].to_string().contains("trial"), "{about}");
    for _ in 0..4 {
        assert_eq!(by(&ask(&gateway, "fine", 1).await), name(&first));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_outages_and_limits_say_nothing_of_a_new_version() {
    let upstream = provider(ZETA).await;
    let settings = "[plugins.zeta]\ncanary = { share = 0.5, requests = 1000, max_fault_rate = 0.001 }\n";
    let gateway = Gateway::open(&(config(&upstream) + settings)).await;
    let name = |file: &[u8]| format!("zeta@{}", Digest::of(file).short());
    let (first, second) = (name(&std::fs::read(gateway.folder.file("zeta")).unwrap()), zeta_build(2));
    gateway.folder.put("zeta", &second);
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one["canary"].is_object())).await;
    // Every second exchange goes to the new version.
    let ask_both = async |answer: Answer, stream: bool| {
        upstream.now(Answer::json(200, ZETA.whole()));
        assert_eq!(by(&gateway.ask(&OPENAI.request("zeta-t", false)).await), first);
        upstream.now(answer);
        let reply = gateway.ask(&OPENAI.request("zeta-t", stream)).await;
        // An answer that failed says which version it was, too.
        assert_eq!(by(&reply), name(&second));
        reply.status()
    };
    for (answer, status) in
        [(Answer::json(503, "{}"), 503), (Answer::json(429, "{}"), 429), (Answer::default().reset(), 502)]
    {
        for stream in [false, true] {
            assert_eq!(ask_both(answer.clone(), stream).await, status);
        }
    }
    // Longer than between two looks at the trial.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let is_on_trial = gateway.adapter("zeta").await.iter().any(|one| one["canary"].is_object());
    assert!(is_on_trial, "{}", gateway.get("/admin/plugins").await.text());
    // More than one of a thousand end the trial, perhaps at once: a third would come to either version.
    for stream in [false, true] {
        assert_eq!(ask_both(Answer::json(422, "{}"), stream).await, 422);
    }
    gateway.until_adapter("zeta", |all| all.iter().all(|one| one["canary"].is_null())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_rolled_back_stays_back() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::with(Folder::with(&["zeta"]), &config(&upstream)).await;
    let second = zeta_build(2);
    let denied = gateway.act("zeta", "rollback", "").await;
    assert_eq!(denied.status(), 409, "{}", denied.text());
    assert!(denied.text().contains("no earlier good version"), "{}", denied.text());
    gateway.folder.put("zeta", &second);
    until_serving(&gateway, "zeta", Digest::of(&second)).await;
    let done = gateway.act("zeta", "rollback", "").await;
    assert_eq!((done.status(), &done.json()["rolled_back_from"]), (200, &json!(Digest::of(&second).hex())));
    assert!(written_by(&gateway).await.contains("0001"), "in force when it is answered");
    // The same bytes again; the arrival of another file shows that the folder was scanned.
    gateway.folder.put("zeta", &second);
    gateway.folder.put("openai", &std::fs::read(weir_tests::plugins::component("openai")).unwrap());
    assert_eq!(gateway.post("/admin/plugins/rescan", "").await.status(), 202);
    gateway.until_adapter("openai", |all| !all.is_empty()).await;
    assert!(written_by(&gateway).await.contains("0001"));
    let digest = Digest::of(&second).hex();
    let wrong = gateway.act("zeta", "activate", "{\"digest\": \"0123456789\"}").await;
    assert_eq!(wrong.status(), 409, "{}", wrong.text());
    let done = gateway.act("zeta", "activate", &json!({"digest": &digest[..12]}).to_string()).await;
    assert_eq!(done.status(), 200, "{}", done.text());
    assert!(written_by(&gateway).await.contains("0002"));
    gateway.act("zeta", "rollback", "").await;
    gateway.folder.put("zeta", &zeta_build(3));
    until_serving(&gateway, "zeta", Digest::of(&zeta_build(3))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_can_quarantine_and_release() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::with(Folder::with(&["zeta"]), &config(&upstream)).await;
    let done = gateway.act("zeta", "quarantine", "{\"reason\": \"I do not\\nlike it\"}").await;
    assert_eq!((done.status(), &done.json()["status"]), (200, &json!("quarantined")), "{}", done.text());
    let reply = gateway.ask(&ZETA.request("zeta-t", false)).await;
    assert_eq!(reply.status(), 503);
    assert!(ZETA.error(&reply).unwrap().contains("I do notlike it"), "{}", reply.text());
    let relayed = gateway.ask(&ZETA.request("zeta", false)).await;
    assert_eq!((relayed.status(), relayed.text()), (200, ZETA.whole()), "where no component runs, nothing is missing");
    assert_eq!(gateway.act("zeta", "quarantine", "").await.status(), 409);
    assert_eq!(gateway.act("zeta", "release", "").await.status(), 200);
    assert_eq!(gateway.ask(&ZETA.request("zeta-t", false)).await.status(), 200);
    assert_eq!(gateway.act("zeta", "release", "").await.status(), 409);
    assert_eq!(gateway.act("zeta", "quarantine", "").await.status(), 200);
    let reply = gateway.ask(&ZETA.request("zeta-t", false)).await;
    let said = ZETA.error(&reply).unwrap();
    assert!(said.contains("`zeta` is out of service: the operator quarantined it"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_trusted_key_signed_comes_in() {
    let upstream = provider(ZETA).await;
    let (key, _) = SigningKey::generate().unwrap();
    let settings = format!(
        "{}[plugins]\ntrusted_keys = [\"{}\"]\n[plugins.zeta]\nrequire_signature = true\n",
        config(&upstream),
        key.public().unwrap()
    );
    let gateway = Gateway::with(Folder::with(&["zeta", "openai"]), &settings).await;
    let refused = gateway.adapter("zeta").await.remove(0);
    assert_eq!(refused["status"], "refused");
    assert!(refused["reason"].to_string().contains("signature is required"), "{refused}");
    assert_eq!(gateway.adapter("openai").await[0]["status"], "serving", "it is demanded of zeta alone");
    let bytes = zeta_build(2);
    gateway.folder.put("zeta", &bytes);
    let beside = gateway.folder.path().join("zeta.wasm.sig");
    std::fs::write(&beside, SigningKey::generate().unwrap().0.sign(Digest::of(&bytes))).unwrap();
    gateway
        .until_adapter("zeta", |all| all.iter().any(|one| one["reason"].to_string().contains("no trusted key")))
        .await;
    std::fs::write(&beside, key.sign(Digest::of(&bytes))).unwrap();
    until_serving(&gateway, "zeta", Digest::of(&bytes)).await;
    assert_eq!(gateway.adapter("zeta").await[0]["signed_by"], key.public().unwrap().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_lock_file_pins_comes_in() {
    let upstream = provider(ZETA).await;
    let settings = format!("{}[plugins.zeta]\nrequire_lock = true\n", config(&upstream));
    let folder = Folder::with(&["zeta"]);
    let lock = folder.path().join("plugins.lock");
    let first = Digest::of(&std::fs::read(folder.file("zeta")).unwrap());
    Lock::pin_in(&lock, "zeta", first).unwrap();
    let gateway = Gateway::with(folder, &settings).await;
    let zeta = gateway.adapter("zeta").await.remove(0);
    assert_eq!((&zeta["status"], &zeta["trusted"]), (&json!("serving"), &json!(true)));
    let next = zeta_build(2);
    gateway.folder.put("zeta", &next);
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one["reason"].to_string().contains("lock file"))).await;
    assert!(written_by(&gateway).await.contains("0001"), "the last good one serves on");
    Lock::pin_in(&lock, "zeta", Digest::of(&next)).unwrap();
    until_serving(&gateway, "zeta", Digest::of(&next)).await;
    assert_eq!(gateway.adapter("zeta").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_than_the_lock_file_pins_are_served_with_a_warning() {
    let upstream = provider(ZETA).await;
    let folder = Folder::with(&["zeta"]);
    let first = Digest::of(&std::fs::read(folder.file("zeta")).unwrap());
    Lock::pin_in(&folder.path().join("plugins.lock"), "zeta", first).unwrap();
    let program = Program::start(&folder, &target().join("test-cache"), &config(&upstream));
    program.address();
    let warns = |log: &str| log.contains("the lock file pins other bytes");
    assert!(!warns(&program.log()), "{}", program.log());
    folder.put("zeta", &zeta_build(2));
    program.until("adapter serves");
    let line: Value = serde_json::from_str(&program.until("the lock file pins other bytes")).unwrap();
    assert_eq!(line["adapter"], "zeta", "{line}");
    assert_eq!((&line["level"], &line["pinned"]), (&json!("WARN"), &json!(first.short())), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn acting_on_adapters_wants_the_token_and_no_web_page() {
    let upstream = provider(ZETA).await;
    let guarded = Gateway::open(&format!("[admin]\ntoken = \"let-me-in-please\"\n{}", config(&upstream))).await;
    let paths = ["rescan", "zeta/rollback", "zeta/activate", "zeta/quarantine", "zeta/release", "zeta/test"];
    for path in paths.map(|path| format!("/admin/plugins/{path}")) {
        assert_eq!(guarded.post(&path, "{}").await.status(), 401, "{path}");
        let wrong = Request::post(&path, "{}").header("authorization", "Bearer let-me-in-pleasf");
        assert_eq!(guarded.ask(&wrong).await.status(), 401, "{path}");
    }
    let right = Request::post("/admin/plugins/rescan", "").header("authorization", "Bearer let-me-in-please");
    assert_eq!(guarded.ask(&right).await.status(), 202);
    let open = Gateway::with(Folder::with(&["zeta"]), &config(&upstream)).await;
    for path in paths.map(|path| format!("/admin/plugins/{path}")) {
        let page = Request::post(&path, "{}").header("origin", "https://evil.example");
        assert_eq!(open.ask(&page).await.status(), 403, "{path}");
        assert_eq!(open.get(&path).await.status(), 405, "{path}");
    }
    assert_eq!(open.adapter("zeta").await[0]["status"], "serving");
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_commands_fail_with_a_clear_message() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::with(Folder::with(&["zeta"]), &config(&upstream)).await;
    for (name, verb, body, status, words) in [
        ("nobody", "rollback", "", 404, "no adapter `nobody`"),
        ("nobody", "quarantine", "", 404, "no adapter `nobody`"),
        ("zeta", "dance", "", 404, "zeta/dance"),
        ("zeta", "activate", "", 409, "which version"),
        ("zeta", "activate", "{\"digest\": \"z\"}", 409, "names no version"),
        ("zeta", "release", "", 409, "nothing of `zeta` is quarantined"),
        ("zeta", "rollback", "{\"digst\": 1}", 400, "digst"),
        ("zeta", "rollback", "nonsense", 400, "body"),
    ] {
        let reply = gateway.act(name, verb, body).await;
        let message = reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(reply.status() == status && message.contains(words), "{name} {verb}: {} {message}", reply.status());
    }
}

/// The fixtures of zeta beside its file.
fn put_fixtures(folder: &Folder) {
    let (from, to) = (weir_tests::plugins::root().join("tests/adapters/zeta/fixtures"), beside(folder));
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn beside(folder: &Folder) -> std::path::PathBuf {
    folder.path().join("zeta.fixtures")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_can_have_an_adapter_prove_itself_again() {
    let upstream = provider(ZETA).await;
    let folder = Folder::with(&["zeta"]);
    put_fixtures(&folder);
    let gateway = Gateway::with(folder, &config(&upstream)).await;
    let tested = gateway.act("zeta", "test", "").await.json();
    assert_eq!((&tested["passed"], &tested["report"]["failed"]), (&json!(true), &json!(0)), "{tested}");
    assert!(tested["report"]["passed"].as_u64() > Some(0), "{tested}");
    let broken = beside(&gateway.folder).join("broken.json");
    std::fs::write(&broken, "{\"id\": 7}").unwrap();
    let tested = gateway.act("zeta", "test", "").await;
    assert_eq!(tested.status(), 409, "{}", tested.text());
    assert_eq!(gateway.adapter("zeta").await[0]["status"], "serving", "what serves, serves on");
    // A new file is refused because of it, and tried again when the operator has fixed the fixture.
    gateway.folder.put("zeta", &zeta_build(2));
    gateway.until_adapter("zeta", |all| all.iter().any(|one| one["status"] == "refused")).await;
    std::fs::remove_file(broken).unwrap();
    assert_eq!(gateway.post("/admin/plugins/rescan", "").await.status(), 202);
    until_serving(&gateway, "zeta", Digest::of(&zeta_build(2))).await;
    assert_eq!(gateway.adapter("zeta").await.len(), 1, "and nothing is refused any more");
    assert_eq!(gateway.act("nobody", "test", "").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_quarantined_stays_so_over_a_restart() {
    let upstream = Upstream::always(Answer::json(200, "{}")).await;
    let settings = hostile(&upstream, "quarantine = { faults = 3, window = \"1m\", share = 0.1 }");
    let gateway = Gateway::with(Folder::with(&["openai", "hostile"]), &settings).await;
    let (first, second) = (std::fs::read(gateway.folder.file("hostile")).unwrap(), twin("hostile", 2));
    gateway.folder.put("hostile", &second);
    until_serving(&gateway, "hostile", Digest::of(&second)).await;
    for length in 1..=3 {
        ask(&gateway, "render.trap", length).await;
    }
    until_serving(&gateway, "hostile", Digest::of(&first)).await;

    let gateway = gateway.restart(&settings).await;
    let reply = ask(&gateway, "fine", 1).await;
    assert_eq!((OPENAI.parsed(&reply, false).text.as_str(), by(&reply)), (WELL, name(&first)));
    let about = gateway.get("/admin/plugins").await.json();
    assert_eq!(about["quarantined"][0]["digest"], Digest::of(&second).hex());
    assert_eq!(about["quarantined"][0]["by"], "judge");
    assert!(about["quarantined"][0]["reason"].to_string().contains("trap 3"), "{about}");
    let refused = gateway.adapter("hostile").await.into_iter().find(|one| one["status"] == "refused").unwrap();
    assert_eq!(refused["digest"], Digest::of(&second).hex());

    assert_eq!(gateway.act("hostile", "release", "").await.status(), 200);
    until_serving(&gateway, "hostile", Digest::of(&second)).await;
    let gateway = gateway.restart(&settings).await;
    assert_eq!(by(&ask(&gateway, "fine", 1).await), name(&second), "what was released stays so too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_nothing_to_return_to_runs_no_more_after_a_restart_until_another_file_comes() {
    let upstream = provider(ZETA).await;
    let settings = config(&upstream);
    let gateway = Gateway::with(Folder::with(&["zeta"]), &settings).await;
    assert_eq!(gateway.act("zeta", "quarantine", "{\"reason\": \"I do not like it\"}").await.status(), 200);
    let gateway = gateway.restart(&settings).await;
    let reply = gateway.ask(&ZETA.request("zeta-t", false)).await;
    assert_eq!((reply.status(), reply.header("x-weir-error-source")), (503, Some("adapter")), "{}", reply.text());
    assert!(ZETA.error(&reply).unwrap().contains("I do not like it"), "{}", reply.text());
    let relayed = gateway.ask(&ZETA.request("zeta", false)).await;
    assert_eq!((relayed.status(), relayed.text()), (200, ZETA.whole()), "no component takes part in it");
    let about = gateway.get("/admin/plugins").await.json();
    assert_eq!(
        (&about["plugins"][0]["status"], &about["quarantined"][0]["by"]),
        (&json!("quarantined"), &json!("operator"))
    );
    gateway.folder.put("zeta", &zeta_build(2));
    until_serving(&gateway, "zeta", Digest::of(&zeta_build(2))).await;
    assert_eq!(gateway.ask(&ZETA.request("zeta-t", false)).await.status(), 200);
    assert_eq!(gateway.adapter("zeta").await.len(), 1, "nothing is refused any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_rolled_back_stays_back_over_a_restart() {
    let upstream = provider(ZETA).await;
    let settings = config(&upstream);
    let gateway = Gateway::with(Folder::with(&["zeta"]), &settings).await;
    let second = Digest::of(&zeta_build(2)).hex();
    gateway.folder.put("zeta", &zeta_build(2));
    until_serving(&gateway, "zeta", Digest::of(&zeta_build(2))).await;
    assert_eq!(gateway.act("zeta", "rollback", "").await.status(), 200);

    let gateway = gateway.restart(&settings).await;
    assert!(written_by(&gateway).await.contains("0001"), "from the first request on");
    let zeta = gateway.adapter("zeta").await.remove(0);
    assert_eq!(zeta["rolled_back_from"], second);
    assert_eq!(zeta["versions"][0]["status"], "rolled back");
    assert!(zeta["cause"].to_string().contains("served before"), "{zeta}");
    let done = gateway.act("zeta", "activate", &json!({"digest": &second[..12]}).to_string()).await;
    assert_eq!(done.status(), 200, "{}", done.text());
    assert!(written_by(&gateway).await.contains("0002"));

    // An activated version stays too; then another file arrives while Weir is stopped.
    let first = json!({"digest": Digest::of(&std::fs::read(weir_tests::plugins::component("zeta")).unwrap()).hex()});
    assert_eq!(gateway.act("zeta", "activate", &first.to_string()).await.status(), 200);
    let gateway = gateway.restart(&settings).await;
    assert!(written_by(&gateway).await.contains("0001"));
    gateway.folder.put("zeta", &zeta_build(3));
    let gateway = gateway.restart(&settings).await;
    assert!(written_by(&gateway).await.contains("0003"));
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_survive_kills_and_two_processes_with_one_cache() {
    let upstream = provider(ZETA).await;
    let settings = config(&upstream);
    let (folder, cache) = (Folder::with(&["zeta", "hostile"]), tempfile::tempdir().unwrap());
    let first = Digest::of(&std::fs::read(folder.file("zeta")).unwrap());
    let act = async |address, name: &str, verb: &str| {
        let done = program::ask(address, &Request::post(&format!("/admin/plugins/{name}/{verb}"), "")).await;
        assert_eq!(done.status(), 200, "{}", done.text());
    };
    let one = Program::start(&folder, cache.path(), &settings);
    let at = one.address();
    folder.put("zeta", &zeta_build(2));
    one.until("adapter serves");
    let other = Program::start(&folder, cache.path(), &settings);
    let there = other.address();
    // The decision is on disk when it is answered: the program is killed at once.
    act(at, "zeta", "rollback").await;
    act(there, "hostile", "quarantine").await;
    drop((one, other));
    let third = Program::start(&folder, cache.path(), &settings);
    let at = third.address();
    let about = program::ask(at, &Request::get("/admin/plugins")).await.json();
    let status = |name: &str| {
        let mut all = about["plugins"].as_array().unwrap().iter();
        all.find(|one| one["name"] == name).map(|one| (one["status"].clone(), one["digest"].clone())).unwrap()
    };
    assert_eq!(status("zeta"), (json!("serving"), json!(first.hex())), "{about}");
    assert_eq!(status("hostile").0, "quarantined", "{about}");
    drop(third);
    // An unreadable file is reported, and has no other effect.
    let kept = std::fs::read_dir(cache.path()).unwrap().map(|file| file.unwrap().path());
    let kept: Vec<_> = kept.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    std::fs::write(&kept[0], "{\"version\": 1, ").unwrap();
    let fourth = Program::start(&folder, cache.path(), &settings);
    let about = program::ask(fourth.address(), &Request::get("/admin/plugins")).await.json();
    assert_eq!(about["quarantined"], json!([]), "{about}");
    assert!(fourth.log().contains("the decisions about adapters cannot be read"), "{}", fourth.log());
}
