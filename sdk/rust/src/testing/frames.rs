//! Splits recorded bytes into frames, like the host.

use crate::types::Frame;

/// The frames of server-sent events.
pub fn sse(text: &str) -> Vec<Frame> {
    text.replace("\r\n", "\n").split("\n\n").filter_map(event).collect()
}

fn event(block: &str) -> Option<Frame> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let lines: Vec<&str> = lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    Some(Frame { event: field("event"), data: field("data")? })
}
