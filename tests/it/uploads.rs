//! Adapters that are uploaded: checked before they are in the folder, put there in one step, on trial if that is asked
//! for, and recorded.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use weir_adapters::sign::SigningKey;
use weir_sandbox::Digest;
use weir_tests::plugins::{zeta_build, zeta_fixtures, zeta_with_fault};
use weir_tests::{Folder, Gateway, Reply, Request, Upstream, soon};

use crate::wire_format::{OPENAI, TEXT, ZETA, config, provider};

const TOKEN: &str = "the-token-of-the-operator-0123";
const READ_TOKEN: &str = "the-token-that-only-reads-0123";

/// A gateway with adapters, tokens and a store.
struct Setup {
    gateway: Gateway,
    _upstream: Upstream,
    _store: tempfile::TempDir,
}

impl Setup {
    async fn with(folder: Folder, settings: &str) -> Self {
        let store = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", store.path().join("weir.db").display());
        let more = format!(
            "[admin]\ntoken = \"{TOKEN}\"\nread_token = \"{READ_TOKEN}\"\n[store]\nurl = \"{url}\"\n{settings}"
        );
        let upstream = provider(ZETA).await;
        let text = format!("{}{more}", config(&upstream));
        Self { gateway: Gateway::with(folder, &text).await, _upstream: upstream, _store: store }
    }

    async fn ask(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> Reply {
        let authorization = format!("Bearer {TOKEN}");
        self.gateway.ask(&Request::new(method, path).header("authorization", &authorization).body(body)).await
    }

    async fn upload(&self, name: &str, bytes: &[u8]) -> Reply {
        self.ask("PUT", &format!("/admin/v1/adapters/{name}"), bytes).await
    }

    /// The version that serves translated requests.
    async fn written_by(&self) -> String {
        self.gateway.ask(&ZETA.request("zeta-t", false)).await.json()["scribe"].to_string()
    }

    async fn audited(&self) -> Vec<Value> {
        let entries = self.ask("GET", "/admin/v1/audit", "").await.json();
        let events = entries["items"].as_array().unwrap().iter().map(|entry| entry["event"].clone());
        events.filter(|event| event["kind"] == "adapter").collect()
    }
}

/// Every file of a folder with its bytes' digest, hidden ones too.
fn files(folder: &Path) -> BTreeSet<(String, String)> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let one = |path: std::path::PathBuf| {
        let digest = Digest::of(&std::fs::read(&path).unwrap()).hex();
        (path.file_name().unwrap().to_string_lossy().into_owned(), digest)
    };
    all.filter(|path| path.is_file()).map(one).collect()
}

/// Whether a component is being checked in this folder.
fn has_copy(folder: &Path) -> bool {
    let mut names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().ends_with(".upload.wasm"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_serves_when_it_is_answered_and_is_recorded() {
    let setup = Setup::with(Folder::with(&["openai", "zeta"]), "").await;
    let second = zeta_build(2);
    let reply = setup.upload("zeta", &second).await;
    assert_eq!((reply.status(), &reply.json()["digest"]), (200, &json!(Digest::of(&second).hex())), "{}", reply.text());
    assert!(setup.written_by().await.contains("0002"), "in force when it is answered");
    assert_eq!(std::fs::read(setup.gateway.folder.file("zeta")).unwrap(), second);
    let event = setup.audited().await.remove(0);
    assert_eq!(
        (&event["action"], &event["id"], &event["actor"]["id"]),
        (&json!("upload"), &json!("zeta"), &json!("admin.token"))
    );
    assert_eq!(event["after"]["digest"], Digest::of(&second).hex());
    // A name that was not there before, too.
    let hostile = std::fs::read(weir_tests::plugins::component("hostile")).unwrap();
    assert_eq!(setup.upload("hostile", &hostile).await.status(), 200);
    assert_eq!(setup.ask("POST", "/admin/v1/adapters/zeta/rollback", "").await.status(), 200);
    let actions: Vec<Value> = setup.audited().await.into_iter().map(|event| event["action"].clone()).collect();
    assert_eq!(actions, ["rollback", "upload", "upload"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_a_check_is_not_put_into_the_folder() {
    let folder = Folder::with(&["openai", "zeta"]);
    folder.put_fixtures("zeta", &zeta_fixtures());
    let setup = Setup::with(folder, "").await;
    let before = files(setup.gateway.folder.path());
    for (name, bytes, text) in [
        ("zeta", zeta_with_fault("border"), "fixtures fail"),
        ("zeta", b"no component".to_vec(), "refused"),
        ("other", zeta_build(2), "calls itself \"zeta\""),
    ] {
        let (status, code, message) = setup.upload(name, &bytes).await.problem();
        assert_eq!((status, code.as_str()), (422, "adapter_refused"), "{message}");
        assert!(message.contains(text), "{message}");
    }
    for name in ["%2e%2e%2fzeta", "..%2f..%2fetc%2fzeta", ".hidden", "a.wasm", "zeta%00", "%2fetc%2fzeta", "a%5cb"] {
        let (status, code, _) = setup.upload(name, &zeta_build(2)).await.problem();
        assert_eq!((status, code.as_str()), (400, "bad_name"), "{name}");
    }
    assert_eq!(setup.upload("zeta", b"").await.problem().0, 400);
    let large = vec![0; (32 << 20) + 1];
    assert_eq!(setup.upload("zeta", &large).await.status(), 413);
    assert_eq!(files(setup.gateway.folder.path()), before);
    assert!(setup.written_by().await.contains("0001"), "the version before serves on");
    assert_eq!(setup.audited().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_without_its_client_and_keeps_its_turn() {
    let setup = Setup::with(Folder::with(&["openai", "zeta"]), "").await;
    let second = zeta_build(2);
    let authorization = format!("Bearer {TOKEN}");
    let upload = Request::new("PUT", "/admin/v1/adapters/zeta").header("authorization", &authorization).body(&second);
    let mut client = setup.gateway.connect().await;
    client.send(&upload).await;
    // The component is being checked as long as its copy is in the folder, which may be too short a time to be seen.
    let place = setup.gateway.folder.file("zeta");
    let is_begun = async {
        while !has_copy(setup.gateway.folder.path()) && std::fs::read(&place).unwrap() != second {
            tokio::task::yield_now().await;
        }
    };
    soon("the check", is_begun).await;
    client.leave();
    let hostile = std::fs::read(weir_tests::plugins::component("hostile")).unwrap();
    let next = async {
        loop {
            let (status, code, _) = match setup.upload("hostile", &hostile).await {
                reply if reply.status() == 200 => return,
                reply => reply.problem(),
            };
            assert_eq!((status, code.as_str()), (409, "busy"), "the first upload has not ended");
        }
    };
    soon("the turn", next).await;
    let uploaded: Vec<Value> = setup.audited().await.into_iter().map(|event| event["id"].clone()).collect();
    assert_eq!(uploaded, ["hostile", "zeta"], "each is recorded, one after the other");
    assert_eq!(std::fs::read(&place).unwrap(), second);
    assert!(!has_copy(setup.gateway.folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_whose_client_leaves_is_recorded() {
    let setup = Setup::with(Folder::with(&["openai", "zeta"]), "").await;
    assert_eq!(setup.upload("zeta", &zeta_build(2)).await.status(), 200);
    let authorization = format!("Bearer {TOKEN}");
    let rollback = Request::post("/admin/v1/adapters/zeta/rollback", "").header("authorization", &authorization);
    let mut client = setup.gateway.connect().await;
    client.send(&rollback).await;
    let is_rolled_back = async { while !setup.written_by().await.contains("0001") {} };
    soon("the former version", is_rolled_back).await;
    client.leave();
    let recorded = async { while setup.audited().await.first().is_none_or(|event| event["action"] != "rollback") {} };
    soon("the record", recorded).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_folder_is_not_replaced() {
    let setup = Setup::with(Folder::with(&["openai"]), "").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, setup.gateway.folder.file("zeta")).unwrap();
    let (status, _, message) = setup.upload("zeta", &zeta_build(2)).await.problem();
    assert_eq!(status, 409, "{message}");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_write_upload() {
    let setup = Setup::with(Folder::with(&["openai", "zeta"]), "").await;
    let authorization = format!("Bearer {READ_TOKEN}");
    let with = |request: Request| request.header("authorization", &authorization);
    let put = || with(Request::new("PUT", "/admin/v1/adapters/zeta").body(zeta_build(2)));
    assert_eq!(setup.gateway.ask(&put()).await.status(), 403);
    let trial = with(Request::post("/admin/v1/adapters/zeta/trial", "{\"share\": 0.5}"));
    assert_eq!(setup.gateway.ask(&trial).await.status(), 403);
    assert_eq!(setup.gateway.ask(&with(Request::get("/admin/v1/adapters/zeta"))).await.status(), 200);
    assert!(setup.written_by().await.contains("0001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_on_trial_gets_its_share_and_the_operator_decides() {
    let setup = Setup::with(Folder::with(&["openai", "zeta"]), "").await;
    let second = zeta_build(2);
    let digest = Digest::of(&second).hex();
    for wrong in ["share=0", "share=2", "requests=5", "share=1&max_time=soon", "sharing=1"] {
        let reply = setup.ask("PUT", &format!("/admin/v1/adapters/zeta?{wrong}"), &second).await;
        assert_eq!(reply.status(), 400, "{wrong}");
    }
    let reply = setup.ask("PUT", "/admin/v1/adapters/zeta?share=0.5&requests=1000", &second).await;
    let canary = &reply.json()["canary"];
    assert_eq!(
        (reply.status(), &canary["digest"], &canary["share"]),
        (200, &json!(digest), &json!(0.5)),
        "{}",
        reply.text()
    );
    let mut by_new = 0;
    for _ in 0..6 {
        by_new += u32::from(setup.written_by().await.contains("0002"));
    }
    assert_eq!(by_new, 3, "every second exchange");
    let reply = setup.ask("POST", "/admin/v1/adapters/zeta/trial", "{\"share\": 1.0, \"requests\": 1000}").await;
    assert_eq!((reply.status(), &reply.json()["canary"]["share"]), (200, &json!(1.0)), "{}", reply.text());
    assert!(setup.written_by().await.contains("0002"));
    // The operator ends the trial, and tries the same file again later.
    assert_eq!(setup.ask("POST", "/admin/v1/adapters/zeta/rollback", "").await.status(), 200);
    assert!(setup.written_by().await.contains("0001"));
    let reply = setup.ask("PUT", "/admin/v1/adapters/zeta?share=1&requests=1000", &second).await;
    assert_eq!((reply.status(), &reply.json()["canary"]["digest"]), (200, &json!(digest)), "{}", reply.text());
    let promote = json!({"digest": digest}).to_string();
    let reply = setup.ask("POST", "/admin/v1/adapters/zeta/activate", promote).await;
    assert_eq!((reply.status(), &reply.json()["digest"]), (200, &json!(digest)));
    // A version that served before is tried again where it was rolled back from, and no other one.
    assert_eq!(setup.ask("POST", "/admin/v1/adapters/zeta/trial", "{\"share\": 0.5}").await.status(), 409);
    assert_eq!(
        setup.ask("POST", "/admin/v1/adapters/zeta/rollback", "").await.status(),
        409,
        "the first was rolled back from"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_rolled_back_is_tried_again_with_a_share() {
    let setup = Setup::with(Folder::with(&["openai", "zeta"]), "").await;
    let second = zeta_build(2);
    assert_eq!(setup.upload("zeta", &second).await.status(), 200);
    assert_eq!(setup.ask("POST", "/admin/v1/adapters/zeta/rollback", "").await.status(), 200);
    assert!(setup.written_by().await.contains("0001"));
    let reply = setup.ask("POST", "/admin/v1/adapters/zeta/trial", "{\"share\": 0.5, \"requests\": 4}").await;
    assert_eq!((reply.status(), &reply.json()["rolled_back_from"]), (200, &Value::Null), "{}", reply.text());
    for _ in 0..10 {
        setup.written_by().await;
    }
    let promoted = async {
        while setup.ask("GET", "/admin/v1/adapters/zeta", "").await.json()["digest"] != Digest::of(&second).hex() {
            tokio::task::yield_now().await;
        }
    };
    soon("the promotion", promoted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_needs_the_signature_that_a_file_needs() {
    let (key, _) = SigningKey::generate().unwrap();
    let trusted = format!(
        "[plugins]\ntrusted_keys = [\"{}\"]\n[plugins.zeta]\nrequire_signature = true\n",
        key.public().unwrap()
    );
    let setup = Setup::with(Folder::with(&["openai"]), &trusted).await;
    let bytes = zeta_build(2);
    let (status, _, message) = setup.upload("zeta", &bytes).await.problem();
    assert_eq!(status, 422);
    assert!(message.contains("a signature is required"), "{message}");
    let signature = key.sign(Digest::of(&bytes));
    let line = signature.lines().find(|line| line.starts_with("ed25519:")).unwrap();
    let request = Request::new("PUT", "/admin/v1/adapters/zeta")
        .header("authorization", &format!("Bearer {TOKEN}"))
        .header("x-weir-adapter-signature", line)
        .body(&bytes);
    let reply = setup.gateway.ask(&request).await;
    let signer = reply.json()["signed_by"].clone();
    assert_eq!((reply.status(), signer), (200, json!(key.public().unwrap().to_string())), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_are_counted_by_adapter_step_and_field() {
    let folder = Folder::with(&["openai", "zeta"]);
    folder.put_fixtures("zeta", &zeta_fixtures());
    let setup = Setup::with(folder, "").await;
    let body = "{\"model\":\"zeta\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"seed\":1}";
    for _ in 0..2 {
        let reply = setup.gateway.post("/v1/chat/completions", body).await;
        assert_eq!(OPENAI.parsed(&reply, false).text, TEXT);
        assert!(reply.header("x-weir-losses").unwrap_or_default().contains("seed"), "{}", reply.text());
    }
    let shown = setup.ask("GET", "/admin/v1/adapters/zeta", "").await.json();
    let seed = json!({"step": "upstream", "field": "seed", "kind": "dropped", "count": 2});
    assert_eq!(shown["losses"], json!([seed]), "{shown}");
    // The replay of fixtures loses fields of no client.
    assert_eq!(setup.ask("POST", "/admin/v1/adapters/zeta/test", "").await.status(), 200);
    assert_eq!(setup.ask("GET", "/admin/v1/adapters/zeta", "").await.json()["losses"], json!([seed]));
}
