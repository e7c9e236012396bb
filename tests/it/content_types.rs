//! A body without a JSON content type counts as JSON if the endpoint takes JSON.

use weir_tests::{Answer, Gateway, Request, Upstream};

use crate::wire_format::{ALL, OPENAI, WireFormat, config, provider};

const CURLS: &str = "application/x-www-form-urlencoded";

/// A client's request, with this content type or none.
fn request(from: WireFormat, model: &str, stream: bool, kind: Option<&str>) -> Request {
    let asked = from.request(model, stream);
    let head = asked.head();
    let mut lines = head.lines().map(str::to_owned);
    let line = lines.next().unwrap();
    let mut words = line.split(' ');
    let mut bare = Request::new(words.next().unwrap(), words.next().unwrap());
    for (name, value) in lines.filter_map(|line| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()))) {
        if !["host", "content-type", "content-length"].contains(&name.as_str()) {
            bare = bare.header(&name, &value);
        }
    }
    let bare = bare.body(asked.sent());
    match kind {
        Some(kind) => bare.header("content-type", kind),
        None => bare,
    }
}

async fn sent_as_json(upstream: &mut Upstream, gateway: &Gateway, from: WireFormat, model: &str) {
    for kind in [None, Some(CURLS), Some("text/plain;charset=UTF-8"), Some("application/json; charset=utf-8")] {
        for stream in [false, true] {
            let reply = gateway.ask(&request(from, model, stream, kind)).await;
            assert_eq!(reply.status(), 200, "{} to {model} as {kind:?}: {}", from.name, reply.text());
            let received = upstream.request().await;
            let sent = received.header("content-type").unwrap_or_default().to_owned();
            assert!(sent.starts_with("application/json"), "{} to {model} as {kind:?}: {sent:?}", from.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_content_type_or_with_curls_goes_on_as_json_in_both_lanes() {
    for to in ALL {
        let mut upstream = provider(to).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            for model in [to.name.to_owned(), to.translated()] {
                sent_as_json(&mut upstream, &gateway, from, &model).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_no_json_is_refused_and_other_types_pass_as_they_are() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let form = Request::new("POST", "/v1/chat/completions").header("content-type", CURLS).body("model=openai");
    assert_eq!(gateway.ask(&form).await.status(), 400);
    assert!(upstream.unseen().is_none());
    let own = request(OPENAI, "openai", false, Some("application/vnd.mine+json"));
    assert_eq!(gateway.ask(&own).await.status(), 200);
    assert_eq!(upstream.request().await.header("content-type"), Some("application/vnd.mine+json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_on_as_json_too_and_is_refused_if_it_is_none() {
    let mut upstream = Upstream::always(Answer::json(200, "{\"id\":\"batch_1\"}")).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let batch = |body: &str| Request::new("POST", "/v1/batches").header("content-type", CURLS).body(body);
    let reply = gateway.ask(&batch(" {\"input_file_id\":\"file-1\"}")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(upstream.request().await.header("content-type"), Some("application/json"));
    // The file of a batch can only be read from JSON.
    let reply = gateway.ask(&batch("input_file_id=file-1")).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert!(reply.text().contains("not JSON") && upstream.unseen().is_none(), "{}", reply.text());
}
