//! Evaluates the manifest's tests on values: features of requests, exclusions, kinds of frames.

use super::found::{Found, Scalar};
use super::pointer::Wanted;
use weir_types::contract::about::FrameTest;

/// A compiled test of the manifest.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The event has this name.
    Event(String),
    /// The data is exactly this text.
    Data(String),
    /// The pointer of this index selects a value that is present.
    Present(usize),
    /// The pointer of this index selects this value.
    Equals(usize, Scalar),
    /// Some value stands there, and none of these.
    OtherThan(usize, Vec<Scalar>),
    /// A number greater than this stands there.
    Above(usize, f64),
    /// A number less than this stands there.
    Below(usize, f64),
    /// A number that is not whole stands there.
    Fractional(usize),
}

/// Why a test cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// The value is not JSON, or is a container that is not empty, which scans do not keep.
    #[error("a test of {pointer:?} compares with {json:?}, which is neither a plain value nor an empty container")]
    Value {
        /// The test's pointer.
        pointer: String,
        /// The value.
        json: String,
    },
}

impl Test {
    /// Compiles a test, and adds its pointer to those to scan for.
    pub fn compile(test: &FrameTest, wanted: &mut Wanted) -> Result<Self, TestError> {
        Ok(match test {
            FrameTest::Event(name) => Self::Event(name.clone()),
            FrameTest::Data(text) => Self::Data(text.clone()),
            FrameTest::Present(pointer) => Self::Present(wanted.add(pointer)),
            FrameTest::Equals(equals) => {
                Self::Equals(wanted.add(&equals.pointer), plain(&equals.pointer, &equals.json)?)
            }
            FrameTest::OtherThan(values) => {
                let allowed = values.json.iter().map(|json| plain(&values.pointer, json)).collect::<Result<_, _>>()?;
                Self::OtherThan(wanted.add(&values.pointer), allowed)
            }
            FrameTest::Above(limit) => Self::Above(wanted.add(&limit.pointer), limit.bound),
            FrameTest::Below(limit) => Self::Below(wanted.add(&limit.pointer), limit.bound),
            FrameTest::Fractional(pointer) => Self::Fractional(wanted.add(pointer)),
        })
    }

    /// Whether the test holds for these results. Values replaced by a later member of the same name do not count. Tests
    /// of events and data hold for frames only.
    pub fn holds(&self, found: &Found) -> bool {
        self.matches(found).next().is_some()
    }

    /// The values of which the test holds.
    pub fn matches<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = &'a Scalar> {
        let live = self.pointer().into_iter().flat_map(|pointer| found.live(pointer));
        live.map(|hit| &hit.value).filter(|value| self.holds_of(value))
    }

    /// The number of its pointer; none for tests of events and data.
    fn pointer(&self) -> Option<usize> {
        match self {
            Self::Event(_) | Self::Data(_) => None,
            Self::Present(pointer)
            | Self::Equals(pointer, _)
            | Self::OtherThan(pointer, _)
            | Self::Above(pointer, _)
            | Self::Below(pointer, _)
            | Self::Fractional(pointer) => Some(*pointer),
        }
    }

    /// Whether it holds of this value. A number too long to be read passes every test of numbers: what is not known to
    /// be allowed is not.
    fn holds_of(&self, value: &Scalar) -> bool {
        let number = |holds: &dyn Fn(f64) -> bool| match value {
            Scalar::Long => true,
            value => value.as_number().is_some_and(holds),
        };
        match self {
            Self::Event(_) | Self::Data(_) => false,
            Self::Present(_) => value.is_present(),
            Self::Equals(_, wanted) => value.is_same(wanted),
            Self::OtherThan(_, allowed) => {
                *value != Scalar::Null && !allowed.iter().any(|allowed| value.is_same(allowed))
            }
            Self::Above(_, bound) => number(&|number| number > *bound),
            Self::Below(_, bound) => number(&|number| number < *bound),
            Self::Fractional(_) => number(&|number| number.fract() != 0.0),
        }
    }
}

/// The value that a test compares with.
fn plain(pointer: &str, json: &str) -> Result<Scalar, TestError> {
    Scalar::of(json).ok_or_else(|| TestError::Value { pointer: pointer.to_owned(), json: json.to_owned() })
}

impl Scalar {
    /// The value that this JSON spells. None if it is none, or has something in it.
    pub(crate) fn of(json: &str) -> Option<Self> {
        use serde_json::Value;
        Some(match serde_json::from_str(json).ok()? {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text),
            Value::Array(elements) if elements.is_empty() => Self::Array { empty: true },
            Value::Object(members) if members.is_empty() => Self::Object { empty: true },
            _ => return None,
        })
    }
}
