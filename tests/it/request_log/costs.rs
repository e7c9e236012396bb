//! What was charged is explained and compared as it was charged: a batch as the many requests that it is, and what cost
//! nothing not at all.

use super::*;

/// Two dollars a token for the model behind a deployment, and three from its other name.
const SERVED: &str = r#"{"providers": {"openai": {"gpt-x-2026-01-01": {
    "input": {"amount": "2", "per": 1}, "output": {"amount": "2", "per": 1}}}}}"#;
const ASKED: &str = r#"{"providers": {"openai": {"mine": {
    "input": {"amount": "3", "per": 1}, "output": {"amount": "3", "per": 1}}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_answers_model_cost_is_explained_and_priced_again_by_that_name() {
    let upstream = Upstream::scripted(|_| {
        let said = json!([{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Grue"}}]);
        let usage = json!({"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37});
        let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-x-2026-01-01",
            "choices": said, "usage": usage});
        Answer::json(200, answer.to_string())
    })
    .await;
    let folder = Folder::with(&["openai"]);
    std::fs::write(folder.path().join("prices.json"), SERVED).unwrap();
    std::fs::write(folder.path().join("asked.json"), ASKED).unwrap();
    let model = "[[models]]\nalias = \"own\"\ntarget = { provider = \"openai\", model = \"mine\" }\n";
    let config = format!("price_file = \"prices.json\"\n{}{model}", config_of(&[OPENAI], &upstream));
    let kept = Kept::start_in(folder, &config);
    let reply = kept.ask(&OPENAI.request("own", false).header("x-request-id", "one")).await;
    assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, Some("74")), "{}", reply.text());
    let fact = kept.of("one").await;
    let [asked, served, named] = ["model_asked", "model_served", "model_named"].map(|name| text(&fact, name));
    assert_eq!([asked, served, named, text(&fact, "cost_usd")], ["own", "mine", "gpt-x-2026-01-01", "74"], "{fact}");
    let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
    let explained = &shown["explained"];
    assert_eq!((text(explained, "total_usd"), &explained["note"]), ("74", &Value::Null), "{explained}");
    assert!(explained["lines"][0]["place"].as_str().unwrap().contains("gpt-x-2026-01-01"), "{explained}");
    // By a file that has a price of the operator's for the name that was asked for alone, that one holds.
    for (file, cost) in [("prices.json", "74"), ("asked.json", "111")] {
        let file = kept.folder.path().join(file);
        let (is_well, output) = command(&kept, &["ledger", "reprice", "--prices", file.to_str().unwrap()]).await;
        assert!(is_well && output.contains("openai/mine") && output.contains(cost), "{output}");
    }
}

/// A batch with the figures of all its requests, and prices that rise with the context of one.
const BATCH: &str = r#"{"id": "batch_0123456789abcdef", "object": "batch", "endpoint": "/v1/chat/completions",
    "status": "completed", "model": "gpt-x", "usage": {"input_tokens": 4000, "output_tokens": 700, "total_tokens": 4700,
    "input_tokens_details": {"cached_tokens": 400}, "output_tokens_details": {"reasoning_tokens": 200}}}"#;
const PRICES: &str = r#"{"providers": {"openai": {"gpt-x": [
    {"when": {"batch": true}, "input": "100", "cache_read": "50", "output": "100"},
    {"when": {"batch": true, "context_over": 1000}, "input": "800", "cache_read": "800", "output": "800"}]}}}"#;
const KEY: &str = "weir-one-0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_explained_and_compared_as_it_was_charged() {
    for way in ["/v1/batches/batch_0123456789abcdef", "/passthrough/openai/batches/batch_0123456789abcdef"] {
        let upstream = Upstream::scripted(|request| {
            let is_made = request.line().starts_with("POST");
            let queued = json!({"id": "batch_0123456789abcdef", "object": "batch", "status": "validating"});
            Answer::json(200, if is_made { queued.to_string() } else { BATCH.to_owned() })
        })
        .await;
        let folder = Folder::with(&["openai"]);
        std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
        let providers = config_of(&[OPENAI], &upstream).replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =");
        let client = format!("[[clients]]\nname = \"one\"\nkey = \"{KEY}\"\npassthrough = [\"* * *\"]\n");
        let kept = Kept::start_in(folder, &format!("price_file = \"prices.json\"\n{providers}{client}"));
        let ask = async |id: &str, request: Request| {
            let request = request.header("authorization", &format!("Bearer {KEY}")).header("x-request-id", id);
            let reply = kept.ask(&request).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            kept.of(id).await
        };
        ask("made", Request::post("/v1/batches", r#"{"input_file_id": "file-0123456789abcdef"}"#)).await;
        let fact = ask("read", Request::get(way)).await;
        for again in ["again", "and-again"] {
            assert_eq!(ask(again, Request::get(way)).await["cost_nano"], Value::Null);
        }
        assert_eq!((text(&fact, "cost_usd"), &fact["batch"]), ("0.45", &json!(true)), "{fact}");
        let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
        let explained = &shown["explained"];
        assert_eq!((text(explained, "total_usd"), &explained["note"]), ("0.45", &Value::Null), "{explained}");
        let csv = format!(
            "day,model,requests,input_tokens,output_tokens,cost_usd\n{},gpt-x,1,4000,700,0.45\n",
            &text(&fact, "time")[..10]
        );
        let file = kept.folder.path().join("usage.csv");
        std::fs::write(&file, csv).unwrap();
        let (is_well, output) = command(&kept, &["ledger", "reconcile", "--export", file.to_str().unwrap()]).await;
        assert!(is_well && output.contains("everything agrees"), "{output}");
        let mistyped = ["ledger", "reconcile", "--provider", "opnai", "--export", file.to_str().unwrap()];
        let (is_well, output) = command(&kept, &mistyped).await;
        assert!(!is_well && output.contains("no request of a provider `opnai`"), "{output}");
    }
}

/// Two models of one batch, and prices that rise with the context of one request.
const BATCH_PRICES: &str = r#"{"providers": {"anthropic": {
    "claude-a": [{"input": "1000000", "output": "1000000"},
        {"when": {"batch": true}, "input": "500000", "output": "500000"},
        {"when": {"batch": true, "context_over": 15}, "input": "900000", "output": "900000"}],
    "claude-b": [{"when": {"batch": true}, "input": "1000000", "output": "1000000"}]}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_model_of_a_batch_is_explained_and_priced_again_at_its_own_price() {
    let upstream = Upstream::scripted(|request| {
        if !request.line().ends_with("/results") {
            let batch =
                json!({"id": "msgbatch_0123456789abcdef", "type": "message_batch", "processing_status": "in_progress"});
            return Answer::json(200, batch.to_string());
        }
        let line = |(number, model): (usize, &str)| {
            let usage = json!({"input_tokens": 10, "output_tokens": 5, "service_tier": "batch"});
            let message = json!({"id": "m", "type": "message", "model": model, "content": [], "usage": usage});
            json!({"custom_id": number.to_string(), "result": {"type": "succeeded", "message": message}}).to_string()
                + "\n"
        };
        let lines = ["claude-a", "claude-b", "claude-a"].into_iter().enumerate().map(line);
        Answer::whole(200, &[("content-type", "application/x-jsonl")], lines.collect::<String>())
    })
    .await;
    let folder = Folder::with(&["anthropic"]);
    std::fs::write(folder.path().join("prices.json"), BATCH_PRICES).unwrap();
    let kept = Kept::start_in(folder, &format!("price_file = \"prices.json\"\n{}", config_of(&[ANTHROPIC], &upstream)));
    let ask = async |id: &str, request: Request| {
        let reply = kept.ask(&request.header("anthropic-version", "2023-06-01").header("x-request-id", id)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        kept.of(id).await
    };
    ask("made", Request::post("/v1/messages/batches", r#"{"requests": []}"#)).await;
    let fact = ask("read", Request::get("/v1/messages/batches/msgbatch_0123456789abcdef/results")).await;
    // 30 tokens at half a dollar each, and 15 at one.
    assert_eq!((text(&fact, "cost_usd"), &fact["batch"]), ("30", &json!(true)), "{fact}");
    let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
    let explained = &shown["explained"];
    assert_eq!((text(explained, "total_usd"), &explained["note"]), ("30", &Value::Null), "{explained}");
    let file = kept.folder.path().join("prices.json");
    let (is_well, output) = command(&kept, &["ledger", "reprice", "--prices", file.to_str().unwrap()]).await;
    assert!(is_well && output.contains("30") && !output.contains("unpriced"), "{output}");
}

/// Which provider is asked first, in most of these tests.
const ORDER: [&str; 2] = ["openai", "anthropic"];

/// Two providers with other prices each, of which the second goes on with what the first has begun.
fn resuming([name, next]: [&str; 2], first: (&Upstream, &str), second: &Upstream) -> String {
    let [one, other] = [first.0, second].map(Upstream::url);
    let provider = |name: &str, url: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{url}\"\napi_key = \"KEY\"\n\
             retry = {{ max_retries = 0 }}\n"
        )
    };
    format!(
        "price_file = \"prices.json\"\n{}{}[[models]]\nalias = \"both\"\nstrategy = \"priority\"\n{}\ntargets = [\
         {{ provider = \"{name}\", model = \"dear\" }}, {{ provider = \"{next}\", model = \"cheap\" }}]\n\
         [[clients]]\nname = \"one\"\nkey = \"{KEY}\"\n",
        provider(name, &one),
        provider(next, &other),
        first.1,
    )
}

const TWO_PRICES: &str = r#"{"providers": {"openai": {"dear": {"input": "1000", "output": "2000"}},
    "anthropic": {"cheap": {"input": "10", "output": "20", "cache_read": "1"}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_of_a_stream_that_another_model_went_on_with_is_explained_at_its_own_price() {
    let half = OPENAI.stream().iter().take(2).fold(OPENAI.begin(), Answer::piece).close();
    let whole = ANTHROPIC.stream().iter().fold(ANTHROPIC.begin(), Answer::piece).end();
    let (first, second) = (Upstream::always(half).await, Upstream::always(whole).await);
    let folder = Folder::with(&["openai", "anthropic"]);
    std::fs::write(folder.path().join("prices.json"), TWO_PRICES).unwrap();
    let kept = Kept::start_in(folder, &resuming(ORDER, (&first, "resume = true"), &second));
    let request = OPENAI.request("both", true).header("authorization", &format!("Bearer {KEY}"));
    let reply = kept.ask(&request.header("x-request-id", "resumed")).await;
    assert_eq!(reply.header("x-weir-resumable"), Some("true"), "{}", reply.text());
    let fact = kept.of("resumed").await;
    assert_eq!((text(&fact, "provider"), text(&fact, "model_served")), ("anthropic", "cheap"), "{fact}");
    assert_eq!((text(&fact, "target"), text(&fact, "adapter")), ("anthropic/cheap", "anthropic"), "{fact}");
    let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
    let explained = &shown["explained"];
    assert_eq!((&explained["total_usd"], &explained["note"]), (&fact["cost_usd"], &Value::Null), "{explained}");
    let lines = explained["lines"].as_array().unwrap();
    let of = |target: &str| lines.iter().filter(|line| line["target"] == target).count();
    assert!(of("openai/dear") > 0 && of("anthropic/cheap") > 0, "{explained}");
    assert_eq!(of("openai/dear") + of("anthropic/cheap"), lines.len(), "{explained}");
}

/// Dollars for a million tokens, and more in a tier.
const TIER_PRICES: &str = r#"{"providers": {"anthropic": {"dear": [{"input": "1000", "output": "2000"},
    {"when": {"service_tier": "priority"}, "input": "3000", "output": "6000"}]}, "openai": {"cheap": {"input": "10", "output": "20"}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_another_one_went_on_with_is_explained_and_priced_again_in_the_tier_that_served_it() {
    let told = |piece: &String| piece.replace("\"usage\":{", "\"usage\":{\"service_tier\":\"priority\",");
    let half = ANTHROPIC.stream().iter().take(2).fold(ANTHROPIC.begin(), |answer, piece| answer.piece(told(piece)));
    let (first, second) = (Upstream::always(half.close()).await, Upstream::always(OPENAI.streamed()).await);
    let folder = Folder::with(&["openai", "anthropic"]);
    std::fs::write(folder.path().join("prices.json"), TIER_PRICES).unwrap();
    let kept = Kept::start_in(folder, &resuming(["anthropic", "openai"], (&first, "resume = true"), &second));
    let request = OPENAI.request("both", true).header("authorization", &format!("Bearer {KEY}"));
    let reply = kept.ask(&request.header("x-request-id", "resumed")).await;
    assert_eq!(reply.header("x-weir-resumable"), Some("true"), "{}", reply.text());
    let fact = kept.of("resumed").await;
    let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
    let explained = &shown["explained"];
    assert_eq!((&explained["total_usd"], &explained["note"]), (&fact["cost_usd"], &Value::Null), "{explained} {fact}");
    let mut lines = explained["lines"].as_array().unwrap().iter();
    let input = lines.find(|line| line["target"] == "anthropic/dear" && line["measure"] == "input").unwrap();
    assert!(text(input, "rate").contains("3000"), "{explained}");
    let file = kept.folder.path().join("prices.json");
    let (is_well, output) = command(&kept, &["ledger", "reprice", "--prices", file.to_str().unwrap()]).await;
    let all = output.lines().find(|line| line.starts_with("all, by prices")).unwrap_or_default();
    let cost = text(&fact, "cost_usd");
    assert!(is_well && all.split_whitespace().collect::<Vec<_>>().ends_with(&[cost, cost, "0"]), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fallback_and_a_hedge_have_cost_is_explained_by_attempt_and_each_at_its_own_price() {
    let settings = [("timeouts = { first_byte = \"800ms\" }", ""), ("", "hedge = \"50ms\"")];
    // The one that answers is translated for the first client, and relayed for the second.
    let cases = [(OPENAI, false), (OPENAI, true), (ANTHROPIC, false), (ANTHROPIC, true)];
    let cases = cases.into_iter().flat_map(|case| settings.map(|settings| (settings, case)));
    for ((of_provider, of_model), (client, stream)) in cases {
        let answer = if stream { ANTHROPIC.streamed() } else { Answer::json(200, ANTHROPIC.whole()) };
        let whole = Upstream::always(answer).await;
        let silent = Upstream::always(Answer::silence()).await;
        let folder = Folder::with(&["openai", "anthropic"]);
        std::fs::write(folder.path().join("prices.json"), TWO_PRICES).unwrap();
        let config = resuming(ORDER, (&silent, of_model), &whole);
        let config = config.replacen("api_key = \"KEY\"\n", &format!("api_key = \"KEY\"\n{of_provider}\n"), 1);
        let kept = Kept::start_in(folder, &config);
        let request = client.request("both", stream).header("authorization", &format!("Bearer {KEY}"));
        let reply = kept.ask(&request.header("x-request-id", "tried")).await;
        assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("anthropic")), "{}", reply.text());
        let fact = kept.of("tried").await;
        let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
        let explained = &shown["explained"];
        assert_eq!((&explained["total_usd"], &explained["note"]), (&fact["cost_usd"], &Value::Null), "{explained}");
        let lines = explained["lines"].as_array().unwrap();
        let of = |target: &str| lines.iter().filter(|line| line["target"] == target).collect::<Vec<_>>();
        let count = |lines: &[&Value], measure: &str| -> u64 {
            let line = lines.iter().find(|line| line["measure"] == measure);
            line.map_or(0, |line| text(line, "count").parse().unwrap())
        };
        // The input of the one that was not answered, and all that the other used.
        let (first, second) = (of("openai/dear"), of("anthropic/cheap"));
        let sent = count(&first, "input");
        assert!(first.len() == 1 && sent > 0, "{of_model}{of_provider}: {explained}");
        let used = ["input", "cache_read", "output"].map(|measure| count(&second, measure));
        assert_eq!((used, lines.len()), ([6, 4, 7], 4), "{of_model}{of_provider}: {explained}");
        // In millionths of a dollar: a token costs a thousand there, and ten, one and twenty here.
        let cost = sent * 1_000 + 6 * 10 + 4 + 7 * 20;
        assert_eq!(number(&fact, "cost_nano"), cost * 1_000, "{explained}");
        if !stream {
            assert_eq!(reply.header("x-weir-cost-usd"), fact["cost_usd"].as_str(), "{fact}");
        }
    }
}
