//! Providers' answers in each format.

use weir_tests::Answer;
use weir_tests::parsed_answer::Format;
use weir_types::contract::types::{Frame, Framing};
use weir_wire::frame::Encoder;

use super::{TEXT, WireFormat};

const RESPONSES_USAGE: &str = r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":17}"#;
const COHERE_USAGE: &str = r#"{"billed_units":{"input_tokens":10,"output_tokens":7},"tokens":{"input_tokens":10,"output_tokens":7},"cached_tokens":4}"#;
const BEDROCK_USAGE: &str = r#""usage":{"inputTokens":6,"outputTokens":7,"totalTokens":17,"cacheReadInputTokens":4,"cacheWriteInputTokens":0},"metrics":{"latencyMs":9}"#;

impl WireFormat {
    /// A provider's whole answer.
    pub(crate) fn whole(self) -> String {
        match self.format {
            Format::OpenAi => format!(
                "{{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"openai\",\
                 \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{TEXT}\"}},\
                 \"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":7,\
                 \"total_tokens\":17,\"prompt_tokens_details\":{{\"cached_tokens\":4}}}}}}"
            ),
            Format::Anthropic => format!(
                "{{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"anthropic\",\
                 \"content\":[{{\"type\":\"text\",\"text\":\"{TEXT}\"}}],\"stop_reason\":\"end_turn\",\
                 \"stop_sequence\":null,\"usage\":{{\"input_tokens\":6,\"cache_read_input_tokens\":4,\
                 \"cache_creation_input_tokens\":0,\"output_tokens\":7}}}}"
            ),
            Format::Gemini => gemini(&format!(r#"{{"text":"{TEXT}"}}"#), true),
            Format::Completions => format!(
                r#"{{"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"completions","choices":[{{"index":0,"text":"{TEXT}","finish_reason":"stop","logprobs":null}}],"usage":{{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,"prompt_tokens_details":{{"cached_tokens":4}}}}}}"#
            ),
            Format::Responses => response("completed", &format!("[{}]", message(TEXT)), RESPONSES_USAGE),
            Format::Cohere => format!(
                r#"{{"id":"c-1","finish_reason":"COMPLETE","message":{{"role":"assistant","content":[{{"type":"text","text":"{TEXT}"}}]}},"usage":{COHERE_USAGE}}}"#
            ),
            Format::Ollama => ollama(&format!(r#""message":{{"role":"assistant","content":"{TEXT}"}}"#), true),
            Format::OllamaGenerate => ollama(&format!(r#""response":"{TEXT}""#), true),
            Format::Bedrock => format!(
                r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{TEXT}"}}]}}}},"stopReason":"end_turn",{BEDROCK_USAGE}}}"#
            ),
            Format::Zeta => format!(
                "{{\"ref\":\"z-1\",\"brain\":\"zeta\",\"reply\":{{\"says\":\"{TEXT}\"}},\"ended\":\"done\",\
                 \"toll\":{{\"all_in\":10,\"of_cached\":4,\"all_out\":7}}}}"
            ),
        }
    }

    /// A provider's stream, a piece for each event: the second piece is the first content, the third the rest of the
    /// content, the others the end. Of Bedrock, whose messages are binary, the names and the data.
    pub(crate) fn stream(self) -> Vec<String> {
        let (first, second) = TEXT.split_at(6);
        match self.format {
            Format::OpenAi => chat_stream(first, second),
            Format::Anthropic => messages_stream(first, second),
            Format::Gemini => [("", false), (first, false), (second, false), ("", true)]
                .map(|(text, last)| format!("data: {}\n\n", gemini(&format!(r#"{{"text":"{text}"}}"#), last)))
                .to_vec(),
            Format::Completions => completions_stream(first, second),
            Format::Responses => responses_stream(first, second),
            Format::Cohere => cohere_stream(first, second),
            Format::Ollama => [("", false), (first, false), (second, false), ("", true)]
                .map(|(text, last)| {
                    ollama(&format!(r#""message":{{"role":"assistant","content":"{text}"}}"#), last) + "\n"
                })
                .to_vec(),
            Format::OllamaGenerate => [("", false), (first, false), (second, false), ("", true)]
                .map(|(text, last)| ollama(&format!(r#""response":"{text}""#), last) + "\n")
                .to_vec(),
            Format::Bedrock => converse_stream(first, second),
            Format::Zeta => vec![
                "{\"k\":\"hail\",\"ref\":\"z-1\",\"brain\":\"zeta\"}\n".into(),
                format!("{{\"k\":\"bit\",\"says\":\"{first}\"}}\n"),
                format!("{{\"k\":\"bit\",\"says\":\"{second}\"}}\n"),
                "{\"k\":\"end\",\"ended\":\"done\"}\n".into(),
                "{\"k\":\"toll\",\"toll\":{\"all_in\":10,\"of_cached\":4,\"all_out\":7}}\n".into(),
                "{\"k\":\"bye\"}\n".into(),
            ],
        }
    }

    /// The head of a stream in this format.
    pub(crate) fn begin(self) -> Answer {
        match self.format {
            Format::Zeta | Format::Ollama | Format::OllamaGenerate => Answer::lines(),
            Format::Bedrock => Answer::begin(200, &[("content-type", "application/vnd.amazon.eventstream")]),
            _ => Answer::sse(),
        }
    }

    /// A piece of a stream as it is sent.
    pub(crate) fn on_the_wire(self, piece: &str) -> Vec<u8> {
        if self.format != Format::Bedrock {
            return piece.as_bytes().to_vec();
        }
        let (name, data) = piece.split_once(' ').unwrap();
        let mut bytes = Vec::new();
        let frame = Frame { event: Some(name.to_owned()), data: data.to_owned() };
        Encoder::new(Framing::EventStream).push(&frame, &mut bytes);
        bytes
    }
}

/// An answer of Gemini, or a frame of one: with this part, and at the end with the finish reason and the tokens.
pub(crate) fn gemini(part: &str, last: bool) -> String {
    let tokens = r#""promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":7,"totalTokenCount":17"#;
    let finish = if last { r#""finishReason":"STOP","# } else { "" };
    let usage = if last { format!(r#""usageMetadata":{{{tokens}}},"#) } else { String::new() };
    let content = format!(r#"{{"parts":[{part}],"role":"model"}}"#);
    format!(
        r#"{{"candidates":[{{"content":{content},{finish}"index":0}}],{usage}"modelVersion":"gemini","responseId":"g-1"}}"#
    )
}

/// An answer of Ollama, or a line of one: with this member, and at the end with the reason and the tokens.
fn ollama(member: &str, last: bool) -> String {
    let end = if last { r#","done_reason":"stop","prompt_eval_count":10,"eval_count":7"# } else { "" };
    format!(r#"{{"model":"ollama","created_at":"2025-01-01T00:00:00Z",{member},"done":{last}{end}}}"#)
}

/// An answer of Responses.
fn response(status: &str, output: &str, usage: &str) -> String {
    format!(
        r#"{{"id":"resp_1","object":"response","created_at":1700000000,"status":"{status}","error":null,"incomplete_details":null,"model":"responses","output":{output},"usage":{usage}}}"#
    )
}

/// The item of an answer of Responses that has this text.
fn message(text: &str) -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{{"type":"output_text","text":"{text}","annotations":[]}}]}}"#
    )
}

/// The events of a streamed answer of Responses.
fn responses_stream(first: &str, second: &str) -> Vec<String> {
    let mut number = 0;
    let mut event = |name: &str, inner: &str| {
        number += 1;
        format!("event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},{inner}}}\n\n")
    };
    let place = r#""item_id":"msg_1","output_index":0,"content_index":0"#;
    let whole = |status, output: &str, usage| format!(r#""response":{}"#, response(status, output, usage));
    let item = r#""output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}"#;
    let part = format!(r#"{place},"part":{{"type":"output_text","text":"","annotations":[]}}"#);
    let done = format!(r#"{place},"part":{{"type":"output_text","text":"{TEXT}","annotations":[]}}"#);
    vec![
        event("response.created", &whole("in_progress", "[]", "null"))
            + &event("response.output_item.added", item)
            + &event("response.content_part.added", &part),
        event("response.output_text.delta", &format!(r#"{place},"delta":"{first}""#)),
        event("response.output_text.delta", &format!(r#"{place},"delta":"{second}""#)),
        event("response.output_text.done", &format!(r#"{place},"text":"{TEXT}""#))
            + &event("response.content_part.done", &done),
        event("response.output_item.done", &format!(r#""output_index":0,"item":{}"#, message(TEXT))),
        event("response.completed", &whole("completed", &format!("[{}]", message(TEXT)), RESPONSES_USAGE)),
    ]
}

/// The events of a streamed answer of chat completions.
fn chat_stream(first: &str, second: &str) -> Vec<String> {
    let chunk = |inner: String| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"openai\",{inner}}}\n\n"
        )
    };
    let delta = |delta: String, finish: &str| {
        chunk(format!("\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]"))
    };
    vec![
        delta("{\"role\":\"assistant\",\"content\":\"\"}".into(), "null"),
        delta(format!("{{\"content\":\"{first}\"}}"), "null"),
        delta(format!("{{\"content\":\"{second}\"}}"), "null"),
        delta("{}".into(), "\"stop\""),
        chunk(
            "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":7,\"total_tokens\":17,\
             \"prompt_tokens_details\":{\"cached_tokens\":4}}"
                .into(),
        ),
        "data: [DONE]\n\n".into(),
    ]
}

/// The events of a streamed answer of Messages.
fn messages_stream(first: &str, second: &str) -> Vec<String> {
    let event = |name: &str, inner: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{inner}}}\n\n");
    let delta = |text: &str| {
        let inner = format!(",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}");
        event("content_block_delta", &inner)
    };
    let start = event(
        "message_start",
        ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"anthropic\",\
         \"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":6,\
         \"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":0,\"output_tokens\":1}}",
    );
    let block = ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}";
    let end = ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7}";
    vec![
        start + &event("content_block_start", block),
        delta(first),
        delta(second),
        event("content_block_stop", ",\"index\":0"),
        event("message_delta", end),
        event("message_stop", ""),
    ]
}

/// The events of a streamed answer of legacy completions.
fn completions_stream(first: &str, second: &str) -> Vec<String> {
    let chunk = |inner: &str| {
        format!(
            "data: {{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":\"completions\",{inner}}}\n\n"
        )
    };
    let piece = |text: &str, finish: &str| {
        chunk(&format!(r#""choices":[{{"index":0,"text":"{text}","finish_reason":{finish}}}]"#))
    };
    let usage = r#""choices":[],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":4}}"#;
    let (end, done) = (piece("", "\"stop\""), "data: [DONE]\n\n".to_owned());
    vec![piece("", "null"), piece(first, "null"), piece(second, "null"), end, chunk(usage), done]
}

/// The events of a streamed answer of Cohere.
fn cohere_stream(first: &str, second: &str) -> Vec<String> {
    let event = |name: &str, inner: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{inner}}}\n\n");
    let content =
        |name: &str, part: &str| event(name, &format!(r#","index":0,"delta":{{"message":{{"content":{part}}}}}"#));
    let delta = |text: &str| content("content-delta", &format!(r#"{{"text":"{text}"}}"#));
    let end = format!(r#","delta":{{"finish_reason":"COMPLETE","usage":{COHERE_USAGE}}}"#);
    vec![
        event("message-start", r#","id":"c-1","delta":{"message":{"role":"assistant"}}"#)
            + &content("content-start", r#"{"type":"text","text":""}"#),
        delta(first),
        delta(second),
        event("content-end", r#","index":0"#),
        event("message-end", &end),
    ]
}

/// The events of a streamed answer of Converse: names and data.
fn converse_stream(first: &str, second: &str) -> Vec<String> {
    let delta = |text: &str| format!(r#"contentBlockDelta {{"contentBlockIndex":0,"delta":{{"text":"{text}"}}}}"#);
    vec![
        r#"messageStart {"role":"assistant"}"#.into(),
        delta(first),
        delta(second),
        r#"contentBlockStop {"contentBlockIndex":0}"#.into(),
        r#"messageStop {"stopReason":"end_turn"}"#.into(),
        format!("metadata {{{BEDROCK_USAGE}}}"),
    ]
}
