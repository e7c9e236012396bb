//! `bedrock.converse`: `ConverseResponse` and `ConverseStreamOutput` in the model of Bedrock's runtime service. A
//! streamed answer is `application/vnd.amazon.eventstream`.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_types::contract::types::Framing;
use weir_wire::frame::{Decoder, Limits};

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

/// The type of tools that the service runs itself: their calls are not for the client.
const SERVER: &str = "server_tool_use";

impl ParsedAnswer {
    pub(super) fn bedrock_whole(&mut self, answer: &Value) {
        for block in list(&answer["output"]["message"]["content"]) {
            self.text.push_str(&text(&block["text"]));
            for part in list(&block["citationsContent"]["content"]) {
                self.text.push_str(&text(&part["text"]));
            }
            self.thinking.push_str(&text(&block["reasoningContent"]["reasoningText"]["text"]));
            let call = &block["toolUse"];
            if call.is_object() && call["type"] != SERVER {
                let (id, name) = (text(&call["toolUseId"]), text(&call["name"]));
                self.calls.push(Call { id, name, arguments: call["input"].to_string() });
            }
        }
        self.finish = word(&answer["stopReason"]).map(bedrock_finish);
        self.bedrock_tokens(&answer["usage"]);
    }

    pub(super) fn bedrock_stream(&mut self, stream: &[u8], calls: &mut BTreeMap<u64, Call>) {
        let mut decoder = Decoder::new(Framing::EventStream, Limits::default());
        let mut events = Vec::new();
        let decoded = decoder.push(stream, &mut |frame| {
            let name = frame.event.map(|name| String::from_utf8_lossy(name).into_owned());
            events.push((name.unwrap_or_default(), serde_json::from_slice(frame.data).unwrap_or_default()));
        });
        decoded.expect("the stream is made of messages");
        for (name, event) in &events {
            self.bedrock_event(name, event, calls);
        }
    }

    fn bedrock_event(&mut self, name: &str, event: &Value, calls: &mut BTreeMap<u64, Call>) {
        let index = count(&event["contentBlockIndex"]);
        match name {
            "contentBlockStart" => {
                let call = &event["start"]["toolUse"];
                if call.is_object() && call["type"] != SERVER {
                    let (id, name) = (text(&call["toolUseId"]), text(&call["name"]));
                    calls.insert(index, Call { id, name, arguments: String::new() });
                }
            }
            "contentBlockDelta" => {
                let delta = &event["delta"];
                self.text.push_str(&text(&delta["text"]));
                self.thinking.push_str(&text(&delta["reasoningContent"]["text"]));
                if let Some(call) = calls.get_mut(&index) {
                    call.arguments.push_str(&text(&delta["toolUse"]["input"]));
                }
            }
            "messageStop" => {
                self.finish = word(&event["stopReason"]).map(bedrock_finish);
                self.complete = true;
            }
            "metadata" => self.bedrock_tokens(&event["usage"]),
            "messageStart" | "contentBlockStop" => {}
            _ => self.error = Some(event.clone()),
        }
    }

    /// The input of the format is what no cache was used for.
    fn bedrock_tokens(&mut self, usage: &Value) {
        if usage.is_object() {
            let cached = count(&usage["cacheReadInputTokens"]);
            let input = count(&usage["inputTokens"]) + cached + count(&usage["cacheWriteInputTokens"]);
            self.tokens = Some(Tokens { input, cached, output: count(&usage["outputTokens"]) });
        }
    }
}

fn bedrock_finish(reason: String) -> String {
    match reason.as_str() {
        "end_turn" | "stop_sequence" => "stop".to_owned(),
        "max_tokens" | "model_context_window_exceeded" => "length".to_owned(),
        "tool_use" => "tool".to_owned(),
        "guardrail_intervened" | "content_filtered" => "filter".to_owned(),
        _ => reason,
    }
}
