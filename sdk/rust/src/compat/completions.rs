//! Legacy completions: one prompt, no turns. The code for chat parses their answers.

use crate::compat::quirks::Quirks;
use crate::compat::{end_user, seed, shared};
use crate::json::{self, Object};
use crate::losses::Losses;
use crate::tools;
use crate::types::{ChatRequest, Context, Error, HttpRequest, Message, Part, RenderedRequest, Role};

/// The id of the format.
pub const FORMAT: &str = "openai.completions";

/// Renders a request. A conversation of several turns does not fit a prompt and is refused.
pub fn render(quirks: &Quirks, ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    if !request.tools.is_empty() {
        return Err(Error::unsupported("tools", "legacy completions know no tools"));
    }
    let prompt = prompt(&request.messages)?;
    let mut losses = Losses::default();
    let sampling = &request.sampling;
    losses.dropped_if(request.output.is_some(), "response_format", "legacy completions know no formats");
    losses.dropped_if(request.reasoning.is_some(), "reasoning_effort", "legacy completions do not think");
    losses.dropped_if(request.metadata.is_some(), "metadata", "there is no place for it");
    losses.dropped_if(request.service_tier.is_some(), "service_tier", "there is no place for it");
    let top_k = top_k(quirks, sampling.top_k, &mut losses);
    losses.dropped_if(request.cache_key.is_some(), "prompt_cache_key", "there is no place for it");
    losses.dropped_if(tools::is_choice_lost(request), "tool_choice", "there are no tools");
    let mut extensions = request.extensions.clone();
    shared::to_completions(&mut extensions);
    losses.foreign("", &extensions, FORMAT);
    let mut body = String::with_capacity(512);
    json::object(&mut body, |o| {
        o.str("model", if ctx.model.is_empty() { &request.model } else { &ctx.model });
        o.raw("prompt", &prompt);
        o.opt_num("max_tokens", request.max_output_tokens);
        o.opt_num("temperature", sampling.temperature);
        o.opt_num("top_p", sampling.top_p);
        o.opt_num("top_k", top_k);
        o.opt_num("n", sampling.candidates);
        o.opt_raw("seed", seed::fit(quirks, sampling.seed.as_deref(), &mut losses));
        o.opt_strs("stop", &sampling.stop);
        o.opt_num("frequency_penalty", sampling.frequency_penalty);
        o.opt_num("presence_penalty", sampling.presence_penalty);
        o.opt_num("logprobs", sampling.top_logprobs.filter(|_| sampling.logprobs != Some(false)));
        if let Some(user) = &request.end_user {
            o.str("user", &end_user::fit(quirks, user, &mut losses));
        }
        stream(o, quirks, request);
        for extension in extensions.iter().filter(|extension| extension.format == FORMAT) {
            o.raw(&extension.key, &extension.json);
        }
    });
    let http = quirks.address(ctx, HttpRequest::post("", body), |paths| paths.completions);
    Ok(RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(http) })
}

/// The number of tokens to choose from, which servers other than OpenAI's take.
fn top_k(quirks: &Quirks, wanted: Option<u32>, losses: &mut Losses) -> Option<u32> {
    match quirks.spelling("top_k") {
        Err(reason) if wanted.is_some() => losses.dropped("top_k", reason),
        Ok(_) => return wanted,
        Err(_) => {}
    }
    None
}

fn stream(o: &mut Object<'_>, quirks: &Quirks, request: &ChatRequest) {
    if request.stream {
        o.bool("stream", true);
        if quirks.stream_usage {
            o.object("stream_options", |o| o.bool("include_usage", true));
        }
    }
}

/// The prompt as JSON: a single text, or one of the format's own kinds of prompt.
fn prompt(messages: &[Message]) -> Result<String, Error> {
    let refused = || Error::unsupported("messages", "legacy completions take a single text");
    let [Message { role: Role::User, parts, .. }] = messages else { return Err(refused()) };
    match parts.as_slice() {
        [Part::Opaque(opaque)] if opaque.format == FORMAT => Ok(opaque.json.clone()),
        [] => Ok("\"\"".to_owned()),
        [Part::Text(text)] => {
            let mut prompt = String::with_capacity(text.text.len() + 16);
            json::quote(&mut prompt, &text.text);
            Ok(prompt)
        }
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{fields, json};
    use crate::types::ToolChoice;

    #[test]
    fn what_legacy_completions_have_no_place_for_is_reported() {
        let messages = vec![Message::new(Role::User, vec![Part::text("x")])];
        let asked = |tool_choice| {
            let cache_key = Some("k".into());
            let request = ChatRequest { messages: messages.clone(), cache_key, tool_choice, ..ChatRequest::default() };
            let rendered = render(&Quirks::COMPATIBLE, &Context::default(), &request).unwrap();
            assert_eq!(json(&rendered.request.body).as_object().unwrap().len(), 2, "a model and a prompt");
            fields(&rendered.losses)
        };
        assert_eq!(asked(Some(ToolChoice::Automatic)), ["prompt_cache_key"]);
        assert_eq!(asked(Some(ToolChoice::Required)), ["prompt_cache_key", "tool_choice"]);
    }
}
