//! What one caller caused answers no other: not in another format, not as a stream, in no lane, not for vectors, and
//! not for another key of the same team.

use serde_json::json;
use weir_tests::{Folder, Gateway, Reply, Request, Upstream};

use super::formats::question;
use super::{by, client, keeping, provider, result};
use crate::keys::{TOKEN, admin, made};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, WireFormat};

/// A gateway with keys of the configuration and of the store, all of one team: `one` causes the answers.
async fn gateway(upstream: &Upstream) -> (Gateway, [String; 3]) {
    let clients = client("one", "team = \"red\"") + &client("two", "team = \"red\"");
    let models = keeping(&[OPENAI, ANTHROPIC, GEMINI], upstream);
    let gateway = Gateway::from_file(&format!("[admin]\ntoken = \"{TOKEN}\"\n{models}{clients}")).await;
    assert_eq!(admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await.status(), 201);
    let own = |name: &str| json!({"name": name, "owner": {"team": "red"}});
    let keys = [made(&gateway, own("three")).await.1, made(&gateway, own("four")).await.1];
    let [three, four] = keys;
    (gateway, ["weir-two-0123456789abcdef".to_owned(), three, four])
}

fn with(key: &str, request: &Request) -> Request {
    request.clone().header("authorization", &format!("Bearer {key}"))
}

/// Asks as the caller that caused an answer, until it is kept.
async fn until_kept(gateway: &Gateway, request: &Request) -> Reply {
    let kept = async {
        loop {
            let reply = gateway.ask(&by("one", request.clone())).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            if result(&reply) == Some("hit") {
                return reply;
            }
            tokio::task::yield_now().await;
        }
    };
    weir_tests::soon("the answer to be kept", kept).await
}

/// A question with another text.
fn asked(client: WireFormat, model: &str, stream: bool, text: &str) -> Request {
    let request = question(client, model, stream);
    let body = String::from_utf8(request.sent()).unwrap().replace("\"Hi\"", &format!("\"{text}\""));
    request.body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_gets_what_another_caused_in_any_format_lane_and_form() {
    let mut upstream = provider().await;
    let (gateway, others) = gateway(&upstream).await;
    let mut number = 0;
    for model in ["openai", "openai-t", "anthropic"] {
        for (first, first_streams) in [(OPENAI, false), (OPENAI, true), (ANTHROPIC, false), (ANTHROPIC, true)] {
            for (then, stream) in [OPENAI, ANTHROPIC, GEMINI].into_iter().flat_map(|then| [(then, false), (then, true)])
            {
                number += 1;
                let text = format!("Hi for the {number}th time");
                let about = format!("{model}, {} {first_streams}, {} {stream}", first.name, then.name);
                let filled = gateway.ask(&by("one", asked(first, model, first_streams, &text))).await;
                assert_eq!((filled.status(), result(&filled)), (200, Some("miss")), "{about}: {}", filled.text());
                let request = asked(then, model, stream, &text);
                until_kept(&gateway, &request).await;
                upstream.count_unseen();
                for key in &others {
                    let reply = gateway.ask(&with(key, &request)).await;
                    assert_eq!((reply.status(), result(&reply)), (200, Some("miss")), "{about}: {}", reply.text());
                    assert_eq!(upstream.count_unseen(), 1, "{about}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_gets_the_vectors_or_the_order_that_another_caused() {
    let mut upstream = Upstream::scripted(|request| {
        let vectors = json!({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "usage": {"prompt_tokens": 2, "total_tokens": 2}});
        let order = json!({"id": "r1", "results": [{"index": 0, "relevance_score": 0.5}], "meta": {}});
        weir_tests::Answer::json(200, if request.line().contains("rerank") { order } else { vectors }.to_string())
    })
    .await;
    let cohere = format!(
        "[[providers]]\nname = \"cohere\"\nadapter = \"cohere\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"order\"\ncache = \"1h\"\ntarget = {{ provider = \"cohere\", model = \"order\" }}\n",
        upstream.url()
    );
    let clients = client("one", "team = \"red\"") + &client("two", "team = \"red\"");
    let config = keeping(&[OPENAI], &upstream) + &cohere + &clients;
    let gateway = Gateway::with(Folder::with(&["openai", "cohere"]), &config).await;
    let order = json!({"model": "order", "query": "Hi", "documents": ["a"]});
    let vectors = |model: &str| json!({"model": model, "input": "Hi"});
    for (path, body) in
        [("/v1/embeddings", vectors("openai")), ("/v1/embeddings", vectors("openai-t")), ("/v2/rerank", order)]
    {
        let request = Request::post(path, body.to_string());
        until_kept(&gateway, &request).await;
        upstream.count_unseen();
        let other = gateway.ask(&by("two", request)).await;
        assert_eq!((other.status(), result(&other)), (200, Some("miss")), "{body}: {}", other.text());
        assert_eq!(upstream.count_unseen(), 1, "{body}");
    }
}
