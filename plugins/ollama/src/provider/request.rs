//! Renders the request for the server.

use weir_sdk::adapter::Result;
use weir_sdk::json::{Object, object};
use weir_sdk::losses::Losses;
use weir_sdk::schema::choices;
use weir_sdk::types::{ChatRequest, Context, Framing, HttpRequest, RenderedRequest};

use super::messages::Writer;
use super::prompt::Prompt;
use crate::{body, think, tools};

/// Renders a request: for `/api/generate` if the target's format or the request wants it and a prompt can express it,
/// else for `/api/chat`. Answers show which of the two they are.
pub(super) fn write(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest> {
    let mut losses = Losses::default();
    let request = &*choices::said(request, &mut losses);
    let mut out = String::with_capacity(1024);
    let prompt = Prompt::of(ctx, request);
    let mut written = Ok(());
    let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
    object(&mut out, |o| {
        o.str("model", model);
        match &prompt {
            Some(prompt) => prompt.write(o, request, &mut losses),
            None => written = conversation(o, request, &mut losses),
        }
        // The server streams by default.
        o.bool("stream", request.stream);
        o.opt_raw("think", think::write(model, request.reasoning.as_ref(), &mut losses));
        body::write_output(o, request.output.as_ref(), &mut losses);
        body::write_rest(o, request, prompt.is_some(), &mut losses);
    });
    written?;
    let path = if prompt.is_some() { "api/generate" } else { "api/chat" };
    let framing = request.stream.then_some(Framing::Ndjson);
    let http = HttpRequest::post(path, out);
    Ok(RenderedRequest { framing, losses: losses.into_losses(), ..RenderedRequest::new(http) })
}

fn conversation(o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) -> Result<()> {
    let mut writer = Writer::new(losses);
    let mut written = Ok(());
    o.array("messages", |a| {
        for (at, message) in request.messages.iter().enumerate() {
            if written.is_ok() {
                written = writer.message(a, at, message);
            }
        }
    });
    written?;
    tools::write(o, request, losses)
}
