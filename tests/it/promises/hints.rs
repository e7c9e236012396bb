//! Fields that a provider cannot take are reported: with the client's own names, and with the kind of loss.

use serde_json::json;
use weir_tests::{Received, Request};

use super::{Cell, Lane, everywhere, same, usual_answer};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI};

/// A request with cache hints on everything that can have one, and their places in the client's spelling.
fn hinted(cell: Cell) -> Option<(Request, Vec<&'static str>)> {
    let hint = json!({"type": "ephemeral"});
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": hint});
    let (model, stream) = (cell.model(), cell.stream);
    if cell.from == ANTHROPIC {
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
    (cell.from == OPENAI).then(|| (Request::post("/v1/chat/completions", body.to_string()), fields))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_hint_is_carried_or_reported_as_lost_everywhere() {
    everywhere(
        |cell| hinted(cell).map(|(request, _)| request),
        usual_answer,
        |outcome| {
            let fields = hinted(outcome.cell).map(|(_, fields)| fields).unwrap_or_default();
            same("status", &outcome.reply.status(), &200)?;
            let sent = outcome.sent.as_ref().map(Received::text).unwrap_or_default();
            let (carried, losses) = (sent.matches("cache_control").count(), outcome.losses());
            let lost = fields.iter().filter(|field| losses.contains(&format!("{field}=dropped"))).count();
            let takes = outcome.cell.lane == Lane::Relay || outcome.cell.to == ANTHROPIC;
            let expected = if takes { (fields.len(), 0) } else { (0, fields.len()) };
            same("carried and reported", &(carried, lost), &expected).map_err(|why| format!("{why}: {losses:?}"))
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_have_the_clients_names_and_their_kind() {
    let asks = |cell: Cell| {
        let method = if cell.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        let body = json!({"systemInstruction": {"parts": [{"text": "s"}]},
            "contents": [{"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [{"text": "b", "thoughtSignature": "c2ln"}]},
                {"role": "user", "parts": [{"text": "c"}]}],
            "generationConfig": {"temperature": 1.5, "seed": 7, "presencePenalty": 0.5}});
        let path = format!("/v1beta/models/{}:{method}", cell.model());
        (cell.from == GEMINI && cell.to == ANTHROPIC).then(|| Request::post(&path, body.to_string()))
    };
    everywhere(asks, usual_answer, |outcome| {
        let (losses, dropped) = (outcome.losses(), outcome.reply.header("x-weir-dropped-params").unwrap_or_default());
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
