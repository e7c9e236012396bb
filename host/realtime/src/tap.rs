//! What a manifest says of a session's messages, compiled: which ask for a response, which begin one, and how usage is
//! read of them.

use weir_types::contract::about::{FrameTest, SessionTap};
use weir_wire::frame::FrameRef;
use weir_wire::tap::{CompiledCheck, CompiledTap, FrameCheck, TapError};

/// Why a manifest's tap of sessions cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct SessionTapError(#[from] TapError);

/// Which messages ask for a response, begin or cancel one, and where usage stands in them.
#[derive(Debug)]
pub struct CompiledSessionTap {
    requests: Vec<CompiledCheck>,
    begins: Vec<CompiledCheck>,
    /// Reads usage, ends and failures of responses.
    pub responses: CompiledTap,
    /// The client's message that cancels a response.
    pub cancel: Option<String>,
}

impl CompiledSessionTap {
    /// Compiles a tap.
    pub fn new(tap: &SessionTap) -> Result<Self, SessionTapError> {
        let compiled = |test: &FrameTest| CompiledCheck::new(test, &[]);
        let checks = |tests: &[FrameTest]| tests.iter().map(compiled).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            requests: checks(&tap.requests)?,
            begins: checks(&tap.begins)?,
            responses: CompiledTap::new(&tap.responses)?,
            cancel: tap.cancel.clone(),
        })
    }

    /// Whether a client's message asks for a response.
    pub fn is_request(&self, message: &[u8]) -> bool {
        any_holds(&self.requests, message)
    }

    /// Whether a provider's message begins a response.
    pub fn is_beginning(&self, message: &[u8]) -> bool {
        any_holds(&self.begins, message)
    }
}

fn any_holds(checks: &[CompiledCheck], message: &[u8]) -> bool {
    checks.iter().any(|check| FrameCheck::new(check).look(frame(message)).holds)
}

/// A message as a tap takes it: without an event.
pub fn frame(message: &[u8]) -> FrameRef<'_> {
    FrameRef { event: None, data: message }
}

#[cfg(test)]
mod tests {
    use weir_types::contract::about::{PointerEquals, Tap};

    use super::*;

    #[test]
    fn requests_and_beginnings_are_told_apart() {
        let of =
            |kind: &str| vec![FrameTest::Equals(PointerEquals { pointer: "/type".into(), json: format!("{kind:?}") })];
        let tap = SessionTap { requests: of("ask"), begins: of("begun"), responses: Tap::default(), cancel: None };
        let tap = CompiledSessionTap::new(&tap).unwrap();
        assert!(tap.is_request(br#"{"x":1,"type":"ask"}"#) && !tap.is_request(br#"{"type":"begun"}"#));
        assert!(tap.is_beginning(br#"{"type":"begun"}"#) && !tap.is_beginning(b"not json"));
        assert!(!tap.is_request(br#"{"a":{"type":"ask"}}"#));
    }
}
