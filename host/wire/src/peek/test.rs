//! The manifest's tests on values: features of requests, exclusions, and what a frame is.

use super::found::{Found, Scalar};
use super::pointer::Wanted;
use weir_types::contract::about::FrameTest;

/// A test of the manifest, compiled.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The event has this name.
    Event(String),
    /// The data is exactly this text.
    Data(String),
    /// There is something at the pointer of this number.
    Present(usize),
    /// This value stands at the pointer of this number.
    Equals(usize, Scalar),
}

/// Why a test cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// The value is no JSON, or an object or array with something in it, which no scan keeps.
    #[error("a test of {pointer:?} compares with {json:?}, which is neither a plain value nor an empty container")]
    Value {
        /// The test's pointer.
        pointer: String,
        /// The value.
        json: String,
    },
}

impl Test {
    /// Compiles a test; its pointer is added to those to scan for.
    pub fn compile(test: &FrameTest, wanted: &mut Wanted) -> Result<Self, TestError> {
        Ok(match test {
            FrameTest::Event(name) => Self::Event(name.clone()),
            FrameTest::Data(text) => Self::Data(text.clone()),
            FrameTest::Present(pointer) => Self::Present(wanted.add(pointer)),
            FrameTest::Equals(equals) => {
                let value = Scalar::of(&equals.json)
                    .ok_or_else(|| TestError::Value { pointer: equals.pointer.clone(), json: equals.json.clone() })?;
                Self::Equals(wanted.add(&equals.pointer), value)
            }
        })
    }

    /// Whether the test holds of what was found; for values that a later member of the same name replaces it does not.
    /// Tests of events and data hold of frames only.
    pub fn holds(&self, found: &Found) -> bool {
        match self {
            Self::Event(_) | Self::Data(_) => false,
            Self::Present(pointer) => found.live(*pointer).any(|hit| hit.value.is_present()),
            Self::Equals(pointer, value) => found.live(*pointer).any(|hit| hit.value.is_same(value)),
        }
    }
}

impl Scalar {
    /// The value that this JSON spells. None if it is none, or has something in it.
    pub(super) fn of(json: &str) -> Option<Self> {
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
