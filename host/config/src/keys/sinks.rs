//! `[[sinks]]`: where the facts of requests are sent besides the request log.

use std::time::Duration;

use super::names::first_of_each_name;
use super::traces::Headers;
use crate::raw::{Node, Value};
use crate::section::{Amount, Count, Entry, Located, Name, Reader, Section, Size, Take, joined, part, take_table};
use crate::{LogLevel, Place, Secret, SinkKind};

part! {
    /// A place that gets the facts of requests, or lines of the log.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Sink {
        /// A name of your choice, for metrics and the log.
        name: Option<String> as Option<Name> => required "a name of your choice, for metrics and the log",
        /// What takes them: `"webhook"`, `"s3"` (a bucket of any storage with this protocol) or `"slack"` (an
        /// incoming webhook of a chat, which gets a message about requests that failed).
        kind: SinkKind,
        /// Its address; of `"s3"` the bucket's, such as `"https://storage.example.com/my-bucket"`. With `"env:NAME"`
        /// or `"file:PATH"`, an address that is a secret stays out of the file.
        url: Option<Secret> as Option<SinkUrl> => required "the address that events are sent to",
        /// Headers of requests to it: `name=value,name=value`, with percent-encoded values.
        headers: Vec<(String, Secret)> as Headers,
        /// The key of `"s3"`: `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, and `:SESSION_TOKEN` if there is one.
        key: Option<Secret>,
        /// Where the bucket of `"s3"` is, as signatures name it.
        region: String = "us-east-1".to_owned(),
        /// What the names of objects in `"s3"` begin with.
        prefix: String = "weir/".to_owned(),
        /// Whether it gets the facts of requests.
        requests: bool = true,
        /// Whether only failed requests are sent. A chat gets no others.
        only_failed: bool,
        /// The least severe lines of Weir's own log that it gets: `"error"`, `"warn"` or `"info"`, as far as
        /// `log_level` lets them through. Lines of the access log are left out.
        log: Option<LogLevel> => "no lines",
        /// Whether its address may be one of a private network, or begin with `http:`.
        private: bool,
        /// Events that wait; further ones are dropped and counted.
        max_queue_rows: usize as Amount = 10_000,
        /// Memory for those that wait.
        max_queue_bytes: usize as Size = 16 << 20,
        /// The most events that are sent together.
        batch: usize as Count<usize, 1, 10_000> = 500,
        /// How long the first event of a batch waits for others.
        interval: Duration = Duration::from_secs(5),
        /// How long one attempt to send a batch may take.
        timeout: Duration = Duration::from_secs(10),
        /// How often a batch is sent at most. After that its events are given up, and counted.
        attempts: u32 as Count<u32, 1, 100> = 8,
        /// The wait after the first failed attempt; each further one is twice as long, at most a minute.
        retry_delay: Duration = Duration::from_secs(1),
    } beside {
        /// Where the sink stands in the file.
        place: Place = Place::Unset,
    }
}

joined! {
    /// A place that gets the facts of requests, as the request log has them: without any content; and lines of Weir's
    /// own log. Requests never wait for it; see docs/sinks.md.
    SINK = "[[sinks]]": Sink::KEYS;
}

take_table!(Sink, SINK, by Sink::of_table);

impl Sink {
    fn of_table(section: &mut Section<'_>) -> Self {
        let place = section.place.clone();
        let read = Self { place, ..Self::read(section, Self::default()) };
        if read.kind == SinkKind::S3 && read.key.is_none() && !section.reader.environment.leaves_secrets_out() {
            section.missing("key", "`ACCESS_KEY_ID:SECRET_ACCESS_KEY`, as \"env:NAME\" or \"file:PATH\"");
        }
        read
    }

    /// What metrics and the log call it.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// Reports sinks that share a name.
pub(crate) fn checked_sinks(reader: &Reader<'_>, tables: Vec<Located<Sink>>) -> Vec<Sink> {
    first_of_each_name(reader, tables, "sink", "give each a name of its own", Sink::name)
}

/// An address that may be a secret as a whole.
#[derive(Debug)]
struct SinkUrl;

impl Take for SinkUrl {
    type Value = Secret;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Secret> {
        let Located { value, place } = Located::<String>::take(entry, node)?;
        let written = value.trim();
        if written.starts_with("env:") || written.starts_with("file:") {
            return Secret::take(entry, Node { value: Value::Text(value), place });
        }
        Some(Secret::new(written))
    }

    fn example() -> String {
        "\"https://events.example.com/weir\"".to_owned()
    }
}
