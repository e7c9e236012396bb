//! What sinks get: the fact of a request, or a line of the log.

use std::sync::Arc;

use serde_json::{Value, json};
use weir_store::{Fact, RequestId};

use crate::store::shown::shown;

/// What a sink gets.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// The fact of a request.
    Request(Arc<Fact>),
    /// A line of Weir's own log.
    Line(Arc<LogLine>),
}

/// What Weir itself reported once.
#[derive(Debug)]
pub(super) struct LogLine {
    /// An id of its own, which carries its time.
    pub(super) id: RequestId,
    /// `ERROR`, `WARN`, ...
    pub(super) level: &'static str,
    /// A JSON object.
    pub(super) text: String,
}

impl Event {
    /// The id, which carries the time.
    pub(super) fn id(&self) -> RequestId {
        match self {
            Self::Request(fact) => fact.id,
            Self::Line(line) => line.id,
        }
    }

    /// The memory that it takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Request(fact) => fact.weight(),
            Self::Line(line) => line.text.len() + size_of::<LogLine>(),
        }
    }

    /// The event as JSON: a fact as the request log shows it, a line as the member `log`.
    pub(super) fn shown(&self) -> Value {
        match self {
            Self::Request(fact) => shown(fact),
            Self::Line(line) => json!({"id": line.id.to_string(), "log": line.value()}),
        }
    }
}

impl LogLine {
    fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| self.text.as_str().into())
    }

    /// What it says.
    pub(super) fn message(&self) -> String {
        self.value()["message"].as_str().unwrap_or_default().to_owned()
    }
}
