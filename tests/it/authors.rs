//! Adapters and guards made from the templates serve like any other. `cargo xtask languages` makes them, in every
//! language whose tool is found, and runs this with `WEIR_AUTHORS`, a folder with a folder for each language.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_adapters::Cache;
use weir_adapters::load::Loader;
use weir_author::dev;
use weir_author::dev::{DevError, Target};
use weir_author::running;
use weir_sandbox::{Digest, Engine, Limits};
use weir_tests::parsed_answer::{ParsedAnswer, Tokens};
use weir_tests::plugins::{Folder, component, zeta_build, zeta_fixtures, zeta_with_fault};
use weir_tests::{Gateway, Request};

use crate::wire_format::{ANTHROPIC, OPENAI, WireFormat};

/// The adapter's name in the transcript of `docs/authors.md`.
const NAME: &str = "demo";
/// The guard's name in that of `docs/guards.md`.
const GUARD: &str = "my-guard";

fn projects() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("WEIR_AUTHORS") else {
        println!("skipped: `cargo xtask languages` makes the adapters and sets WEIR_AUTHORS");
        return vec![];
    };
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join(NAME));
    let built: Vec<PathBuf> = entries.filter(|project| project.join("demo.wasm").exists()).collect();
    assert!(!built.is_empty(), "WEIR_AUTHORS names a folder of built projects");
    built
}

async fn gateway(project: &Path) -> Gateway {
    let folder = Folder::with(&["openai", "anthropic"]);
    let fixtures = project.join("fixtures");
    // Beside the component, so that Weir proves it before it serves.
    let beside = folder.path().join("demo.fixtures");
    std::fs::create_dir(&beside).unwrap();
    for entry in std::fs::read_dir(&fixtures).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, beside.join(path.file_name().unwrap())).unwrap();
    }
    folder.put(NAME, &std::fs::read(project.join("demo.wasm")).unwrap());
    let url = format!("replay:{}", fixtures.display());
    let model = |alias: &str, translate: bool| {
        format!(
            "[[models]]\nalias = \"{alias}\"\ntype = \"demo\"\ntranslate = {translate}\n\
             target = {{ url = {url:?}, model = \"demo-large\" }}\nretry = {{ max_retries = 0 }}\n"
        )
    };
    let config = [model("relayed", false), model("translated", true), "[plugins.demo]\nprewarm = 1\n".into()].concat();
    Gateway::with(folder, &config).await
}

/// The request that a fixture recorded, for this model.
fn recorded(project: &Path, fixture: &str, model: &str) -> Request {
    let text = std::fs::read_to_string(project.join("fixtures").join(fixture)).unwrap();
    let mut body = serde_json::from_str::<Value>(&text).unwrap()["request"]["body"].take();
    body["model"] = json!(model);
    Request::post("/v1/chat/completions", body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn adapters_of_the_templates_serve_in_both_lanes() {
    for project in projects() {
        let gateway = gateway(&project).await;
        for model in ["relayed", "translated"] {
            let what = format!("{} {model}", project.display());
            let reply = gateway.ask(&recorded(&project, "chat.json", model)).await;
            let parsed = OPENAI.parsed(&reply, false);
            assert_eq!(parsed.text, "Four. \"4\" 😀 \\ é\n", "{what}: {}", reply.text());
            assert_eq!(parsed.tokens, Some(Tokens { input: 30, cached: 10, output: 12 }), "{what}");
            let reply = gateway.ask(&recorded(&project, "chat-stream-tools.json", model)).await;
            calls(&OPENAI.parsed(&reply, true), &what);
        }
        println!("{} serves", project.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_of_the_templates_judge_in_every_dialect() {
    let upstream = crate::guards::upstream().await;
    for project in projects() {
        let project = project.with_file_name(GUARD);
        let folder = Folder::with(&["openai", "anthropic"]);
        let beside = folder.path().join(format!("{GUARD}.fixtures"));
        std::fs::create_dir(&beside).unwrap();
        for entry in std::fs::read_dir(project.join("fixtures")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, beside.join(path.file_name().unwrap())).unwrap();
        }
        folder.put(GUARD, &std::fs::read(project.join(GUARD).with_extension("wasm")).unwrap());
        let guard = crate::guards::guard(GUARD, "options = { word = \"bluebird\" }");
        let config = format!(
            "[[models]]\nalias = \"m\"\ntype = \"openai\"\ntarget = {{ url = \"{}\", model = \"m\" }}\n{guard}",
            upstream.url()
        );
        let gateway = Gateway::with(folder, &config).await;
        for path in ["/v1/chat/completions", "/v1/messages"] {
            for (text, status, verdict) in
                [("a bird", 200, "my-guard=allow"), ("a bluebird", 400, "my-guard=deny;word=1")]
            {
                let body = json!({"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": text}]});
                let request = Request::post(path, body.to_string()).header("anthropic-version", "2023-06-01");
                let reply = gateway.ask(&request).await;
                let what = format!("{} {path}: {}", project.display(), reply.text());
                assert_eq!(reply.status(), status, "{what}");
                assert_eq!(reply.header("x-weir-guards"), Some(verdict), "{what}");
            }
        }
        println!("{} judges", project.display());
    }
}

fn calls(parsed: &ParsedAnswer, what: &str) {
    assert!(parsed.complete, "{what}: {parsed:?}");
    assert_eq!(parsed.text, "Let me look.", "{what}");
    let calls: Vec<_> = parsed.calls.iter().map(|call| (call.name.as_str(), call.value())).collect();
    let expected = [("get_weather", json!({"city": "Romeé"})), ("get_time", json!({"city": "\"Roma\""}))];
    assert_eq!(calls, expected, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_other_formats_are_answered_through_them() {
    for project in projects() {
        let gateway = gateway(&project).await;
        for stream in [false, true] {
            let asked: WireFormat = ANTHROPIC;
            let reply = gateway.ask(&asked.request("relayed", stream)).await;
            let parsed = asked.parsed(&reply, stream);
            let expected = if stream { "Hello, \"Ünal\" 👋\n" } else { "Four. \"4\" 😀 \\ é\n" };
            assert_eq!(parsed.text, expected, "{}: {}", project.display(), reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_provider_comes_through_them_in_the_clients_words() {
    for project in projects() {
        let limit = project.join("fixtures/error-limit.json");
        let only = project.join("limited");
        std::fs::create_dir_all(only.join("fixtures")).unwrap();
        std::fs::copy(limit, only.join("fixtures/error-limit.json")).unwrap();
        std::fs::copy(project.join("demo.wasm"), only.join("demo.wasm")).unwrap();
        let gateway = gateway(&only).await;
        let reply = gateway.ask(&ANTHROPIC.request("translated", false)).await;
        assert_eq!(reply.status(), 429, "{}", reply.text());
        assert_eq!(reply.json()["error"]["type"], "rate_limit_error", "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_weir_reports_its_verdict_on_an_authors_bytes() {
    let folder = Folder::with(&["zeta"]);
    folder.put_fixtures("zeta", &zeta_fixtures());
    let model =
        "[[models]]\nalias = \"z\"\ntype = \"zeta\"\ntarget = { url = \"http://127.0.0.1:9/\", model = \"z\" }\n";
    let gateway = Gateway::with(folder, model).await;
    let admin = format!("http://{}", gateway.admin.unwrap_or(gateway.address));
    let await_version = |bytes: Vec<u8>| {
        let admin = admin.clone();
        tokio::task::spawn_blocking(move || running::await_digest(&admin, None, "zeta", Digest::of(&bytes)))
    };
    assert_eq!(await_version(zeta_build(1)).await.unwrap().unwrap(), "Weir serves it");
    gateway.folder.put("zeta", &zeta_with_fault("border"));
    let refused = await_version(zeta_with_fault("border")).await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("refused") && refused.contains("frame by frame"), "{refused}");
    gateway.folder.put("zeta", &zeta_build(2));
    assert_eq!(await_version(zeta_build(2)).await.unwrap().unwrap(), "Weir serves it");
}

/// A project whose build copies another build's product.
fn copying(dir: &Path, from: &str) {
    let text = format!(
        "name = \"zeta\"\nlanguage = \"c\"\n[build]\nrun = [[\"cp\", {from:?}, \"copy.wasm\"]]\nproduct = \"copy.wasm\"\n"
    );
    std::fs::write(dir.join("adapter.toml"), text).unwrap();
}

#[test]
fn a_round_installs_what_passes_and_leaves_the_last_good_one_where_it_fails() {
    let (dir, plugins) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = Target { plugins: Some(plugins.path().to_owned()), ..Target::default() };
    let engine = Engine::new(Limits::for_connections(8)).unwrap();
    let cache = Cache::open(&weir_tests::plugins::target().join("test-cache"), &engine).ok();
    let loader = Loader::new(engine, cache);
    let round = || dev::round(dir.path(), &target, &loader, &mut |_| {});
    let zeta = component("zeta");
    let installed = || std::fs::read(plugins.path().join("zeta.wasm")).unwrap();
    copying(dir.path(), zeta.to_str().unwrap());
    round().unwrap();
    assert_eq!(installed(), std::fs::read(&zeta).unwrap());
    for broken in ["/nowhere/at/all.wasm", component("openai").to_str().unwrap(), file!()] {
        copying(dir.path(), broken);
        assert!(matches!(round(), Err(DevError::Build(_))), "{broken}");
    }
    copying(dir.path(), zeta.to_str().unwrap());
    std::fs::create_dir(dir.path().join("fixtures")).unwrap();
    std::fs::write(dir.path().join("fixtures/chat.json"), "{").unwrap();
    assert!(matches!(round(), Err(DevError::Fixtures(_) | DevError::Unproved)));
    assert_eq!(installed(), std::fs::read(&zeta).unwrap());
}
