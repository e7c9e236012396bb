//! Members and values that a provider does not accept unchanged: a request with one is translated.

use std::fmt;

use weir_types::contract::about::FrameTest;
use weir_wire::peek::{Found, Scalar, Test, Wanted};

/// A member that a provider does not accept unchanged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excluded<'a> {
    /// The member, with dots: `messages.*.name`.
    member: &'a str,
    value: &'a Scalar,
    /// The adapter's reason.
    reason: &'a str,
}

/// Characters of a value that are shown.
const SHOWN: usize = 32;

impl fmt::Display for Excluded<'_> {
    /// Writes member, value and reason. Only short plain values are shown: a longer one may be a prompt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member, value, reason } = self;
        match value {
            Scalar::Number(number) => write!(f, "`{member}` is {number}: {reason}"),
            Scalar::Bool(flag) => write!(f, "`{member}` is {flag}: {reason}"),
            Scalar::Text(text) if text.chars().count() <= SHOWN && !text.contains(char::is_whitespace) => {
                write!(f, "`{member}` is {text:?}: {reason}")
            }
            _ => write!(f, "`{member}` is set: {reason}"),
        }
    }
}

/// An exclusion of an acceptance, compiled.
#[derive(Debug)]
pub(super) struct CompiledExclusion {
    test: Test,
    member: String,
    reason: String,
}

impl CompiledExclusion {
    pub(super) fn new(test: &FrameTest, reason: &str, wanted: &mut Wanted) -> Option<Self> {
        let member = test.pointer().unwrap_or_default().trim_start_matches('/').replace('/', ".");
        Some(Self { test: Test::compile(test, wanted).ok()?, member, reason: reason.to_owned() })
    }

    /// The value of a request that matches the exclusion.
    pub(super) fn found_in<'a>(&'a self, found: &'a Found) -> Option<Excluded<'a>> {
        let value = self.test.matches(found).next()?;
        Some(Excluded { member: &self.member, value, reason: &self.reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::PointerBound;
    use weir_wire::peek::{Limits, Peek};

    /// The reason why a body is translated under this exclusion.
    fn reason(test: &FrameTest, body: &str) -> Option<String> {
        let mut wanted = Wanted::default();
        let exclusion = CompiledExclusion::new(test, "odd", &mut wanted).unwrap();
        let mut peek = Peek::new(&wanted.compile().unwrap(), Limits::default());
        peek.push(body.as_bytes());
        exclusion.found_in(peek.end().unwrap()).map(|excluded| excluded.to_string())
    }

    #[test]
    fn the_reason_names_the_member_and_its_value() {
        let above = FrameTest::Above(PointerBound { pointer: "/n".into(), bound: 1.0 });
        assert_eq!(reason(&above, r#"{"n":3}"#).as_deref(), Some("`n` is 3: odd"));
        assert_eq!(reason(&above, r#"{"n":1}"#), None);
        let present = |body| reason(&FrameTest::Present("/a/*/b".into()), body);
        assert_eq!(present(r#"{"a":[{"b":true}]}"#).as_deref(), Some("`a.*.b` is true: odd"));
        assert_eq!(present(r#"{"a":[{"b":"low"}]}"#).as_deref(), Some("`a.*.b` is \"low\": odd"));
    }

    #[test]
    fn a_value_that_may_be_a_prompt_is_not_shown() {
        let present = |body| reason(&FrameTest::Present("/a".into()), body);
        for body in [r#"{"a":"two words"}"#, r#"{"a":{"b":1}}"#, &format!("{{\"a\":\"{}\"}}", "x".repeat(33))] {
            assert_eq!(present(body).as_deref(), Some("`a` is set: odd"), "{body}");
        }
    }
}
