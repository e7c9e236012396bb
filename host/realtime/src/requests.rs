//! Finds the client's messages that ask for a response, and what messages name that a client needs a right to. Unlike
//! messages of a provider, these are searched with nothing skipped, since a client may try to hide what it asks for: by
//! escapes, by padding, or by naming a member twice.

use weir_types::contract::about::FrameTest;
use weir_wire::peek::{Limits, Peek, Pointers, Test, Wanted};
use weir_wire::tap::TapError;

use super::named::{CompiledPlaces, Name, NamePlaces};

/// Limits of a scan.
const LIMITS: Limits =
    Limits { depth: 512, hits: 16 << 10, drop_excess: false, text_bytes: 512, utf8: false, variants: false };

/// The tests of messages that ask for a response, and the places of names in all messages.
#[derive(Debug)]
pub struct CompiledRequests {
    tests: Vec<Test>,
    /// The pointers up to this one are those of tests.
    tested: usize,
    places: CompiledPlaces,
    pointers: Pointers,
}

/// What a message asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReadRequest {
    /// Whether it asks for a response.
    pub asks: bool,
    /// What it names, at each place of it.
    pub names: Vec<Name>,
}

/// A message cannot be read, so that it is not known what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message must be JSON with each member once, so that it can be seen what it asks for")]
pub struct UnreadableMessage;

impl CompiledRequests {
    /// Compiles tests and places.
    pub(super) fn new(tests: &[FrameTest], places: &NamePlaces<'_>) -> Result<Self, TapError> {
        let mut wanted = Wanted::default();
        let compiled = tests.iter().map(|test| Test::compile(test, &mut wanted));
        let tests = compiled.collect::<Result<_, _>>()?;
        let tested = wanted.compile()?.len();
        let places = CompiledPlaces::new(places, &mut wanted);
        Ok(Self { tests, tested, places, pointers: wanted.compile()? })
    }

    fn request(&self, peek: &mut Peek) -> Result<ReadRequest, UnreadableMessage> {
        let found = peek.end().map_err(|_| UnreadableMessage)?;
        if found.hits().iter().any(|hit| hit.superseded && hit.pointer < self.tested) {
            return Err(UnreadableMessage);
        }
        Ok(ReadRequest { asks: self.tests.iter().any(|test| test.holds(found)), names: self.places.names(found) })
    }
}

/// Reads the messages of one client, whole or in pieces.
#[derive(Debug, Default)]
pub struct RequestReader {
    /// The scan of a message that arrives in pieces.
    open: Option<Box<Peek>>,
}

impl RequestReader {
    /// What a message asks for that ends with this piece; nothing if it goes on. A message that cannot be read is an
    /// error from the piece on that shows it.
    pub fn read(
        &mut self,
        requests: &CompiledRequests,
        piece: &[u8],
        is_last: bool,
    ) -> Result<ReadRequest, UnreadableMessage> {
        if requests.tests.is_empty() {
            return Ok(ReadRequest::default());
        }
        let mut peek = self.open.take().unwrap_or_else(|| Box::new(Peek::new(&requests.pointers, LIMITS)));
        peek.push(piece);
        if is_last {
            return requests.request(&mut peek);
        }
        let is_broken = peek.error().is_some();
        self.open = Some(peek);
        if is_broken { Err(UnreadableMessage) } else { Ok(ReadRequest::default()) }
    }
}

#[cfg(test)]
mod tests {
    use weir_types::contract::about::PointerEquals;

    use super::*;

    fn read(text: &str, cut: usize) -> Result<bool, UnreadableMessage> {
        let asks = PointerEquals { pointer: "/type".into(), json: "\"ask\"".into() };
        let requests = CompiledRequests::new(&[FrameTest::Equals(asks)], &NamePlaces::default()).unwrap();
        let (front, end) = text.split_at(cut.min(text.len()));
        let mut reader = RequestReader::default();
        // What broke in one message is no matter of the next one.
        let _broken = reader.read(&requests, b"{{", true);
        assert_eq!(reader.read(&requests, front.as_bytes(), false)?, ReadRequest::default());
        reader.read(&requests, end.as_bytes(), true).map(|request| request.asks)
    }

    #[test]
    fn a_request_is_found_however_it_is_written_and_cut() {
        for cut in 0..40 {
            assert_eq!(read(r#"{"x":[1],"type":"ask"}"#, cut), Ok(true));
            assert_eq!(read(r#"{"t\u0079pe" : "\u0061sk"}"#, cut), Ok(true));
            assert_eq!(read(r#"{"type":"other","a":{"type":"ask"}}"#, cut), Ok(false));
            assert_eq!(read(r#"{"type":"ask","type":"other"}"#, cut), Err(UnreadableMessage));
            assert_eq!(read(r#"{"type":"other","type":"ask"}"#, cut), Err(UnreadableMessage));
            assert_eq!(read(r#"{"type":"ask""#, cut), Err(UnreadableMessage));
            assert_eq!(read("hello", cut), Err(UnreadableMessage));
        }
        let padded = format!(r#"{{"pad":"{}","type":"ask"}}"#, " ".repeat(300_000));
        assert_eq!(read(&padded, 262_144), Ok(true));
        let deep = format!(r#"{{"pad":{}0{},"type":"ask"}}"#, "[".repeat(2000), "]".repeat(2000));
        assert_eq!(read(&deep, 1000), Err(UnreadableMessage));
    }

    #[test]
    fn a_format_without_requests_has_messages_of_any_kind() {
        let none = CompiledRequests::new(&[], &NamePlaces::default()).unwrap();
        assert_eq!(RequestReader::default().read(&none, b"hello", true), Ok(ReadRequest::default()));
    }
}
