//! Streams that are complete, and whose providers do not end them: the client has its end at once.

use weir_tests::{Answer, Folder, Gate, Gateway, Upstream};

use crate::wire_format::{
    ANTHROPIC, BEDROCK, COHERE, COMPLETIONS, OLLAMA, OLLAMA_GENERATE, OPENAI, RESPONSES, TEXT, WireFormat, config_of,
};

/// The formats whose streams have a last frame.
const TELLING: [WireFormat; 8] = [OPENAI, COMPLETIONS, RESPONSES, ANTHROPIC, COHERE, OLLAMA, OLLAMA_GENERATE, BEDROCK];

async fn gateway(upstream: &Upstream) -> Gateway {
    let folder = Folder::with(&["openai", "anthropic", "cohere", "ollama", "bedrock"]);
    Gateway::with(folder, &config_of(&TELLING, upstream)).await
}

/// The whole stream of a format, and no end.
fn unended(format: WireFormat) -> Answer {
    format.stream().iter().fold(format.begin(), |answer, piece| answer.piece(format.on_the_wire(piece)))
}

fn failures(metrics: &str) -> Vec<&str> {
    metrics.lines().filter(|line| line.starts_with("weir_attempt_failures_total{")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_stream_that_stays_open_ends_in_both_lanes_and_its_connection_is_left() {
    for to in TELLING {
        let mut upstream = Upstream::always(unended(to).hang()).await;
        let gateway = gateway(&upstream).await;
        let mut asked = vec![(to, to.name.to_owned())];
        // A client of Responses is answered by OpenAI in Responses.
        let from =
            [OPENAI, ANTHROPIC, RESPONSES].into_iter().filter(|from| (from.name, to.name) != ("responses", "openai"));
        asked.extend(from.map(|from| (from, to.translated())));
        for (from, model) in asked {
            let reply = gateway.ask(&from.request(&model, true)).await;
            let place = format!("{} to {model}: {}", from.name, reply.text());
            assert_eq!((reply.status(), reply.cut), (200, false), "{place}");
            let parsed = from.parsed(&reply, true);
            assert_eq!((parsed.text.as_str(), parsed.complete), (TEXT, true), "{place}");
            upstream.departure().await;
        }
        let metrics = gateway.metrics().await;
        assert_eq!(failures(&metrics), [""; 0], "{}", to.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_stream_that_is_broken_off_is_no_failure() {
    for to in [OPENAI, ANTHROPIC, OLLAMA] {
        let gate = Gate::default();
        let upstream = Upstream::always(unended(to).gate(&gate).reset()).await;
        let gateway = gateway(&upstream).await;
        let mut client = gateway.connect().await;
        client.send(&to.request(to.name, true)).await;
        assert_eq!(client.head().await.status, 200);
        client.until(to.stream().last().unwrap()).await;
        gate.open();
        assert!(!client.rest().await.1, "{}", to.name);
        assert_eq!(failures(&gateway.metrics().await), [""; 0], "{}", to.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_the_last_frame_closely_is_relayed() {
    let rest = ": bye\n\ndata: [DONE]\n\n";
    let upstream = Upstream::always(unended(RESPONSES).piece(rest).hang()).await;
    let gateway = gateway(&upstream).await;
    let reply = gateway.ask(&RESPONSES.request("responses", true)).await;
    assert_eq!((reply.text(), reply.cut), (RESPONSES.stream().concat() + rest, false));
}
