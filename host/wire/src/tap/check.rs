//! One test of the manifest on frames, for instance whether to withhold a frame.

use super::filter::Filter;
use super::{LIMITS, TapError};
use crate::frame::FrameRef;
use crate::peek::{Peek, Pointers, Test, Wanted};
use weir_types::contract::about::FrameTest;

/// A compiled test.
#[derive(Debug)]
pub struct FrameCheck {
    test: Test,
    pointers: Pointers,
    filter: Filter,
}

impl FrameCheck {
    /// Compiles a test.
    pub fn new(source: &FrameTest) -> Result<Self, TapError> {
        let mut wanted = Wanted::default();
        let test = Test::compile(source, &mut wanted)?;
        let mut filter = Filter::default();
        filter.test(source, &test);
        Ok(Self { test, pointers: wanted.compile()?, filter })
    }

    /// Whether the test holds for this frame.
    pub fn holds(&self, frame: FrameRef<'_>) -> bool {
        if matches!(self.test, Test::Event(_) | Test::Data(_)) {
            return holds_of_frame(&self.test, frame);
        }
        if !self.filter.passes(frame.data) {
            return false;
        }
        let mut peek = Peek::new(&self.pointers, LIMITS);
        peek.push(frame.data);
        self.test.holds(peek.so_far())
    }
}

/// Whether a test on the event's name or on the whole data holds; always false for tests on values.
pub(super) fn holds_of_frame(test: &Test, frame: FrameRef<'_>) -> bool {
    match test {
        Test::Event(name) => frame.event == Some(name.as_bytes()),
        Test::Data(text) => frame.data == text.as_bytes(),
        _ => false,
    }
}
