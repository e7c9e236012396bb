//! OpenAI's own breakpoints for the prompt's cache: a member of parts. It stands beside the cache hint that it is read
//! as, so that it comes back as it was; other formats write the hint.

use super::content::BREAKPOINT;
use super::responses::FORMAT as RESPONSES;
use super::wire::FORMAT as CHAT;
use crate::losses::Losses;
use crate::types::{CacheHint, Extension, MediaSource, Message, Part, ResultPart, Role};

/// The member's value: it knows no other.
const EXPLICIT: &str = r#"{"mode":"explicit"}"#;

/// Makes the breakpoints in Chat's parts those of Responses, where the model's own texts can have none.
pub(super) fn to_responses(messages: &mut [Message]) {
    for message in messages.iter_mut().filter(|message| message.role != Role::Assistant) {
        each(message, &mut |_, own| rename(own, CHAT, RESPONSES));
    }
}

/// Makes the breakpoints in the parts of Responses Chat's.
pub(super) fn to_chat(messages: &mut [Message]) {
    for message in messages {
        each(message, &mut |_, own| rename(own, RESPONSES, CHAT));
    }
}

/// Leaves nothing but the cache hints, for models that do not know the member.
pub(super) fn forget(messages: &mut [Message]) {
    for message in messages {
        each(message, &mut |_, own| own.retain(|own| own.key != BREAKPOINT));
    }
}

/// Sets a breakpoint where another format has a cache hint, for models that know the member.
pub(super) fn set(messages: &mut [Message], losses: &mut Losses) {
    for (at, message) in messages.iter_mut().enumerate() {
        message.parts.iter_mut().for_each(hint_within);
        let (mut set, mut lasts) = (false, false);
        each(message, &mut |hint, own| {
            if own.iter().all(|own| own.key != BREAKPOINT) {
                (set, lasts) = (true, lasts || hint.ttl.is_some());
                own.push(Extension { format: CHAT.into(), key: BREAKPOINT.into(), json: EXPLICIT.into() });
            }
        });
        if set && lasts {
            losses
                .approximated(format!("messages[{at}].content[].cache_control.ttl"), "all last as long as the model's");
        }
    }
}

/// Gives the hint at a tool's result, which has no place for it, to the last part of its content.
fn hint_within(part: &mut Part) {
    let Part::ToolResult(result) = part else { return };
    if result.cache.is_none() {
        return;
    }
    match result.content.last_mut() {
        Some(ResultPart::Text(text)) if text.cache.is_none() => text.cache = result.cache.take(),
        Some(ResultPart::Media(media)) if media.cache.is_none() => media.cache = result.cache.take(),
        _ => {}
    }
}

/// Calls `f` with each cache hint of a part that may have the member, and with the part's own members.
fn each(message: &mut Message, f: &mut dyn FnMut(&CacheHint, &mut Vec<Extension>)) {
    for part in &mut message.parts {
        match part {
            Part::Text(text) => call(text.cache.as_ref(), &mut text.extensions, f),
            Part::Media(media) if !matches!(media.source, MediaSource::Text(_)) => {
                call(media.cache.as_ref(), &mut media.extensions, f);
            }
            Part::ToolResult(result) => {
                for part in &mut result.content {
                    match part {
                        ResultPart::Text(text) => call(text.cache.as_ref(), &mut text.extensions, f),
                        ResultPart::Media(media) => call(media.cache.as_ref(), &mut media.extensions, f),
                        ResultPart::Json(_) | ResultPart::Opaque(_) => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn call(hint: Option<&CacheHint>, own: &mut Vec<Extension>, f: &mut dyn FnMut(&CacheHint, &mut Vec<Extension>)) {
    if let Some(hint) = hint {
        f(hint, own);
    }
}

fn rename(extensions: &mut [Extension], from: &str, to: &str) {
    let shared = |own: &&mut Extension| own.format == from && own.key == BREAKPOINT;
    extensions.iter_mut().filter(shared).for_each(|own| to.clone_into(&mut own.format));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;
    use crate::types::{MediaKind, MediaPart, TextPart, ToolResult};

    /// A text, an image, and a result with both, each with a hint, and with the member if it has a format.
    fn messages(format: Option<&str>) -> Vec<Message> {
        let own = |format: &&str| Extension { format: (*format).into(), key: BREAKPOINT.into(), json: EXPLICIT.into() };
        let mark = || format.iter().map(own).collect::<Vec<_>>();
        let cache = || Some(CacheHint { ttl: None });
        let text = || TextPart { cache: cache(), extensions: mark(), ..TextPart::new("a") };
        let media = MediaPart::new(MediaKind::Image, MediaSource::Url("https://example.com/a.png".into()));
        let media = MediaPart { cache: cache(), extensions: mark(), ..media };
        let content = vec![ResultPart::Text(text()), ResultPart::Media(media.clone())];
        let result = Part::ToolResult(ToolResult { content, ..ToolResult::new("c") });
        vec![Message::new(Role::User, vec![Part::Text(text()), Part::Media(media), result])]
    }

    #[test]
    fn those_of_all_parts_come_across_and_back() {
        let mut sent = messages(Some(RESPONSES));
        to_chat(&mut sent);
        assert_eq!(sent, messages(Some(CHAT)));
        to_responses(&mut sent);
        assert_eq!(sent, messages(Some(RESPONSES)));
        forget(&mut sent);
        assert_eq!(sent, messages(None));
    }

    #[test]
    fn the_models_own_texts_have_none_in_responses() {
        let mut sent = messages(Some(CHAT));
        sent[0].role = Role::Assistant;
        let before = sent.clone();
        to_responses(&mut sent);
        assert_eq!(sent, before);
    }

    #[test]
    fn a_hint_of_another_format_becomes_one() {
        let (mut sent, mut losses) = (messages(None), Losses::default());
        set(&mut sent, &mut losses);
        assert_eq!(sent, messages(Some(CHAT)));
        assert!(losses.into_losses().is_empty());
    }

    #[test]
    fn the_hint_at_a_result_is_that_of_its_last_part_and_its_time_is_reported() {
        let hint = || Some(CacheHint { ttl: Some("1h".into()) });
        let content = vec![ResultPart::Text(TextPart::new("a")), ResultPart::Text(TextPart::new("b"))];
        let result = ToolResult { content, cache: hint(), ..ToolResult::new("c") };
        let mut sent = vec![Message::new(Role::Tool, vec![Part::ToolResult(result)])];
        let mut losses = Losses::default();
        set(&mut sent, &mut losses);
        let Part::ToolResult(result) = &sent[0].parts[0] else { panic!("a result") };
        let [ResultPart::Text(first), ResultPart::Text(last)] = &result.content[..] else { panic!("two texts") };
        assert_eq!((&result.cache, &first.cache, &last.cache), (&None, &None, &hint()));
        assert_eq!(last.extensions[0].key, BREAKPOINT);
        assert_eq!(fields(&losses.into_losses()), ["messages[0].content[].cache_control.ttl"]);
    }
}
