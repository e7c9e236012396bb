//! Shared code for rendering requests and answers.

use std::borrow::Cow;

use weir_sdk::calls::object_text;
use weir_sdk::json::{Object, object};
use weir_sdk::losses::Losses;
pub(crate) use weir_sdk::losses::PartPath;
use weir_sdk::types::{Extension, ToolCall, ToolKind};

use crate::FORMAT;

/// An extension of this format.
pub(crate) fn mark(key: &str, json: impl Into<String>) -> Extension {
    Extension { format: FORMAT.into(), key: key.into(), json: json.into() }
}

/// Whether the chat format left such a mark, with or without a value.
pub(crate) fn marked(extensions: &[Extension], key: &str) -> bool {
    marked_in(extensions, FORMAT, key)
}

/// Whether the given format left such a mark.
pub(crate) fn marked_in(extensions: &[Extension], format: &str, key: &str) -> bool {
    extensions.iter().any(|extension| extension.format == format && extension.key == key)
}

/// The members that only this format has. Those without a value are notes, which are not written.
pub(crate) fn own<'a>(extensions: &'a [Extension], format: &'a str) -> impl Iterator<Item = &'a Extension> {
    extensions.iter().filter(move |extension| extension.format == format && extension.json != "null")
}

/// Writes the members that only this format has, and reports those of others as lost.
pub(crate) fn extensions(o: &mut Object<'_>, extensions: &[Extension], losses: &mut Losses, place: &str) {
    for own in own(extensions, FORMAT) {
        o.raw(&own.key, &own.json);
    }
    losses.foreign(place, extensions, FORMAT);
}

/// Writes a call with the given name; its arguments are the text of a JSON object.
pub(crate) fn tool_call(o: &mut Object<'_>, call: &ToolCall, name: &str, losses: &mut Losses, place: PartPath) {
    o.str("id", &call.id);
    o.str("type", "function");
    o.object("function", |o| {
        o.str("name", name);
        o.str("arguments", &arguments(call, losses, place));
    });
    losses.dropped_if(call.signature.is_some(), &place.field("signature"), "the format has no place for it");
    extensions(o, &call.extensions, losses, &place.field("function."));
}

/// A call's arguments as the text of a JSON object, as clients and the service expect.
pub(crate) fn arguments<'a>(call: &'a ToolCall, losses: &mut Losses, place: PartPath) -> Cow<'a, str> {
    if call.kind == ToolKind::Custom {
        losses.approximated(place.field("input"), "free text becomes the member `input` of an object");
        let mut json = String::new();
        object(&mut json, |o| o.str("input", &call.arguments));
        return Cow::Owned(json);
    }
    match object_text(&call.arguments) {
        Some("{}") => Cow::Borrowed("{}"),
        Some(_) => Cow::Borrowed(&call.arguments),
        None => {
            losses.approximated(place.field("arguments"), "they are no JSON object");
            Cow::Borrowed(&call.arguments)
        }
    }
}
