//! Streams: every event at once, complete, in order, with one end.

use weir_tests::parsed_answer::events;
use weir_tests::{Answer, Gate, Gateway, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TEXT, TOKENS, WireFormat, ZETA, config};

/// The texts that are found in a client's stream after the first and the second half.
fn halves() -> (&'static str, &'static str) {
    TEXT.split_at(6)
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_stream_means_the_same_however_it_is_cut() {
    for to in ALL {
        let stream = to.stream().concat();
        for len in [1, 2, 3, 5, 16, 1000, stream.len()] {
            let upstream = Upstream::always(to.begin().pieces(&stream, len).end()).await;
            let gateway = Gateway::open(&config(&upstream)).await;
            for from in ALL {
                let parsed = from.parsed(&gateway.ask(&from.request(&to.translated(), true)).await, true);
                let place = format!("{} to {} in pieces of {len}", from.name, to.name);
                assert_eq!((parsed.text.as_str(), parsed.tokens), (TEXT, Some(TOKENS)), "{place}");
                assert!(parsed.complete, "{place}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c18_events_are_read_in_every_spelling_of_their_lines() {
    let plain = ANTHROPIC.stream().concat();
    let spellings = [
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        format!("\u{feff}{plain}"),
        plain.replace("event: ", ": a comment\nid: 7\nretry: 10\nevent:"),
        plain.replace(",\"", ",\ndata: \""),
        plain.trim_end().to_owned(),
    ];
    for spelled in spellings {
        let upstream = Upstream::always(Answer::sse().pieces(&spelled, 7).end()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let parsed = OPENAI.parsed(&gateway.ask(&OPENAI.request("anthropic", true)).await, true);
        assert_eq!((parsed.text.as_str(), parsed.complete), (TEXT, true), "{spelled}");
    }
}

/// A stream with a gate before every event but the first.
fn gated(to: WireFormat, gate: &Gate) -> Answer {
    let stream = to.stream();
    let mut pieces = stream.iter();
    let first = pieces.next().map(|piece| to.begin().piece(piece)).unwrap_or_default();
    pieces.fold(first, |answer, piece| answer.gate(gate).piece(piece)).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn c25_every_event_leaves_when_it_has_come() {
    let (first, second) = halves();
    for to in ALL {
        for from in ALL {
            for model in [to.name.to_owned(), to.translated()] {
                let gate = Gate::default();
                let upstream = Upstream::always(gated(to, &gate)).await;
                let gateway = Gateway::open(&config(&upstream)).await;
                let mut client = gateway.connect().await;
                client.send(&from.request(&model, true)).await;
                // Each half arrives although the upstream sends nothing more until the gate is opened again.
                gate.open();
                let head = client.head().await;
                let before = client.until(first).await;
                assert!(!String::from_utf8_lossy(&before).contains(second), "{} to {}", from.name, to.name);
                gate.open();
                client.until(second).await;
                (0..3).for_each(|_| gate.open());
                assert!(!client.rest().await.1);
                assert_eq!(head.header("x-accel-buffering"), Some("no"));
                assert_eq!(head.header("cache-control"), Some("no-cache"));
                let kind = head.header("content-type").unwrap_or_default();
                let expected = if from == ZETA { "application/x-ndjson" } else { "text/event-stream" };
                assert!(kind.starts_with(expected), "{kind}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c25_a_relayed_streams_head_comes_before_its_first_byte() {
    let gate = Gate::default();
    let upstream = Upstream::always(Answer::sse().gate(&gate).piece("data: [DONE]\n\n").end()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("openai", true)).await;
    assert_eq!(client.head().await.status, 200);
    gate.open();
    assert_eq!(client.rest().await, (b"data: [DONE]\n\n".to_vec(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn c24_a_waiting_client_gets_keep_alives_if_configured() {
    for (from, alive) in [(OPENAI, ":"), (ANTHROPIC, "event: ping"), (ZETA, "{\"k\":\"still\"}")] {
        let gate = Gate::default();
        let upstream =
            Upstream::always(ALL[2].stream().iter().fold(Answer::lines().gate(&gate), Answer::piece).end()).await;
        let settings = format!("[server]\nkeep_alive_interval = \"5ms\"\n{}", config(&upstream));
        let gateway = Gateway::open(&settings).await;
        let mut client = gateway.connect().await;
        client.send(&from.request("zeta-t", true)).await;
        assert_eq!(client.head().await.status, 200);
        let mut all = client.until(alive).await;
        gate.open();
        all.extend(client.rest().await.0);
        let parsed = weir_tests::parsed_answer::ParsedAnswer::stream(from.format, &all);
        assert_eq!((parsed.text.as_str(), parsed.complete), (TEXT, true), "{}", from.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_a_stream_without_a_finish_gets_exactly_one() {
    let pieces = OPENAI.stream();
    let without = [pieces[0].as_str(), &pieces[1], &pieces[2], &pieces[5]].concat();
    let upstream = Upstream::always(Answer::sse().piece(without).end()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&ANTHROPIC.request("openai", true)).await;
    let count = events(&reply.text()).iter().filter(|(_, data)| data.contains("\"stop_reason\":\"end_turn\"")).count();
    assert_eq!(count, 1, "{}", reply.text());
    let reply = gateway.ask(&OPENAI.request("openai-t", true)).await;
    assert_eq!(reply.text().matches("\"finish_reason\":\"stop\"").count(), 1, "{}", reply.text());
    assert_eq!(reply.text().matches("[DONE]").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_the_first_chunk_names_the_role_and_no_other_does() {
    for to in [ANTHROPIC, ZETA] {
        let upstream = Upstream::always(to.streamed()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let reply = gateway.ask(&OPENAI.request(to.name, true)).await;
        let roles: Vec<bool> =
            events(&reply.text()).iter().map(|(_, data)| data.contains("\"role\":\"assistant\"")).collect();
        assert_eq!(roles.iter().position(|role| *role), Some(0), "{}", reply.text());
        assert_eq!(roles.iter().filter(|role| **role).count(), 1, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c86_a_messages_stream_is_a_well_formed_story() {
    for to in [OPENAI, ZETA] {
        let upstream = Upstream::always(to.streamed()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let reply = gateway.ask(&ANTHROPIC.request(to.name, true)).await;
        let names: Vec<String> = events(&reply.text()).into_iter().filter_map(|(name, _)| name).collect();
        let ends = ["message_start", "content_block_start", "content_block_delta", "content_block_delta"];
        assert_eq!(names[..4], ends, "{}", reply.text());
        assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
        assert!(!reply.text().contains("[DONE]"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_have_its_stream_as_one_array() {
    let upstream = Upstream::always(OPENAI.streamed()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = "{\"scroll\":[{\"who\":\"pilgrim\",\"says\":\"Hi\"}]}";
    let reply = gateway.post("/zeta/v0/minds/openai:parley?drip=yes&shape=array", body).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.json().as_array().is_some_and(|pieces| pieces.len() > 3), "{}", reply.text());
    assert_eq!(ZETA.parsed(&reply, true).text, TEXT);
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_a_chunk_of_usage_alone_is_read_and_shown_only_on_demand() {
    let upstream = Upstream::always(OPENAI.streamed()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let asks = gateway.ask(&OPENAI.request("openai-t", true)).await;
    assert_eq!(OPENAI.parsed(&asks, true).tokens, Some(TOKENS));
    let body = "{\"model\":\"openai-t\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"stream\":true,\"stream_options\":{}}";
    let silent = gateway.post("/v1/chat/completions", body).await;
    let parsed = OPENAI.parsed(&silent, true);
    assert_eq!((parsed.tokens, parsed.text.as_str()), (None, TEXT), "{}", silent.text());
    assert!(!silent.text().contains("\"choices\":[]"), "{}", silent.text());
    gateway.until_metric("weir_tokens_total{bucket=\"output\",model=\"openai-t\"}", 14.0).await;
}
