//! Compares estimates by content with recorded streams that report their tokens, if the recordings are present.

use super::*;
use crate::frame::recordings::exchanges;
use crate::frame::{Decoder, Limits as FrameLimits};
use weir_types::contract::about::{Bucket, FrameTest, Merge, PointerEquals, Tap, UsagePlace};
use weir_types::contract::types::Framing;

fn tap(output: &[&str], reasoning: &[&str], content: &[&str]) -> CompiledTap {
    let strings = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let place = |bucket, pointers: &[&str]| UsagePlace {
        bucket,
        pointers: strings(pointers),
        merge: Merge::Last,
        includes: Vec::new(),
        beside: None,
        headers: Vec::new(),
    };
    let end = FrameTest::Equals(PointerEquals { pointer: "/type".into(), json: "\"message_stop\"".into() });
    CompiledTap::new(&Tap {
        usage: vec![place(Bucket::Output, output), place(Bucket::Reasoning, reasoning)],
        content: strings(content).into_iter().map(FrameTest::Present).collect(),
        end: vec![end],
        ..Tap::default()
    })
    .unwrap()
}

/// The two shapes that most services use.
fn taps() -> [CompiledTap; 2] {
    let chat = [
        "/choices/*/delta/content",
        "/choices/*/delta/tool_calls",
        "/choices/*/delta/reasoning_content",
        "/choices/*/delta/reasoning",
    ];
    let blocks = ["/delta/text", "/delta/thinking", "/delta/partial_json", "/content_block"];
    [
        tap(&["/usage/completion_tokens"], &["/usage/completion_tokens_details/reasoning_tokens"], &chat),
        tap(&["/usage/output_tokens"], &[], &blocks),
    ]
}

#[test]
fn estimates_of_recorded_streams_are_as_good_as_the_documents_say() {
    let mut errors = Vec::new();
    for (_, exchange) in exchanges() {
        let features = exchange["features"].to_string();
        let hidden = ["web_search", "code_execution", "thinking", "mcp", "stream_cut"];
        let (Some("sse"), Some(text)) = (exchange["framing"].as_str(), exchange["response"]["body_text"].as_str())
        else {
            continue;
        };
        if hidden.iter().any(|word| features.contains(word)) {
            continue;
        }
        for tap in taps() {
            let mut state = TapState::new(&tap);
            let mut decoder = Decoder::new(Framing::Sse, FrameLimits::default());
            decoder.push(text.as_bytes(), &mut |frame| state.frame(frame)).unwrap();
            let usage = state.reading().usage;
            let thought = usage.get(Bucket::Reasoning).unwrap_or(0);
            let Some(reported) = usage.output().filter(|reported| *reported >= 10 && thought == 0) else { continue };
            if state.content_tokens() > 0 {
                errors.push(f64::from(state.content_tokens().abs_diff(reported)) / f64::from(reported));
            }
        }
    }
    if errors.is_empty() {
        return println!("skipped: no recordings");
    }
    errors.sort_by(f64::total_cmp);
    let (median, tenth) = (errors[errors.len() / 2], errors[errors.len() * 9 / 10]);
    println!("{} streams: median error {median:.3}, nine of ten within {tenth:.3}", errors.len());
    assert!(median < 0.2 && tenth < 0.6, "{median} {tenth}");
}
