//! Parses whole answers: from Responses to the unified model.

use super::{FORMAT, note, read, read_usage, units};
use crate::adapter::{ChatAnswer, ChatOutcome};
use crate::compat::names::Renamed;
use crate::compat::quirks::Quirks;
use crate::compat::wire::rest_json;
use crate::compat::{error, logprobs};
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::extensions;
use crate::types::{
    Candidate, ChatResponse, Context, Error, ErrorKind, Extension, Finish, FinishReason, HttpResponse, Message, Part,
};

/// Members that repeat the request; they are kept as a note.
const ECHOES: [&str; 24] = [
    "background",
    "conversation",
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "presence_penalty",
];

/// The states of an answer that is still to be made.
const UNDER_WAY: [&str; 2] = ["queued", "in_progress"];

/// Parses a whole answer.
pub fn parse(quirks: &Quirks, ctx: &Context, response: &HttpResponse) -> Result<ChatOutcome, Error> {
    let unreadable = |e| Error::unreadable(format!("the provider's answer is not readable: {e}"));
    let wire = Rest::parse(response.text()?).map_err(unreadable)?;
    let is_for_later = wire.get("background").is_some_and(|raw| raw.get() == "true");
    let response = read_response(quirks, wire, &Renamed::from_memo(&ctx.memo))?;
    if let Some(state) = under_way(&response).filter(|_| !is_for_later) {
        return Err(not_there(state));
    }
    Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
}

/// The state of an answer of which nothing is there yet, since it is still to be made.
fn under_way(response: &ChatResponse) -> Option<&str> {
    let candidate = response.candidates.first().filter(|candidate| candidate.parts.is_empty())?;
    candidate.finish.as_ref()?.raw.as_deref().filter(|state| UNDER_WAY.contains(state))
}

/// The error for an answer that its provider makes later, although the request did not ask for that: a client would
/// take it for a complete one without a word.
fn not_there(state: &str) -> Error {
    let message = format!("the provider has put the answer off: it is `{state}`");
    Error::new(ErrorKind::Upstream, message).with_status(502).with_code("answer_not_ready")
}

/// Parses a response object.
pub fn read_response(quirks: &Quirks, mut wire: Rest<'_>, renamed: &Renamed) -> Result<ChatResponse, Error> {
    if let Some(error) = wire.value("error") {
        return Err(error::from_json(error.get(), None));
    }
    let output = wire.list("output").unwrap_or_default();
    let mut parts: Vec<Part> = read::items(&output, Some(quirks)).into_iter().flat_map(parts_of).collect();
    for part in &mut parts {
        if let Part::ToolCall(call) = part {
            let name = renamed.original(&call.name).to_owned();
            call.name = name;
        }
    }
    let logprobs = logprobs_of(&mut parts);
    let finish = finish(&mut wire, &parts);
    let head = head(&mut wire);
    Ok(ChatResponse {
        id: head.id,
        model: head.model,
        created_ms: head.created_ms,
        usage: wire.object("usage").and_then(read_usage).map(|usage| units::counted(quirks, usage, &output)),
        service_tier: wire.str("service_tier").map(Str::into_string),
        extensions: members(wire),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs, extensions: Vec::new() }],
    })
}

/// Takes the log probabilities of the texts, which are the answer's in the unified model.
fn logprobs_of(parts: &mut [Part]) -> Option<String> {
    let texts = parts.iter_mut().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
    let lists: Vec<String> = texts
        .flat_map(|text| text.extensions.extract_if(.., |own| own.format == FORMAT && own.key == "logprobs"))
        .map(|own| own.json)
        .collect();
    let tokens = lists.iter().flat_map(|list| json::parse::<Vec<&RawValue>>(list).unwrap_or_default());
    let tokens: Vec<&RawValue> = tokens.collect();
    (!tokens.is_empty()).then(|| logprobs::of_tokens(&tokens))
}

fn parts_of(message: Message) -> Vec<Part> {
    message.parts
}

/// The first members of an answer.
#[derive(Debug)]
pub struct Head {
    /// The answer's id.
    pub id: String,
    /// The model as the provider names it.
    pub model: Option<String>,
    /// The time when the answer was made, in milliseconds.
    pub created_ms: Option<f64>,
}

/// Parses the first members of an answer.
pub fn head(wire: &mut Rest<'_>) -> Head {
    wire.take("object");
    Head {
        id: wire.str("id").map(Str::into_string).unwrap_or_default(),
        model: wire.str("model").map(Str::into_string),
        created_ms: wire.number("created_at").map(|seconds| seconds * 1000.0),
    }
}

/// The remaining members; those that repeat the request become one note.
pub fn members(mut wire: Rest<'_>) -> Vec<Extension> {
    let (echoes, news) = std::mem::take(&mut wire.0)
        .into_iter()
        .filter(|(_, value)| value.get() != "null")
        .partition(|(key, _)| ECHOES.contains(&&**key) || &**key == "frequency_penalty");
    let mut kept = extensions(FORMAT, Rest(news));
    let echoes = Rest(echoes);
    if !echoes.0.is_empty() {
        kept.push(note("echo", &rest_json(&echoes)));
    }
    kept
}

/// The reason why the answer ended, from its status and the reason of an incomplete one.
pub fn finish(wire: &mut Rest<'_>, parts: &[Part]) -> Option<Finish> {
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let status = wire.str("status").map(Str::into_string).unwrap_or_default();
    let reason = wire.object("incomplete_details").and_then(|mut details| details.str("reason")).map(Str::into_string);
    read_finish(&status, reason.as_deref(), called)
}

/// The same from the status and the reason as texts.
pub fn read_finish(status: &str, reason: Option<&str>, called: bool) -> Option<Finish> {
    let kind = match (status, reason) {
        ("incomplete", Some("content_filter")) => FinishReason::ContentFilter,
        ("incomplete", Some("max_output_tokens") | None) => FinishReason::Length,
        ("incomplete", Some(_)) => FinishReason::Other,
        ("failed" | "cancelled", _) => FinishReason::Failed,
        _ if called => FinishReason::ToolCalls,
        // Some servers say `complete`.
        ("completed" | "complete" | "", _) => FinishReason::Complete,
        _ => FinishReason::Other,
    };
    Some(Finish::new(kind, reason.unwrap_or(status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Body;

    fn read(body: &str) -> Result<ChatOutcome, Error> {
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.to_owned()) };
        parse(&Quirks::COMPATIBLE, &Context::default(), &response)
    }

    #[test]
    fn an_answer_that_is_still_to_be_made_is_none_unless_it_was_asked_for_later() {
        for state in UNDER_WAY {
            for members in ["", r#","background":false,"output":[]"#] {
                let error = read(&format!(r#"{{"id":"resp_1","status":"{state}"{members}}}"#)).unwrap_err();
                assert_eq!((error.kind, error.status), (ErrorKind::Upstream, Some(502)));
                assert!(error.message.contains(state), "{}", error.message);
            }
            let there =
                r#""output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}]"#;
            for members in [r#""background":true,"output":[]"#, there] {
                let ChatOutcome::Complete(answer) = read(&format!(r#"{{"status":"{state}",{members}}}"#)).unwrap()
                else {
                    panic!("{members}")
                };
                let finish = answer.response.candidates[0].finish.as_ref().unwrap();
                assert_eq!((finish.reason, finish.raw.as_deref()), (FinishReason::Other, Some(state)));
            }
        }
    }

    #[test]
    fn an_answer_is_complete_in_either_word() {
        for status in ["completed", "complete", ""] {
            assert_eq!(read_finish(status, None, false).unwrap().reason, FinishReason::Complete, "{status}");
            assert_eq!(read_finish(status, None, true).unwrap().reason, FinishReason::ToolCalls, "{status}");
        }
        assert_eq!(read_finish("queued", None, false).unwrap().reason, FinishReason::Other);
    }
}
