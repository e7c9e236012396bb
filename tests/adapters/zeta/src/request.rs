//! A talk's request, in both directions.

use weir_sdk::adapter::{ParsedChat, Result};
use weir_sdk::json::{Object, object, parse};
use weir_sdk::losses::Losses;
use weir_sdk::model::header;
use weir_sdk::types::{
    ChatRequest, Context, Error, Framing, FunctionTool, Header, HttpRequest, Message, Part, RenderedRequest,
    ResultPart, Role, Sampling, Tool, ToolCall, ToolResult,
};

use crate::{version, wire};

/// Parses a client's request.
pub(crate) fn read(ctx: &Context, request: &HttpRequest) -> Result<ParsedChat> {
    let text = request.body.as_text()?;
    let talk: wire::Talk<'_> = parse(text).map_err(|error| Error::invalid(format!("not a talk: {error}")))?;
    let tuning = talk.tuning.unwrap_or_default();
    let lines = talk.scroll.ok_or_else(|| Error::invalid("there is no scroll").at("scroll"))?;
    let mut losses = Losses::default();
    for (key, _) in &talk.rest.0 {
        losses.dropped(key.to_string(), "nobody knows it");
    }
    let tools = talk.deeds.unwrap_or_default().into_iter().map(tool).collect();
    let stream = header(&request.query, "drip") == Some("yes");
    let wants_toll = talk.tell.and_then(|tell| tell.toll) == Some(true);
    let request = ChatRequest {
        model: ctx.model.clone(),
        messages: lines.into_iter().map(message).collect::<Result<_>>()?,
        tools,
        sampling: Sampling { temperature: tuning.heat.or(tuning.old_heat).map(|heat| heat.0), ..Sampling::default() },
        max_output_tokens: tuning.most.map(|most| most.0),
        stream,
        ..ChatRequest::default()
    };
    let memo = if wants_toll { "toll" } else { "" };
    Ok(ParsedChat { request, losses: losses.into_losses(), memo: memo.to_owned() })
}

fn tool(deed: wire::Deed<'_>) -> Tool {
    Tool::Function(FunctionTool {
        name: deed.deed.unwrap_or_default().into(),
        description: deed.about.map(String::from),
        parameters: deed.shape.map(|shape| shape.get().to_owned()),
        strict: None,
        cache: None,
        extensions: Vec::new(),
    })
}

fn message(line: wire::Line<'_>) -> Result<Message> {
    let who = line.who.clone().unwrap_or_default();
    let says = line.says.clone().map(String::from);
    Ok(match &*who {
        "crown" => Message::new(Role::System, says.map(Part::text).into_iter().collect()),
        "pilgrim" => Message::new(Role::User, says.map(Part::text).into_iter().collect()),
        "oracle" => Message::new(Role::Assistant, crate::answer::parts(line)),
        "deed" => {
            let tag = line.tag.map(String::from).ok_or_else(|| Error::invalid("a deed has no tag").at("scroll"))?;
            let content = says.map(|text| ResultPart::Text(weir_sdk::types::TextPart::new(text)));
            let result = ToolResult { content: content.into_iter().collect(), ..ToolResult::new(tag) };
            Message::new(Role::Tool, vec![Part::ToolResult(result)])
        }
        _ => return Err(Error::invalid("nobody knows who speaks").at("scroll")),
    })
}

/// Renders the request for the provider.
pub(crate) fn write(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest> {
    let mut losses = Losses::default();
    let body = body(request, &mut losses)?;
    crate::answer::ASKED.store(body.len() as u32, std::sync::atomic::Ordering::Relaxed);
    if ctx.option_bool("quest") == Some(true) {
        let rendered = RenderedRequest::new(HttpRequest::post("quests", body));
        return Ok(RenderedRequest { losses: losses.into_losses(), ..rendered });
    }
    let verb = if request.stream { "parley-drip" } else { "parley" };
    let mut http = HttpRequest::post(format!("minds/{}:{verb}", ctx.model), body);
    http.headers.push(Header::new("zeta-scribe", version()));
    if request.stream {
        http.query.push(Header::new("shape", "lines"));
    }
    let rendered = RenderedRequest::new(http);
    Ok(RenderedRequest { losses: losses.into_losses(), framing: Some(Framing::Ndjson), ..rendered })
}

pub(crate) fn body(request: &ChatRequest, losses: &mut Losses) -> Result<String> {
    let sampling = &request.sampling;
    losses.dropped_if(sampling.top_p.is_some(), "top_p", "zeta has no such thing");
    losses.dropped_if(sampling.seed.is_some(), "seed", "zeta has no such thing");
    losses.dropped_if(!sampling.stop.is_empty(), "stop", "zeta has no such thing");
    let mut body = String::new();
    let mut lines = Vec::new();
    for message in &request.messages {
        lines.append(&mut spoken(message)?);
    }
    object(&mut body, |o| {
        o.array("scroll", |a| lines.iter().for_each(|line| a.raw(line)));
        if !request.tools.is_empty() {
            o.array("deeds", |a| request.tools.iter().for_each(|tool| a.object(|o| deed(o, tool))));
        }
        if sampling.temperature.is_some() || request.max_output_tokens.is_some() {
            o.object("tuning", |o| {
                o.opt_num("heat", sampling.temperature);
                o.opt_num("most", request.max_output_tokens);
            });
        }
        o.object("tell", |o| o.bool("toll", true));
    });
    Ok(body)
}

fn deed(o: &mut Object<'_>, tool: &Tool) {
    if let Tool::Function(tool) = tool {
        o.str("deed", &tool.name);
        o.opt_str("about", tool.description.as_deref());
        o.opt_raw("shape", tool.parameters.as_deref());
    }
}

/// The lines of a message: each tool result is a separate one.
fn spoken(message: &Message) -> Result<Vec<String>> {
    let who = match &message.role {
        Role::System | Role::Developer => "crown",
        Role::Assistant => "oracle",
        Role::User | Role::Tool | Role::Other(_) => "pilgrim",
    };
    let (mut lines, mut says, mut wants) = (Vec::new(), String::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::Text(text) => says.push_str(&text.text),
            Part::Refusal(text) => says.push_str(text),
            Part::ToolCall(call) => wants.push(call),
            Part::ToolResult(result) => lines.push(done(result)?),
            Part::Reasoning(_) => {}
            Part::Media(_) | Part::Opaque(_) => return Err(Error::unsupported("messages", "zeta cannot see")),
        }
    }
    if says.is_empty() && wants.is_empty() {
        return Ok(lines);
    }
    let mut line = String::new();
    object(&mut line, |o| {
        o.str("who", who);
        o.str("says", &says);
        if !wants.is_empty() {
            o.array("wants", |a| wants.iter().for_each(|call| a.object(|o| want(o, call))));
        }
    });
    lines.push(line);
    Ok(lines)
}

pub(crate) fn want(o: &mut Object<'_>, call: &ToolCall) {
    o.str("tag", &call.id);
    o.str("deed", &call.name);
    o.raw("with", if call.arguments.trim().is_empty() { "{}" } else { &call.arguments });
}

fn done(result: &ToolResult) -> Result<String> {
    let mut says = String::new();
    for part in &result.content {
        match part {
            ResultPart::Text(text) => says.push_str(&text.text),
            ResultPart::Json(json) => says.push_str(json),
            ResultPart::Media(_) | ResultPart::Opaque(_) => {
                return Err(Error::unsupported("messages", "zeta cannot see"));
            }
        }
    }
    let mut line = String::new();
    object(&mut line, |o| {
        o.str("who", "deed");
        o.str("tag", &result.call_id);
        o.str("says", &says);
    });
    Ok(line)
}
