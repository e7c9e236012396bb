//! A target without a key gets requests without a credential, and the operator is warned.

use std::time::Duration;

use weir_tests::{Folder, Gateway, Program, log};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, config, provider};

/// A configuration like the one in LMBroker's README: its keys, its order, its kinds of targets.
fn lmbroker(local: &str) -> String {
    format!(
        r#"
log_level = "info"

[server]
  host = "localhost"
  port = 8080

[[models]]
  alias = "claude-3-haiku-20240307"
  target = {{ url = "https://api.anthropic.com/v1/", model = "claude-3-haiku-20240307", api_key = "sk-ant-0123" }}
  type = "anthropic"

[[models]]
  alias = "gpt-4"
  target = {{ url = "https://api.openai.com/v1/", model = "gpt-4", api_key = "sk-0123" }}
  type = "openai"

[[models]]
  alias = "gpt-4-local"
  target = {{ url = "{local}", model = "llama3.1" }}
  type = "openai"

[[models]]
  alias = "gpt-4-secure"
  target = {{ url = "https://api.openai.com/v1/", model = "gpt-4", api_key = "env:OPENAI_API_KEY" }}
  type = "openai"
"#
    )
}

/// That file with its variable replaced by the value: the gateway of the test has its own environment.
fn in_house(local: &str) -> String {
    lmbroker(local).replace("env:OPENAI_API_KEY", "sk-of-the-variable")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_lmbrokers_readme_serves_its_keyless_server_in_both_lanes() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&in_house(&upstream.url())).await;
    for from in ALL {
        for stream in [false, true] {
            let reply = gateway.ask(&from.request("gpt-4-local", stream)).await;
            assert_eq!(reply.status(), 200, "{}: {}", from.name, reply.text());
            let received = upstream.request().await;
            for name in ["authorization", "x-api-key", "api-key"] {
                assert_eq!(received.header(name), None, "{}: {}", from.name, received.head);
            }
            assert!(!received.head.contains("sk-"), "{}", received.head);
        }
    }
    let ready = gateway.get("/ready").await.json();
    assert_eq!(ready["status"], "ready", "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_auth_sends_none_for_a_provider_and_for_a_target() {
    let mut upstream = provider(OPENAI).await;
    let url = upstream.url();
    let settings = format!(
        "[[providers]]\nname = \"bare\"\nadapter = \"openai\"\nurl = \"{url}\"\nauth = \"none\"\n\
         [[providers]]\nname = \"keyed\"\nadapter = \"openai\"\nurl = \"{url}\"\napi_key = \"KEY-OF-KEYED\"\n\
         [[models]]\nalias = \"bare\"\nprovider = \"bare\"\n\
         [[models]]\nalias = \"part\"\ntargets = [{{ provider = \"keyed\", auth = \"none\", model = \"m\" }}]\n\
         [[models]]\nalias = \"own\"\ntype = \"openai\"\ntarget = {{ url = \"{url}\", auth = \"none\", model = \"m\" }}\n\
         [[models]]\nalias = \"keyed\"\nprovider = \"keyed\"\n"
    );
    let gateway = Gateway::open(&settings).await;
    for from in [OPENAI, ANTHROPIC] {
        for (model, key) in [("bare", None), ("part", None), ("own", None), ("keyed", Some("Bearer KEY-OF-KEYED"))] {
            let reply = gateway.ask(&from.request(model, false)).await;
            assert_eq!(reply.status(), 200, "{model}: {}", reply.text());
            assert_eq!(upstream.request().await.header("authorization"), key, "{model}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_reported_at_start_if_the_url_requires_one() {
    let upstream = provider(OPENAI).await;
    let keyless = |alias: &str, url: &str| {
        format!("[[models]]\nalias = \"{alias}\"\ntype = \"openai\"\ntarget = {{ url = \"{url}\", model = \"m\" }}\n")
    };
    let gateway = Gateway::open(&(config(&upstream) + &keyless("out", "https://api.openai.com/v1/"))).await;
    let log_text = log::text();
    let line = log_text.lines().find(|line| line.contains("has no key, and https://api.openai.com asks for one"));
    assert!(line.is_some_and(|line| line.contains("WARN") && line.contains("env:OPENAI_API_KEY")), "{line:?}");
    drop(gateway);
    let quiet = keyless("near", "http://localhost:11434/v1/") + &keyless("other", "https://llm.example.com/v1/");
    drop(Gateway::open(&quiet).await);
    let since = log::text();
    assert!(!since.contains("http://localhost:11434 asks") && !since.contains("llm.example.com asks"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_to_which_no_path_of_the_api_can_be_joined_is_reported_at_start() {
    let upstream = provider(OPENAI).await;
    let at = |alias: &str, url: &str| {
        format!(
            "[[models]]\nalias = \"{alias}\"\ntype = \"openai\"\ntarget = {{ url = \"{url}\", model = \"m\", auth = \"none\" }}\n"
        )
    };
    let wrong = at("whole", "https://llm.example.com/v1/chat/completions") + &at("bare", "https://api.openai.com");
    drop(Gateway::open(&(config(&upstream) + &wrong)).await);
    let log_text = log::text();
    for (said, remedy) in [
        ("ends with `chat/completions`, which `openai` adds itself", "https://llm.example.com/v1/"),
        ("lacks the path of its API, /v1/", "https://api.openai.com/v1/"),
    ] {
        let line = log_text.lines().find(|line| line.contains(said));
        assert!(line.is_some_and(|line| line.contains("WARN") && line.contains(remedy)), "{said}: {line:?}");
    }
    let right = at("own", "https://models.example.com/models/") + &at("near", "http://localhost:11434/v1");
    drop(Gateway::open(&right).await);
    let since = log::text().replacen(&log_text, "", 1);
    assert!(!since.contains("adds itself") && !since.contains("lacks the path"), "{since}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_of_an_unchanged_file_reports_nothing_for_the_next_start() {
    let upstream = provider(OPENAI).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let cache = weir_tests::plugins::target().join("test-cache");
    let program = Program::start(&folder, &cache, &config(&upstream));
    let address = program.address();
    let reload = weir_tests::Request::post("/admin/reload", "");
    let taken =
        tokio::time::timeout(Duration::from_secs(20), weir_tests::program::ask(address, &reload)).await.unwrap();
    assert_eq!(taken.json()["at_next_start"], serde_json::json!([]), "{}", taken.text());
}
