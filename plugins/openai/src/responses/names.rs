//! The format's names of fields that the unified model names differently, for the losses reported to clients.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::{Extension, Message};

/// Instructions are the first message of the unified model.
const INSTRUCTIONS: Rules<'_> = &[("messages[0].content[0]", "instructions"), ("messages[0]", "instructions")];
/// The names if each item is a message, after instructions and without them.
const BEHIND: Rules<'_> = &[("messages[#].content[#].content", "input[#0-1].output"), ("messages[#]", "input[#0-1]")];
const ITEMS: Rules<'_> = &[("messages[#].content[#].content", "input[#0].output"), ("messages[#]", "input[#0]")];
/// The names if several items are one message, and there are too many to name each.
const JOINED: Rules<'_> = &[("messages[#]", "input[]")];
const MEMBERS: Rules<'_> = &[
    ("max_tokens", "max_output_tokens"),
    ("max_completion_tokens", "max_output_tokens"),
    ("reasoning_effort", "reasoning.effort"),
    ("response_format", "text.format"),
    ("verbosity", "text.verbosity"),
];
const SAFETY: Rules<'_> = &[("user", "safety_identifier")];

/// Most items that are named one by one.
const PAIRS: usize = 128;

/// The names for a request with or without instructions, with these numbers of items in its messages, and with or
/// without a name of its end user that is only a `safety_identifier`.
pub(super) fn names(instructions: bool, messages: &[(Message, usize)], only_safety: bool) -> Extension {
    let instructed = if instructions { INSTRUCTIONS } else { &[] };
    let user = if only_safety { SAFETY } else { &[] };
    if messages.iter().any(|(_, n_items)| *n_items > 1) {
        let pairs = joined(usize::from(instructions), messages);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(pattern, item)| (pattern.as_str(), item.as_str())).collect();
        return spelling::names(&[instructed, &pairs, JOINED, MEMBERS, user]);
    }
    spelling::names(&[instructed, if instructions { BEHIND } else { ITEMS }, MEMBERS, user])
}

/// The items of messages, starting at this index. An item that is one part of its message is named by that part.
fn joined(first: usize, messages: &[(Message, usize)]) -> Vec<(String, String)> {
    let (mut pairs, mut item) = (Vec::new(), 0);
    for (at, (message, n_items)) in (first..).zip(messages) {
        let n_parts = if *n_items > 1 && message.parts.len() == *n_items { *n_items } else { 0 };
        if pairs.len() + n_parts >= PAIRS {
            break;
        }
        let part = |part| (format!("messages[{at}].content[{part}]"), format!("input[{}]", item + part));
        pairs.extend((0..n_parts).map(part));
        pairs.push((format!("messages[{at}]"), format!("input[{item}]")));
        item += n_items;
    }
    pairs
}
