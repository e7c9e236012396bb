//! Messages that alternate, for services with a list of messages that refuse two of one speaker in a row.

use super::GO_ON;
use crate::losses::Losses;
use crate::types::{Message, Part, Role};

/// What the user says where a conversation wants a turn of the user's and has none.
const FILLER: &str = ".";

/// The messages in turns of the user and the model, behind the system text. The user begins, and speaks last.
pub fn alternating(messages: Vec<Message>, losses: &mut Losses) -> Vec<Message> {
    let (mut system, mut turns) = (Vec::new(), Vec::<Message>::new());
    for (at, message) in messages.into_iter().enumerate() {
        match turns.last_mut() {
            _ if matches!(message.role, Role::System | Role::Developer) => {
                if !turns.is_empty() {
                    losses.approximated(format!("messages[{at}]"), "moved to the system text in front");
                }
                system.push(message);
            }
            Some(last) if is_models(last) == is_models(&message) => join(last, message, at, losses),
            None if is_models(&message) => {
                losses.approximated(format!("messages[{at}]"), "a turn of the user's stands before it");
                turns.extend([Message::new(Role::User, vec![Part::text(FILLER)]), message]);
            }
            _ => turns.push(message),
        }
    }
    if turns.is_empty()
        && let Some(mut last) = system.pop()
    {
        losses.approximated("messages", "the model does not answer system text alone: the user says the last of it");
        last.role = Role::User;
        turns.push(last);
    }
    if turns.last().is_some_and(is_models) {
        losses.approximated("messages", "the model does not continue its turn: the user asks for it");
        turns.push(Message::new(Role::User, vec![Part::text(GO_ON)]));
    }
    system.append(&mut turns);
    system
}

fn is_models(message: &Message) -> bool {
    message.role == Role::Assistant
}

/// Adds message number `at` to the one before it, of the same speaker.
fn join(last: &mut Message, mut next: Message, at: usize, losses: &mut Losses) {
    let is_named = next.name.is_some() && next.name != last.name;
    losses.dropped_if(is_named, &format!("messages[{at}].name"), "it is one message with that before it");
    last.parts.append(&mut next.parts);
    next.extensions.retain(|own| !last.extensions.iter().any(|known| known.key == own.key));
    last.extensions.append(&mut next.extensions);
    if last.role == Role::Tool {
        last.role = next.role;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;

    fn said(role: Role, text: &str) -> Message {
        Message::new(role, vec![Part::text(text)])
    }

    fn turns(messages: Vec<Message>) -> (Vec<(Role, usize)>, Vec<String>) {
        let mut losses = Losses::default();
        let turns = alternating(messages, &mut losses);
        let turns = turns.into_iter().map(|message| (message.role, message.parts.len())).collect();
        (turns, fields(&losses.into_losses()))
    }

    #[test]
    fn messages_of_one_speaker_are_one_turn_behind_the_system_text() {
        let history = vec![
            said(Role::System, "a"),
            said(Role::User, "b"),
            said(Role::User, "c"),
            said(Role::Assistant, "d"),
            said(Role::Developer, "e"),
            said(Role::Assistant, "f"),
            said(Role::User, "g"),
        ];
        let expected =
            [(Role::System, 1), (Role::Developer, 1), (Role::User, 2), (Role::Assistant, 2), (Role::User, 1)];
        assert_eq!(turns(history), (expected.to_vec(), vec!["messages[4]".to_owned()]));
    }

    #[test]
    fn the_user_begins_and_speaks_last() {
        let (turns, losses) = turns(vec![said(Role::Assistant, "Hello.")]);
        assert_eq!(turns, [(Role::User, 1), (Role::Assistant, 1), (Role::User, 1)]);
        assert_eq!(losses, ["messages[0]", "messages"]);
    }

    #[test]
    fn system_text_alone_is_said_by_the_user() {
        let (turns, losses) = turns(vec![said(Role::System, "a"), said(Role::System, "b")]);
        assert_eq!((turns, losses), (vec![(Role::System, 1), (Role::User, 1)], vec!["messages".to_owned()]));
    }

    #[test]
    fn a_conversation_that_alternates_stays_as_it_is() {
        let history = vec![said(Role::User, "a"), said(Role::Assistant, "b"), said(Role::User, "c")];
        let mut losses = Losses::default();
        assert_eq!(alternating(history.clone(), &mut losses), history);
        assert!(losses.into_losses().is_empty());
    }
}
