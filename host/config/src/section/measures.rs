//! Durations and sizes.

use std::time::Duration;

use super::{Count, Entry, Take};
use crate::raw::{Node, Value};
use crate::units;

/// A duration above zero.
impl Take for Duration {
    type Value = Self;
    const TAKES: &'static str = "duration";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let place = node.place.clone();
        let duration = Pause::take(entry, node)?;
        if duration.is_zero() {
            entry.error(&place, format!("`{}` must be longer than nothing", entry.name));
        }
        Some(duration).filter(|duration| !duration.is_zero())
    }

    fn show(default: &Self) -> String {
        format!("\"{}\"", units::show_duration(*default))
    }

    fn example() -> String {
        "\"30s\"".to_owned()
    }
}

/// A duration that may be zero.
#[derive(Debug)]
pub(crate) struct Pause;

impl Take for Pause {
    type Value = Duration;
    const TAKES: &'static str = Duration::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Duration> {
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Whole(number) => {
                let help = format!("durations are strings with a unit: `\"{number}s\"`");
                entry.wrong_with(&node, units::DURATION, help);
                return None;
            }
            _ => {
                entry.wrong(&node, units::DURATION);
                return None;
            }
        };
        let duration = units::duration(text);
        if duration.is_none() {
            entry.error(&node.place, format!("`{}` must be {}", entry.name, units::DURATION));
        }
        duration
    }

    fn show(default: &Duration) -> String {
        Duration::show(default)
    }

    fn example() -> String {
        Duration::example()
    }
}

/// A duration as a number of milliseconds, an hour at most.
#[derive(Debug)]
pub(crate) struct Milliseconds;

/// The number of milliseconds.
type Number = Count<u64, 0, 3_600_000>;

impl Take for Milliseconds {
    type Value = Duration;
    const TAKES: &'static str = Number::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Duration> {
        Number::take(entry, node).map(Duration::from_millis)
    }

    fn show(default: &Duration) -> String {
        default.as_millis().to_string()
    }

    fn example() -> String {
        Number::example()
    }
}

/// Bytes, at least `LEAST`.
#[derive(Debug)]
pub(crate) struct Bytes<const LEAST: usize>;

/// Bytes, at least one.
pub(crate) type Size = Bytes<1>;

impl<const LEAST: usize> Take for Bytes<LEAST> {
    type Value = usize;
    const TAKES: &'static str = "size";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<usize> {
        let bytes = match &node.value {
            Value::Whole(number) => u64::try_from(*number).ok(),
            Value::Text(text) => units::size(text),
            _ => {
                entry.wrong(&node, units::SIZE);
                return None;
            }
        };
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        // An `isize` is what a buffer can hold.
        let Some(bytes) = bytes.filter(|bytes| (1..isize::MAX as usize).contains(bytes)) else {
            entry.error(&node.place, format!("`{}` must be {}", entry.name, units::SIZE));
            return None;
        };
        if bytes < LEAST {
            entry.error(&node.place, format!("`{}` must be at least {LEAST} bytes", entry.name));
            return None;
        }
        Some(bytes)
    }

    fn show(default: &usize) -> String {
        format!("\"{}\"", units::show_size(*default))
    }

    fn example() -> String {
        "\"1MiB\"".to_owned()
    }
}
