//! Whatever a price depends on, a request costs what its answer says, to the nano-dollar: long prompts, caches that
//! last for an hour, tiers, batches, audio and searches. In both lanes, whole and streamed, in the header and in the
//! log.

use super::*;

/// Dollars for a million tokens, and for a thousand searches.
const PRICES: &str = r#"{"providers": {
    "anthropic": {"*": [
        {"input": "3.001", "cache_read": "0.301", "cache_write": "3.753", "cache_write_hour": "6.007",
            "output": "15.007", "search": {"amount": "10.009", "per": 1000}},
        {"when": {"context_over": 200000}, "input": "6.002", "cache_read": "0.602", "cache_write": "7.506",
            "cache_write_hour": "12.014", "output": "22.511"},
        {"when": {"batch": true}, "input": "1.507", "output": "7.511"}]},
    "openai": {"*": [
        {"input": "2.501", "input_audio": "32.007", "output": "10.003"},
        {"when": {"service_tier": "flex"}, "input": "1.251", "output": "5.003"},
        {"when": {"service_tier": "priority"}, "input": "5.002", "output": "20.006"}]}}}"#;

/// An answer, and what it costs in nano-dollars.
#[derive(Clone)]
struct Case {
    name: &'static str,
    to: WireFormat,
    /// The tier that the client asks for.
    asks: Option<&'static str>,
    usage: Value,
    /// The tier that OpenAI names beside the usage.
    served: Option<&'static str>,
    nano: u64,
}

fn cases() -> Vec<Case> {
    let claude = |name, usage, nano| Case { name, to: ANTHROPIC, asks: None, usage, served: None, nano };
    let openai = |name, asks, served, usage, nano| Case { name, to: OPENAI, asks, usage, served, nano };
    let text = json!({"prompt_tokens": 600, "completion_tokens": 70, "total_tokens": 670});
    let audio = json!({"prompt_tokens": 600, "completion_tokens": 70, "total_tokens": 670,
        "prompt_tokens_details": {"audio_tokens": 500, "cached_tokens": 0}});
    vec![
        claude(
            "272,040 tokens, of which 700 are kept for an hour, and three searches",
            json!({"input_tokens": 271_000, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 1_000,
                "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 700},
                "output_tokens": 7, "server_tool_use": {"web_search_requests": 3}}),
            271_000 * 6_002 + 40 * 602 + 300 * 7_506 + 700 * 12_014 + 7 * 22_511 + 3 * 10_009_000,
        ),
        claude(
            "200,000 tokens, which are not more than 200,000",
            json!({"input_tokens": 198_960, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 1_000,
                "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 700},
                "output_tokens": 7}),
            198_960 * 3_001 + 40 * 301 + 300 * 3_753 + 700 * 6_007 + 7 * 15_007,
        ),
        claude(
            "a batch",
            json!({"input_tokens": 600, "output_tokens": 70, "service_tier": "batch"}),
            600 * 1_507 + 70 * 7_511,
        ),
        openai("flex and got it", Some("flex"), Some("flex"), text.clone(), 600 * 1_251 + 70 * 5_003),
        openai("flex and got the usual", Some("flex"), Some("default"), text.clone(), 600 * 2_501 + 70 * 10_003),
        openai("nothing and got priority", None, Some("priority"), text, 600 * 5_002 + 70 * 20_006),
        openai("audio in, text out", None, None, audio, 100 * 2_501 + 500 * 32_007 + 70 * 10_003),
    ]
}

impl Case {
    /// The provider's answer, in its own format.
    fn answer(&self, stream: bool) -> Answer {
        if self.to == ANTHROPIC { self.claude(stream) } else { self.openai(stream) }
    }

    fn claude(&self, stream: bool) -> Answer {
        let mut message: Value = serde_json::from_str(&ANTHROPIC.whole()).unwrap();
        message["usage"] = self.usage.clone();
        if !stream {
            return Answer::json(200, message.to_string());
        }
        (message["content"], message["stop_reason"], message["usage"]["output_tokens"]) =
            (json!([]), Value::Null, json!(1));
        let events = [
            json!({"type": "message_start", "message": message}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grue"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": self.usage}),
            json!({"type": "message_stop"}),
        ];
        let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
        events.iter().fold(Answer::sse(), |answer, data| answer.piece(event(data))).end()
    }

    fn openai(&self, stream: bool) -> Answer {
        let answer = |object: &str, choices: Value| {
            let mut answer = json!({"id": "c", "object": object, "created": 1, "model": "openai", "choices": choices});
            if let Some(tier) = self.served {
                answer["service_tier"] = tier.into();
            }
            answer
        };
        let said = json!({"role": "assistant", "content": "Grue"});
        if !stream {
            let choice = json!([{"index": 0, "finish_reason": "stop", "message": said}]);
            let mut answer = answer("chat.completion", choice);
            answer["usage"] = self.usage.clone();
            return Answer::json(200, answer.to_string());
        }
        let choice = json!([{"index": 0, "finish_reason": "stop", "delta": said}]);
        let first = answer("chat.completion.chunk", choice);
        let mut last = answer("chat.completion.chunk", json!([]));
        last["usage"] = self.usage.clone();
        let pieces = [first.to_string(), last.to_string(), "[DONE]".to_owned()];
        pieces.iter().fold(Answer::sse(), |answer, data| answer.piece(format!("data: {data}\n\n"))).end()
    }

    /// A client's request in a format, for a model.
    fn request(&self, from: WireFormat, model: &str, stream: bool) -> Request {
        let messages = json!([{"role": "user", "content": "Hi"}]);
        let mut body = json!({"model": model, "max_tokens": 64, "stream": stream, "messages": messages});
        if from == OPENAI && stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        if let Some(tier) = self.asks {
            body["service_tier"] = tier.into();
        }
        Request::post(if from == OPENAI { "/v1/chat/completions" } else { "/v1/messages" }, body.to_string())
    }
}

/// Nano-dollars as dollars are written.
fn dollars(nano: u64) -> String {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_price_depends_on_is_charged_to_the_nano_dollar_in_both_lanes() {
    let upstream = Upstream::always(Answer::default()).await;
    let folder = Folder::with(&["openai", "anthropic"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    let config = format!("price_file = \"prices.json\"\n{}", config_of(&[OPENAI, ANTHROPIC], &upstream));
    let kept = Kept::start_in(folder, &config);
    let (mut requests, mut sum) = (0_u64, 0);
    for (at, case) in cases().into_iter().enumerate() {
        let of = case.clone();
        upstream.script(move |request| of.answer(request.json()["stream"] == true));
        for (from, model) in [
            (case.to, case.to.name.to_owned()),
            (case.to, case.to.translated()),
            (if case.to == OPENAI { ANTHROPIC } else { OPENAI }, case.to.name.to_owned()),
        ] {
            // Anthropic's format has no word for it.
            if case.asks == Some("flex") && from == ANTHROPIC {
                continue;
            }
            let lane = if model == from.name { "relay" } else { "translate" };
            for stream in [false, true] {
                let id = format!("{at}-{}-{model}-{stream}", from.name);
                let reply = kept.ask(&case.request(from, &model, stream).header("x-request-id", &id)).await;
                let what = format!("{}: {} to {model}, stream {stream}: {}", case.name, from.name, reply.text());
                assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{what}");
                if !stream {
                    assert_eq!(reply.header("x-weir-cost-usd"), Some(&*dollars(case.nano)), "{what}");
                }
                let fact = kept.of(&id).await;
                assert_eq!(number(&fact, "cost_nano"), case.nano, "{what}: {fact}");
                assert_eq!(text(&fact, "cost_usd"), dollars(case.nano), "{what}");
                let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
                let explained = &shown["explained"];
                assert_eq!(
                    (text(explained, "total_usd"), &explained["note"]),
                    (&*dollars(case.nano), &Value::Null),
                    "{what}"
                );
                (requests, sum) = (requests + 1, sum + case.nano);
            }
        }
    }
    // The log has all that it depends on: priced again by the same file, everything costs what it did.
    let file = kept.folder.path().join("prices.json");
    let (is_well, output) = command(&kept, &["ledger", "reprice", "--prices", file.to_str().unwrap()]).await;
    let all = output.lines().find(|line| line.starts_with("all, by prices")).unwrap_or_default();
    let words: Vec<&str> = all.split_whitespace().collect();
    let expected = [&*requests.to_string(), &*dollars(sum), &*dollars(sum), "0"];
    assert!(is_well && words.ends_with(&expected), "{output}");
}
