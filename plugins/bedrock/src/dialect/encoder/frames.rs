//! The texts of a stream's frames.

use weir_sdk::blocks::encoder::End;
use weir_sdk::json::{Object, Rest, object, quote};
use weir_sdk::losses::Losses;
use weir_sdk::types::{Context, Error, ErrorKind, Frame, Usage};

use super::super::response;
use crate::wire::extensions;

/// The first frame.
pub(super) fn message_start() -> Frame {
    Frame { event: Some("messageStart".into()), data: r#"{"role":"assistant"}"#.into() }
}

/// The start of a block; text and thinking have none.
pub(super) fn block_start(index: u32, start: impl FnOnce(&mut Object<'_>)) -> Frame {
    block("contentBlockStart", index, "start", start)
}

/// A `contentBlockDelta` event.
pub(super) fn block_delta(index: u32, delta: impl FnOnce(&mut Object<'_>)) -> Frame {
    block("contentBlockDelta", index, "delta", delta)
}

fn block(event: &str, index: u32, member: &str, members: impl FnOnce(&mut Object<'_>)) -> Frame {
    let mut data = String::with_capacity(96);
    object(&mut data, |o| {
        o.num("contentBlockIndex", index);
        o.object(member, members);
    });
    Frame { event: Some(event.to_owned()), data }
}

/// A delta of text; the most frequent frame.
pub(super) fn text_delta(index: u32, text: &str) -> Frame {
    let mut data = String::with_capacity(text.len() + text.len() / 8 + 64);
    data.push_str(r#"{"contentBlockIndex":"#);
    weir_sdk::json::number(&mut data, f64::from(index));
    data.push_str(r#","delta":{"text":"#);
    quote(&mut data, text);
    data.push_str("}}");
    Frame { event: Some("contentBlockDelta".into()), data }
}

/// A piece of a call's arguments.
pub(super) fn input_delta(index: u32, piece: &str) -> Frame {
    block_delta(index, |o| o.object("toolUse", |o| o.str("input", piece)))
}

/// A piece of thinking, or of its signature.
pub(super) fn thought_delta(index: u32, member: &str, text: &str) -> Frame {
    block_delta(index, |o| o.object("reasoningContent", |o| o.str(member, text)))
}

/// The end of a block.
pub(super) fn block_stop(index: u32) -> Frame {
    let mut data = String::new();
    object(&mut data, |o| o.num("contentBlockIndex", index));
    Frame { event: Some("contentBlockStop".into()), data }
}

/// The end of the message; `own` are further members that this format's own answer had there.
pub(super) fn message_stop(end: &End<'_>, own: Option<&str>, losses: &mut Losses) -> Frame {
    let mut data = String::new();
    object(&mut data, |o| {
        response::stop(o, end.finish, end.seen, losses);
        let own = own.and_then(|json| Rest::parse(json).ok()).unwrap_or_default();
        own.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    Frame { event: Some("messageStop".into()), data }
}

/// The last frame: usage, metrics and the service tier, unless this format's own answer had that.
pub(super) fn metadata(
    ctx: &Context,
    usage: &Usage,
    tier: Option<&str>,
    own: Option<&str>,
    losses: &mut Losses,
) -> Frame {
    let mut data = String::new();
    let own = own.and_then(|json| Rest::parse(json).ok()).unwrap_or_default();
    let tier = tier.filter(|_| own.get("serviceTier").is_none());
    object(&mut data, |o| {
        response::counts(o, ctx, Some(usage));
        response::rest(o, &extensions("", own));
        response::write_tier(o, tier, losses);
    });
    Frame { event: Some("metadata".into()), data }
}

/// The exception at the end of a failed stream; the format has five of them.
pub(super) fn exception(error: &Error) -> Frame {
    let name = match error.kind {
        ErrorKind::RateLimited | ErrorKind::Quota => "throttlingException",
        ErrorKind::Overloaded => "serviceUnavailableException",
        ErrorKind::Upstream | ErrorKind::Timeout => "modelStreamErrorException",
        ErrorKind::Internal => "internalServerException",
        _ => "validationException",
    };
    let message = if error.message.is_empty() { "the provider failed" } else { &error.message };
    let mut data = String::new();
    object(&mut data, |o| o.str("message", message));
    Frame { event: Some(name.to_owned()), data }
}
