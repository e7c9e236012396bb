//! Shadow runs: logged requests through another version of an adapter, compared with the one that serves. No provider
//! is asked.

use serde_json::{Value, json};
use weir_sandbox::Digest;
use weir_tests::plugins::{component, zeta_build, zeta_with_fault};
use weir_tests::{Folder, Gateway, Reply, Request, Upstream, soon};

use crate::wire_format::{ZETA, config, provider};

/// A gateway that keeps the content of requests, with some of them in its log.
struct Setup {
    gateway: Gateway,
    upstream: Upstream,
    _store: tempfile::TempDir,
}

impl Setup {
    async fn after(requests: usize) -> Self {
        let store = tempfile::tempdir().unwrap();
        let kept =
            format!("[store]\nurl = \"sqlite://{}\"\nbodies = \"all\"\n", store.path().join("weir.db").display());
        let upstream = provider(ZETA).await;
        let text = format!("{}{kept}", config(&upstream));
        let setup =
            Self { gateway: Gateway::with(Folder::with(&["openai", "zeta"]), &text).await, upstream, _store: store };
        for number in 0..requests {
            assert_eq!(setup.gateway.ask(&ZETA.request("zeta-t", number % 2 == 1)).await.status(), 200);
        }
        soon("the log", setup.logged(requests)).await;
        setup
    }

    /// Waits until the content of so many requests is kept.
    async fn logged(&self, count: usize) {
        loop {
            let items = self.gateway.get("/admin/v1/requests").await.json()["items"].clone();
            let mut kept = 0;
            for item in items.as_array().unwrap() {
                let path = format!("/admin/v1/requests/{}/exchange", item["id"].as_str().unwrap());
                kept += usize::from(self.gateway.get(&path).await.status() == 200);
            }
            if kept >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn begin(&self, query: &str, bytes: &[u8]) -> Reply {
        self.gateway.ask(&Request::post(&format!("/admin/v1/adapters/zeta/shadow?{query}"), bytes)).await
    }

    /// The run of this component at its end.
    async fn run(&self, query: &str, bytes: &[u8]) -> Value {
        let begun = self.begin(query, bytes).await;
        assert_eq!(begun.status(), 202, "{}", begun.text());
        let path = format!("/admin/v1/shadow-runs/{}", begun.json()["id"].as_str().unwrap());
        let ended = async {
            loop {
                let run = self.gateway.get(&path).await.json();
                if run["status"] != "running" {
                    return run;
                }
                tokio::task::yield_now().await;
            }
        };
        soon("the end of the run", ended).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_compared_without_asking_the_provider() {
    let mut setup = Setup::after(4).await;
    while setup.upstream.unseen().is_some() {}
    let second = zeta_build(2);
    let run = setup.run("requests=3", &second).await;
    assert_eq!((&run["status"], &run["compared"], &run["different"]), (&json!("done"), &json!(3), &json!(3)), "{run}");
    assert_eq!(run["candidate"]["digest"], Digest::of(&second).hex());
    // The version stands in a header of the provider's request, and in the client's answer.
    let differences = run["requests"][0]["differences"].as_array().unwrap();
    let upstream = differences.iter().find(|one| one["step"] == "upstream").unwrap_or_else(|| panic!("{run}"));
    assert!(
        upstream["serving"].to_string().contains("0001") && upstream["candidate"].to_string().contains("0002"),
        "{upstream}"
    );
    assert!(setup.upstream.unseen().is_none(), "no provider is asked");
    let listed = setup.gateway.get("/admin/v1/shadow-runs").await.json();
    assert_eq!(listed["items"][0]["id"], run["id"]);
    let serving = setup.gateway.get("/admin/v1/adapters/zeta").await.json();
    assert_ne!(serving["digest"], Digest::of(&second).hex(), "it is not put into service");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_shown_in_full() {
    let setup = Setup::after(2).await;
    let id = setup.gateway.get("/admin/v1/requests").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let run = setup.run(&format!("id={id}"), &zeta_build(2)).await;
    assert_eq!((&run["compared"], &run["requests"][0]["id"]), (&json!(1), &json!(id)), "{run}");
    let steps = &run["requests"][0]["steps"];
    assert!(
        steps[0]["upstream"].to_string().contains("0001") && steps[1]["upstream"].to_string().contains("0002"),
        "{run}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_is_refused() {
    let setup = Setup::after(1).await;
    let serving = std::fs::read(component("zeta")).unwrap();
    for (query, bytes, status) in [
        ("", serving, 409),
        ("", b"no component".to_vec(), 422),
        ("", Vec::new(), 400),
        ("digest=0123456789", Vec::new(), 409),
        ("requests=0", zeta_build(2), 400),
        ("requests=5001", zeta_build(2), 400),
        ("speed=1", zeta_build(2), 400),
    ] {
        let reply = setup.begin(query, &bytes).await;
        assert_eq!(reply.status(), status, "{query}: {}", reply.text());
    }
    assert_eq!(setup.gateway.get("/admin/v1/shadow-runs/none").await.status(), 404);
    assert_eq!(setup.gateway.get("/admin/v1/shadow-runs").await.json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_and_its_findings_stay() {
    let setup = Setup::after(1).await;
    let begun = setup.begin("", &zeta_with_fault("memory")).await;
    assert_eq!(begun.status(), 202, "{}", begun.text());
    let path = format!("/admin/v1/shadow-runs/{}", begun.json()["id"].as_str().unwrap());
    assert_eq!(setup.gateway.ask(&Request::new("DELETE", &path)).await.status(), 200);
    let ended = async {
        while setup.gateway.get(&path).await.json()["status"] == "running" {
            tokio::task::yield_now().await;
        }
    };
    soon("the end of the run", ended).await;
    let run = setup.gateway.get(&path).await.json();
    assert!(["cancelled", "done"].contains(&run["status"].as_str().unwrap()), "{run}");
    // Another one may begin.
    assert_eq!(setup.begin("", &zeta_build(2)).await.status(), 202);
}
