//! A message for people about requests that failed, and lines of the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use weir_store::Fact;

use super::event::{Event, LogLine};

/// The most lines of a message.
const LINES: usize = 10;

/// The message to a chat about a batch. Names and lines are written so that a chat takes them for text.
pub(super) fn of(events: &[Event]) -> String {
    let (mut facts, mut lines) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Request(fact) => facts.push(&**fact),
            Event::Line(line) => lines.push(&**line),
        }
    }
    let parts = [(!facts.is_empty()).then(|| failed(&facts)), (!lines.is_empty()).then(|| logged(&lines))];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The first lines of the log.
fn logged(lines: &[&LogLine]) -> String {
    let shown = lines.iter().take(LINES).map(|line| format!("Weir: {}: {}", line.level, plain(&line.message())));
    let mut text = shown.collect::<Vec<_>>().join("\n");
    if lines.len() > LINES {
        // Writing to a string does not fail.
        let _written = write!(text, "\nand {} further lines of the log", lines.len() - LINES);
    }
    text
}

/// What failed how often, the most frequent first.
fn failed(facts: &[&Fact]) -> String {
    let mut counts = BTreeMap::<[&str; 3], usize>::new();
    for fact in facts {
        let kind = if fact.error_kind.is_empty() { &fact.outcome } else { &fact.error_kind };
        *counts.entry([kind, &fact.model_asked, &fact.provider]).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let (failed, noun) = (facts.len(), if facts.len() == 1 { "request" } else { "requests" });
    let mut text = format!("Weir: {failed} {noun} failed");
    for ([kind, model, provider], count) in counts.iter().take(LINES) {
        // Writing to a string does not fail.
        let _written = write!(text, "\n{count} × {}", plain(kind));
        for (word, name) in [("model", model), ("provider", provider)] {
            if !name.is_empty() {
                let _written = write!(text, ", {word} {}", plain(name));
            }
        }
    }
    if counts.len() > LINES {
        let _written = write!(text, "\nand {} further kinds", counts.len() - LINES);
    }
    text
}

/// A name without the marks of links and mentions, and no longer than a line.
fn plain(name: &str) -> String {
    let escaped = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    };
    name.chars().take(100).map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_store::RequestId;

    use super::*;

    #[test]
    fn a_message_counts_kinds_and_holds_no_mention() {
        let fact = |kind: &str, model: &str| {
            let mut fact = Fact::of(RequestId::new(0, [1; 10]));
            (fact.error_kind, fact.model_asked) = (kind.to_owned(), model.to_owned());
            Event::Request(Arc::new(fact))
        };
        let facts = [fact("timeout", "m"), fact("overloaded", "<!channel>"), fact("timeout", "m")];
        let expected = "Weir: 3 requests failed\n2 × timeout, model m\n1 × overloaded, model &lt;!channel&gt;";
        assert_eq!(of(&facts), expected);
        let many: Vec<_> = (0..12).map(|n| fact("timeout", &format!("m{n}"))).collect();
        assert!(of(&many).ends_with("\nand 2 further kinds"));
        let text = "{\"message\":\"<!here> is down\"}".to_owned();
        let line = Event::Line(Arc::new(LogLine { id: RequestId::new(0, [1; 10]), level: "ERROR", text }));
        assert_eq!(of(std::slice::from_ref(&line)), "Weir: ERROR: &lt;!here&gt; is down");
        assert_eq!(of(&[fact("timeout", ""), line]).lines().count(), 3);
    }
}
