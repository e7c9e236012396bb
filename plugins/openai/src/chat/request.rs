//! Parses requests: from a client's `POST /v1/chat/completions` to the unified model.

mod messages;
mod names;
mod params;
mod thinking_blocks;
mod tools;

use weir_sdk::adapter::{ParsedChat, Result};
use weir_sdk::compat::end_user;
use weir_sdk::compat::wire::{CacheControl, Content, Detail, FORMAT, Function, ToolCall, rest_json};
use weir_sdk::json::{self, Count, Either, Number, RawValue, Rest, Seq, Str};
use weir_sdk::losses::{Losses, extensions};
use weir_sdk::sampling::seed;
use weir_sdk::types::{ChatRequest, Context, Error, Extension, HttpRequest, Role, Sampling};
use weir_sdk::wire;

use super::Memo;
use crate::free_text;

wire! {
    /// A chat request.
    struct Request<'a> {
        "model" => model: Str<'a>,
        "messages" => messages: Seq<Message<'a>>,
        "tools" => tools: Seq<&'a RawValue>,
        "tool_choice" => tool_choice: &'a RawValue,
        "parallel_tool_calls" => parallel_tool_calls: bool,
        "functions" => functions: Seq<&'a RawValue>,
        "function_call" => function_call: &'a RawValue,
        "response_format" => response_format: &'a RawValue,
        "temperature" => temperature: Number,
        "top_p" => top_p: Number,
        "top_k" => top_k: Number,
        "seed" => seed: &'a RawValue,
        "stop" => stop: Either<'a, Str<'a>>,
        "frequency_penalty" => frequency_penalty: Number,
        "presence_penalty" => presence_penalty: Number,
        "n" => n: Count,
        "logprobs" => logprobs: &'a RawValue,
        "top_logprobs" => top_logprobs: Count,
        "max_tokens" => max_tokens: Number,
        "max_completion_tokens" => max_completion_tokens: Number,
        "reasoning_effort" => reasoning_effort: &'a RawValue,
        "reasoning" => reasoning: &'a RawValue,
        "thinking" => thinking: &'a RawValue,
        "stream" => stream: bool,
        "stream_options" => stream_options: Rest<'a>,
        "user" => user: Str<'a>,
        "safety_identifier" => safety_identifier: Str<'a>,
        "metadata" => metadata: &'a RawValue,
        "service_tier" => service_tier: Str<'a>,
        "prompt_cache_key" => prompt_cache_key: Str<'a>,
    }

    /// A message of any role.
    struct Message<'a> {
        "role" => role: Str<'a>,
        "content" => content: Content<'a>,
        "name" => name: Str<'a>,
        "refusal" => refusal: Str<'a>,
        "reasoning_content" => reasoning_content: Content<'a>,
        "reasoning" => reasoning: Content<'a>,
        "reasoning_details" => reasoning_details: Seq<Detail<'a>>,
        "tool_calls" => tool_calls: Seq<ToolCall<'a>>,
        "function_call" => function_call: Box<Function<'a>>,
        "tool_call_id" => tool_call_id: Str<'a>,
        "audio" => audio: &'a RawValue,
        "extra_content" => extra_content: &'a RawValue,
        "cache_control" => cache_control: Box<CacheControl<'a>>,
    }
}

/// Reads a request.
pub(crate) fn parse(ctx: &Context, request: &HttpRequest) -> Result<ParsedChat> {
    let body = request.body.as_text()?;
    let mut wire: Request<'_> =
        json::parse(body).map_err(|error| Error::invalid(format!("the request is not readable: {error}")))?;
    let mut losses = Losses::default();
    let usage = wire.stream_options.as_mut().and_then(|options| options.bool("include_usage"));
    let memo = Memo { usage: usage == Some(true), legacy: wire.functions.is_some() };
    let request = read(ctx, wire, &mut losses)?;
    let memo = memo.write() + &free_text::memo(&request.tools);
    Ok(ParsedChat { request, losses: losses.into_losses(), memo })
}

fn read(ctx: &Context, mut wire: Request<'_>, losses: &mut Losses) -> Result<ChatRequest> {
    let mut kept = extensions(FORMAT, std::mem::take(&mut wire.rest));
    kept.retain(|own| !is_usual(own));
    keep_stream_options(&mut kept, wire.stream_options.take());
    let messages = wire.messages.take().ok_or_else(|| Error::invalid("`messages` is missing").at("messages"))?;
    let model = wire.model.take().map_or_else(|| ctx.model.clone(), Str::into_string);
    if model.is_empty() {
        return Err(Error::invalid("`model` is missing").at("model"));
    }
    let (tools, tool_choice) = tools::read(&mut wire, losses)?;
    let parallel_tool_calls = wire.parallel_tool_calls.or_else(|| wire.functions.is_some().then_some(false));
    let newer = params::limit(wire.max_completion_tokens.take(), "max_completion_tokens", &mut kept);
    let older = params::limit(wire.max_tokens.take(), "max_tokens", &mut kept);
    let limit = newer.map(|_| false).or_else(|| older.map(|_| true));
    let reasoning = params::reasoning(&mut wire, &mut kept)?;
    let messages = messages::read(messages.0)?;
    kept.extend(names::names(names::Shape {
        results: messages.iter().any(|message| message.role == Role::Tool),
        effort: reasoning.is_some(),
        limit,
        safety: wire.user.is_none() && wire.safety_identifier.is_some(),
    }));
    Ok(ChatRequest {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        output: wire.response_format.map(params::output).transpose()?,
        sampling: sampling(&mut wire, &mut kept)?,
        max_output_tokens: newer.or(older),
        reasoning,
        stream: wire.stream.unwrap_or(false),
        end_user: end_user::read(FORMAT, wire.user, wire.safety_identifier, &mut kept),
        metadata: wire.metadata.map(|raw| raw.get().to_owned()),
        service_tier: wire.service_tier.map(Str::into_string),
        cache_key: wire.prompt_cache_key.map(Str::into_string),
        extensions: kept,
    })
}

/// Whether a member asks for nothing but what is done without it, so that no other format loses anything.
fn is_usual(own: &Extension) -> bool {
    match own.key.as_str() {
        "logit_bias" => json::parse::<Rest<'_>>(&own.json).is_ok_and(|bias| bias.0.is_empty()),
        "modalities" => {
            json::parse::<Vec<Str<'_>>>(&own.json).is_ok_and(|all| matches!(&all[..], [one] if &**one == "text"))
        }
        _ => false,
    }
}

/// Keeps options of the stream other than usage, which the gateway always requests.
fn keep_stream_options(kept: &mut Vec<Extension>, options: Option<Rest<'_>>) {
    let Some(options) = options.filter(|options| !options.0.is_empty()) else { return };
    let json = rest_json(&options);
    kept.push(Extension { format: FORMAT.to_owned(), key: "stream_options".to_owned(), json });
}

fn sampling(wire: &mut Request<'_>, kept: &mut Vec<Extension>) -> Result<Sampling> {
    let (logprobs, alternatives) = params::logprobs(wire.logprobs)?;
    Ok(Sampling {
        temperature: wire.temperature.map(|n| n.0),
        top_p: wire.top_p.map(|n| n.0),
        top_k: params::limit(wire.top_k, "top_k", kept),
        seed: wire.seed.map(seed),
        stop: match wire.stop.take() {
            Some(Either::Text(one)) => vec![one.into_string()],
            Some(Either::List(list)) => list.into_iter().map(Str::into_string).collect(),
            None => Vec::new(),
        },
        frequency_penalty: wire.frequency_penalty.map(|n| n.0),
        presence_penalty: wire.presence_penalty.map(|n| n.0),
        candidates: wire.n.map(|n| n.0),
        logprobs,
        top_logprobs: wire.top_logprobs.map(|n| n.0).or(alternatives),
    })
}

/// A note for this format; other formats do not report it as lost.
fn mark(kept: &mut Vec<Extension>, key: &str) {
    kept.push(Extension { format: FORMAT.to_owned(), key: key.to_owned(), json: "null".to_owned() });
}

#[cfg(test)]
mod tests;
