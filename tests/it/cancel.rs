//! A client that disconnects cancels its request to the provider, whatever it was waiting for.

use weir_tests::{Answer, Client, Gate, Gateway, Upstream};

use crate::wire_format::{ALL, OPENAI, WireFormat, ZETA, config};

/// Sends the request that a client then abandons.
async fn left(gateway: &Gateway, upstream: &mut Upstream, from: WireFormat, model: &str, stream: bool) -> Client {
    let mut client = gateway.connect().await;
    client.send(&from.request(model, stream)).await;
    upstream.request().await;
    client
}

async fn nothing_is_left(gateway: &Gateway, gone: f64) {
    gateway.until_metric("weir_in_flight", 0.0).await;
    gateway.until_metric("weir_streams_active", 0.0).await;
    let text = gateway.metrics().await;
    let disconnects: f64 = text
        .lines()
        .filter(|line| line.starts_with("weir_client_disconnects_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(disconnects, gone, "{text}");
    assert!(text.contains("status=\"499\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_before_the_answers_head() {
    for stream in [false, true] {
        let mut upstream = Upstream::always(Answer::silence()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            for model in [from.name.to_owned(), from.translated()] {
                left(&gateway, &mut upstream, from, &model, stream).await.leave();
                upstream.departure().await;
            }
        }
        nothing_is_left(&gateway, 6.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_between_the_head_and_the_first_byte() {
    for to in ALL {
        let mut upstream = Upstream::always(to.begin().hang()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        // In the relay lane the client has the head already; in the other lane the head waits for the first text.
        let mut client = left(&gateway, &mut upstream, to, to.name, true).await;
        client.head().await;
        client.leave();
        upstream.departure().await;
        left(&gateway, &mut upstream, to, &to.translated(), true).await.leave();
        upstream.departure().await;
        nothing_is_left(&gateway, 2.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_in_the_midst_of_a_stream() {
    for to in ALL {
        let pieces = &to.stream()[..2];
        let answer = pieces.iter().fold(to.begin(), Answer::piece).hang();
        let mut upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            for model in [to.name.to_owned(), to.translated()] {
                let mut client = left(&gateway, &mut upstream, from, &model, true).await;
                client.head().await;
                client.until("Gr").await;
                client.leave();
                upstream.departure().await;
            }
        }
        nothing_is_left(&gateway, 6.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_in_the_midst_of_a_whole_answer() {
    for to in ALL {
        let whole = to.whole();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{}",
            whole.len(),
            &whole[..20]
        );
        let mut upstream = Upstream::always(Answer::raw(head).hang()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let mut client = left(&gateway, &mut upstream, to, to.name, false).await;
        client.head().await;
        client.leave();
        upstream.departure().await;
        left(&gateway, &mut upstream, to, &to.translated(), false).await.leave();
        upstream.departure().await;
        nothing_is_left(&gateway, 2.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_a_client_that_stopped_reading_and_left() {
    let flood = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}]}\n\n"
        .repeat(200);
    let endless = (0..2000).fold(Answer::sse(), |answer, _| answer.piece(&flood));
    for model in ["openai", "openai-t"] {
        let mut upstream = Upstream::always(endless.clone().hang()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let mut client = left(&gateway, &mut upstream, OPENAI, model, true).await;
        client.head().await;
        client.leave();
        upstream.departure().await;
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_what_was_consumed_is_metered() {
    let answer = Answer::sse()
        .piece(&crate::wire_format::ANTHROPIC.stream()[0])
        .piece(&crate::wire_format::ANTHROPIC.stream()[1])
        .hang();
    for model in ["anthropic", "anthropic-t"] {
        let mut upstream = Upstream::always(answer.clone()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let mut client = left(&gateway, &mut upstream, crate::wire_format::ANTHROPIC, model, true).await;
        client.head().await;
        client.until("Gr").await;
        client.leave();
        upstream.departure().await;
        gateway.until_metric(&format!("weir_tokens_total{{bucket=\"input\",model=\"{model}\"}}"), 6.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_between_two_steps_the_provider_gets_a_cancellation() {
    for (pause, waits) in [(600_000, true), (0, false)] {
        let script = |request: &weir_tests::Received| match request.line() {
            "GET /base/quests/q1" => Answer::silence(),
            _ => Answer::json(200, "{\"quest\":\"q1\"}"),
        };
        let mut upstream = Upstream::scripted(script).await;
        let settings = format!(
            "[[providers]]\nname = \"quests\"\nadapter = \"zeta\"\nurl = \"{}\"\napi_key = \"k\"\n\
             options = {{ quest = true, pause_ms = {pause} }}\n\
             [[models]]\nalias = \"quest\"\ntarget = {{ provider = \"quests\", model = \"m\" }}\n",
            upstream.url()
        );
        let gateway = Gateway::open(&settings).await;
        let client = left(&gateway, &mut upstream, OPENAI, "quest", false).await;
        if waits {
            gateway.until_metric("weir_upstream_attempts_total{provider=\"quests\"}", 1.0).await;
        } else {
            assert_eq!(upstream.request().await.line(), "GET /base/quests/q1");
        }
        client.leave();
        let cancellation = upstream.request().await;
        assert_eq!(cancellation.line(), "DELETE /base/quests/q1");
        assert_eq!(cancellation.header("zeta-seal"), Some("wax:k"));
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stays_is_served_to_the_end_while_others_leave() {
    let gate = Gate::default();
    let pieces = ZETA.stream();
    let answer = pieces[1..].iter().fold(Answer::lines().piece(&pieces[0]).gate(&gate), Answer::piece).end();
    let mut upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let mut stays = left(&gateway, &mut upstream, ZETA, "zeta-t", true).await;
    for _ in 0..20 {
        left(&gateway, &mut upstream, ZETA, "zeta-t", true).await.leave();
        upstream.departure().await;
    }
    gate.open();
    let reply = stays.reply().await;
    assert!(ZETA.parsed(&reply, true).complete, "{}", reply.text());
}
