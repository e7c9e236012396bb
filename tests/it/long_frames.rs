//! Streams with long frames, as of pictures: they are read up to a bound, and counted while they arrive.

use weir_tests::{Answer, Gateway, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, TOKENS, config_of};

const MIB: usize = 1 << 20;

/// A stream of OpenAI's whose second piece has a text of this length.
fn stream(length: usize) -> String {
    let mut pieces = OPENAI.stream();
    let first = pieces[1].find("\"content\":\"").unwrap() + "\"content\":\"".len();
    pieces[1].insert_str(first, &"A".repeat(length));
    pieces.concat()
}

fn streamed(text: &str) -> Answer {
    OPENAI.begin().pieces(text, 60_000).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_as_long_as_a_picture_is_translated_and_read_for_its_usage() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = Gateway::open(&config_of(&[OPENAI, ANTHROPIC], &upstream)).await;
    let mut booked = 0.0;
    for length in [6 * MIB, 12 * MIB] {
        let text = stream(length);
        upstream.now(streamed(&text));
        for from in [OPENAI, ANTHROPIC] {
            let reply = gateway.ask(&from.request("openai-t", true)).await;
            assert_eq!((reply.status(), reply.cut), (200, false), "{} {length}", from.name);
            let parsed = from.parsed(&reply, true);
            assert_eq!((parsed.complete, parsed.tokens), (true, Some(TOKENS)), "{} {length}", from.name);
            assert!(parsed.text.len() > length, "{} {length}: {}", from.name, parsed.text.len());
        }
        let reply = gateway.ask(&OPENAI.request("openai", true)).await;
        assert!(reply.text() == text && !reply.cut);
        booked += 21.0;
        gateway.until_metric("weir_tokens_total{bucket=\"output\",provider=\"openai\"}", booked).await;
    }
    gateway.until_metric("weir_buffered_bytes", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_beyond_the_bound_ends_a_translated_stream_with_a_clear_error_and_passes_in_a_relayed_one() {
    let text = stream(6 * MIB);
    let upstream = Upstream::always(streamed(&text)).await;
    let config = config_of(&[OPENAI, ANTHROPIC], &upstream);
    for (settings, told) in [
        ("max_frame_bytes = \"2MiB\"", "a frame of it has more than 2097152 bytes (`server.max_frame_bytes`)"),
        ("max_buffered_bytes = \"4MiB\"\nmax_body_bytes = \"1MiB\"", "`server.max_buffered_bytes`"),
    ] {
        let gateway = Gateway::open(&format!("[server]\n{settings}\n{config}")).await;
        for from in [OPENAI, ANTHROPIC] {
            let reply = gateway.ask(&from.request("openai-t", true)).await;
            assert!(reply.text().contains(told), "{settings}, {}: {}", from.name, reply.text());
            assert!(!from.parsed(&reply, true).complete);
        }
        let reply = gateway.ask(&OPENAI.request("openai", true)).await;
        assert!(reply.text() == text && !reply.cut, "{settings}");
        gateway.until_metric("weir_buffered_bytes", 0.0).await;
    }
}
