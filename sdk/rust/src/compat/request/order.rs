//! The order of messages: results of tools come directly behind their calls, or the request is refused.

use crate::types::{Message, Part, Role};

/// The numbers of the messages in the order in which they are sent. What others say between calls and their results, as
/// when a user interrupts an agent, stands behind the results.
pub(super) fn sent(messages: &[Message]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    for turn in order.chunk_by_mut(|_, next| messages.get(*next).is_some_and(|next| next.role != Role::Assistant)) {
        let [first, rest @ ..] = turn else { continue };
        if messages.get(*first).is_some_and(|first| has(first, is_call)) {
            // The sort is stable.
            rest.sort_by_key(|at| !messages.get(*at).is_some_and(|message| has(message, is_result)));
        }
    }
    order
}

fn has(message: &Message, test: fn(&Part) -> bool) -> bool {
    message.parts.iter().any(test)
}

fn is_call(part: &Part) -> bool {
    matches!(part, Part::ToolCall(_))
}

fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolResult(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ToolCall, ToolResult};

    fn said(role: Role) -> Message {
        Message::new(role, vec![Part::text("x")])
    }

    fn call() -> Message {
        Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("c", "f", "{}"))])
    }

    fn result() -> Message {
        Message::new(Role::Tool, vec![Part::ToolResult(ToolResult::new("c"))])
    }

    #[test]
    fn c38_results_come_directly_behind_their_calls() {
        let interrupted = [said(Role::User), call(), said(Role::User), result(), said(Role::Developer), result()];
        assert_eq!(sent(&interrupted), [0, 1, 3, 5, 2, 4]);
        let usual = [said(Role::System), said(Role::User), call(), result(), said(Role::User), said(Role::Assistant)];
        assert_eq!(sent(&usual), [0, 1, 2, 3, 4, 5]);
        // Results without calls before them stay where they are.
        let odd = [said(Role::Assistant), said(Role::User), result(), call(), result()];
        assert_eq!(sent(&odd), [0, 1, 2, 3, 4]);
    }
}
