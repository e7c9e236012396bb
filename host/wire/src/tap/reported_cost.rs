//! What an answer says that it cost, at a place that the operator names: the place is no part of a format, since any
//! server that has it may report a cost.

use memchr::memmem::Finder;

use crate::frame::FrameRef;
use crate::peek::{Limits, Peek, PointerError, Pointers, Scalar, Wanted};
use weir_types::contract::types::Usage;

/// The member under which a value is looked at that stands by itself.
const WITHIN: &str = "kept";
/// Limits of a scan.
const LIMITS: Limits = Limits { depth: 512, hits: 8, drop_excess: true, text_bytes: 400, utf8: false, variants: false };

/// A place at which answers report their cost.
#[derive(Debug, Clone)]
pub struct CostPlace {
    pointers: Pointers,
    /// The last name of the pointer as JSON has it.
    name: Finder<'static>,
    /// Where it stands in what an adapter keeps of a usage: the key, and the pointer within an object that has the
    /// value.
    kept: Option<(String, Pointers)>,
}

impl CostPlace {
    /// The place at this JSON pointer, which stands for one value.
    pub fn new(pointer: &str) -> Result<Self, PointerError> {
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let member = pointer.strip_prefix('/').and_then(|rest| rest.split_once('/')).map(|(_, member)| member);
        let kept = member.map(|member| {
            let (key, within) = member.split_at(member.find('/').unwrap_or(member.len()));
            Ok((unescaped(key), compiled(&format!("/{WITHIN}{within}"))?))
        });
        let name = serde_json::Value::from(unescaped(last)).to_string();
        Ok(Self { pointers: compiled(pointer)?, name: Finder::new(&name).into_owned(), kept: kept.transpose()? })
    }

    /// The cost in a usage that an adapter read, in the members that it has for its format alone.
    pub fn reported_in(&self, usage: &Usage) -> Option<String> {
        let (key, pointers) = self.kept.as_ref()?;
        let kept = usage.extensions.iter().find(|kept| kept.key == *key)?;
        let mut peek = Peek::new(pointers, LIMITS);
        let head = format!("{{\"{WITHIN}\":");
        for piece in [&head, &kept.json, "}"] {
            peek.push(piece.as_bytes());
        }
        reported(&peek)
    }
}

fn compiled(pointer: &str) -> Result<Pointers, PointerError> {
    let mut wanted = Wanted::default();
    wanted.add(pointer);
    wanted.compile()
}

/// A segment of a pointer as the name that it stands for.
fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// The last reported cost, as it is written.
fn reported(peek: &Peek) -> Option<String> {
    let hit = peek.so_far().last(0)?;
    match &hit.value {
        Scalar::Null => None,
        Scalar::Number(text) | Scalar::Text(text) => Some(text.clone()),
        // It is refused as what it is: no number.
        Scalar::Bool(_) | Scalar::Long | Scalar::Object { .. } | Scalar::Array { .. } => Some(String::new()),
    }
}

/// Looks for the cost in one answer: in its frames, or in its body.
#[derive(Debug)]
pub struct CostReader {
    place: CostPlace,
    peek: Peek,
    reported: Option<String>,
}

impl CostReader {
    /// A reader for the start of an answer.
    pub fn new(place: &CostPlace) -> Self {
        Self { peek: Peek::new(&place.pointers, LIMITS), place: place.clone(), reported: None }
    }

    /// Takes the next frame of a stream. The last one that reports a cost counts.
    pub fn frame(&mut self, frame: FrameRef<'_>) {
        if self.place.name.find(frame.data).is_some() {
            self.peek.push(frame.data);
            self.reported = reported(&self.peek).or(self.reported.take());
            self.peek.reset();
        }
    }

    /// Takes the next chunk of a whole answer.
    pub fn body(&mut self, chunk: &[u8]) {
        self.peek.push(chunk);
    }

    /// The cost that the answer reports: a decimal number, or a text that is none.
    pub fn finish(mut self) -> Option<String> {
        reported(&self.peek).or(self.reported.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::Extension;

    fn read(pointer: &str, pieces: &[&str], is_stream: bool) -> Option<String> {
        let mut reader = CostReader::new(&CostPlace::new(pointer).unwrap());
        for piece in pieces {
            if is_stream {
                reader.frame(FrameRef { event: None, data: piece.as_bytes() });
            } else {
                reader.body(piece.as_bytes());
            }
        }
        reader.finish()
    }

    #[test]
    fn a_cost_is_read_as_it_is_written() {
        let reported = |text: &str| Some(text.to_owned());
        let whole = ["{\"usage\":{\"cost\":0.0", "0014,\"cost_details\":{\"a/b\":1e-4}}}"];
        assert_eq!(read("/usage/cost", &whole, false), reported("0.00014"));
        assert_eq!(read("/usage/cost_details/a~1b", &whole, false), reported("1e-4"));
        assert_eq!(read("/cost", &whole, false), None);
        let frames = [
            "{\"usage\":{\"cost\":1}}",
            "{\"a\":1}",
            "{\"usage\":{\"cost\":2.50}}",
            "{\"usage\":{\"cost\":null}}",
            "[DONE]",
        ];
        assert_eq!(read("/usage/cost", &frames, true), reported("2.50"));
        assert_eq!(read("/usage/cost", &["{\"usage\":{\"cost\":{}}}"], true), reported(""));
    }

    #[test]
    fn a_cost_is_found_in_what_an_adapter_keeps_of_the_usage() {
        let kept = |key: &str, json: &str| Extension { format: "f".into(), key: key.into(), json: json.into() };
        let extensions = vec![kept("cost", "0.00014"), kept("cost_details", "{\"upstream\":2}"), kept("none", "null")];
        let usage = Usage { extensions, ..Usage::default() };
        let reported = |pointer: &str| CostPlace::new(pointer).unwrap().reported_in(&usage);
        assert_eq!(reported("/usage/cost").as_deref(), Some("0.00014"));
        assert_eq!(reported("/usage/cost_details/upstream").as_deref(), Some("2"));
        assert_eq!([reported("/usage/none"), reported("/usage/other"), reported("/cost")], [None, None, None]);
    }
}
