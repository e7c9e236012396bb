//! Streams that break in the middle and are continued by another provider.

use serde_json::Value;
use weir_tests::{Answer, Gateway, Upstream};

use crate::retries::{QUICK, provider};
use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TEXT, WireFormat, ZETA};

/// Two providers and a model with `resume`.
fn two(first: (&Upstream, WireFormat), second: (&Upstream, WireFormat), also: &str) -> String {
    let providers = provider(first.0, first.1, "first", QUICK) + &provider(second.0, second.1, "second", QUICK);
    let (one, other) = (first.1.name, second.1.name);
    providers
        + &format!(
            "[[models]]\nalias = \"both\"\nstrategy = \"priority\"\n{also}\ntargets = [\
             {{ provider = \"first\", model = \"{one}\" }}, {{ provider = \"second\", model = \"{other}\" }}]\n"
        )
}

/// A stream that sends the first half and breaks off.
fn half(wire_format: WireFormat) -> Answer {
    wire_format.stream().iter().take(2).fold(wire_format.begin(), Answer::piece).close()
}

/// A stream that sends the other half.
fn rest(wire_format: WireFormat) -> Answer {
    let pieces = wire_format.stream();
    let others = pieces.iter().enumerate().filter(|(at, _)| *at != 1);
    others.fold(wire_format.begin(), |answer, (_, piece)| answer.piece(piece)).end()
}

/// The turns of a request: role and text.
fn turns(body: &Value) -> Vec<(String, String)> {
    let text = |content: &Value| content.as_str().or(content[0]["text"].as_str()).unwrap_or_default().to_owned();
    let turn = |turn: &Value| (turn["role"].as_str().unwrap().to_owned(), text(&turn["content"]));
    body["messages"].as_array().unwrap().iter().map(turn).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_gone_on_with_by_the_next_target_in_every_format() {
    for (one, other) in [(OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI)] {
        let first = Upstream::always(half(one)).await;
        let mut second = Upstream::always(rest(other)).await;
        let gateway = Gateway::open(&two((&first, one), (&second, other), "resume = true")).await;
        for from in ALL {
            let reply = gateway.ask(&from.request("both", true)).await;
            let parsed = from.parsed(&reply, true);
            let place = format!("{} asks {}: {}", from.name, one.name, reply.text());
            assert_eq!(parsed.text, TEXT, "{place}");
            assert_eq!((parsed.finish.as_deref(), parsed.complete), (Some("stop"), true), "{place}");
            assert_eq!(parsed.error, None, "{place}");
            assert_eq!(reply.header("x-weir-resumable"), Some("true"), "{place}");
            assert_eq!(reply.text().contains(": resumed\n\n"), from != ZETA, "{place}");
            // The tokens that the broken stream reported count too.
            let twice = if one == ANTHROPIC { 20 } else { 10 };
            assert_eq!(parsed.tokens.map(|tokens| tokens.input), Some(twice), "{place}");
            let turns = turns(&second.request().await.json());
            let (begun, wish) = (&turns[turns.len() - 2], &turns[turns.len() - 1]);
            assert_eq!((begun.0.as_str(), begun.1.as_str()), ("assistant", &TEXT[..6]), "{place}");
            assert!(wish.0 == "user" && wish.1.contains("Go on"), "{place}: {wish:?}");
        }
        let series = format!("weir_resumed_streams_total{{from=\"first/{}\",to=\"second/{}\"}}", one.name, other.name);
        assert_eq!(gateway.metric(&series).await, 3.0);
        assert_eq!(gateway.metric("weir_stream_errors_total{side=\"upstream\"}").await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_a_stream_tells_is_made_good_too_and_the_same_target_will_do() {
    let failure = "data: {\"error\":{\"message\":\"too busy\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let broken = OPENAI.stream().iter().take(2).fold(OPENAI.begin(), Answer::piece).piece(failure).end();
    let first =
        Upstream::scripted(move |request| if request.text().contains("Go on") { rest(OPENAI) } else { broken.clone() })
            .await;
    let second = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = Gateway::open(&two((&first, OPENAI), (&second, ANTHROPIC), "resume = true")).await;
    let reply = gateway.ask(&OPENAI.request("both", true)).await;
    assert_eq!(OPENAI.parsed(&reply, true).text, TEXT, "{}", reply.text());
    assert!(!reply.text().contains("too busy"), "{}", reply.text());
    assert_eq!(gateway.metric("weir_resumed_streams_total{from=\"first/openai\",to=\"first/openai\"}").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_target_that_continues_the_client_gets_the_failure() {
    let first =
        Upstream::scripted(
            |request| {
                if request.text().contains("Go on") { Answer::json(500, "{}") } else { half(OPENAI) }
            },
        )
        .await;
    let second = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = Gateway::open(&two((&first, OPENAI), (&second, ANTHROPIC), "resume = true")).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("both", true)).await;
        let parsed = from.parsed(&reply, true);
        assert_eq!((parsed.text.as_str(), parsed.finish), (&TEXT[..6], None), "{}", reply.text());
        assert!(parsed.error.is_some(), "{}", reply.text());
    }
    assert_eq!(gateway.metric("weir_stream_errors_total{side=\"upstream\"}").await, 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_words_is_not_gone_on_with() {
    let call = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"openai\",\
                \"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\
                \"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\"}}]},\"finish_reason\":null}]}\n\n";
    let broken = OPENAI.stream().iter().take(2).fold(OPENAI.begin(), Answer::piece).piece(call).close();
    let first = Upstream::always(broken).await;
    let mut second = Upstream::always(rest(ANTHROPIC)).await;
    let gateway = Gateway::open(&two((&first, OPENAI), (&second, ANTHROPIC), "resume = true")).await;
    let reply = gateway.ask(&OPENAI.request("both", true)).await;
    assert!(OPENAI.parsed(&reply, true).error.is_some(), "{}", reply.text());
    assert!(second.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_the_operator_wants_it() {
    let first = Upstream::always(half(OPENAI)).await;
    let mut second = Upstream::always(rest(ANTHROPIC)).await;
    let gateway = Gateway::open(&two((&first, OPENAI), (&second, ANTHROPIC), "translate = true")).await;
    let reply = gateway.ask(&OPENAI.request("both", true)).await;
    assert_eq!(reply.header("x-weir-resumable"), None);
    assert!(OPENAI.parsed(&reply, true).error.is_some(), "{}", reply.text());
    assert!(second.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_stream_did_not_tell_of_its_tokens_is_estimated() {
    for (one, other) in [(OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI)] {
        let first = Upstream::always(half(one)).await;
        let second = Upstream::always(rest(other)).await;
        let gateway = Gateway::open(&two((&first, one), (&second, other), "resume = true")).await;
        let reply = gateway.ask(&OPENAI.request("both", true)).await;
        assert_eq!(OPENAI.parsed(&reply, true).text, TEXT, "{}", reply.text());
        let estimated = |bucket| format!("weir_tokens_estimated_total{{bucket=\"{bucket}\",model=\"both\"}}");
        let series = "weir_tokens_total{bucket=\"output\",model=\"both\"}";
        // One format reports no usage before its end; the other begins with its input and one token of output.
        let begun = f64::from(u32::from(one == ANTHROPIC));
        gateway.until_metric(series, 7.0 + begun).await;
        assert_eq!(gateway.metric(&estimated("output")).await, 2.0 - begun, "the words so far");
        assert_eq!(gateway.metric(&estimated("input")).await > 0.0, one == OPENAI);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_answer_what_it_is_to_continue_costs_its_provider_the_input_only() {
    let first =
        Upstream::scripted(
            |request| {
                if request.text().contains("Go on") { Answer::json(500, "{}") } else { half(OPENAI) }
            },
        )
        .await;
    // It has received the request, so that it may charge for it.
    let second = Upstream::always(Answer::raw("").reset()).await;
    let budget = "[[budgets]]\nname = \"b\"\nfor = { provider = \"second\" }\ntokens = 1000000\nper = \"month\"\n";
    let gateway = Gateway::open(&(two((&first, OPENAI), (&second, ANTHROPIC), "resume = true") + budget)).await;
    let mut before = 0;
    for from in ALL {
        let reply = gateway.ask(&from.request("both", true)).await;
        assert!(from.parsed(&reply, true).error.is_some(), "{}", reply.text());
        gateway.until_metric("weir_in_flight", 0.0).await;
        let budget = gateway.get("/admin/budgets").await.json()["budgets"][0].take();
        let settled = budget["settled"].as_u64().unwrap();
        assert!((before + 1..before + 500).contains(&settled) && budget["reserved"] == 0, "{}: {budget}", from.name);
        before = settled;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_a_target_is_asked_to_go_on_pays_for_that_too() {
    let budgets = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"month\"\n\
                   [[budgets]]\nname = \"second\"\nfor = { provider = \"second\" }\ntokens = 1000000\nper = \"month\"\n";
    for from in ALL {
        let first = Upstream::always(half(OPENAI)).await;
        let mut second = Upstream::always(Answer::silence()).await;
        let gateway = Gateway::open(&(two((&first, OPENAI), (&second, ANTHROPIC), "resume = true") + budgets)).await;
        let mut client = gateway.connect().await;
        client.send(&from.request("both", true)).await;
        client.head().await;
        second.request().await;
        client.leave();
        gateway.until_metric("weir_client_disconnects_total", 1.0).await;
        let all = gateway.get("/admin/budgets").await.json()["budgets"].take();
        let counts = |name: &str| {
            let budget = all.as_array().unwrap().iter().find(|budget| budget["name"] == name).unwrap();
            (budget["settled"].as_u64().unwrap(), budget["reserved"].as_u64().unwrap())
        };
        let ((caller, open), (provider, left)) = (counts("all"), counts("second"));
        assert!((1..500).contains(&provider) && left == 0, "{}: {all}", from.name);
        assert!((provider + 1..1_000).contains(&caller) && open == 0, "both attempts count, {}: {all}", from.name);
        // The sums of use say the same as the budgets.
        let estimated = gateway.metric("weir_tokens_estimated_total{model=\"both\"}").await;
        assert_eq!(estimated, caller as f64, "{}: {all}", from.name);
    }
}
