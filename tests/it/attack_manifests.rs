//! Adapters that claim what other adapters serve: a file that was dropped into the folder gets no requests of others,
//! and no say in the headers of others' requests.

use weir_tests::plugins::component;
use weir_tests::{Answer, Folder, Gateway, Request, Upstream, log};

use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, WireFormat, config};

fn folder() -> Folder {
    Folder::with(&["openai", "anthropic", "zeta", "usurper"])
}

/// An adapter whose credential is in another header than `anthropic-beta`, with a name of the same length.
fn usurper_with_place(name: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(component("usurper")).unwrap();
    let known = b"anthropic-beta";
    assert_eq!(known.len(), name.len());
    let at = bytes.windows(known.len()).position(|window| window == known).unwrap();
    bytes[at..at + known.len()].copy_from_slice(name.as_bytes());
    bytes
}

async fn well(wire_format: WireFormat) -> Upstream {
    crate::wire_format::provider(wire_format).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_in_adapter_gets_no_requests_of_others() {
    for wire_format in [OPENAI, ANTHROPIC] {
        let upstream = well(wire_format).await;
        let gateway = Gateway::with(folder(), &config(&upstream)).await;
        for model in [wire_format.name.to_owned(), wire_format.translated()] {
            for stream in [false, true] {
                let reply = gateway.ask(&wire_format.request(&model, stream)).await;
                assert_eq!(reply.status(), 200, "{model}: {}", reply.text());
                assert_eq!(wire_format.parsed(&reply, stream).text, TEXT, "{model}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_prefix_stays_and_ignored_claims_are_listed() {
    let upstream = well(OPENAI).await;
    let gateway = Gateway::with(folder(), &config(&upstream)).await;
    let own = gateway.post("/usurper/v1/chat/completions", "{\"model\":\"openai\",\"messages\":[]}").await;
    assert!(own.text().contains("USURPED"), "{}", own.text());
    let free = gateway.post("/v1/usurped/talk", "{\"model\":\"openai\"}").await;
    assert!(free.text().contains("USURPED"), "no other adapter serves it: {}", free.text());

    let adapter = gateway.adapter("usurper").await.remove(0);
    let left_out: Vec<&str> = adapter["left_out"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    for path in ["POST /v1/chat/completions", "POST /v1/messages", "POST /v1/{model...}"] {
        assert!(left_out.iter().any(|one| one.starts_with(path)), "{path}: {left_out:?}");
    }
    assert_eq!(left_out.len(), 3, "{left_out:?}");
    let others = gateway.adapter("openai").await.remove(0);
    assert_eq!(others["left_out"], serde_json::json!([]));
    let log = log::text();
    let mut lines = log.lines().filter(|line| line.contains("POST /v1/chat/completions is left out"));
    assert!(lines.any(|line| line.contains("usurper") && line.contains("neither pinned nor configured")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_the_operator_names_may_claim_what_it_wants() {
    let upstream = well(OPENAI).await;
    let gateway = Gateway::with(folder(), &format!("[plugins.usurper]\nprewarm = 1\n{}", config(&upstream))).await;
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert!(reply.text().contains("USURPED"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_no_header_from_others_requests() {
    let mut upstream = well(ANTHROPIC).await;
    let gateway = Gateway::with(folder(), &config(&upstream)).await;
    let request = ANTHROPIC.request("anthropic", false).header("anthropic-beta", "a-feature-of-theirs");
    assert_eq!(gateway.ask(&request).await.status(), 200);
    assert_eq!(upstream.request().await.header("anthropic-beta"), Some("a-feature-of-theirs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_calls_a_common_header_a_credential_is_refused() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    for name in ["content-length", "accept-charset"] {
        let folder = Folder::with(&["openai", "anthropic", "zeta"]);
        folder.put("usurper", &usurper_with_place(name));
        let gateway = Gateway::with(folder, &config(&upstream)).await;
        let refused = gateway.adapter("usurper").await.remove(0);
        let reason = refused["reason"].as_str().unwrap_or_default();
        assert!(refused["status"] == "refused" && reason.contains(name), "{refused}");
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c69_a_key_in_any_named_header_reaches_no_provider_and_no_copy_of_it_does() {
    const MINE: &str = "a-key-of-the-clients-own-7";
    let mut upstream = well(ANTHROPIC).await;
    let settings = format!(
        "[server]\nkey_headers = [\"x-team-key\"]\n[[clients]]\nname = \"team\"\nkey = \"{MINE}\"\n{}",
        config(&upstream)
    );
    let gateway = Gateway::with(folder(), &settings).await;
    for model in ["anthropic", "anthropic-t"] {
        let request = ANTHROPIC.request(model, false).header("x-team-key", MINE);
        let request: Request = request.header("anthropic-beta", MINE).header("x-copy", &format!("it is {MINE}"));
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let received = upstream.request().await;
        assert!(!received.head.contains(MINE) && !received.text().contains(MINE), "{}", received.head);
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_loaded_from_a_folder_that_everybody_may_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let upstream = well(OPENAI).await;
    for (setting, status) in [("", "refused"), ("[plugins]\nallow_writable = true\n", "serving")] {
        let folder = Folder::with(&["openai"]);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let settings = config(&upstream);
        let openai = settings.split("[[providers]]").nth(1).unwrap();
        let gateway = Gateway::with(folder, &format!("{setting}[[providers]]{openai}")).await;
        let adapter = gateway.adapter("openai").await.remove(0);
        assert_eq!(adapter["status"], status, "{adapter}");
        assert_eq!(adapter["reason"].to_string().contains("all users may write"), status == "refused", "{adapter}");
    }
}
