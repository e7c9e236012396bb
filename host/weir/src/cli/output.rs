//! What commands print.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write;

use weir_config::Problems;
use weir_gateway::observe::log as log_lines;

/// Prints to standard output. Errors are ignored: a reader that closed the pipe (`weir … | head -1`) has read enough.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{}", inert(text.trim_end())).and_then(|()| out.flush()));
}

/// A text in which the characters that control a terminal are spelled out, as JSON does: clients and providers wrote
/// parts of it.
pub(super) fn inert(text: &str) -> Cow<'_, str> {
    let controls = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(controls) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if controls(c) {
            // Writing to a text does not fail.
            let _ = write!(spelled, "\\u{:04x}", u32::from(c));
        } else {
            spelled.push(c);
        }
    }
    Cow::Owned(spelled)
}

/// Prints to standard error; errors are ignored.
pub(super) fn print_stderr(text: &str) {
    // Earlier log lines come first.
    log_lines::flush();
    drop(writeln!(std::io::stderr().lock(), "{}", text.trim_end()));
}

/// Prints problems, in colour on a terminal.
pub(super) fn print_problems(problems: &Problems) {
    print_stderr(&problems.render(std::io::IsTerminal::is_terminal(&std::io::stderr())));
}

#[cfg(test)]
mod tests {
    use super::super::pretty;
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_spelled_out() {
        assert_eq!(inert("a\u{1b}[2J\u{9b}31m\tb\r\n\u{7f}ü"), "a\\u001b[2J\\u009b31m\tb\\u000d\n\\u007fü");
        let text = pretty(&serde_json::json!({"model": "\u{9b}2J\u{1b}"})).unwrap();
        let read: serde_json::Value = serde_json::from_str(&inert(&text)).unwrap();
        assert_eq!(read["model"], "\u{9b}2J\u{1b}", "JSON stays what it is");
        assert!(matches!(inert("plain\ttext\n"), Cow::Borrowed(_)));
    }
}
