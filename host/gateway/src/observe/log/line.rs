//! The format of a log line: a JSON object, or text for people. A line written while a request is handled has the
//! request's id.

use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::{current, tap};

/// The member that names the line's request.
const REQUEST_ID: &str = "request_id";
/// The prefix of the fields through which libraries of the `log` crate pass their metadata.
const FOREIGN: &str = "log.";

/// The format of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A JSON object.
    Json,
    /// Text with `name=value` fields.
    Human,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        let content = EventContent::of(event, *self);
        if tap::takes(level, &content.target) {
            let mut line = String::new();
            match self {
                Self::Json => json(&mut line, level, &content)?,
                Self::Human => json(&mut line, level, &EventContent::of(event, Self::Json))?,
            }
            tap::show(level, line);
        }
        match self {
            Self::Json => json(&mut writer, level, &content),
            Self::Human => human(&mut writer, level, &content),
        }
    }
}

/// The message of a log event, and its fields as the line has them, to be written once all are known.
#[derive(Debug)]
struct EventContent {
    look: Line,
    target: String,
    message: String,
    fields: String,
    /// Whether a field names the request.
    has_request: bool,
}

/// What a field is to the line.
enum Part {
    Message,
    Target,
    /// Nothing that is shown.
    Unknown,
    Field,
}

impl EventContent {
    /// The content of an event within the current request.
    fn of(event: &Event<'_>, look: Line) -> Self {
        let target = event.metadata().target().to_owned();
        let mut content =
            Self { look, target, message: String::new(), fields: String::with_capacity(512), has_request: false };
        event.record(&mut content);
        if !content.has_request
            && let Some(id) = current::id()
        {
            content.add_text(REQUEST_ID, &id);
        }
        content
    }

    fn part(&mut self, name: &str) -> Part {
        match name {
            "message" => Part::Message,
            "log.target" => Part::Target,
            name if name.starts_with(FOREIGN) => Part::Unknown,
            name => {
                self.has_request |= name == REQUEST_ID;
                Part::Field
            }
        }
    }

    fn take_text(&mut self, name: &str, value: &str) {
        match self.part(name) {
            Part::Message => value.clone_into(&mut self.message),
            Part::Target => value.clone_into(&mut self.target),
            Part::Unknown => {}
            Part::Field => self.add_text(name, value),
        }
    }

    /// Takes what is written in both forms as it is.
    fn take_plain(&mut self, name: &str, value: impl fmt::Display) {
        match self.part(name) {
            Part::Message => self.message = value.to_string(),
            Part::Target | Part::Unknown => {}
            Part::Field => {
                self.add_name(name);
                // Strings take everything.
                let _always = write!(self.fields, "{value}");
            }
        }
    }

    fn add_text(&mut self, name: &str, value: &str) {
        self.add_name(name);
        match self.look {
            Line::Json => quote(&mut self.fields, value),
            Line::Human => word(&mut self.fields, value),
        }
    }

    fn add_name(&mut self, name: &str) {
        match self.look {
            Line::Json => {
                self.fields.push(',');
                quote(&mut self.fields, name);
                self.fields.push(':');
            }
            Line::Human => self.fields.extend([" ", name, "="]),
        }
    }
}

impl Visit for EventContent {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take_text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take_plain(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take_plain(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take_plain(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has fewer numbers than Rust.
        self.take_plain(field.name(), Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take_text(field.name(), &format!("{value:?}"));
    }
}

fn now() -> Result<String, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    Ok(time)
}

fn json(line: &mut impl fmt::Write, level: Level, content: &EventContent) -> fmt::Result {
    let (mut message, mut target) = (String::new(), String::new());
    quote(&mut message, &content.message);
    quote(&mut target, &content.target);
    let (time, fields) = (now()?, &content.fields);
    let time = time.trim();
    writeln!(
        line,
        "{{\"timestamp\":\"{time}\",\"level\":\"{level}\",\"message\":{message}{fields},\"target\":{target}}}"
    )
}

fn human(writer: &mut Writer<'_>, level: Level, content: &EventContent) -> fmt::Result {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    let time = now()?;
    let time = time.trim();
    if writer.has_ansi_escapes() {
        write!(writer, "\u{1b}[2m{time}\u{1b}[0m \u{1b}[{colour}m{level:>5}\u{1b}[0m ")?;
    } else {
        write!(writer, "{time} {level:>5} ")?;
    }
    // Texts may be hostile: control characters must neither end the line nor control the terminal.
    content.message.chars().try_for_each(|c| writer.write_char(if c.is_control() { ' ' } else { c }))?;
    writeln!(writer, "{}", content.fields)
}

/// Adds a text as a JSON string.
fn quote(line: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\')) {
        line.extend(["\"", text, "\""]);
    } else {
        line.push_str(&Value::from(text).to_string());
    }
}

/// Adds a text unquoted if it is one word, else quoted.
fn word(line: &mut String, text: &str) {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\\');
    if !text.is_empty() && text.chars().all(is_plain) {
        line.push_str(text);
    } else {
        let quoted = Value::from(text).to_string();
        line.extend(quoted.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::observe::log::tests::logged;

    #[test]
    fn a_line_within_a_request_has_its_id_once() {
        let id: Arc<str> = Arc::from("req_1");
        let text = logged(Line::Json, || {
            let _entered = current::enter(&id);
            tracing::info!(count = 3, "in it");
            tracing::info!(request_id = "req_2", "with its own");
        });
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["request_id"], &lines[0]["count"]), (&"req_1".into(), &3.into()), "{text}");
        assert_eq!(lines[1]["request_id"], "req_2");
        assert_eq!(text.matches("request_id").count(), 2);
        assert!(!logged(Line::Json, || tracing::info!("outside")).contains("request_id"));
    }

    #[test]
    fn a_line_in_json_has_each_value_as_what_it_is() {
        let hostile = "a\nb \"c\" \\ é\u{1b}";
        let text = logged(Line::Json, || {
            let none: Option<&str> = None;
            tracing::warn!(words = hostile, yes = true, less = -3, part = 0.5, whole = 2.0, none, of = ?[1], "said {hostile}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        let mut line: Value = serde_json::from_str(&text).unwrap();
        assert!(line["timestamp"].take().is_string());
        let expected = serde_json::json!({"timestamp": null, "level": "WARN", "message": format!("said {hostile}"), "words": hostile,
            "yes": true, "less": -3, "part": 0.5, "whole": 2.0, "of": "[1]", "target": module_path!()});
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_for_people_is_one_line_whatever_it_contains() {
        let hostile = "a\nb\u{1b}[2J \"c\" é\u{9b}";
        let text =
            logged(Line::Human, || tracing::warn!(words = hostile, plain = "one-word", none = "", "said\n{hostile}"));
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}'), "{text:?}");
        assert!(text.contains(r" WARN said a b") && text.contains(r#" plain=one-word none="""#), "{text}");
        assert!(text.contains(r#"words="a\nb\u001b[2J \"c\" é "#), "{text}");
    }
}
