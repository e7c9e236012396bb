//! Media of the model's turns, for services that take them from users only, or with a signature of their own.

use crate::losses::{Losses, PartPath};
use crate::types::{MediaPart, Message, Part, Role};

/// The key of the extension by which OpenAI's Chat names the audio of an earlier answer.
const EARLIER: &str = "id";

/// The messages, in which the user who speaks next shows the media that the model has shown, such as the images that
/// another model has made, but those that stay; `None` if there are none. Parts keep their numbers.
pub fn shown_by_users(
    messages: &[Message],
    stays: fn(&MediaPart) -> bool,
    losses: &mut Losses,
) -> Option<Vec<Message>> {
    let moves = |part: &Part| matches!(part, Part::Media(media) if !stays(media));
    if !messages.iter().any(|message| message.role == Role::Assistant && message.parts.iter().any(moves)) {
        return None;
    }
    let mut messages = messages.to_vec();
    let mut shown: Vec<Part> = Vec::new();
    for (at, message) in messages.iter_mut().enumerate() {
        match message.role {
            Role::Assistant => {
                let moved = message.parts.iter_mut().enumerate().filter(|(_, part)| moves(part));
                shown.extend(moved.filter_map(|(part, it)| taken(it, PartPath { message: Some(at), part }, losses)));
            }
            Role::User | Role::Tool => message.parts.append(&mut shown),
            _ => {}
        }
    }
    if !shown.is_empty() {
        messages.push(Message::new(Role::User, shown));
    }
    Some(messages)
}

/// Takes a medium out of its place. An empty text is not written, and leaves the other parts their numbers.
fn taken(part: &mut Part, place: PartPath, losses: &mut Losses) -> Option<Part> {
    let media = std::mem::replace(part, Part::text(""));
    let is_earlier = |media: &MediaPart| media.extensions.iter().any(|own| own.key == EARLIER);
    if matches!(&media, Part::Media(media) if is_earlier(media)) {
        losses.dropped(place.field(""), "only its own service has the audio of an earlier answer");
        return None;
    }
    losses.approximated(place.field(""), "only users show media here: moved to the user's next message");
    Some(media)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;
    use crate::types::{Extension, LossKind, MediaKind, MediaSource, ToolResult};

    fn image(data: &str) -> Part {
        Part::Media(MediaPart::new(MediaKind::Image, MediaSource::Base64(data.into())))
    }

    #[test]
    fn c43_media_of_the_model_are_shown_by_the_user_who_speaks_next() {
        let result = Part::ToolResult(ToolResult::new("c"));
        let history = [
            Message::new(Role::User, vec![Part::text("Paint."), image("A")]),
            Message::new(Role::Assistant, vec![image("B"), Part::text("Here.")]),
            Message::new(Role::System, vec![Part::text("Be brief.")]),
            Message::new(Role::Tool, vec![result.clone()]),
            Message::new(Role::Assistant, vec![image("C")]),
        ];
        let mut losses = Losses::default();
        let moved = shown_by_users(&history, |_| false, &mut losses).unwrap();
        let parts: Vec<Vec<Part>> = moved.into_iter().map(|message| message.parts).collect();
        let expected = [
            vec![Part::text("Paint."), image("A")],
            vec![Part::text(""), Part::text("Here.")],
            vec![Part::text("Be brief.")],
            vec![result, image("B")],
            vec![Part::text("")],
            vec![image("C")],
        ];
        assert_eq!(parts, expected);
        assert_eq!(fields(&losses.into_losses()), ["messages[1].content[0]", "messages[4].content[0]"]);
        let mut losses = Losses::default();
        assert_eq!(shown_by_users(&history[..1], |_| false, &mut losses), None);
        assert_eq!(shown_by_users(&history, |_| true, &mut losses), None);
    }

    #[test]
    fn audio_of_an_earlier_answer_is_left_out() {
        let id = Extension { format: "openai.chat".into(), key: "id".into(), json: "\"audio_1\"".into() };
        let media = MediaPart::new(MediaKind::Audio, MediaSource::FileId("audio_1".into()));
        let audio = Part::Media(MediaPart { extensions: vec![id], ..media });
        let mut losses = Losses::default();
        let moved = shown_by_users(&[Message::new(Role::Assistant, vec![audio])], |_| false, &mut losses).unwrap();
        assert_eq!(moved, [Message::new(Role::Assistant, vec![Part::text("")])]);
        assert_eq!(losses.into_losses()[0].kind, LossKind::Dropped);
    }
}
