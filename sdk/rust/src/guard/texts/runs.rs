//! Which texts of messages follow each other so that they may be put together.

use crate::types::{Message, Part, Role};

/// What the texts of a message are, as far as others may be put together with them.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Thinking,
    Refusal,
    Result,
}

/// Messages that follow each other and have the same role. Those for the system are one, wherever they stand, since
/// formats that have one place for them put them there.
#[derive(Debug, Default)]
pub(super) struct Runs {
    role: Option<Role>,
    number: u32,
}

impl Runs {
    /// The number of the run that a message belongs to. One that says nothing ends no run: it may be left out.
    pub(super) fn next(&mut self, message: &Message) -> u32 {
        if matches!(message.role, Role::System | Role::Developer) {
            return 0;
        }
        let is_empty = |part: &Part| matches!(part, Part::Text(part) if part.text.is_empty());
        // Formats without a turn for results have them in the user's.
        let role = if message.role == Role::Tool { &Role::User } else { &message.role };
        let is_same = self.role.as_ref() == Some(role) || message.parts.iter().all(is_empty);
        if !is_same {
            self.role = Some(role.clone());
            self.number = self.number.saturating_add(1);
        }
        self.number
    }
}
