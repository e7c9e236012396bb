//! Weighs the content of frames as they pass, to estimate answers that report no tokens or are not read to their end.
//!
//! A manifest's tests for content name the members that hold it. They are searched for by their last two names, without
//! a scan. If a frame holds several of them, the first in the manifest's order counts, because servers repeat
//! themselves.

use std::ops::Range;

use memchr::memmem::Finder;

use super::filter::names;
use crate::estimate::Content;
use crate::frame::nest::Nest;
use weir_types::contract::about::FrameTest;

/// Maximum nesting of a container whose end is looked for.
const DEPTH: usize = 64;

/// The members that hold content.
#[derive(Debug)]
pub(super) struct Places(Vec<Place>);

#[derive(Debug)]
struct Place {
    parent: Option<Finder<'static>>,
    name: Finder<'static>,
}

impl Places {
    pub(super) fn new(tests: &[FrameTest]) -> Self {
        let pointers = tests.iter().filter_map(|test| match test {
            FrameTest::Present(pointer) => Some(pointer),
            _ => None,
        });
        Self(pointers.filter_map(|pointer| Place::new(pointer)).collect())
    }

    /// Whether the manifest names no members that hold content.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the content of a frame.
    pub(super) fn weigh(&self, data: &[u8], content: &mut Content) {
        for place in &self.0 {
            if place.value(data).is_some_and(|value| add(value, content)) {
                return;
            }
        }
    }
}

impl Places {
    /// The range of the value that [`Self::weigh`] weighs: a string that weighs something, or a container.
    pub(super) fn value_range(&self, data: &[u8]) -> Option<Range<usize>> {
        let mut values = self.0.iter().filter_map(|place| place.value(data));
        let value = values.find(|value| add(value, &mut Content::default()))?;
        let start = data.len() - value.len();
        let length = Nest::new().advance(value, DEPTH).ok()??;
        Some(start..start + length)
    }

    /// Whether the value at the first offset, or one around it, would be weighed before the one at the second if it had
    /// content.
    pub(super) fn come_earlier(&self, data: &[u8], at: usize, chosen: usize) -> bool {
        let starts = self.0.iter().filter_map(|place| place.value(data)).map(|value| (data.len() - value.len(), value));
        let mut earlier = starts.take_while(|(start, _)| *start != chosen);
        earlier.any(|(start, value)| start == at || matches!(value.first(), Some(b'{' | b'[')))
    }
}

impl Place {
    fn new(pointer: &str) -> Option<Self> {
        let finder = |name: String| Finder::new(&serde_json::Value::from(name).to_string()).into_owned();
        let mut names = names(pointer);
        let name = finder(names.pop()?);
        Some(Self { parent: names.pop().map(finder), name })
    }

    /// The data from the start of the member's value on.
    fn value<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        let inside = match &self.parent {
            Some(parent) => behind(parent, data)?,
            None => data,
        };
        behind(&self.name, inside)
    }
}

/// The data after a name and its colon.
fn behind<'a>(name: &Finder<'_>, data: &'a [u8]) -> Option<&'a [u8]> {
    name.find_iter(data).find_map(|at| {
        let behind = data.get(at + name.needle().len()..)?.trim_ascii_start();
        Some(behind.strip_prefix(b":")?.trim_ascii_start())
    })
}

/// Adds a text, or all texts in a container, and returns whether there were any.
fn add(value: &[u8], content: &mut Content) -> bool {
    match value.first() {
        Some(b'"') => string(value).is_some_and(|(inside, _)| content.string(inside)),
        Some(b'{' | b'[') => add_all(value, content),
        _ => false,
    }
}

fn add_all(value: &[u8], content: &mut Content) -> bool {
    let (mut rest, mut depth, mut any) = (value, 0usize, false);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            b'"' => {
                let from = value.get(value.len() - rest.len() - 1..).unwrap_or_default();
                let Some((inside, behind)) = string(from) else { break };
                rest = behind;
                let is_name = behind.trim_ascii_start().first() == Some(&b':');
                any |= !is_name && content.string(inside);
            }
            _ => {}
        }
    }
    any
}

/// The inside of the string at the start, and the bytes after it.
fn string(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = value.get(1..)?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', inside.get(at..)?)?;
        if inside.get(at) == Some(&b'"') {
            return Some((inside.get(..at)?, inside.get(at + 1..)?));
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::estimate;

    fn weigh(pointers: &[&str], frames: &[String]) -> u32 {
        let tests: Vec<_> = pointers.iter().map(|pointer| FrameTest::Present((*pointer).to_owned())).collect();
        let places = Places::new(&tests);
        let mut content = Content::default();
        for frame in frames {
            places.weigh(frame.as_bytes(), &mut content);
        }
        content.tokens()
    }

    #[test]
    fn the_texts_of_the_first_member_that_has_some_count() {
        let text = "the quick brown fox jumps over the lazy dog";
        let wanted = estimate::text_tokens(text) + 3;
        let both = json!({"id": "1", "parts": [{"more": {"say": text, "show": text}, "say": text}]}).to_string();
        assert_eq!(weigh(&["/parts/*/more/say", "/parts/*/more/show"], std::slice::from_ref(&both)), wanted);
        assert_eq!(weigh(&["/parts/*/more/none", "/parts/*/more/show"], &[both]), wanted);
        let list = json!({"more": {"say": [{"kind": "", "text": text}, {"text": ""}]}}).to_string();
        assert_eq!(weigh(&["/more/say"], &[list]), wanted);
        assert_eq!(
            weigh(&["/more/say"], &[json!({"more": {"say": null}, "say": text}).to_string()]),
            0,
            "null is nothing"
        );
        assert_eq!(weigh(&["/more/say"], &[json!({"kind": "more", "other": {"say": text}}).to_string()]), 0);
    }

    #[test]
    fn cut_frames_do_no_harm() {
        let frame = json!({"say": [{"text": "a \"quoted\" word", "n": [1, {"x": "y"}]}]}).to_string();
        for cut in 0..frame.len() {
            weigh(&["/say"], &[frame[..cut].to_owned()]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_weighed(data in prop::collection::vec(any::<u8>(), 0..200), quoted in "[\\[{\"\\\\\\]},:a]{0,60}") {
            let places = Places::new(&[FrameTest::Present("/say".to_owned())]);
            let mut content = Content::default();
            places.weigh(&data, &mut content);
            places.weigh(format!("{{\"say\":{quoted}").as_bytes(), &mut content);
        }
    }
}
