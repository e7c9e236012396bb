//! A request that goes on with a stored answer has all of that read again: so much is reserved for it.

use super::*;

/// An answer whose history is as long as its request says, in tokens.
async fn provider() -> Upstream {
    Upstream::scripted(|request: &Received| {
        let body = request.json();
        let (id, input) = (body["user"].as_str().unwrap_or("resp_0"), body["metadata"]["input"].as_u64().unwrap_or(10));
        let usage = json!({"input_tokens": input, "output_tokens": 1000});
        let answer = json!({"id": id, "object": "response", "model": "openai", "status": "completed", "output": [], "usage": usage});
        if body["stream"] != true {
            return Answer::json(200, answer.to_string());
        }
        Answer::sse().pieces(event("response.created", &answer) + &event("response.completed", &answer), 50).end()
    })
    .await
}

fn asks(client: &str, base: &str, more: &Value) -> Request {
    let mut body = json!({"model": "openai", "input": "Hi", "max_output_tokens": 500});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by(client, Request::post(&format!("{base}/responses"), body.to_string()))
}

fn id(number: usize) -> String {
    format!("resp_0123456789abcde{number}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_does_not_fit_into_a_small_rest_of_a_budget() {
    for (base, streams) in
        [("/v1", false), ("/v1", true), ("/passthrough/openai", false), ("/passthrough/openai", true)]
    {
        let upstream = provider().await;
        // 7,000 tokens are left after the first answer, which has 6,000.
        let gateway = gateway_with(&upstream, 13_000, "").await;
        let first = json!({"user": id(1), "metadata": {"input": 5000}, "stream": streams, "conversation": {"id": "conv_0123456789abcdef"}});
        asked(&gateway, &asks("one", base, &first)).await;
        until_settled(&gateway, "tokens", 6_000).await;
        for more in [json!({"previous_response_id": id(1)}), json!({"conversation": "conv_0123456789abcdef"})] {
            let mut more = more;
            more["max_output_tokens"] = 1_500.into();
            let reply = gateway.ask(&asks("one", base, &more)).await;
            assert_eq!(reply.status(), 429, "{base}: {}", reply.text());
        }
        // Another client's knowledge is its own, and an unknown answer has no known length.
        for (client, more) in [
            ("two", json!({"previous_response_id": id(2)})),
            ("one", json!({"previous_response_id": id(2), "max_output_tokens": 1_500})),
        ] {
            asked(&gateway, &asks(client, base, &more)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_counts_against_limits_of_tokens() {
    let upstream = provider().await;
    let limits = "limits = { tokens_per_minute = 12000 }\n";
    let client = clients::client("one", limits);
    let gateway = Gateway::open(&(config_of(&[OPENAI], &upstream) + &client)).await;
    asked(&gateway, &asks("one", "/v1", &json!({"user": id(1), "metadata": {"input": 5000}}))).await;
    asked(&gateway, &asks("one", "/v1", &json!({"user": id(2)}))).await;
    let reply = gateway.ask(&asks("one", "/v1", &json!({"previous_response_id": id(1)}))).await;
    assert_eq!(reply.status(), 429, "{}", reply.text());
    asked(&gateway, &asks("one", "/v1", &json!({"previous_response_id": id(2)}))).await;
}
