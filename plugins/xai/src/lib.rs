//! xAI: Grok's chat completions and Responses; thinking in `reasoning_content`, its tokens beside the completion's.
//!
//! Source: xAI's API reference and its guide to reasoning.

use weir_sdk::compat::quirks::{Effort, Paths, Thinking};
use weir_sdk::compat::relayed::Relayed;
use weir_sdk::compat::responses::ANYBODY;
use weir_sdk::compat::{Provider, Quirks};
use weir_sdk::losses::Losses;
use weir_sdk::manifest::Bucket;
use weir_sdk::types::{ChatRequest, Context, Error, ReasoningMode, ReasoningRequest};

/// The adapter.
#[derive(Debug)]
pub struct Xai;

impl Provider for Xai {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "xai",
        description: "xAI: chat completions, Responses, images and models",
        family: "xai",
        url: Some("https://api.x.ai/v1/"),
        key_variables: &["XAI_API_KEY"],
        models: &["grok-*"],
        paths: Paths {
            completions: "completions",
            embeddings: "",
            responses: "responses",
            relayed: &[(Relayed::Images, "images/generations")],
            ..Quirks::COMPATIBLE.paths
        },
        max_tokens: "max_completion_tokens",
        apart: &[Bucket::Reasoning],
        developer_role: true,
        tool_types: &["live_search"],
        own_calls: "xs_call_",
        own_searches: &["x_keyword_search", "x_semantic_search", "x_user_search", "x_thread_fetch"],
        effort: Effort::Effort,
        efforts: &["none", "low", "medium", "high"],
        thinking: Thinking::Content,
        issuers: &["xai", ANYBODY],
        sources: &["citations"],
        prepare,
        ..Quirks::COMPATIBLE
    };
}

/// The models whose thinking has levels; all others refuse `reasoning_effort`, even if they think.
const LEVELED: [&str; 5] = ["grok-3-mini", "grok-4.3", "grok-4.5", "grok-4.6", "grok-4.20-multi-agent"];

/// Models that think refuse penalties and stop sequences, and most models a level of effort.
#[expect(clippy::unnecessary_wraps, reason = "a quirk may refuse a request; this one never does")]
fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    let thinks = ["grok-4", "grok-3-mini", "grok-code"].iter().any(|model| ctx.model.starts_with(model));
    if thinks && !ctx.model.contains("non-reasoning") {
        let why = "models that think refuse it";
        let sampling = &mut request.sampling;
        losses.dropped_if(sampling.frequency_penalty.take().is_some(), "frequency_penalty", why);
        losses.dropped_if(sampling.presence_penalty.take().is_some(), "presence_penalty", why);
        losses.dropped_if(!std::mem::take(&mut sampling.stop).is_empty(), "stop", why);
    }
    if !LEVELED.iter().any(|model| ctx.model.starts_with(model)) {
        lose_effort(request, losses);
    }
    Ok(())
}

/// Takes away all that would be written as a level of effort.
fn lose_effort(request: &mut ChatRequest, losses: &mut Losses) {
    let Some(reasoning) = &mut request.reasoning else { return };
    let off = reasoning.mode.take_if(|mode| *mode == ReasoningMode::Disabled).is_some();
    let budget = reasoning.budget_tokens.take().is_some();
    let lost = reasoning.effort.take().is_some() || budget || off;
    losses.dropped_if(lost, "reasoning_effort", "this model's thinking has no levels");
    // An empty object would be sent otherwise.
    request.reasoning.take_if(|reasoning| *reasoning == ReasoningRequest::default());
}

weir_sdk::export!(Xai: about, provider_errors, provider_chat, provider_models);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::adapter::{ChatOutcome, Decoder, ProviderChat};
    use weir_sdk::compat::{request, responses};
    use weir_sdk::testing::{context, fields, json};
    use weir_sdk::types::{Body, ChatEvent, FinishReason, Frame, HttpResponse, Part, PartKind, RenderedRequest, Unit};

    /// A search that xAI ran, and the words that it found.
    const SEARCHED: [&str; 2] = [
        r#"{"type":"custom_tool_call","id":"ctc_1","call_id":"xs_call_1","name":"x_keyword_search","input":"{}","status":"completed"}"#,
        r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"found","annotations":[]}]}"#,
    ];

    const USAGE: &str = r#""usage":{"input_tokens":1,"output_tokens":1}"#;

    fn assert_is_no_call(part: &Part) {
        assert!(matches!(part, Part::Opaque(item) if item.kind == "custom_tool_call" && item.json == SEARCHED[0]));
    }

    #[test]
    fn a_search_that_the_provider_ran_is_no_call_of_a_client() {
        let [search, words] = SEARCHED;
        let body = format!(r#"{{"id":"r","status":"completed","output":[{search},{words}],{USAGE}}}"#);
        let answer = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body) };
        let ctx = Context { format: responses::FORMAT.into(), ..context("grok-4") };
        let Ok(ChatOutcome::Complete(answer)) = <Xai as ProviderChat>::parse_response(&ctx, answer) else {
            panic!("no answer")
        };
        let [candidate] = answer.response.candidates.as_slice() else { panic!("no candidate") };
        assert_is_no_call(&candidate.parts[0]);
        assert_eq!(answer.response.usage.unwrap().units_of(Unit::Search), Some(1.0));
        assert_eq!(candidate.finish.as_ref().map(|finish| finish.reason), Some(FinishReason::Complete));
    }

    #[test]
    fn a_streamed_search_of_the_provider_is_no_call_either_and_its_events_are_passed_on() {
        let [search, words] = SEARCHED;
        let running = search.replace("completed", "in_progress").replace("{}", "");
        let item = |kind: &str, at: u32, item: &str| {
            format!(r#"{{"type":"response.output_item.{kind}","output_index":{at},"item":{item}}}"#)
        };
        let input = |kind: &str, key: &str| {
            let kind = format!("response.custom_tool_call_input.{kind}");
            format!(r#"{{"type":"{kind}","output_index":0,"item_id":"ctc_1","{key}":"{{}}"}}"#)
        };
        let data = [
            r#"{"type":"response.created","response":{"id":"r"}}"#.to_owned(),
            item("added", 0, &running),
            input("delta", "delta"),
            input("done", "input"),
            item("done", 0, search),
            item("done", 1, words),
            format!(
                r#"{{"type":"response.completed","response":{{"status":"completed","output":[{search},{words}],{USAGE}}}}}"#
            ),
        ];
        let frames = data.map(|data| Frame { event: None, data }).into();
        let ctx = Context { format: responses::FORMAT.into(), ..context("grok-4") };
        let events = <Xai as ProviderChat>::Decoder::new(ctx).push(frames).unwrap().events;
        let passed: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::Opaque(event) => Some(event.kind.as_str()),
                _ => None,
            })
            .collect();
        let [added, delta, done] = ["output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done"]
            .map(|kind| format!("response.{kind}"));
        assert_eq!(passed[..3], [added, delta, done]);
        let kinds: Vec<&PartKind> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::PartStart(start) => Some(&start.kind),
                _ => None,
            })
            .collect();
        let [PartKind::Opaque(item), PartKind::Text] = kinds.as_slice() else { panic!("{kinds:?}") };
        assert_is_no_call(&Part::Opaque(item.clone()));
        let finish = events.iter().find_map(|event| match event {
            ChatEvent::Finish(event) => Some(event.finish.reason),
            _ => None,
        });
        assert_eq!(finish, Some(FinishReason::Complete));
        let usage =
            events.iter().find_map(|event| if let ChatEvent::Usage(usage) = event { Some(usage) } else { None });
        assert_eq!(usage.and_then(|usage| usage.units_of(Unit::Search)), Some(1.0));
    }

    #[test]
    fn a_tool_of_the_clients_is_no_search_of_the_providers() {
        let mine = SEARCHED[0].replace("xs_call_1", "call_1");
        let body = format!(r#"{{"id":"r","status":"completed","output":[{mine}],{USAGE}}}"#);
        let answer = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body) };
        let ctx = Context { format: responses::FORMAT.into(), ..context("grok-4") };
        let Ok(ChatOutcome::Complete(answer)) = <Xai as ProviderChat>::parse_response(&ctx, answer) else {
            panic!("no answer")
        };
        assert_eq!(answer.response.usage.unwrap().units_of(Unit::Search), None);
    }

    type Render = fn(&Quirks, &Context, ChatRequest) -> Result<RenderedRequest, Error>;
    const BOTH: [Render; 2] = [request::render, responses::request::render];

    fn losses(render: Render, model: &str, reasoning: &ReasoningRequest) -> (bool, Vec<String>) {
        let request = ChatRequest { reasoning: Some(reasoning.clone()), ..ChatRequest::default() };
        let rendered = render(Xai::QUIRKS, &context(model), request).unwrap();
        let body = json(&rendered.request.body);
        (body.get("reasoning_effort").or(body.get("reasoning")).is_some(), fields(&rendered.losses))
    }

    #[test]
    fn only_some_models_take_a_level_of_effort() {
        let low = ReasoningRequest { effort: Some("low".into()), ..ReasoningRequest::default() };
        for render in BOTH {
            for model in ["grok-3-mini-fast", "grok-4.3", "grok-4.5", "grok-4.20-multi-agent-0309"] {
                assert_eq!(losses(render, model, &low), (true, Vec::new()), "{model}");
            }
            for model in ["grok-3", "grok-4-0709", "grok-4-1-fast-reasoning", "grok-4.20-0309-reasoning"] {
                assert_eq!(losses(render, model, &low), (false, vec!["reasoning_effort".to_owned()]), "{model}");
            }
        }
    }

    #[test]
    fn a_budget_and_the_end_of_thinking_are_levels_too() {
        let off = ReasoningRequest { mode: Some(ReasoningMode::Disabled), ..ReasoningRequest::default() };
        let budget = ReasoningRequest { budget_tokens: Some(2048), ..ReasoningRequest::default() };
        for render in BOTH {
            for wanted in [&off, &budget] {
                assert_eq!(losses(render, "grok-4-0709", wanted), (false, vec!["reasoning_effort".to_owned()]));
            }
        }
    }
}
