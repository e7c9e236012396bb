//! Sorts results of functions in the order of their calls.
//!
//! Older endpoints of the service refuse ids in calls and results, so two calls of one function are distinguished only
//! by their order.

use weir_sdk::types::{ChatRequest, Message, Part, Role, ToolResult};

/// Sorts the results for the calls of one turn.
pub(crate) fn results(request: &mut ChatRequest) {
    let mut calls: Vec<String> = Vec::new();
    let mut start = 0;
    for at in 0..=request.messages.len() {
        let ended = request.messages.get(at).is_none_or(|message| matches!(message.role, Role::Assistant));
        if !ended {
            continue;
        }
        if let Some(answers) = request.messages.get_mut(start..at) {
            sort(answers, &calls);
        }
        if start < at {
            calls.clear();
        }
        calls.extend(request.messages.get(at).into_iter().flat_map(ids));
        start = at + 1;
    }
}

fn ids(message: &Message) -> impl Iterator<Item = String> {
    message.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call.id.clone()),
        _ => None,
    })
}

fn sort(messages: &mut [Message], calls: &[String]) {
    let mut places: Vec<&mut ToolResult> =
        messages.iter_mut().flat_map(|message| message.parts.iter_mut()).filter_map(result).collect();
    let rank = |result: &ToolResult| calls.iter().position(|id| *id == result.call_id).unwrap_or(usize::MAX);
    if places.is_sorted_by_key(|result| rank(result)) {
        return;
    }
    let mut sorted: Vec<ToolResult> = places.iter().map(|result| (**result).clone()).collect();
    sorted.sort_by_key(rank);
    for (place, result) in places.iter_mut().zip(sorted) {
        **place = result;
    }
}

fn result(part: &mut Part) -> Option<&mut ToolResult> {
    match part {
        Part::ToolResult(result) => Some(result),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::ToolCall;

    fn turn(calls: &[&str]) -> Message {
        let call = |id: &&str| Part::ToolCall(ToolCall::new(*id, "f", "{}"));
        Message::new(Role::Assistant, calls.iter().map(call).collect())
    }

    fn answers(ids: &[&str]) -> Message {
        Message::new(Role::User, ids.iter().map(|id| Part::ToolResult(ToolResult::new(*id))).collect())
    }

    fn order(request: &ChatRequest) -> Vec<&str> {
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        let results = parts.filter_map(|part| match part {
            Part::ToolResult(result) => Some(result.call_id.as_str()),
            _ => None,
        });
        results.collect()
    }

    #[test]
    fn c38_results_come_in_the_order_of_their_calls() {
        let messages = vec![turn(&["a", "b", "c"]), answers(&["c", "x"]), answers(&["a"]), answers(&["b"])];
        let mut request = ChatRequest { messages, ..ChatRequest::default() };
        results(&mut request);
        assert_eq!(order(&request), ["a", "b", "c", "x"]);
    }

    #[test]
    fn results_stay_with_their_turn_where_ids_repeat() {
        let messages = vec![turn(&["a", "b"]), answers(&["b", "a"]), turn(&["b", "a"]), answers(&["a", "b"])];
        let mut request = ChatRequest { messages, ..ChatRequest::default() };
        results(&mut request);
        assert_eq!(order(&request), ["a", "b", "b", "a"]);
    }
}
