//! The texts of a stream's frames.

use weir_sdk::blocks::encoder::End;
use weir_sdk::json::{Rest, object, parse, quote};
use weir_sdk::losses::Losses;
use weir_sdk::types::{Context, Error, Extension, Frame, ResponseStart, Usage};

use super::super::response;
use crate::manifest::spelling;
use crate::wire::Unnamed;
use crate::{usage, write};

/// A frame with fixed data.
pub(super) fn fixed(event: &str, data: &str) -> Frame {
    Frame { event: Some(event.to_owned()), data: data.to_owned() }
}

/// The start of a block, with its initial state as JSON.
pub(super) fn block_start(index: u32, block: &str) -> Frame {
    let mut data = String::with_capacity(block.len() + 64);
    head(&mut data, "content_block_start", index);
    data.push_str(r#","content_block":"#);
    data.push_str(block);
    data.push('}');
    Frame { event: Some("content_block_start".into()), data }
}

/// A delta of a block; the most frequent frame.
pub(super) fn block_delta(index: u32, kind: &str, member: &str, text: &str) -> Frame {
    let mut data = String::with_capacity(text.len() + text.len() / 8 + 112);
    delta_head(&mut data, index, kind, member);
    quote(&mut data, text);
    data.push_str("}}");
    Frame { event: Some("content_block_delta".into()), data }
}

/// A delta of a block whose value is JSON.
pub(super) fn block_delta_raw(index: u32, kind: &str, member: &str, json: &str) -> Frame {
    let mut data = String::with_capacity(json.len() + 112);
    delta_head(&mut data, index, kind, member);
    data.push_str(json);
    data.push_str("}}");
    Frame { event: Some("content_block_delta".into()), data }
}

fn delta_head(data: &mut String, index: u32, kind: &str, member: &str) {
    head(data, "content_block_delta", index);
    for piece in [r#","delta":{"type":""#, kind, r#"",""#, member, r#"":"#] {
        data.push_str(piece);
    }
}

/// The end of a block.
pub(super) fn block_stop(index: u32) -> Frame {
    let mut data = String::with_capacity(48);
    head(&mut data, "content_block_stop", index);
    data.push('}');
    Frame { event: Some("content_block_stop".into()), data }
}

fn head(data: &mut String, kind: &str, index: u32) {
    data.push_str(r#"{"type":""#);
    data.push_str(kind);
    data.push_str(r#"","index":"#);
    number(data, index);
}

fn number(data: &mut String, value: u32) {
    if value >= 10 {
        number(data, value / 10);
    }
    data.push(char::from(b'0' + (value % 10) as u8));
}

/// The first frame of a stream, with the input tokens that are known so far.
pub(super) fn message_start(ctx: &Context, start: Option<&ResponseStart>, known: &Usage, losses: &mut Losses) -> Frame {
    let (id, model) = start.map_or(("", None), |start| (start.id.as_str(), start.model.as_deref()));
    let mut data = String::with_capacity(512);
    object(&mut data, |o| {
        o.str("type", "message_start");
        o.object("message", |o| {
            response::head(o, ctx, id, model);
            o.array("content", |_| {});
            o.null("stop_reason");
            o.null("stop_sequence");
            for own in start.into_iter().flat_map(|start| write::own(&start.extensions)) {
                o.raw(&own.key, &own.json);
            }
            o.object("usage", |o| {
                usage::write(o, known, ctx.input_tokens.unwrap_or(0));
                write::own(&known.extensions).for_each(|own| o.raw(&own.key, &own.json));
                usage::write_tier(o, start.and_then(|start| start.service_tier.as_deref()), losses);
            });
        });
    });
    Frame { event: Some("message_start".into()), data }
}

/// The end of the message; `late` are details of the usage that came after its start, `members` further ones that this
/// format's own answer had there.
pub(super) fn message_delta(end: &End<'_>, late: &[Extension], mut members: Rest<'_>, losses: &mut Losses) -> Frame {
    let inner = members.take("delta");
    let inner: Unnamed<'_> = inner.and_then(|raw| parse(raw.get()).ok()).unwrap_or_default();
    let mut data = String::with_capacity(256);
    object(&mut data, |o| {
        o.str("type", "message_delta");
        o.object("delta", |o| {
            response::stop(o, end.finish, end.seen, losses);
            inner.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
        });
        members.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
        o.object("usage", |o| {
            usage::write_input(o, end.usage, None);
            usage::write_output(o, end.usage);
            for own in late {
                o.raw(&own.key, &own.json);
            }
        });
    });
    Frame { event: Some("message_delta".into()), data }
}

/// The error frame at the end of a failed stream.
pub(super) fn error(ctx: &Context, error: &Error) -> Frame {
    let message = if error.message.is_empty() { "the provider failed" } else { &error.message };
    let mut data = String::with_capacity(message.len() + 128);
    object(&mut data, |o| {
        o.str("type", "error");
        o.object("error", |o| {
            o.str("type", spelling(error.kind).0);
            o.str("message", message);
        });
        o.str("request_id", &ctx.request_id);
    });
    Frame { event: Some("error".into()), data }
}
