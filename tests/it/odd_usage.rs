//! Usage that providers report in part, in no form that can be read, or in numbers that cannot be: what is booked then,
//! in both lanes.

use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, TEXT, TOKENS as ANSWER, WireFormat, config_of};

/// A budget that books nothing but what it is told.
const TOKENS: &str = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000000\nper = \"total\"\n";
const DOLLARS: &str = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 1000000\nper = \"total\"\n";

async fn gateway(upstream: &Upstream, budget: &str) -> Gateway {
    let models = config_of(&[OPENAI, ANTHROPIC], upstream);
    let priced = models.replace("target = {", "price = { input = 1000000, output = 1000000 }\ntarget = {");
    Gateway::open(&(priced + budget)).await
}

/// What is booked at the only budget, once no request has a reservation.
async fn settled(gateway: &Gateway) -> Value {
    for _ in 0..2_000 {
        let budget = gateway.get("/admin/budgets").await.json()["budgets"][0].take();
        if budget["reserved"] == 0 || budget["reserved"] == "0" {
            return budget["settled"].clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a reservation is left: {}", gateway.get("/admin/budgets").await.text());
}

/// A whole answer with this usage.
fn whole(wire_format: WireFormat, usage: &str) -> Answer {
    let answer = wire_format.whole();
    let (before, _) = answer.split_once("\"usage\":").unwrap();
    Answer::json(200, format!("{before}\"usage\":{usage}}}"))
}

/// A request without limits, and with few tokens.
fn request(model: &str) -> Request {
    OPENAI.request(model, false)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_booked_and_an_error_within_an_answer_is_not() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, TOKENS).await;
    let mut booked = 0;
    for (model, wire_format, usage) in
        [("openai-t", OPENAI, "[1]"), ("openai-t", OPENAI, "\"17\""), ("anthropic", ANTHROPIC, "[1]")]
    {
        upstream.now(whole(wire_format, usage));
        let reply = gateway.ask(&request(model)).await;
        assert_eq!(reply.status(), 502, "{}", reply.text());
        let sum = settled(&gateway).await.as_u64().unwrap();
        assert!((booked + 5..booked + 200).contains(&sum), "{model}, {usage}: {booked} to {sum}");
        booked = sum;
    }
    let [input, output] =
        ["input", "output"].map(|bucket| format!("weir_tokens_estimated_total{{bucket=\"{bucket}\"}}"));
    let (input, output) = (gateway.metric(&input).await, gateway.metric(&output).await);
    assert!(input > 0.0 && output > 0.0, "{input}, {output}");
    assert_eq!(booked as f64, input + output);
    for error in [
        r#"{"error":{"message":"the model \"x\" is broken today","type":"server_error"}}"#,
        r#"{"error":{"message":"no","code":502}}"#,
        r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#,
    ] {
        upstream.now(Answer::json(200, error));
        let reply = gateway.ask(&request("openai-t")).await;
        assert!(reply.status() >= 400, "{}", reply.text());
        assert_eq!(settled(&gateway).await, booked, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_booked_with_no_more_output_than_its_request_allows() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, TOKENS).await;
    upstream.now(Answer::json(200, json!({"choices": "word ".repeat(100_000)}).to_string()));
    let body = json!({"model": "openai-t", "max_tokens": 9, "n": 2, "messages": [{"role": "user", "content": "Hi"}]});
    let reply = gateway.ask(&Request::post("/v1/chat/completions", body.to_string())).await;
    assert_eq!(reply.status(), 502, "{}", reply.text());
    let booked = settled(&gateway).await.as_u64().unwrap();
    assert!((18..100).contains(&booked), "{booked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partly_reported_usage_costs_the_same_in_the_header_and_at_the_budget() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, DOLLARS).await;
    let mut before = 0.0;
    for (model, wire_format, usage, reported) in [
        ("openai-t", OPENAI, r#"{"prompt_tokens":10}"#, 10.0),
        ("openai-t", OPENAI, r#"{"completion_tokens":7}"#, 7.0),
        ("anthropic", ANTHROPIC, r#"{"input_tokens":10}"#, 10.0),
        ("openai", OPENAI, r#"{"prompt_tokens":10}"#, 10.0),
        ("openai", OPENAI, r#"{"completion_tokens":7}"#, 7.0),
    ] {
        upstream.now(whole(wire_format, usage));
        let reply = gateway.ask(&request(model)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let cost: f64 = reply.header("x-weir-cost-usd").unwrap().parse().unwrap();
        let booked: f64 = settled(&gateway).await.as_str().unwrap().parse().unwrap();
        assert!(cost > reported, "{model}, {usage}: {cost} has no estimated part");
        assert_eq!(booked - before, cost, "{model}, {usage}");
        before = booked;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tokens_beside_a_long_answer_are_estimated_in_both_lanes() {
    let words = "word ".repeat(400);
    let said = words.clone();
    let upstream = Upstream::scripted(move |request| {
        let told = |text: String| {
            text.replace(TEXT, &said)
                .replace(&format!("\"{}\"", &TEXT[..6]), &format!("\"{said}\""))
                .replace("\"completion_tokens\":7", "\"completion_tokens\":0")
        };
        if OPENAI.wants_stream(request) {
            OPENAI.stream().into_iter().fold(Answer::sse(), |answer, piece| answer.piece(told(piece))).end()
        } else {
            Answer::json(200, told(OPENAI.whole()))
        }
    })
    .await;
    let gateway = gateway(&upstream, TOKENS).await;
    let mut booked = 0;
    for stream in [false, true] {
        for model in ["openai", "openai-t"] {
            let reply = gateway.ask(&OPENAI.request(model, stream)).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            assert!(reply.text().contains(&words), "{}", reply.text());
            assert!(
                !reply.text().contains("\"cost\""),
                "what is estimated costs more than was reported: {}",
                reply.text()
            );
            let sum = settled(&gateway).await.as_u64().unwrap();
            assert!((booked + 200..booked + 1_000).contains(&sum), "{model}, stream {stream}: {booked} to {sum}");
            booked = sum;
        }
    }
}

/// Its whole reservation would be a hundred times what it may have cost.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_answer_that_reports_nothing_at_all_is_estimated_and_not_booked_as_it_was_reserved() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, TOKENS).await;
    let none = r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let mut booked = 0;
    for model in ["openai", "openai-t"] {
        upstream.now(whole(OPENAI, none));
        let reply = gateway.ask(&request(model)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let sum = settled(&gateway).await.as_u64().unwrap();
        assert!((booked + 2..booked + 100).contains(&sum), "{model}: {booked} to {sum}");
        booked = sum;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_no_answer_can_have_is_estimated() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, TOKENS).await;
    let huge = "1000000000000000000";
    let mut booked = 0;
    for (model, wire_format, usage) in [
        ("openai", OPENAI, format!(r#"{{"prompt_tokens":{huge},"completion_tokens":{huge}}}"#)),
        ("openai-t", OPENAI, format!(r#"{{"prompt_tokens":{huge},"completion_tokens":{huge}}}"#)),
        ("openai", OPENAI, format!(r#"{{"prompt_tokens":10,"completion_tokens":{huge}}}"#)),
        ("anthropic", ANTHROPIC, format!(r#"{{"input_tokens":{huge},"cache_read_input_tokens":4,"output_tokens":7}}"#)),
    ] {
        upstream.now(whole(wire_format, &usage));
        let reply = gateway.ask(&request(model)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let sum = settled(&gateway).await.as_u64().unwrap();
        assert!((booked + 5..booked + 200).contains(&sum), "{model}, {usage}: {booked} to {sum}");
        booked = sum;
    }
}

/// What is booked in each lane for a stream of Anthropic's that ends with these usages, one after the other.
async fn booked_for<const N: usize>(usages: [&'static str; N]) -> Vec<u64> {
    let upstream = Upstream::scripted(move |_| {
        let delta = |usage: &&str| {
            format!(
                "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\
                 \"stop_sequence\":null}},\"usage\":{usage}}}\n\n"
            )
        };
        let pieces = ANTHROPIC.stream();
        let at = pieces.iter().position(|piece| piece.contains("message_delta")).unwrap();
        let (before, after) = (pieces[..at].to_vec(), pieces[at + 1..].to_vec());
        let deltas = usages.iter().map(delta);
        before.into_iter().chain(deltas).chain(after).fold(Answer::sse(), |answer, piece| answer.piece(&piece)).end()
    })
    .await;
    let gateway = gateway(&upstream, TOKENS).await;
    let mut booked = Vec::new();
    for model in ["anthropic", "anthropic-t"] {
        let before = settled(&gateway).await.as_u64().unwrap();
        let reply = gateway.ask(&ANTHROPIC.request(model, true)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        booked.push(settled(&gateway).await.as_u64().unwrap() - before);
    }
    booked
}

#[tokio::test(flavor = "multi_thread")]
async fn cumulative_figures_that_fall_count_as_the_largest_in_both_lanes() {
    assert_eq!(booked_for([r#"{"output_tokens":50}"#, r#"{"output_tokens":2}"#]).await, [60, 60]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c60_input_that_the_end_of_a_stream_divides_counts_once_in_both_lanes() {
    let end = [r#"{"input_tokens":3,"cache_read_input_tokens":6,"output_tokens":50}"#];
    assert_eq!(booked_for(end).await, [59, 59]);
    let all_of_it = [r#"{"input_tokens":0,"cache_read_input_tokens":10,"output_tokens":50}"#];
    assert_eq!(booked_for(all_of_it).await, [60, 60]);
    let none = [r#"{"input_tokens":0,"output_tokens":50}"#];
    assert_eq!(booked_for(none).await, [60, 60]);
}

/// A stream that reports its usage so often: each time what was used so far, and at the end all of it once more.
fn repeated(wire_format: WireFormat) -> Answer {
    let told = |piece: String| match wire_format {
        OPENAI => {
            let chunk =
                piece.strip_prefix("data: ").filter(|data| data.starts_with('{') && !data.contains("\"usage\""));
            let Some(chunk) = chunk else { return piece.repeat(1 + usize::from(piece.contains("\"usage\""))) };
            let usage = r#""usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":4}}"#;
            format!("data: {{{usage},{}", &chunk[1..])
        }
        ANTHROPIC => piece.repeat(1 + usize::from(piece.contains("message_delta"))),
        _ => piece.repeat(1 + usize::from(piece.contains("usageMetadata"))),
    };
    wire_format.stream().into_iter().fold(wire_format.begin(), |answer, piece| answer.piece(told(piece))).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_is_reported_over_and_over_is_booked_once_in_both_lanes() {
    for provider in [OPENAI, ANTHROPIC, GEMINI] {
        let upstream = Upstream::always(repeated(provider)).await;
        let models = config_of(&[provider], &upstream);
        let priced = models.replace("target = {", "price = { input = 1000000, output = 1000000 }\ntarget = {");
        let folder = Folder::with(&["openai", "anthropic", "gemini"]);
        let gateway = Gateway::with(folder, &(priced + DOLLARS)).await;
        for (count, (client, model)) in [
            (provider, provider.name.to_owned()),
            (provider, provider.translated()),
            (if provider == OPENAI { ANTHROPIC } else { OPENAI }, provider.name.to_owned()),
        ]
        .into_iter()
        .enumerate()
        {
            let reply = gateway.ask(&client.request(&model, true)).await;
            let case = format!("{} by {}: {}", provider.name, client.name, reply.text());
            assert_eq!(reply.status(), 200, "{case}");
            // What is relayed is the provider's own, over and over.
            if model != client.name {
                assert_eq!(client.parsed(&reply, true).tokens, Some(ANSWER), "{case}");
            }
            assert_eq!(settled(&gateway).await, json!(format!("{}", 17 * (count + 1))), "{case}");
        }
    }
}

/// Readers of JSON take the last of two members of one name.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_usages_in_one_answer_the_last_is_booked_in_both_lanes() {
    let first = r#""usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"#;
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole().replacen('{', &format!("{{{first}"), 1))).await;
    let gateway = gateway(&upstream, TOKENS).await;
    for (count, (client, model)) in
        [(OPENAI, "openai"), (OPENAI, "openai-t"), (ANTHROPIC, "openai")].into_iter().enumerate()
    {
        let reply = gateway.ask(&client.request(model, false)).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, Some("17")), "{model}: {}", reply.text());
        assert_eq!(settled(&gateway).await, 17 * (count + 1), "{model} by {}", client.name);
    }
}

/// An answer without a word about what it used is not free.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_report_no_usage_are_estimated_in_both_lanes_whole_and_streamed() {
    let upstream = Upstream::scripted(|request| {
        if OPENAI.wants_stream(request) {
            let pieces = OPENAI.stream().into_iter().filter(|piece| !piece.contains("\"usage\""));
            return pieces.fold(Answer::sse(), Answer::piece).end();
        }
        let whole = OPENAI.whole();
        let (before, _) = whole.split_once(",\"usage\":").unwrap();
        Answer::json(200, format!("{before}}}"))
    })
    .await;
    let gateway = gateway(&upstream, TOKENS).await;
    let mut booked = 0;
    for stream in [false, true] {
        for (client, model) in [(OPENAI, "openai"), (OPENAI, "openai-t"), (ANTHROPIC, "openai")] {
            let reply = gateway.ask(&client.request(model, stream)).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let sum = settled(&gateway).await.as_u64().unwrap();
            let case = format!("{model} by {}, stream {stream}: {booked} to {sum}", client.name);
            assert!((booked + 8..booked + 100).contains(&sum), "{case}");
            booked = sum;
        }
    }
    gateway.until_metric("weir_billing_unknown_total", 6.0).await;
}

/// What a provider does not tell, of all three that answer in the other formats as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Untold {
    Missing,
    Zero,
    /// Only the input is told.
    Output,
}

impl Untold {
    /// A document, or the data of an event, whose usage is told so.
    fn of(self, document: &Value) -> Value {
        match document {
            Value::Object(members) => {
                let kept = members.iter().filter_map(|(name, value)| match &**name {
                    "usage" | "usageMetadata" => Some((name.clone(), self.usage(value)?)),
                    _ => Some((name.clone(), self.of(value))),
                });
                Value::Object(kept.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.of(item)).collect(),
            other => other.clone(),
        }
    }

    fn usage(self, usage: &Value) -> Option<Value> {
        let is_output =
            |name: &str| ["output", "completion", "candidates", "total"].iter().any(|of| name.starts_with(of));
        match self {
            Self::Missing => None,
            Self::Zero => {
                let zero = usage.as_object().unwrap().iter().filter(|(_, value)| value.is_number());
                Some(Value::Object(zero.map(|(name, _)| (name.clone(), json!(0))).collect()))
            }
            Self::Output => {
                let told = usage.as_object().unwrap().iter().filter(|(name, _)| !is_output(name));
                Some(Value::Object(told.map(|(name, value)| (name.clone(), value.clone())).collect()))
            }
        }
    }

    fn piece(self, piece: &str) -> String {
        let line = |line: &str| match line.strip_prefix("data: ").map(serde_json::from_str::<Value>) {
            Some(Ok(data)) => format!("data: {}", self.of(&data)),
            _ => line.to_owned(),
        };
        piece.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }

    fn answer(self, to: WireFormat, stream: bool) -> Answer {
        if stream {
            return to.stream().iter().fold(to.begin(), |answer, piece| answer.piece(self.piece(piece))).end();
        }
        Answer::json(200, self.of(&serde_json::from_str(&to.whole()).unwrap()).to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_provider_that_leaves_out_usage_is_free_in_any_lane() {
    let upstream = Upstream::always(Answer::silence()).await;
    let priced = config_of(&[OPENAI, ANTHROPIC, GEMINI], &upstream)
        .replace("target = {", "price = { input = 1000000, output = 1000000 }\ntarget = {");
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &(priced + TOKENS)).await;
    let mut booked = 0;
    for to in [OPENAI, ANTHROPIC, GEMINI] {
        for untold in [Untold::Missing, Untold::Zero, Untold::Output] {
            upstream.script(move |request| untold.answer(to, to.wants_stream(request)));
            let other = if to == OPENAI { ANTHROPIC } else { OPENAI };
            for (client, model) in [(to, to.name.to_owned()), (to, to.translated()), (other, to.name.to_owned())] {
                for stream in [false, true] {
                    let what = format!("{untold:?} by {} for {}, {model}, stream {stream}", to.name, client.name);
                    let before = gateway.metric("weir_billing_unknown_total").await;
                    let reply = gateway.ask(&client.request(&model, stream)).await;
                    assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
                    let sum = settled(&gateway).await.as_u64().unwrap();
                    let least = if untold == Untold::Output { 11 } else { 4 };
                    assert!((booked + least..booked + 100).contains(&sum), "{what}: {booked} to {sum}");
                    booked = sum;
                    if untold == Untold::Missing {
                        gateway.until_metric("weir_billing_unknown_total", before + 1.0).await;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_before_the_first_word_of_an_answer_keeps_the_reservation() {
    let begun = OPENAI.stream().remove(0);
    let mut upstream = Upstream::always(Answer::sse().piece(&begun).hang()).await;
    let gateway = gateway(&upstream, TOKENS).await;
    let mut before = 0;
    for model in ["openai", "openai-t"] {
        let mut client = gateway.connect().await;
        client.send(&OPENAI.request(model, true)).await;
        upstream.request().await;
        if model == "openai" {
            assert_eq!(client.head().await.status, 200);
        }
        client.leave();
        gateway.until_metric("weir_in_flight", 0.0).await;
        let booked = settled(&gateway).await.as_u64().unwrap();
        assert!(booked - before >= 1_000, "{model}: the model may have thought until then: {before} to {booked}");
        before = booked;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_a_coding_that_cannot_be_read_keeps_the_reservation() {
    let coded = [("content-type", "application/json"), ("content-encoding", "compress")];
    let upstream = Upstream::always(Answer::whole(200, &coded, OPENAI.whole().as_bytes())).await;
    let gateway = gateway(&upstream, TOKENS).await;
    let reply = gateway.ask(&request("openai").header("accept-encoding", "compress")).await;
    assert_eq!((reply.status(), reply.header("content-encoding")), (200, Some("compress")));
    let booked = settled(&gateway).await.as_u64().unwrap();
    assert!(booked >= 1_000, "{booked}");
}

/// The usage may have been in the frame, or behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_stream_with_a_frame_that_is_too_large_to_read_keeps_the_reservation() {
    // One request has no limit of output, and the other one has 64.
    for (wire_format, reserved) in [(OPENAI, 1_000), (ANTHROPIC, 64)] {
        let upstream = Upstream::scripted(move |_| {
            let large = format!("data: {{\"x\":\"{}\"}}\n\n", "y".repeat(64 << 10));
            let mut pieces = wire_format.stream();
            pieces.insert(1, large);
            pieces.iter().fold(wire_format.begin(), Answer::piece).end()
        })
        .await;
        let server = "[server]\nmax_frame_bytes = \"16KiB\"\n";
        let gateway = Gateway::open(&(config_of(&[wire_format], &upstream) + TOKENS + server)).await;
        let reply = gateway.ask(&wire_format.request(wire_format.name, true)).await;
        assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("relay")), "{}", reply.text());
        let booked = settled(&gateway).await.as_u64().unwrap();
        assert!(booked >= reserved, "{}: {booked}", wire_format.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_read_from_its_beginning_is_booked_and_an_error_or_nothing_in_its_place_is_not() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, TOKENS).await;
    let mut booked = 0;
    for model in ["openai-t", "anthropic"] {
        for body in ["data: nonsense\n\n", ": nothing else\n\n"] {
            upstream.now(Answer::sse().piece(body).end());
            let reply = gateway.ask(&OPENAI.request(model, true)).await;
            assert_eq!(reply.status(), 502, "{model} {body:?}: {}", reply.text());
            let sum = settled(&gateway).await.as_u64().unwrap();
            assert!((booked + 1..booked + 200).contains(&sum), "{model} {body:?}: {booked} to {sum}");
            booked = sum;
        }
    }
    for (model, error) in [
        ("openai-t", ""),
        ("anthropic", ""),
        ("openai-t", "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n"),
        (
            "anthropic",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n",
        ),
    ] {
        upstream.now(Answer::sse().piece(error).end());
        let reply = gateway.ask(&OPENAI.request(model, true)).await;
        assert!(reply.status() >= 500, "{model}: {}", reply.text());
        assert_eq!(settled(&gateway).await, booked, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_count_of_tokens_costs_nothing() {
    let upstream = Upstream::always(Answer::json(200, r#"{"input_tokens":1000}"#)).await;
    let gateway = gateway(&upstream, TOKENS).await;
    let body = json!({"model": "anthropic", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let reply = gateway.post("/v1/messages/count_tokens", &body).await;
    assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("relay")), "{}", reply.text());
    assert_eq!(settled(&gateway).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_that_count_only_the_total_are_booked_in_both_lanes() {
    let answer = r#"{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1]}],
        "usage":{"total_tokens":10}}"#;
    let upstream = Upstream::always(Answer::json(200, answer)).await;
    let gateway = gateway(&upstream, TOKENS).await;
    for (model, lane, booked) in [("openai", "relay", 10), ("openai-t", "translate", 20)] {
        let reply = gateway.post("/v1/embeddings", &json!({"model": model, "input": "Hi"}).to_string()).await;
        assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{}", reply.text());
        assert_eq!(settled(&gateway).await, booked, "{model}");
    }
}

/// Clients of one format may ask for the kinds of content as numbers.
#[tokio::test(flavor = "multi_thread")]
async fn audio_and_images_are_told_apart_by_name_and_by_number() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = Gateway::with(Folder::with(&["gemini"]), &config_of(&[GEMINI], &upstream)).await;
    for (round, [text, image, video, audio]) in
        [[json!("TEXT"), json!("IMAGE"), json!("VIDEO"), json!("AUDIO")], [json!(1), json!(2), json!(3), json!(4)]]
            .into_iter()
            .enumerate()
    {
        let part = |kind: &Value, tokens: u32| json!({"modality": kind, "tokenCount": tokens});
        let usage = json!({"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120,
            "promptTokensDetails": [part(&text, 10), part(&image, 20), part(&video, 30), part(&audio, 40)],
            "candidatesTokensDetails": [part(&text, 5), part(&audio, 15)]});
        let mut answer: Value = serde_json::from_str(&GEMINI.whole()).unwrap();
        answer["usageMetadata"] = usage;
        upstream.now(Answer::json(200, answer.to_string()));
        for (at, model) in ["gemini", "gemini-t"].into_iter().enumerate() {
            let reply = gateway.ask(&GEMINI.request(model, false)).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let times = (round * 2 + at + 1) as f64;
            for (bucket, tokens) in
                [("input", 10.0), ("input_image", 50.0), ("input_audio", 40.0), ("output", 5.0), ("output_audio", 15.0)]
            {
                gateway.until_metric(&format!("weir_tokens_total{{bucket=\"{bucket}\"}}"), tokens * times).await;
            }
        }
    }
}
