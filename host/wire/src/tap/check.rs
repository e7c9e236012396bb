//! One test of the manifest on frames, and members that are null: what decides whether a frame is withheld.

use super::TapError;
use super::filter::Filter;
use crate::frame::FrameRef;
use crate::peek::{Limits, Peek, Scalar, Test, Wanted};
use weir_types::contract::about::FrameTest;

/// A compiled test, with members of a frame to look for beside it. Most frames cost a search of a few names, and none
/// an allocation.
#[derive(Debug)]
pub struct FrameCheck {
    test: Test,
    /// The pointers of the members.
    members: Vec<usize>,
    filter: Filter,
    peek: Peek,
}

/// What a check found in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Whether the test holds.
    pub holds: bool,
    /// The first of the members that is null, by its place in the list.
    pub null: Option<usize>,
}

impl FrameCheck {
    /// Compiles a test, and the names of members to look for.
    pub fn new(source: &FrameTest, members: &[String]) -> Result<Self, TapError> {
        let (mut wanted, mut filter) = (Wanted::default(), Filter::default());
        let test = Test::compile(source, &mut wanted)?;
        filter.test(source, &test);
        let member = |name: &String| {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            filter.value(&pointer, Some(Scalar::Null));
            wanted.add(&pointer)
        };
        let members = members.iter().map(member).collect();
        Ok(Self { test, members, filter, peek: Peek::new(&wanted.compile()?, Limits::default()) })
    }

    /// What holds of this frame. Of data that are not JSON only a test on the event's name or on whole data can hold.
    pub fn look(&mut self, frame: FrameRef<'_>) -> Checked {
        let mut checked = Checked { holds: holds_of_frame(&self.test, frame), null: None };
        if !self.filter.passes(frame.data) {
            return checked;
        }
        self.peek.push(frame.data);
        if let Ok(found) = self.peek.end() {
            let is_null = |pointer: &usize| found.last(*pointer).is_some_and(|hit| hit.value == Scalar::Null);
            checked.holds |= self.test.holds(found);
            checked.null = self.members.iter().position(is_null);
        }
        self.peek.reset();
        checked
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
