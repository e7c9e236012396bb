//! Addresses of a provider's in answers that tell of its work: clients follow them, so they lead back to the gateway.

use serde_json::Value;
use weir_tests::{Answer, Folder, Gateway, Received, Reply, Request, Upstream};

use crate::wire_format::{ANTHROPIC, config_of};

const BATCHES: &str = "/v1/messages/batches";
const ID: &str = "msgbatch_0123456789abcdef";
const KEY: &str = "weir-one-0123456789abcdef";
const OTHER: &str = "https://files.example.com/v1/messages/batches/msgbatch_0123456789abcdef/results";

/// A batch in the provider's own layout. What of it begins with `OWN` is the provider's address.
const BATCH: &str = r#"{ "id" : "msgbatch_0123456789abcdef", "type":"message_batch",
  "processing_status": "ended", "number": 1.50, "text": "gr\u00fc\u00dfe", "results_url" : "OWN/messages/batches/msgbatch_0123456789abcdef/results" ,
  "escaped": "OWNESC\/messages\/batches\/msgbatch_0123456789abcdef", "OWN/messages/batches": "OTHER",
  "others": ["OWN/files/x", "OWN", "OWN/messages/batches/../batches", "OWNX/messages/batches", "see OWN/messages/batches"]}
"#;

fn batch(own: &str) -> String {
    BATCH.replace("OWNESC", &own.replace('/', "\\/")).replace("OWN", own).replace("OTHER", OTHER)
}

/// The same with the addresses that are served here below this one.
fn rebased(own: &str, here: &str) -> String {
    let escaped = format!("{}\\/messages\\/batches\\/{ID}", own.replace('/', "\\/"));
    let results = format!("\"{own}/messages/batches/{ID}/results\" ,");
    batch(own)
        .replace(&results, &format!("\"{here}/messages/batches/{ID}/results\" ,"))
        .replace(&escaped, &format!("{here}/messages/batches/{ID}"))
}

/// The provider's own address, as it knows it.
fn own(request: &Received) -> String {
    format!("http://{}/base", request.header("host").unwrap())
}

async fn provider() -> Upstream {
    Upstream::scripted(|request: &Received| {
        let own = own(request);
        if request.line().ends_with("/results") {
            return Answer::whole(200, &[("content-type", "application/x-jsonl")], batch(&own).replace('\n', " "));
        }
        if request.line().ends_with("?limit=1") {
            let json = [("content-type", "application/json; charset=utf-8")];
            return Answer::begin(200, &json).pieces(format!("{{\"data\":[{}]}}", batch(&own)), 7).end();
        }
        Answer::json(200, batch(&own))
    })
    .await
}

async fn open(upstream: &Upstream, server: &str) -> Gateway {
    let providers =
        config_of(&[ANTHROPIC], upstream).replace("timeouts =", "passthrough = [\"* messages/*\"]\ntimeouts =");
    let client = format!("[[clients]]\nname = \"one\"\nkey = \"{KEY}\"\npassthrough = [\"* * *\"]\n");
    let config = format!("[server]\nbook_unread_after = \"1h\"\n{server}\n{providers}{client}");
    Gateway::with(Folder::with(&["anthropic"]), &config).await
}

fn by(request: Request) -> Request {
    request.header("x-api-key", KEY).header("anthropic-version", "2023-06-01").header("accept-encoding", "gzip, br")
}

fn create(path: &str) -> Request {
    let params = r#"{"model":"claude-a","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#;
    by(Request::post(path, format!(r#"{{"requests":[{{"custom_id":"r","params":{params}}}]}}"#)))
}

fn whole(reply: &Reply) -> String {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    if let Some(length) = reply.header("content-length") {
        assert_eq!(length.parse(), Ok(reply.body.len()));
    }
    assert!(!reply.cut);
    reply.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_in_a_batch_lead_to_the_gateway_and_nothing_else_of_it_changes() {
    let mut upstream = provider().await;
    let gateway = open(&upstream, "").await;
    let own = upstream.url().trim_end_matches('/').to_owned();
    for root in ["/v1", "/anthropic/v1", "/passthrough/anthropic"] {
        let here = format!("http://localhost{root}");
        let batches = format!("{root}/messages/batches");
        for request in [
            create(&batches),
            by(Request::get(&format!("{batches}/{ID}"))),
            by(Request::post(&format!("{batches}/{ID}/cancel"), "")),
        ] {
            let text = whole(&gateway.ask(&request).await);
            assert_eq!(text, rebased(&own, &here), "{}", request.head());
            let sent = upstream.request().await;
            assert_eq!(sent.header("accept-encoding"), Some("identity"), "{}", sent.head);
        }
        let listed = whole(&gateway.ask(&by(Request::get(&format!("{batches}?limit=1")))).await);
        assert_eq!(listed, format!("{{\"data\":[{}]}}", rebased(&own, &here)), "{root}");
        // What a client follows leads to the results, which are no answer of the kind themselves.
        let batch = whole(&gateway.ask(&by(Request::get(&format!("{batches}/{ID}")))).await);
        let batch: Value = serde_json::from_str(&batch).unwrap();
        let results = batch["results_url"].as_str().unwrap().strip_prefix("http://localhost").unwrap();
        let results = whole(&gateway.ask(&by(Request::get(results))).await);
        assert_eq!(results, self::batch(&own).replace('\n', " "));
        while upstream.unseen().is_some() {}
    }
    // Each was read to its end.
    gateway.until_metric("weir_requests_total{outcome=\"ok\"}", 18.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_the_one_that_the_operator_names_and_none_is_guessed_behind_a_proxy() {
    let upstream = provider().await;
    let own = upstream.url().trim_end_matches('/').to_owned();
    let gateway = open(&upstream, "").await;
    let read = || by(Request::get(&format!("{BATCHES}/{ID}")));
    let proxied = || read().header("x-forwarded-proto", "https").header("x-forwarded-host", "evil.example");
    assert_eq!(whole(&gateway.ask(&proxied()).await), batch(&own));
    let gateway = open(&upstream, "public_url = \"https://weir.example.com/\"").await;
    for request in [read(), proxied()] {
        assert_eq!(whole(&gateway.ask(&request).await), rebased(&own, "https://weir.example.com/v1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plain_json_and_what_is_an_error_stays() {
    for (status, headers) in [
        (200, [("content-type", "application/json"), ("content-encoding", "gzip")]),
        (200, [("content-type", "text/plain"), ("x-any", "1")]),
        (404, [("content-type", "application/json"), ("x-any", "1")]),
    ] {
        let upstream =
            Upstream::scripted(move |request: &Received| Answer::whole(status, &headers, batch(&own(request)))).await;
        let gateway = open(&upstream, "").await;
        let own = upstream.url().trim_end_matches('/').to_owned();
        for root in ["/v1", "/passthrough/anthropic"] {
            let reply = gateway.ask(&by(Request::get(&format!("{root}/messages/batches/{ID}")))).await;
            assert_eq!((reply.status(), reply.text()), (status, batch(&own)), "{root} {headers:?}");
        }
    }
}
