//! Fields that a provider cannot take are reported: with the client's own names, and with the kind of loss.

use serde_json::json;
use weir_tests::{Received, Request};

use super::{Lane, Place, everywhere, same, usually};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI};

/// A request with cache hints on everything that can have one, and their places in the client's spelling.
fn hinted(place: Place) -> Option<(Request, Vec<&'static str>)> {
    let hint = json!({"type": "ephemeral"});
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": hint});
    let (model, stream) = (place.model(), place.stream);
    if place.from == ANTHROPIC {
        let schema = json!({"type": "object", "properties": {}});
        let result = json!({"type": "tool_result", "tool_use_id": "t", "content": [text("d")]});
        let body = json!({"model": model, "max_tokens": 64, "stream": stream,
            "system": [{"type": "text", "text": "a"}, text("b")],
            "tools": [{"name": "look", "input_schema": schema, "cache_control": hint}],
            "messages": [
                {"role": "user", "content": [text("c")]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
                {"role": "user", "content": [result]}]});
        let request = Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01");
        let fields = vec![
            "system[1].cache_control",
            "tools[0].cache_control",
            "messages[0].content[0].cache_control",
            "messages[2].content[0].content[0].cache_control",
        ];
        return Some((request, fields));
    }
    let messages = json!([{"role": "system", "content": [text("a")]},
        {"role": "user", "content": [{"type": "text", "text": "b"}, text("c")]},
        {"role": "assistant", "content": null,
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": "d"}, text("e")]}]);
    let body = json!({"model": model, "stream": stream, "messages": messages});
    let fields = vec![
        "messages[0].content[0].cache_control",
        "messages[1].content[1].cache_control",
        "messages[3].content[1].cache_control",
    ];
    (place.from == OPENAI).then(|| (Request::post("/v1/chat/completions", body.to_string()), fields))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_hint_is_carried_or_reported_as_lost_everywhere() {
    everywhere(
        |place| hinted(place).map(|(request, _)| request),
        usually,
        |came| {
            let fields = hinted(came.place).map(|(_, fields)| fields).unwrap_or_default();
            same("status", &came.reply.status(), &200)?;
            let sent = came.sent.as_ref().map(Received::text).unwrap_or_default();
            let (carried, losses) = (sent.matches("cache_control").count(), came.losses());
            let lost = fields.iter().filter(|field| losses.contains(&format!("{field}=dropped"))).count();
            let takes = came.place.lane == Lane::Relay || came.place.to == ANTHROPIC;
            let expected = if takes { (fields.len(), 0) } else { (0, fields.len()) };
            same("carried and reported", &(carried, lost), &expected).map_err(|why| format!("{why}: {losses:?}"))
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_have_the_clients_names_and_their_kind() {
    let asks = |place: Place| {
        let method = if place.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        let body = json!({"systemInstruction": {"parts": [{"text": "s"}]},
            "contents": [{"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [{"text": "b", "thoughtSignature": "c2ln"}]},
                {"role": "user", "parts": [{"text": "c"}]}],
            "generationConfig": {"temperature": 1.5, "seed": 7, "presencePenalty": 0.5}});
        let path = format!("/v1beta/models/{}:{method}", place.model());
        (place.from == GEMINI && place.to == ANTHROPIC).then(|| Request::post(&path, body.to_string()))
    };
    everywhere(asks, usually, |came| {
        let (losses, dropped) = (came.losses(), came.reply.header("x-weir-dropped-params").unwrap_or_default());
        for expected in [
            "generationConfig.seed=dropped",
            "generationConfig.presencePenalty=dropped",
            "generationConfig.temperature=clamped",
            "contents[1].parts[0].signature=dropped",
        ] {
            same(expected, &losses.iter().any(|losses| losses == expected), &true)
                .map_err(|why| format!("{why}: {losses:?}"))?;
        }
        same("what is clamped is not dropped", &dropped.contains("temperature"), &false)
    })
    .await;
}
