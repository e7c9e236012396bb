//! Tools for free text where there are none, and the choice between no tools.

use super::*;

#[test]
fn a_choice_between_no_tools_is_not_sent_and_lost_only_if_it_makes_the_model_call_one() {
    let allowed = |required| ToolChoice::Allowed(AllowedTools { names: vec!["f".into()], required });
    let opaque = Opaque { format: FORMAT.into(), kind: "any".into(), json: "\"any\"".into() };
    for (choice, is_lost) in [
        (ToolChoice::Automatic, false),
        (ToolChoice::Disabled, false),
        (allowed(false), false),
        (allowed(true), true),
        (ToolChoice::Required, true),
        (ToolChoice::Named("f".into()), true),
        (ToolChoice::Opaque(opaque), true),
    ] {
        for tools in [vec![], vec![function("g")]] {
            if !tools.is_empty() && !matches!(choice, ToolChoice::Allowed(_)) {
                continue;
            }
            let tool_choice = Some(choice.clone());
            let request = ChatRequest { tools, tool_choice, parallel_tool_calls: Some(true), ..ChatRequest::default() };
            let (body, losses) = rendered(&Quirks::COMPATIBLE, request);
            assert_eq!(body, json!({"model": "m", "messages": []}), "{choice:?}");
            assert_eq!(losses, if is_lost { vec!["tool_choice"] } else { vec![] }, "{choice:?}");
        }
    }
}

#[test]
fn the_grammar_of_a_tool_for_free_text_is_no_member_of_a_function() {
    let json = r#"{"name":"run","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: X"}}}"#;
    let lowered = crate::compat::custom::lowered(FORMAT, Rest::parse(json).unwrap()).unwrap();
    let request = ChatRequest { tools: vec![Tool::Function(lowered)], ..ChatRequest::default() };
    let (body, losses) = rendered(&Quirks::COMPATIBLE, request);
    assert_eq!(body["tools"][0].as_object().unwrap().len(), 2, "a type and a function");
    assert_eq!(losses, ["tools[0].format"]);
    let described = &body["tools"][0]["function"]["parameters"]["properties"]["input"]["description"];
    assert!(described.as_str().unwrap().contains("start: X"));
}
