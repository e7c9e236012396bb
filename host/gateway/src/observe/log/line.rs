//! The format of a log line: a JSON object, or text for people. A line written while a request is handled has the
//! request's id.

use std::fmt;

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
        let mut content = EventContent { target: event.metadata().target().to_owned(), ..EventContent::default() };
        event.record(&mut content);
        if content.fields.iter().all(|(name, _)| *name != REQUEST_ID) {
            content.fields.extend(current::id().map(|id| (REQUEST_ID, Value::from(&*id))));
        }
        let level = *event.metadata().level();
        if tap::takes(level, &content.target) {
            let mut line = String::new();
            json(&mut Writer::new(&mut line), level, &content)?;
            tap::show(level, line);
        }
        match self {
            Self::Json => json(&mut writer, level, &content),
            Self::Human => human(&mut writer, level, &content),
        }
    }
}

/// The message and the fields of a log event, to be written once all are known.
#[derive(Debug, Default)]
struct EventContent {
    target: String,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl EventContent {
    fn take(&mut self, field: &Field, value: impl Into<Value>) {
        let value = value.into();
        match field.name() {
            "message" => self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            "log.target" => value.as_str().unwrap_or_default().clone_into(&mut self.target),
            name if name.starts_with(FOREIGN) => {}
            name => self.fields.push((name, value)),
        }
    }
}

impl Visit for EventContent {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}

fn now() -> Result<String, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    Ok(time)
}

fn json(writer: &mut Writer<'_>, level: Level, content: &EventContent) -> fmt::Result {
    write!(writer, "{{\"timestamp\":{},\"level\":\"{level}\"", Value::from(now()?.trim()))?;
    write!(writer, ",\"message\":{}", Value::from(content.message.as_str()))?;
    for (name, value) in &content.fields {
        write!(writer, ",{}:{value}", Value::from(*name))?;
    }
    writeln!(writer, ",\"target\":{}}}", Value::from(content.target.as_str()))
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
    for (name, value) in &content.fields {
        write!(writer, " {name}=")?;
        match value {
            Value::String(text) => word(writer, text)?,
            other => write!(writer, "{other}")?,
        }
    }
    writeln!(writer)
}

/// Writes a text unquoted if it is one word, else quoted.
fn word(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\\');
    if !text.is_empty() && text.chars().all(is_plain) {
        return writer.write_str(text);
    }
    let quoted = Value::from(text).to_string();
    quoted.chars().try_for_each(|c| writer.write_char(if c.is_control() { ' ' } else { c }))
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
