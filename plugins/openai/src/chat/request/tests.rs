use weir_sdk::types::{
    Body, ErrorKind, MediaKind, MediaSource, OutputFormat, Part, ReasoningMode, ResultPart, Role, Signature, Tool,
    ToolChoice, ToolKind,
};

use super::*;

fn parsed(body: &str) -> ParsedChat {
    let request = HttpRequest { body: Body::Text(body.into()), ..HttpRequest::get("") };
    parse(&Context::default(), &request).unwrap()
}

fn refused(body: &str) -> Error {
    let request = HttpRequest { body: Body::Text(body.into()), ..HttpRequest::get("") };
    parse(&Context::default(), &request).unwrap_err()
}

/// The parts of one message.
fn parts(message: &str) -> Vec<Part> {
    parsed(&format!(r#"{{"model":"m","messages":[{message}]}}"#)).request.messages.remove(0).parts
}

/// A request with these members besides model and messages.
fn with(members: &str) -> ParsedChat {
    parsed(&format!(r#"{{"model":"m","messages":[],{members}}}"#))
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(refused(r#"{"model":"m"}"#).param.as_deref(), Some("messages"));
    assert_eq!(refused(r#"{"messages":[]}"#).param.as_deref(), Some("model"));
    assert_eq!(refused(r#"{"model":"m","messages":[{"content":"x"}]}"#).param.as_deref(), Some("messages[0]"));
    let error = refused(r#"{"model":"m","messages":[{"role":"user","content":7}]}"#);
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("messages: [0]: content"), "{}", error.message);
    let tool = refused(r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{}}]}"#);
    assert_eq!(tool.param.as_deref(), Some("tools[0]"));
}

#[test]
fn c89_every_medium_has_its_place() {
    let parts = parts(
        r#"{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}},
            {"type":"image_url","image_url":"data:image/jpeg;base64,AAAA"},
            {"type":"input_audio","input_audio":{"data":"BBBB","format":"mp3"}},
            {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,CCCC"}},
            {"type":"file","file":{"file_id":"file-1"}},
            {"type":"unheard_of","x":1}]}"#,
    );
    let media: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Media(media) => Some((media.kind, media.source.clone(), media.mime.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(
        media,
        [
            (MediaKind::Image, MediaSource::Url("https://example.com/a.png".into()), None),
            (MediaKind::Image, MediaSource::Base64("AAAA".into()), Some("image/jpeg")),
            (MediaKind::Audio, MediaSource::Base64("BBBB".into()), Some("audio/mpeg")),
            (MediaKind::Document, MediaSource::Base64("CCCC".into()), Some("application/pdf")),
            (MediaKind::Document, MediaSource::FileId("file-1".into()), None),
        ]
    );
    let Some(Part::Opaque(opaque)) = parts.last() else { panic!("{parts:?}") };
    assert_eq!((opaque.kind.as_str(), opaque.json.as_str()), ("unheard_of", r#"{"type":"unheard_of","x":1}"#));
}

#[test]
fn c32_opaque_thinking_comes_back_with_its_issuer() {
    let parts = parts(
        r#"{"role":"assistant","content":null,"reasoning_content":"hm",
            "reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S","format":"anthropic-claude-v1"}],
            "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},
                "extra_content":{"google":{"thought_signature":"G"}}}]}"#,
    );
    let [Part::Reasoning(thought), Part::ToolCall(call)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!(
        (thought.text.as_deref(), thought.signature.as_ref().unwrap().issuer.as_str()),
        (Some("hm"), "anthropic")
    );
    assert_eq!(call.signature.as_ref().unwrap().issuer, "gemini");
}

#[test]
fn thinking_comes_back_in_the_blocks_of_other_gateways() {
    let parts = parts(
        r#"{"role":"assistant","content":"So.","reasoning_content":"hm",
            "thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"S","cache_control":{"type":"ephemeral"}},
                {"type":"redacted_thinking","data":"D"},{"type":"thinking","thinking":"no more"}]}"#,
    );
    let thoughts: Vec<_> = parts
        .iter()
        .filter_map(|part| if let Part::Reasoning(thought) = part { Some(thought) } else { None })
        .map(|one| {
            let value =
                |signature: &Option<Signature>| signature.as_ref().map(|it| format!("{}/{}", it.issuer, it.value));
            (one.text.as_deref(), value(&one.signature), value(&one.encrypted))
        })
        .collect();
    let expected = [
        (Some("hm"), Some("anthropic/S".to_owned()), None),
        (None, None, Some("anthropic/D".to_owned())),
        (Some("no more"), None, None),
    ];
    assert_eq!(thoughts, expected);
    assert!(matches!(&parts[3], Part::Text(text) if text.text == "So.") && parts.len() == 4, "{parts:?}");
}

#[test]
fn blocks_of_thinking_do_not_replace_details_and_unknown_ones_stay_a_member() {
    for message in [
        r#"{"role":"assistant","content":"So.","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S"}],
            "thinking_blocks":[{"type":"thinking","thinking":"other","signature":"T"}]}"#,
        r#"{"role":"assistant","content":"So.","reasoning_content":"hm","thinking_blocks":[{"type":"unheard_of"}]}"#,
    ] {
        let request = parsed(&format!(r#"{{"model":"m","messages":[{message}]}}"#)).request;
        let message = &request.messages[0];
        assert!(matches!(&message.parts[0], Part::Reasoning(thought) if thought.text.as_deref() == Some("hm")));
        assert_eq!((message.parts.len(), message.extensions[0].key.as_str()), (2, "thinking_blocks"), "{message:?}");
    }
}

#[test]
fn members_of_thinking_that_are_null_ask_for_nothing() {
    assert_eq!(with(r#""reasoning":{"effort":null,"enabled":null}"#).request.reasoning, None);
    let thinking = with(r#""thinking":{"type":"enabled","clear_thinking":null}"#).request.reasoning.unwrap();
    assert!(thinking.extensions.is_empty(), "{thinking:?}");
}

#[test]
fn thinking_is_asked_for_in_many_words() {
    let reasoning = |members: &str| with(members).request.reasoning.unwrap();
    assert_eq!(reasoning(r#""reasoning_effort":"low""#).effort.as_deref(), Some("low"));
    assert_eq!(reasoning(r#""reasoning":{"max_tokens":9}"#).budget_tokens, Some(9));
    assert_eq!(reasoning(r#""reasoning":{"exclude":true}"#).summary.as_deref(), Some("omitted"));
    let switched = reasoning(r#""reasoning":{"effort":"low","enabled":true}"#);
    assert_eq!((switched.mode, switched.effort.as_deref()), (Some(ReasoningMode::Enabled), Some("low")));
    assert!(weir_sdk::compat::reasoning::noted(&switched.extensions, weir_sdk::compat::request::SWITCHED).is_some());
    let thinking = reasoning(r#""thinking":{"type":"enabled","budget_tokens":9}"#);
    assert_eq!((thinking.mode, thinking.budget_tokens), (Some(ReasoningMode::Enabled), Some(9)));
}

#[test]
fn numbers_and_switches_in_the_place_of_words_are_read() {
    let logprobs = |members: &str| {
        let sampling = with(members).request.sampling;
        (sampling.logprobs, sampling.top_logprobs)
    };
    assert_eq!(logprobs(r#""logprobs":2"#), (Some(true), Some(2)));
    assert_eq!(logprobs(r#""logprobs":0"#), (Some(false), None));
    assert_eq!(logprobs(r#""logprobs":true,"top_logprobs":3"#), (Some(true), Some(3)));
    let reasoning = |members: &str| with(members).request.reasoning.unwrap();
    assert_eq!(reasoning(r#""reasoning_effort":900"#).budget_tokens, Some(900));
    assert_eq!(reasoning(r#""reasoning_effort":false"#).mode, Some(ReasoningMode::Disabled));
    for (members, param) in [(r#""logprobs":"x""#, "logprobs"), (r#""reasoning_effort":{}"#, "reasoning_effort")] {
        assert_eq!(refused(&format!(r#"{{"model":"m","messages":[],{members}}}"#)).param.as_deref(), Some(param));
    }
}

#[test]
fn members_that_change_nothing_are_not_kept() {
    let kept = |members: &str| with(members).request.extensions.into_iter().map(|own| own.key).collect::<Vec<_>>();
    assert_eq!(kept(r#""logit_bias":{ },"modalities":[ "text" ]"#), Vec::<String>::new());
    assert_eq!(kept(r#""logit_bias":{"1":2},"modalities":["text","audio"]"#), ["logit_bias", "modalities"]);
    assert_eq!(kept(r#""logit_bias":1,"modalities":"text""#), ["logit_bias", "modalities"]);
}

#[test]
fn a_negative_limit_is_none_and_kept_for_this_format() {
    let request = with(r#""max_tokens":-1,"top_k":-1"#).request;
    assert_eq!((request.max_output_tokens, request.sampling.top_k), (None, None));
    let kept: Vec<_> = request.extensions.iter().map(|own| (own.key.as_str(), own.json.as_str())).collect();
    assert_eq!(kept, [("max_tokens", "-1"), ("top_k", "-1")]);
}

#[test]
fn cache_hints_on_parts_messages_tools_and_results_are_read() {
    let body = r#"{"model":"m","messages":[
        {"role":"system","content":"x","cache_control":{"type":"ephemeral"}},
        {"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
        {"role":"tool","tool_call_id":"a","content":"x","cache_control":{"type":"ephemeral"}}],
        "tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]}"#;
    let request = parsed(body).request;
    let Part::Text(system) = &request.messages[0].parts[0] else { panic!() };
    let Part::Text(user) = &request.messages[1].parts[0] else { panic!() };
    let Part::ToolResult(result) = &request.messages[2].parts[0] else { panic!() };
    let Tool::Function(tool) = &request.tools[0] else { panic!() };
    assert!(system.cache.is_some() && result.cache.is_some() && tool.cache.is_some());
    assert_eq!(user.cache.as_ref().unwrap().ttl.as_deref(), Some("1h"));
}

#[test]
fn legacy_functions_are_tools_and_their_results_find_their_calls() {
    let body = r#"{"model":"m","functions":[{"name":"f","parameters":{}}],"function_call":{"name":"f"},"messages":[
        {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"1"}]}"#;
    let parsed = parsed(body);
    let Part::ToolCall(call) = &parsed.request.messages[0].parts[0] else { panic!() };
    let Part::ToolResult(result) = &parsed.request.messages[1].parts[0] else { panic!() };
    assert_eq!((&call.id, result.name.as_deref()), (&result.call_id, Some("f")));
    assert_eq!(parsed.request.tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!(parsed.request.parallel_tool_calls, Some(false));
    assert!(Memo::read(&parsed.memo).legacy);
}

#[test]
fn tool_choices_and_custom_tools() {
    let choice = |choice: &str| with(&format!(r#""tool_choice":{choice}"#)).request.tool_choice.unwrap();
    assert_eq!(choice(r#""auto""#), ToolChoice::Automatic);
    assert_eq!(choice(r#""none""#), ToolChoice::Disabled);
    assert_eq!(choice(r#""required""#), ToolChoice::Required);
    assert_eq!(choice(r#"{"type":"custom","custom":{"name":"c"}}"#), ToolChoice::Named("c".into()));
    let allowed = r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}"#;
    let ToolChoice::Allowed(allowed) = choice(allowed) else { panic!() };
    assert_eq!((allowed.names, allowed.required), (vec!["f".to_owned()], true));
    let call = r#"{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{"name":"c","input":"x"}}]}"#;
    let parts = parts(call);
    let [Part::ToolCall(call)] = parts.as_slice() else { panic!() };
    assert_eq!((call.kind, call.arguments.as_str()), (ToolKind::Custom, "x"));
}

#[test]
fn c49_what_has_no_name_is_kept() {
    let parsed = parsed(
        r#"{"model":"m","messages":[{"role":"user","content":"x","mood":"glad"}],"verbosity":"low","logit_bias":null,
            "stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
    );
    let keys: Vec<_> = parsed.request.extensions.iter().map(|e| (e.key.as_str(), e.json.as_str())).collect();
    assert_eq!(keys, [("verbosity", "\"low\""), ("stream_options", r#"{"include_obfuscation":false}"#)]);
    assert_eq!(parsed.request.messages[0].extensions[0].key, "mood");
    assert!(Memo::read(&parsed.memo).usage);
}

#[test]
fn an_empty_list_of_annotations_is_kept_and_is_no_loss() {
    let lost = |annotations: &str| {
        let message = format!(r#"{{"role":"assistant","content":"x","annotations":{annotations}}}"#);
        let extensions =
            parsed(&format!(r#"{{"model":"m","messages":[{message}]}}"#)).request.messages.remove(0).extensions;
        assert_eq!((extensions[0].key.as_str(), extensions[0].json.as_str()), ("annotations", annotations));
        let mut losses = Losses::default();
        losses.foreign("", &extensions, "anthropic.messages");
        losses.into_losses().len()
    };
    assert_eq!([lost("[]"), lost(r#"[{"type":"url_citation"}]"#)], [0, 1]);
}

#[test]
fn c58_usage_is_shown_only_where_it_was_asked_for() {
    for members in [r#""stream":true"#, r#""stream_options":{}"#, r#""stream_options":{"include_usage":false}"#] {
        assert!(!Memo::read(&with(members).memo).usage, "{members}");
    }
}

#[test]
fn formats_of_output() {
    let output = |format: &str| with(&format!(r#""response_format":{format}"#)).request.output.unwrap();
    assert_eq!(output(r#"{"type":"text"}"#), OutputFormat::Plain);
    assert_eq!(output(r#"{"type":"json_object"}"#), OutputFormat::Json);
    let schema =
        output(r#"{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}"#);
    let OutputFormat::Schema(schema) = schema else { panic!() };
    assert_eq!((schema.schema.as_str(), schema.strict), (r#"{"type":"object"}"#, Some(true)));
    for own in ["json_object", "json_schema"] {
        let OutputFormat::Schema(schema) = output(&format!(r#"{{"type":"{own}","schema":{{"type":"object"}}}}"#))
        else {
            panic!("{own}")
        };
        assert_eq!((schema.schema.as_str(), schema.strict), (r#"{"type":"object"}"#, None));
    }
    for value in [r#"{"type":"object"}"#, r#""{\"type\":\"object\"}""#] {
        for own in ["json", "json_object"] {
            let OutputFormat::Schema(schema) = output(&format!(r#"{{"type":"{own}","value":{value}}}"#)) else {
                panic!("{own}")
            };
            assert_eq!(schema.schema, r#"{"type":"object"}"#);
        }
    }
    assert!(matches!(output(r#"{"type":"regex","value":"a+"}"#), OutputFormat::Opaque(_)));
    assert_eq!(output(r#"{"type":"json_object","schema":null}"#), OutputFormat::Json);
    assert!(matches!(output(r#"{"type":"json_object","own":1}"#), OutputFormat::Opaque(_)));
    assert!(matches!(output(r#"{"type":"grammar","grammar":"x"}"#), OutputFormat::Opaque(_)));
}

#[test]
fn messages_in_the_middle_keep_their_place_and_role() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a","name":"Ann"},{"role":"developer","content":"b"},
        {"role":"critic","content":"c"},{"role":"tool","tool_call_id":"x","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}]}"#;
    let messages = parsed(body).request.messages;
    let roles: Vec<_> = messages.iter().map(|message| message.role.clone()).collect();
    assert_eq!(roles, [Role::User, Role::Developer, Role::Other("critic".into()), Role::Tool]);
    assert_eq!(messages[0].name.as_deref(), Some("Ann"));
    let Part::ToolResult(result) = &messages[3].parts[0] else { panic!() };
    assert!(matches!(result.content.as_slice(), [ResultPart::Text(_), ResultPart::Text(_)]));
}

#[test]
fn images_of_earlier_answers_are_the_assistants_media() {
    let message = r#"{"role":"assistant","content":"here","images":[
        {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"},"index":0}]}"#;
    let [Part::Text(_), Part::Media(image)] = &parts(message)[..] else { panic!("a text and an image") };
    assert_eq!((image.kind, image.mime.as_deref()), (MediaKind::Image, Some("image/png")));
    assert!(image.source == MediaSource::Base64("AAAA".into()) && image.extensions.is_empty());
    // A signed one takes its signature back to the issuer.
    let signed = message.replace(r#""index":0"#, r#""extra_content":{"google":{"thought_signature":"AA=="}}"#);
    let [_, Part::Media(image)] = &parts(&signed)[..] else { panic!("a text and an image") };
    let [signature] = &image.extensions[..] else { panic!("{image:?}") };
    assert_eq!(
        (&*signature.format, &*signature.key, &*signature.json),
        ("gemini.generate", "thoughtSignature", r#""AA==""#)
    );
    // What is no image stays as it is.
    let other = parsed(r#"{"model":"m","messages":[{"role":"assistant","content":"a","images":["x"]}]}"#).request;
    assert_eq!(other.messages[0].extensions[0].json, r#"["x"]"#);
}

#[test]
fn how_thinking_is_shown_is_read_from_the_object_of_routers() {
    let summary = |members: &str| with(&format!(r#""reasoning":{{{members}}}"#)).request.reasoning.unwrap().summary;
    assert_eq!(summary(r#""effort":"low","summary":"detailed""#).as_deref(), Some("detailed"));
    assert_eq!(summary(r#""exclude":true,"summary":"auto""#).as_deref(), Some("omitted"));
}
