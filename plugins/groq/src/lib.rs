//! Groq: OpenAI's chat completions without a few members, thinking in `reasoning`, and usage in `x_groq`.
//!
//! Source: Groq's API reference and its page on compatibility with OpenAI.

use weir_sdk::compat::quirks::{Clamp, Drop, Effort, Paths, Thinking};
use weir_sdk::compat::relayed::Relayed;
use weir_sdk::compat::{Provider, Quirks, gpt};
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, Context, Error, Message, Part, ReasoningMode, ReasoningRequest};

/// The adapter.
#[derive(Debug)]
pub struct Groq;

impl Provider for Groq {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "groq",
        description: "Groq: chat completions, audio and models",
        family: "groq",
        url: Some("https://api.groq.com/openai/v1/"),
        key_variables: &["GROQ_API_KEY"],
        models: &["groq/compound*", "llama-3.1-8b-instant", "llama-3.3-70b-versatile"],
        paths: Paths { embeddings: "", relayed: RELAYED, ..Quirks::COMPATIBLE.paths },
        max_tokens: "max_completion_tokens",
        drops: &[
            Drop::unknown("logit_bias"),
            Drop::unknown("logprobs"),
            Drop::unknown("top_logprobs"),
            Drop::unknown("top_k"),
            Drop::unknown("min_p"),
            Drop::unknown("repetition_penalty"),
            Drop::unknown("prediction"),
            Drop::unknown("modalities"),
            Drop::unknown("audio"),
            Drop::unknown("web_search_options"),
            Drop::unknown("verbosity"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("prompt_cache_key"),
            Drop::unknown("prompt_cache_retention"),
            Drop::unknown("prompt_cache_options"),
            Drop::unknown("moderation"),
        ],
        clamps: &[Clamp { member: "n", min: 1.0, max: 1.0 }],
        developer_role: true,
        speaker_names: false,
        message_members: Some(&["reasoning"]),
        usage_in: "x_groq",
        // With `response_format` `verbose_json`; no other answer tells it.
        audio_seconds: "/duration",
        effort: Effort::Effort,
        efforts: &["none", "default", "low", "medium", "high"],
        thinking: Thinking::Reasoning,
        tool_types: &["browser_search", "code_interpreter", "mcp"],
        prepare,
        ..Quirks::COMPATIBLE
    };
}

const RELAYED: &[(Relayed, &str)] = &[
    (Relayed::Speech, "audio/speech"),
    (Relayed::Transcriptions, "audio/transcriptions"),
    (Relayed::Translations, "audio/translations"),
];

/// Strict schemas must be as OpenAI demands them. Each family of models has its own words for effort, and refuses the
/// others'. Models that do not think refuse thinking in the history.
#[expect(clippy::unnecessary_wraps, reason = "a quirk may refuse a request; this one never does")]
fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    gpt::fit_strict(request, losses);
    let (leveled, switched) = (ctx.model.contains("gpt-oss"), ctx.model.contains("qwen3"));
    if !leveled && !switched {
        forget_thinking(&mut request.messages, losses);
    }
    let Some(reasoning) = &mut request.reasoning else { return Ok(()) };
    if leveled {
        levels(reasoning, losses);
    } else if switched {
        on_or_off(reasoning, losses);
    } else {
        let lost = take_effort(reasoning).is_some();
        losses.dropped_if(lost, "reasoning_effort", "this model's thinking cannot be steered");
    }
    Ok(())
}

/// Takes thinking out of the history, and the messages that had nothing else. It is reported once.
fn forget_thinking(messages: &mut Vec<Message>, losses: &mut Losses) {
    let mut lost = false;
    messages.retain_mut(|message| {
        let thoughts = message.parts.extract_if(.., |part| matches!(part, Part::Reasoning(_))).count();
        lost |= thoughts > 0;
        thoughts == 0 || !message.parts.is_empty()
    });
    losses.dropped_if(lost, "messages[].reasoning", "this model takes no thinking in the history");
}

/// Models with levels always think. The usual level needs no word.
fn levels(reasoning: &mut ReasoningRequest, losses: &mut Losses) {
    if is_off(reasoning) {
        take_effort(reasoning);
        losses.dropped("reasoning_effort", "this model always thinks");
    }
    reasoning.effort.take_if(|effort| effort == "default");
}

/// Models without levels think, or do not.
fn on_or_off(reasoning: &mut ReasoningRequest, losses: &mut Losses) {
    let off = is_off(reasoning);
    let Some(wanted) = take_effort(reasoning) else { return };
    if !off && wanted != "default" {
        losses.approximated("reasoning_effort", "this model's thinking is only on or off");
    }
    reasoning.effort = Some(if off { "none" } else { "default" }.to_owned());
}

fn is_off(reasoning: &ReasoningRequest) -> bool {
    match reasoning.effort.as_deref() {
        Some(effort) => effort == "none",
        None => reasoning.mode == Some(ReasoningMode::Disabled) || reasoning.budget_tokens == Some(0),
    }
}

/// Takes away all that would be written as a level of effort; returns its word, which is empty if there is none.
fn take_effort(reasoning: &mut ReasoningRequest) -> Option<String> {
    let off = reasoning.mode.take_if(|mode| *mode == ReasoningMode::Disabled).is_some();
    let budget = reasoning.budget_tokens.take().is_some();
    reasoning.effort.take().or_else(|| (off || budget).then(String::new))
}

weir_sdk::export!(Groq: about, provider_errors, provider_chat, provider_models);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::compat::manifest;
    use weir_sdk::compat::request::render;
    use weir_sdk::compat::wire::FORMAT;
    use weir_sdk::manifest::{FrameTest, PointerEquals};
    use weir_sdk::testing::{context, fields, json};
    use weir_sdk::types::{Extension, FunctionTool, ReasoningPart, Role, Tool};

    const OSS: &str = "openai/gpt-oss-120b";
    const QWEN: &str = "qwen/qwen3-32b";
    const LLAMA: &str = "llama-3.3-70b-versatile";

    /// The level that is sent, and the losses.
    fn sent(model: &str, reasoning: &ReasoningRequest) -> (Option<String>, Vec<String>) {
        let request = ChatRequest { reasoning: Some(reasoning.clone()), ..ChatRequest::default() };
        let rendered = render(Groq::QUIRKS, &context(model), request).unwrap();
        let level = json(&rendered.request.body)["reasoning_effort"].as_str().map(str::to_owned);
        (level, fields(&rendered.losses))
    }

    fn effort(word: &str) -> ReasoningRequest {
        ReasoningRequest { effort: Some(word.into()), ..ReasoningRequest::default() }
    }

    #[test]
    fn each_family_of_models_gets_its_words_for_effort() {
        let lost = || vec!["reasoning_effort".to_owned()];
        let word = |word: &str| Some(word.to_owned());
        for (model, wanted, expected) in [
            (OSS, "low", (word("low"), Vec::new())),
            (OSS, "minimal", (word("low"), lost())),
            (OSS, "default", (None, Vec::new())),
            (OSS, "none", (None, lost())),
            (QWEN, "none", (word("none"), Vec::new())),
            (QWEN, "default", (word("default"), Vec::new())),
            (QWEN, "high", (word("default"), lost())),
            (LLAMA, "none", (None, lost())),
            (LLAMA, "high", (None, lost())),
        ] {
            assert_eq!(sent(model, &effort(wanted)), expected, "{model} {wanted}");
        }
    }

    /// The messages that are sent, and the losses.
    fn told(model: &str, messages: Vec<Message>) -> (String, Vec<String>) {
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let rendered = render(Groq::QUIRKS, &context(model), request).unwrap();
        (json(&rendered.request.body)["messages"].to_string(), fields(&rendered.losses))
    }

    #[test]
    fn thinking_goes_back_to_models_that_think() {
        let thought = || Part::Reasoning(ReasoningPart::new("hm"));
        let messages = || {
            let parts = [vec![thought(), Part::text("Hi")], vec![thought()]];
            parts.map(|parts| Message::new(Role::Assistant, parts)).to_vec()
        };
        for model in [OSS, QWEN] {
            let (sent, losses) = told(model, messages());
            assert_eq!((sent.matches(r#""reasoning":"hm""#).count(), losses.len()), (2, 0), "{model}");
        }
        let (sent, losses) = told(LLAMA, messages());
        assert_eq!(sent, r#"[{"content":"Hi","role":"assistant"}]"#);
        assert_eq!(losses, ["messages[].reasoning"]);
    }

    #[test]
    fn members_of_messages_that_groq_does_not_know_are_not_sent() {
        let own = |key: &str, json: &str| Extension { format: FORMAT.into(), key: key.into(), json: json.into() };
        let mut message = Message::new(Role::Assistant, vec![Part::text("Hi"), Part::Refusal("No.".into())]);
        message.extensions = vec![own("annotations", "[]"), own("function_call", "null"), own("timestamp", "1")];
        let (sent, losses) = told(LLAMA, vec![message]);
        let content = r#"[{"text":"Hi","type":"text"},{"text":"No.","type":"text"}]"#;
        assert_eq!(sent, format!(r#"[{{"content":{content},"role":"assistant"}}]"#));
        assert_eq!(losses, ["messages[0].refusal", "messages[0].timestamp"]);
    }

    #[test]
    fn a_request_with_such_a_member_is_translated_even_if_it_is_empty() {
        let accepted = manifest::describe(Groq::QUIRKS).accepts;
        let chat = accepted.iter().find(|accepted| accepted.format == FORMAT).unwrap();
        for member in ["refusal", "audio", "function_call", "annotations", "reasoning_content"] {
            let pointer = format!("/messages/*/{member}");
            let null = PointerEquals { pointer: pointer.clone(), json: "null".into() };
            for test in [FrameTest::other_than(pointer, []), FrameTest::Equals(null)] {
                assert!(chat.exclusions.iter().any(|one| one.test == test), "{member}");
            }
        }
    }

    #[test]
    fn c88_schemas_with_optional_members_are_not_followed_strictly() {
        let tool = |schema: &str| {
            let function =
                FunctionTool { parameters: Some(schema.into()), strict: Some(true), ..FunctionTool::new("f") };
            let request = ChatRequest { tools: vec![Tool::Function(function)], ..ChatRequest::default() };
            let rendered = render(Groq::QUIRKS, &context(OSS), request).unwrap();
            json(&rendered.request.body)["tools"][0]["function"]["strict"].as_bool()
        };
        let full = r#"{"type":"object","properties":{},"additionalProperties":false}"#;
        assert_eq!((tool(r#"{"type":"object","properties":{}}"#), tool(full)), (Some(false), Some(true)));
    }

    #[test]
    fn budgets_and_modes_are_words_for_effort_too() {
        let budget = ReasoningRequest { budget_tokens: Some(4096), ..ReasoningRequest::default() };
        let off = ReasoningRequest { mode: Some(ReasoningMode::Disabled), ..ReasoningRequest::default() };
        let level = |model, wanted| sent(model, wanted).0;
        assert_eq!((level(OSS, &budget).as_deref(), level(OSS, &off)), (Some("medium"), None));
        assert_eq!((level(QWEN, &budget).as_deref(), level(QWEN, &off).as_deref()), (Some("default"), Some("none")));
        assert_eq!((level(LLAMA, &budget), level(LLAMA, &off)), (None, None));
    }
}
