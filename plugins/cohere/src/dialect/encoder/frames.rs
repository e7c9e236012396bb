//! The texts of a stream's frames.

use weir_sdk::json::{Object, object, parse};
use weir_sdk::losses::Losses;
use weir_sdk::types::{Frame, ToolStart, Usage};

use crate::usage;
use crate::wire::LogprobItem;

fn frame(kind: &str, members: impl FnOnce(&mut Object<'_>)) -> Frame {
    let mut data = String::with_capacity(160);
    object(&mut data, |o| {
        o.str("type", kind);
        members(o);
    });
    Frame { event: Some(kind.to_owned()), data }
}

/// `{"delta": {"message": {…}}}`.
fn message(o: &mut Object<'_>, members: impl FnOnce(&mut Object<'_>)) {
    o.object("delta", |o| o.object("message", members));
}

/// The start of the answer.
pub(super) fn message_start(id: &str) -> Frame {
    frame("message-start", |o| {
        o.str("id", id);
        message(o, |o| {
            o.str("role", "assistant");
            o.array("content", |_| {});
            o.str("tool_plan", "");
            o.array("tool_calls", |_| {});
            o.array("citations", |_| {});
        });
    })
}

/// The start of an item of the content.
pub(super) fn content_start(index: u32, thinks: bool) -> Frame {
    let kind = if thinks { "thinking" } else { "text" };
    frame("content-start", |o| {
        o.num("index", index);
        message(o, |o| {
            o.object("content", |o| {
                o.str("type", kind);
                o.str(kind, "");
            });
        });
    })
}

/// A delta of an item; the most frequent frame. Log probabilities are one item, whose text may consist of several
/// pieces.
pub(super) fn content_delta(index: u32, thinks: bool, text: &str, probabilities: &[String]) -> Frame {
    frame("content-delta", |o| {
        o.num("index", index);
        message(o, |o| o.object("content", |o| o.str(if thinks { "thinking" } else { "text" }, text)));
        match probabilities {
            [] => {}
            [one] => o.raw("logprobs", one),
            several => joined(o, several),
        }
    })
}

fn joined(o: &mut Object<'_>, items: &[String]) {
    let items: Vec<LogprobItem<'_>> = items.iter().filter_map(|item| parse(item).ok()).collect();
    let text: String = items.iter().filter_map(|item| item.text.as_deref()).collect();
    let inner = |item: &LogprobItem<'_>| {
        let list = item.token_ids?.get().strip_prefix('[')?.strip_suffix(']')?.trim().to_owned();
        (!list.is_empty()).then_some(list)
    };
    let ids: Vec<String> = items.iter().filter_map(inner).collect();
    o.object("logprobs", |o| {
        o.str("text", &text);
        o.raw("token_ids", &format!("[{}]", ids.join(",")));
        o.array("logprobs", |a| {
            items.iter().flat_map(|item| item.logprobs.as_deref().unwrap_or_default()).for_each(|one| a.num(one.0));
        });
    });
}

/// A delta of the plan for calling tools.
pub(super) fn tool_plan_delta(text: &str) -> Frame {
    frame("tool-plan-delta", |o| message(o, |o| o.str("tool_plan", text)))
}

/// A `tool-call-start` event, with the call's id and name.
pub(super) fn tool_call_start(index: u32, call: &ToolStart) -> Frame {
    frame("tool-call-start", |o| {
        o.num("index", index);
        message(o, |o| {
            o.object("tool_calls", |o| {
                o.str("id", &call.id);
                o.str("type", "function");
                o.object("function", |o| {
                    o.str("name", &call.name);
                    o.str("arguments", "");
                });
            });
        });
    })
}

/// A delta of a call's arguments.
pub(super) fn tool_call_delta(index: u32, text: &str) -> Frame {
    frame("tool-call-delta", |o| {
        o.num("index", index);
        message(o, |o| o.object("tool_calls", |o| o.object("function", |o| o.str("arguments", text))));
    })
}

/// The end of an item or of a call.
pub(super) fn end(kind: &str, index: u32) -> Frame {
    frame(kind, |o| o.num("index", index))
}

/// The start and the end of a citation.
pub(super) fn citation(index: u32, json: &str) -> [Frame; 2] {
    let start = frame("citation-start", |o| {
        o.num("index", index);
        message(o, |o| o.raw("citations", json));
    });
    [start, end("citation-end", index)]
}

/// The end of the answer.
pub(super) fn message_end(reason: &str, known: Option<&Usage>, losses: &mut Losses) -> Frame {
    frame("message-end", |o| {
        o.object("delta", |o| {
            o.str("finish_reason", reason);
            if let Some(known) = known {
                usage::write(o, known, losses);
            }
        });
    })
}

/// The end of the stream.
pub(super) fn done() -> Frame {
    Frame { event: None, data: "[DONE]".to_owned() }
}

/// The end of a failed answer (C-19).
pub(super) fn failure(words: &str) -> Frame {
    frame("message-end", |o| {
        o.object("delta", |o| {
            o.str("finish_reason", "ERROR");
            o.str("error", words);
        });
    })
}
