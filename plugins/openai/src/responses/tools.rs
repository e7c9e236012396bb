//! Reads a request's tools: those of its member `tools`, and those that items of its input bring.
//!
//! `additional_tools` makes tools available from its place on, and a `tool_search_output` of the client's own search
//! has the tools that were found (`AdditionalToolsItemParam` and `ToolSearchOutputItemParam` of the specification).
//! Codex sends all of its tools so. Other formats have one list, so the tools of items join it, with a note: a provider
//! of this format gets the items as they are, and no tool twice.

use weir_sdk::adapter::Result;
use weir_sdk::compat::custom;
use weir_sdk::compat::responses::{FORMAT, inner, namespace, note};
use weir_sdk::json::{self, Array, RawValue, Rest, Str};
use weir_sdk::losses::extensions;
use weir_sdk::types::{Error, FunctionTool, Message, Opaque, Part, Tool};

/// The member of a memo for the tools that items brought.
pub(super) const BROUGHT: &str = "brought";

/// The tools of the member `tools`.
pub(super) fn listed(wire: &mut Rest<'_>) -> Result<Vec<Tool>> {
    read(&wire.list("tools").unwrap_or_default(), "tools")
}

/// Adds the tools that items of the input bring; returns what a memo must say of them, which is nothing mostly.
pub(super) fn add_brought(input: &[(Message, usize)], tools: &mut Vec<Tool>) -> Result<String> {
    let (mut outlines, n_listed) = (String::new(), tools.len());
    for part in input.iter().flat_map(|(message, _)| &message.parts) {
        let Part::Opaque(item) = part else { continue };
        let list = namespace::tools_of(item);
        if list.is_empty() {
            continue;
        }
        for mut tool in read(&list, "input[].tools")? {
            if let Tool::Function(function) = &mut tool {
                function.extensions.push(namespace::brought());
            }
            add(tools, n_listed, tool);
        }
        for raw in list {
            outline(&mut outlines, raw);
        }
    }
    Ok(outlines)
}

/// Adds a tool of an item. Names are unique: a definition replaces that of an earlier item, and yields to the request's
/// own, of which there are `n_listed`.
fn add(tools: &mut Vec<Tool>, n_listed: usize, tool: Tool) {
    let is_same = |known: &Tool| match (known, &tool) {
        (Tool::Function(known), Tool::Function(new)) => known.name == new.name,
        (Tool::Opaque(known), Tool::Opaque(new)) => known.json == new.json,
        _ => false,
    };
    match tools.iter().position(is_same) {
        None => tools.push(tool),
        Some(at) if at < n_listed => {}
        Some(at) => _ = tools.get_mut(at).map(|known| *known = tool),
    }
}

/// The memo with what it must say of tools that items brought.
pub(super) fn remember(memo: String, outlines: &str) -> String {
    if outlines.is_empty() {
        return memo;
    }
    let mut out = String::with_capacity(memo.len() + outlines.len() + 16);
    json::object(&mut out, |o| {
        if let Some(members) = inner(&memo) {
            o.members(members);
        }
        o.raw(BROUGHT, &format!("[{outlines}]"));
    });
    out
}

/// Adds what an answer needs to know of a tool: the names of groups and of tools for free text.
fn outline(out: &mut String, raw: &RawValue) {
    let mut tool = Rest::parse(raw.get()).unwrap_or_default();
    let kind = tool.str("type").map(Str::into_string).unwrap_or_default();
    let Some(name) = tool.str("name").filter(|_| kind == custom::KIND || kind == namespace::GROUP) else { return };
    let mut text = String::new();
    json::object(&mut text, |o| {
        o.str("type", &kind);
        o.str("name", &name);
        if let Some(list) = tool.list("tools") {
            o.array("tools", |a: &mut Array<'_>| {
                for inner in list {
                    let mut text = String::new();
                    outline(&mut text, inner);
                    if !text.is_empty() {
                        a.raw(&text);
                    }
                }
            });
        }
    });
    json::raw_item(out, &text);
}

fn read(list: &[&RawValue], place: &str) -> Result<Vec<Tool>> {
    let mut tools = Vec::new();
    for (at, raw) in list.iter().enumerate() {
        let field = format!("{place}[{at}]");
        let tool = Rest::parse(raw.get()).map_err(|_| Error::invalid("a tool is an object").at(&field))?;
        match group(&tool, raw, &field)? {
            Some(group) => tools.extend(group),
            None => tools.push(self::tool(tool, raw, &field)?),
        }
    }
    Ok(tools)
}

/// The tools of a group, if all of them are functions or take free text.
fn group(tool: &Rest<'_>, raw: &RawValue, field: &str) -> Result<Option<Vec<Tool>>> {
    let mut tool = tool.clone();
    if tool.str("type").as_deref() != Some(namespace::GROUP) {
        return Ok(None);
    }
    let (Some(name), Some(list)) = (tool.str("name"), tool.list("tools")) else { return Ok(None) };
    let mut tools = Vec::new();
    for (at, inner) in list.into_iter().enumerate() {
        let field = format!("{field}.tools[{at}]");
        let function = Rest::parse(inner.get()).map_err(|_| Error::invalid("a tool is an object").at(&field))?;
        tools.push(self::tool(function, inner, &field)?);
    }
    if tools.is_empty() || tools.iter().any(|tool| matches!(tool, Tool::Opaque(_))) {
        return Ok(None);
    }
    namespace::spread(&name, raw.get(), &mut tools);
    Ok(Some(tools))
}

fn tool(mut tool: Rest<'_>, raw: &RawValue, field: &str) -> Result<Tool> {
    let kind = tool.str("type").map(Str::into_string).unwrap_or_default();
    if kind == custom::KIND
        && let Some(function) = custom::lowered(FORMAT, tool.clone())
    {
        return Ok(Tool::Function(function));
    }
    if kind != "function" {
        return Ok(Tool::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() }));
    }
    let name = tool.str("name").ok_or_else(|| Error::invalid("a function has no name").at(field))?;
    let mut function = FunctionTool {
        name: name.into_string(),
        description: tool.str("description").map(Str::into_string),
        parameters: tool.value("parameters").map(|raw| raw.get().to_owned()),
        strict: tool.bool("strict"),
        cache: None,
        extensions: extensions(FORMAT, tool),
    };
    function.extensions.push(note("lax", ""));
    Ok(Tool::Function(function))
}

#[cfg(test)]
mod tests {
    use weir_sdk::compat;
    use weir_sdk::testing::events::{delta, finish, start, stop};
    use weir_sdk::testing::{encoded, fields, json};
    use weir_sdk::types::{
        Candidate, ChatResponse, Context, Finish, FinishReason, HttpRequest, PartKind, ToolCall, ToolKind, ToolStart,
    };

    use super::*;
    use crate::quirks::QUIRKS;
    use crate::responses::{encoder::EventEncoder, request, response};

    const CODEX: &str = r#"{"model":"m","tools":[{"type":"function","name":"look","parameters":{"type":"object"}}],
        "input":[
            {"type":"additional_tools","role":"developer","tools":[
                {"type":"namespace","name":"functions","description":"d","tools":[
                    {"type":"custom","name":"exec","description":"runs"},
                    {"type":"function","name":"wait","parameters":{"type":"object"}}]},
                {"type":"function","name":"look","parameters":{"type":"object"}},
                {"type":"custom","name":"apply_patch"}]},
            {"role":"user","content":"Hi"},
            {"type":"tool_search_call","call_id":"s","execution":"client","arguments":{}},
            {"type":"tool_search_output","call_id":"s","execution":"client","tools":[
                {"type":"function","name":"found","parameters":{"type":"object"}}]},
            {"type":"tool_search_output","execution":"server","tools":[{"type":"function","name":"theirs"}]},
            {"type":"custom_tool_call","call_id":"c1","name":"exec","namespace":"functions","input":"ls"},
            {"type":"custom_tool_call_output","call_id":"c1","output":"a"}]}"#;

    fn parsed(body: &str) -> weir_sdk::adapter::ParsedChat {
        request::parse(&Context::default(), &HttpRequest::post("v1/responses", body.to_owned())).unwrap()
    }

    #[test]
    fn tools_that_items_bring_reach_other_formats() {
        let request = parsed(CODEX).request;
        let rendered = compat::request::render(&QUIRKS, &Context::default(), request).unwrap();
        let sent = json(&rendered.request.body);
        let tools = sent["tools"].as_array().unwrap().iter();
        let tools: Vec<_> = tools
            .map(|tool| {
                (tool["type"].as_str().unwrap(), tool[tool["type"].as_str().unwrap()]["name"].as_str().unwrap())
            })
            .collect();
        let expected = [
            ("function", "look"),
            ("custom", "functions__exec"),
            ("function", "functions__wait"),
            ("custom", "apply_patch"),
            ("function", "found"),
        ];
        assert_eq!(tools, expected);
        let called = sent["messages"].as_array().unwrap().iter().find_map(|message| message.get("tool_calls")).unwrap();
        assert_eq!(called[0]["custom"], serde_json::json!({"name": "functions__exec", "input": "ls"}));
        // The items themselves have no place there, nor has what a group says of itself.
        let (items, others): (Vec<_>, Vec<_>) =
            fields(&rendered.losses).into_iter().partition(|field| field.starts_with("messages["));
        assert_eq!((items.is_empty(), others), (false, vec!["tools[1].namespace.description".to_owned()]));
    }

    #[test]
    fn items_that_bring_tools_go_to_their_own_format_as_they_are() {
        let rendered = compat::responses::request::render(&QUIRKS, &Context::default(), parsed(CODEX).request).unwrap();
        assert!(rendered.losses.is_empty(), "{:?}", rendered.losses);
        let (sent, asked): (_, serde_json::Value) =
            (json(&rendered.request.body), serde_json::from_str(CODEX).unwrap());
        assert_eq!(sent["tools"], asked["tools"]);
        assert_eq!((&sent["input"][0], &sent["input"][3]), (&asked["input"][0], &asked["input"][3]));
        assert_eq!((&sent["input"][5]["name"], &sent["input"][5]["namespace"]), (&"exec".into(), &"functions".into()));
    }

    #[test]
    fn tools_of_other_kinds_are_sent_once_to_their_own_format_and_refused_by_others() {
        let body =
            r#"{"model":"m","input":[{"type":"additional_tools","role":"developer","tools":[{"type":"web_search"}]}]}"#;
        let request = parsed(body).request;
        let ctx = Context::default();
        assert!(compat::request::render(&QUIRKS, &ctx, request.clone()).is_err());
        let sent = json(&compat::responses::request::render(&QUIRKS, &ctx, request).unwrap().request.body);
        assert_eq!((sent.get("tools"), &sent["input"][0]["tools"][0]["type"]), (None, &"web_search".into()));
    }

    /// Codex's groups, in the request's own list as well.
    const LISTED: &str = r#"{"model":"m","input":"Hi","tools":[{"type":"namespace","name":"functions","description":"d",
        "tools":[{"type":"custom","name":"exec"},{"type":"function","name":"wait","parameters":{}}]}]}"#;

    #[test]
    fn answers_call_tools_of_items_and_groups_as_the_client_knows_them() {
        for body in [CODEX, LISTED] {
            let ctx = Context { memo: parsed(body).memo, ..Context::default() };
            let called = ToolCall::new("c2", "functions__exec", r#"{"input":"ls"}"#);
            let candidate = Candidate {
                index: 0,
                parts: vec![Part::ToolCall(called)],
                finish: Some(Finish::new(FinishReason::ToolCalls, "x")),
                logprobs: None,
                extensions: Vec::new(),
            };
            let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
            let whole = json(&response::render(&ctx, &answer).response.body);
            let tool = ToolStart {
                id: "c2".into(),
                name: "functions__exec".into(),
                kind: ToolKind::Function,
                signature: None,
            };
            let events = [
                start(0, PartKind::ToolCall(tool)),
                delta(0, r#"{"input":"#),
                delta(0, r#""ls"}"#),
                stop(0),
                finish(FinishReason::ToolCalls),
            ];
            let (frames, _) = encoded::<EventEncoder>(&ctx, &events, 1);
            let last: serde_json::Value = serde_json::from_str(&frames.last().unwrap().data).unwrap();
            for item in [&whole["output"][0], &last["response"]["output"][0]] {
                assert_eq!(item["type"], "custom_tool_call", "{item}");
                assert_eq!((&item["name"], &item["namespace"]), (&"exec".into(), &"functions".into()), "{item}");
                assert_eq!(item["input"], "ls");
            }
            assert_eq!(whole.get(BROUGHT), None);
        }
    }
}
