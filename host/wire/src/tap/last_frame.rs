//! The frame that nothing follows: who has read it has the whole answer, whether the stream ends behind it or not.

use std::sync::Arc;

use super::TapError;
use super::check::{CompiledCheck, FrameCheck};
use super::compiled::{Compiled, CompiledTap};
use crate::frame::FrameRef;
use weir_types::contract::about::FrameTest;

/// What shows the last frame of an answer.
#[derive(Debug)]
pub(super) struct LastFrame(Vec<CompiledCheck>);

impl LastFrame {
    /// By the tests for frames after which an answer is complete. One that leads into a list tells of its element, such
    /// as one of several candidates: then no frame is known to be the last.
    pub(super) fn new(end: &[FrameTest]) -> Result<Self, TapError> {
        if end.iter().any(leads_into_list) {
            return Ok(Self(Vec::new()));
        }
        end.iter().map(|test| CompiledCheck::new(test, &[])).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the last frame of answers can be known.
    pub(super) fn is_told(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Looks for the last frame of one stream.
#[derive(Debug)]
pub struct LastFrameCheck {
    tap: Arc<Compiled>,
    checks: Vec<FrameCheck>,
}

impl LastFrameCheck {
    /// For the start of a stream; `None` if the last frame of such streams cannot be known.
    pub fn new(tap: &CompiledTap) -> Option<Self> {
        let tap = Arc::clone(&tap.compiled);
        let checks: Vec<FrameCheck> = tap.last_frame.0.iter().map(FrameCheck::new).collect();
        (!checks.is_empty()).then_some(Self { tap, checks })
    }

    /// Whether nothing follows this frame.
    pub fn is_last(&mut self, frame: FrameRef<'_>) -> bool {
        let mut look = |frame: FrameRef<'_>| self.checks.iter_mut().any(|check| check.look(frame).holds);
        match self.tap.wrapped.as_ref().and_then(|wrapped| wrapped.within(frame.data)) {
            Some(data) => look(FrameRef { data: &data, ..frame }),
            None => look(frame),
        }
    }
}

fn leads_into_list(test: &FrameTest) -> bool {
    let pointer = match test {
        FrameTest::Event(_) | FrameTest::Data(_) => return false,
        FrameTest::Present(pointer) | FrameTest::Fractional(pointer) => pointer,
        FrameTest::Equals(equals) => &equals.pointer,
        FrameTest::OtherThan(values) => &values.pointer,
        FrameTest::Above(bound) | FrameTest::Below(bound) => &bound.pointer,
    };
    pointer.split('/').any(|segment| segment == "*")
}

#[cfg(test)]
mod tests {
    use super::super::TapState;
    use super::*;
    use weir_types::contract::about::{PointerEquals, Tap};

    fn tap(end: Vec<FrameTest>) -> CompiledTap {
        CompiledTap::new(&Tap { end, ..Tap::default() }).unwrap()
    }

    /// Whether each of these frames is the last, and whether the answer is over with it.
    fn told(tap: &CompiledTap, frames: &[(&str, &str)]) -> Vec<bool> {
        let (mut state, mut check) = (TapState::new(tap), LastFrameCheck::new(tap));
        let mut told = |(event, data): &(&str, &str)| {
            let event = Some(event.as_bytes()).filter(|event| !event.is_empty());
            let frame = FrameRef { event, data: data.as_bytes() };
            state.frame(frame);
            assert_eq!(state.is_over(), check.as_mut().is_some_and(|check| check.is_last(frame)), "{data}");
            state.is_over()
        };
        frames.iter().map(&mut told).collect()
    }

    #[test]
    fn an_answer_is_over_with_the_frame_that_ends_it() {
        let equals = FrameTest::Equals(PointerEquals { pointer: "/kind".into(), json: "\"over\"".into() });
        let more = ("", r#"{"kind":"more"}"#);
        for (end, last) in [
            (FrameTest::Data("<end>".into()), ("", "<end>")),
            (FrameTest::Event("end".into()), ("end", "{}")),
            (equals, ("", r#"{"kind":"over"}"#)),
            (FrameTest::Present("/sum".into()), ("", r#"{"sum":{"in":1}}"#)),
        ] {
            assert_eq!(told(&tap(vec![end]), &[more, ("other", "{}"), more, last]), [false, false, false, true]);
        }
    }

    #[test]
    fn the_end_of_one_element_is_not_that_of_the_answer() {
        let end = vec![FrameTest::Present("/candidates/*/why".into()), FrameTest::Present("/refused".into())];
        let frames = [("", r#"{"candidates":[{"why":"stop"}]}"#), ("", r#"{"refused":"yes"}"#)];
        assert_eq!(told(&tap(end), &frames), [false, false]);
        assert_eq!(told(&tap(Vec::new()), &frames), [false, false]);
    }
}
