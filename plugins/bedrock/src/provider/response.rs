//! Reads a whole answer.

use weir_sdk::json::{Rest, Str, parse};
use weir_sdk::model::header;
use weir_sdk::names::{IdRule, Names};
use weir_sdk::types::{Candidate, ChatResponse, Context, Error, Extension, HttpResponse, Part};

use super::error;
use crate::model::Model;
use crate::read::Reader;
use crate::wire::{self, extensions};
use crate::{finish, usage};

/// The member for a model's additional output.
const ADDITIONAL: &str = "additionalModelResponseFields";

/// Parses an answer. It has no id; the request's is used.
pub(super) fn read(ctx: &Context, response: &HttpResponse) -> Result<ChatResponse, Error> {
    let text = response.text()?;
    let answer: wire::Answer<'_> =
        parse(text).map_err(|error| Error::unreadable(format!("the answer cannot be read: {error}")))?;
    let Some(message) = answer.output.and_then(|output| output.message) else {
        // Some services send status 200 with an error in the body.
        return Err(match answer.message {
            Some(_) => Error { status: None, ..error::exception("", text) },
            None => Error::unreadable("the answer has no message"),
        });
    };
    let reader = Reader { issuer: Model::of_target(ctx, &ctx.model).issuer(), assistant: true, blobs: &[] };
    let blocks = message.content.unwrap_or_default().0;
    let mut parts = reader.content(blocks).map_err(unreadable)?;
    let calls = restore(ctx, &mut parts);
    let others = extensions("", answer.rest);
    let finish = answer.stop_reason.map(|raw| {
        let mut finish = finish::read(&raw, calls);
        finish.stop_sequence = stop_sequence(&others);
        finish
    });
    Ok(ChatResponse {
        id: header(&response.headers, "x-amzn-requestid").unwrap_or_default().to_owned(),
        model: None,
        created_ms: None,
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() }],
        usage: answer.usage.map(usage::read),
        service_tier: answer.tier.and_then(|tier| tier.kind).map(Str::into_string),
        extensions: others,
    })
}

/// Gives calls the client's names; returns whether there are any. The call that represents the answer becomes its text.
fn restore(ctx: &Context, parts: &mut [Part]) -> bool {
    let names = Names::from_memo(IdRule::NAME, &ctx.memo);
    let mut calls = false;
    for part in parts {
        if let Part::ToolCall(call) = part {
            call.name = names.restore(std::mem::take(&mut call.name));
            if call.name.is_empty() {
                *part = Part::text(std::mem::take(&mut call.arguments));
            } else {
                calls = true;
            }
        }
    }
    calls
}

/// The stop sequence, if the client asked the model to report it.
fn stop_sequence(others: &[Extension]) -> Option<String> {
    let additional = others.iter().find(|own| own.key == ADDITIONAL)?;
    Some(Rest::parse(&additional.json).ok()?.str("stop_sequence")?.into_string())
}

fn unreadable(error: Error) -> Error {
    Error::unreadable(match error.param {
        Some(param) => format!("the answer cannot be read: {param}: {}", error.message),
        None => format!("the answer cannot be read: {}", error.message),
    })
}
