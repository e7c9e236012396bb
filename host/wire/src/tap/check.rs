//! One test of the manifest on frames, and members that are null: what decides whether a frame is withheld.

use std::sync::Arc;

use super::TapError;
use super::alike::Alike;
use super::filter::{Filter, names};
use crate::frame::FrameRef;
use crate::peek::{Limits, Peek, Pointers, Scalar, Test, Wanted};
use memchr::memmem::Finder;
use weir_types::contract::about::FrameTest;

/// A compiled test, with members of a frame to look for beside it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CompiledCheck(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    test: Test,
    /// The pointers of the members.
    members: Vec<usize>,
    /// Indices of the pointers that the test does not read itself.
    further: Vec<usize>,
    /// Their names in quotes.
    names: Vec<Finder<'static>>,
    filter: Filter,
    pointers: Pointers,
    /// Whether a value matters only behind one of the filter's names.
    reads_by_name: bool,
}

/// A check of the frames of one stream. Most frames cost one search, and none an allocation.
#[derive(Debug)]
pub struct FrameCheck {
    check: CompiledCheck,
    /// Made for the first frame that needs a scan.
    peek: Option<Peek>,
    /// A frame in which only one of the members was found, or nothing.
    alike: Alike,
    null: Option<usize>,
}

/// What a check found in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Whether the test holds, and one of the members that it does not read itself has a value, if there are such.
    pub holds: bool,
    /// The first of the members that is null, by its place in the list.
    pub null: Option<usize>,
}

impl CompiledCheck {
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
        let quoted = |name: &String| serde_json::Value::from(name.as_str()).to_string();
        let places: Vec<usize> = members.iter().map(member).collect();
        let further = members.iter().zip(&places).filter(|(name, _)| !reads(source, name));
        let further = further.map(|(_, place)| *place).collect();
        let filter = filter.build();
        Ok(Self(Arc::new(Compiled {
            test,
            reads_by_name: ends_with_a_name(source) && filter.has_plain_names(),
            names: members.iter().map(|name| Finder::new(&quoted(name)).into_owned()).collect(),
            members: places,
            further,
            filter,
            pointers: wanted.compile()?,
        })))
    }

    /// The name in quotes of one of the members, to be searched for.
    pub fn name(&self, place: usize) -> Option<&Finder<'static>> {
        self.0.names.get(place)
    }
}

impl FrameCheck {
    /// A check for the start of a stream.
    pub fn new(check: &CompiledCheck) -> Self {
        Self { check: check.clone(), peek: None, alike: Alike::default(), null: None }
    }

    /// What holds of this frame. Of data that are not JSON only a test on the event's name or on whole data can hold.
    pub fn look(&mut self, frame: FrameRef<'_>) -> Checked {
        let holds = holds_of_frame(&self.check.0.test, frame);
        if self.alike.compare(frame.data, |_, _| ()) {
            return Checked { holds, null: self.null };
        }
        let mut checked = self.scan(frame.data);
        if !checked.holds && self.check.0.reads_by_name {
            let filter = &self.check.0.filter;
            if self.alike.learn(frame.data, None, |before| is_of_another_name(before, filter)) {
                self.null = checked.null;
            }
        }
        checked.holds |= holds;
        checked
    }

    /// The length of the data at the start of these bytes, if they equal an earlier frame of which nothing holds and in
    /// which no member is null, but for what does not matter. No line ends in them.
    #[inline]
    pub fn passing_length(&mut self, bytes: &[u8]) -> Option<usize> {
        let reads_values = !matches!(self.check.0.test, Test::Event(_) | Test::Data(_));
        if reads_values && self.null.is_none() { self.alike.length_at(bytes) } else { None }
    }

    /// What holds of these data.
    fn scan(&mut self, data: &[u8]) -> Checked {
        let Compiled { test, members, further, filter, pointers, .. } = &*self.check.0;
        let mut checked = Checked { holds: false, null: None };
        if !filter.passes(data) {
            return checked;
        }
        let peek = self.peek.get_or_insert_with(|| Peek::new(pointers, Limits::default()));
        peek.push(data);
        if let Ok(found) = peek.end() {
            let is_null = |pointer: &usize| found.last(*pointer).map(|hit| hit.value == Scalar::Null);
            let has_value = || further.is_empty() || further.iter().any(|member| is_null(member) == Some(false));
            checked.holds = test.holds(found) && has_value();
            checked.null = members.iter().position(|member| is_null(member) == Some(true));
        }
        peek.reset();
        checked
    }
}

/// Whether the value that begins behind these data, or the number within which they end, is that of a member which the
/// filter does not look for.
fn is_of_another_name(before: &[u8], filter: &Filter) -> bool {
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    let before = before.strip_suffix(b"\"").unwrap_or_else(|| {
        let length = before.iter().rposition(|byte| !is_of_number(byte)).map_or(0, |last| last + 1);
        before.get(..length).unwrap_or_default()
    });
    before.trim_ascii_end().ends_with(b":") && !filter.names_value_behind(before)
}

/// Whether a test reads a value in the member of this name.
fn reads(test: &FrameTest, name: &str) -> bool {
    let pointer = match test {
        FrameTest::Equals(equals) => &equals.pointer,
        FrameTest::Present(pointer) => pointer,
        _ => return false,
    };
    pointer.split('/').nth(1).is_some_and(|first| first.replace("~1", "/").replace("~0", "~") == name)
}

/// Whether a test reads a member by its name, if it reads a value at all.
fn ends_with_a_name(test: &FrameTest) -> bool {
    let pointer = match test {
        FrameTest::Event(_) | FrameTest::Data(_) => return true,
        FrameTest::Equals(equals) => &equals.pointer,
        FrameTest::Present(pointer) => pointer,
        _ => return false,
    };
    let last = pointer.rsplit('/').next().unwrap_or_default();
    names(&format!("/{last}")).len() == 1
}

/// Whether a test on the event's name or on the whole data holds; always false for tests on values.
pub(super) fn holds_of_frame(test: &Test, frame: FrameRef<'_>) -> bool {
    match test {
        Test::Event(name) => frame.event == Some(name.as_bytes()),
        Test::Data(text) => frame.data == text.as_bytes(),
        _ => false,
    }
}
