//! Members of requests that Chat and Responses share and the unified model lacks. Each format keeps them as its own
//! extensions; they become the other format's before that format is written, so that they are not lost.

use super::content::BREAKPOINT;
use super::end_user::SAFETY;
use super::responses::FORMAT as RESPONSES;
use super::wire::{FORMAT as CHAT, rest_json};
use crate::json::Rest;
use crate::losses::extension;
use crate::types::{Extension, Message, Part, ResultPart};

/// Members of the same name and meaning.
const SAME: [&str; 4] = ["moderation", "prompt_cache_options", "prompt_cache_retention", SAFETY];

/// A member of Chat that Responses have within `text`.
const VERBOSITY: &str = "verbosity";
const TEXT: &str = "text";

/// Makes Chat's members those of Responses.
pub fn to_responses(extensions: &mut [Extension]) {
    rename(extensions, CHAT, RESPONSES);
    if extension(extensions, RESPONSES, TEXT).is_some() {
        return;
    }
    for own in extensions.iter_mut().filter(|own| own.format == CHAT && own.key == VERBOSITY) {
        let json = format!("{{\"{VERBOSITY}\":{}}}", own.json);
        *own = Extension { format: RESPONSES.to_owned(), key: TEXT.to_owned(), json };
    }
}

/// Makes the members of Responses Chat's.
pub fn to_chat(extensions: &mut Vec<Extension>) {
    rename(extensions, RESPONSES, CHAT);
    let Some(at) = extensions.iter().position(|own| own.format == RESPONSES && own.key == TEXT) else { return };
    let text = extensions.swap_remove(at);
    let Ok(mut rest) = Rest::parse(&text.json) else { return extensions.push(text) };
    let verbosity = rest.value(VERBOSITY).map(|raw| raw.get().to_owned());
    if !rest.0.is_empty() {
        let json = rest_json(&rest);
        extensions.push(Extension { json, format: text.format, key: text.key });
    }
    extensions.extend(verbosity.map(|json| Extension { format: CHAT.to_owned(), key: VERBOSITY.to_owned(), json }));
}

fn rename(extensions: &mut [Extension], from: &str, to: &str) {
    let shared = |own: &&mut Extension| own.format == from && SAME.contains(&own.key.as_str());
    extensions.iter_mut().filter(shared).for_each(|own| to.clone_into(&mut own.format));
}

/// Makes the breakpoints for the cache in Chat's parts those of Responses.
pub fn breakpoints_to_responses(messages: &mut [Message]) {
    breakpoints(messages, CHAT, RESPONSES);
}

/// Makes the breakpoints for the cache in the parts of Responses Chat's.
pub fn breakpoints_to_chat(messages: &mut [Message]) {
    breakpoints(messages, RESPONSES, CHAT);
}

fn breakpoints(messages: &mut [Message], from: &str, to: &str) {
    for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::Text(text) if text.cache.is_some() => rename_breakpoint(&mut text.extensions, from, to),
            Part::Media(media) if media.cache.is_some() => rename_breakpoint(&mut media.extensions, from, to),
            Part::ToolResult(result) => {
                for part in &mut result.content {
                    match part {
                        ResultPart::Text(text) => rename_breakpoint(&mut text.extensions, from, to),
                        ResultPart::Media(media) => rename_breakpoint(&mut media.extensions, from, to),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn rename_breakpoint(extensions: &mut [Extension], from: &str, to: &str) {
    let shared = |own: &&mut Extension| own.format == from && own.key == BREAKPOINT;
    extensions.iter_mut().filter(shared).for_each(|own| to.clone_into(&mut own.format));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{CacheHint, MediaKind, MediaPart, MediaSource, Role, TextPart, ToolResult};

    fn own(format: &str, key: &str, json: &str) -> Extension {
        Extension { format: format.into(), key: key.into(), json: json.into() }
    }

    #[test]
    fn members_of_both_formats_come_across_and_back() {
        let members = |format: &str| {
            [
                ("prompt_cache_retention", "\"24h\""),
                ("prompt_cache_options", "{}"),
                ("moderation", "{}"),
                (SAFETY, "null"),
            ]
            .map(|(key, json)| own(format, key, json))
            .to_vec()
        };
        let mut extensions = members(CHAT);
        to_responses(&mut extensions);
        assert_eq!(extensions, members(RESPONSES));
        to_chat(&mut extensions);
        assert_eq!(extensions, members(CHAT));
    }

    #[test]
    fn verbosity_is_within_text_in_one_format_and_alone_in_the_other() {
        let mut extensions = vec![own(CHAT, "store", "true"), own(CHAT, VERBOSITY, "\"low\"")];
        to_responses(&mut extensions);
        assert_eq!(extensions, [own(CHAT, "store", "true"), own(RESPONSES, TEXT, r#"{"verbosity":"low"}"#)]);
        to_chat(&mut extensions);
        assert_eq!(extensions, [own(CHAT, "store", "true"), own(CHAT, VERBOSITY, "\"low\"")]);
    }

    #[test]
    fn what_chat_has_no_place_for_stays_in_text() {
        let mut extensions = vec![own(RESPONSES, TEXT, r#"{"verbosity":"low","new":1}"#)];
        to_chat(&mut extensions);
        assert_eq!(extensions, [own(RESPONSES, TEXT, r#"{"new":1}"#), own(CHAT, VERBOSITY, "\"low\"")]);
    }

    #[test]
    fn breakpoints_of_all_parts_come_across_and_back() {
        let messages = |format: &str| {
            let mark = || vec![own(format, BREAKPOINT, r#"{"mode":"explicit"}"#)];
            let cache = || Some(CacheHint { ttl: None });
            let text = || TextPart { cache: cache(), extensions: mark(), ..TextPart::new("a") };
            let media = MediaPart::new(MediaKind::Image, MediaSource::Url("https://example.com/a.png".into()));
            let media = MediaPart { cache: cache(), extensions: mark(), ..media };
            let content = vec![ResultPart::Text(text()), ResultPart::Media(media.clone())];
            let result = Part::ToolResult(ToolResult { content, ..ToolResult::new("c") });
            vec![Message::new(Role::User, vec![Part::Text(text()), Part::Media(media), result])]
        };
        let mut sent = messages(RESPONSES);
        breakpoints_to_chat(&mut sent);
        assert_eq!(sent, messages(CHAT));
        breakpoints_to_responses(&mut sent);
        assert_eq!(sent, messages(RESPONSES));
    }
}
