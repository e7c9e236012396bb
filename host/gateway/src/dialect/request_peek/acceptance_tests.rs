//! The tests by which acceptances exclude requests, and tell whether a stream is to report its usage.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::super::exclusion::CompiledExclusion;
use super::first_name;
use crate::accept::Acceptance;
use weir_types::contract::about::{Face, FrameTest, PointerEquals};
use weir_wire::peek::{Test, Wanted, prefixes};

/// The tests of all acceptances for one face.
#[derive(Debug, Default)]
pub(super) struct AcceptanceTests {
    /// By acceptance.
    pub(super) exclusions: HashMap<usize, Vec<CompiledExclusion>, RandomState>,
    /// Holds for requests whose client asks that a stream report its usage; none if the format has no such member.
    pub(super) usage_is_asked: Option<Test>,
    /// The members of a body in which that is asked.
    pub(super) names: Vec<String>,
}

/// Compiles the tests of those acceptances that are of the face's format and operation.
pub(super) fn acceptance_tests<'a>(
    face: &Face,
    accepts: impl Iterator<Item = &'a Acceptance>,
    wanted: &mut Wanted,
) -> AcceptanceTests {
    let mut tests = AcceptanceTests::default();
    for acceptance in accepts.filter(|one| one.format == face.format && one.operation == face.operation) {
        let compiled = |(test, reason): &(FrameTest, String)| CompiledExclusion::new(test, reason, wanted);
        tests.exclusions.insert(acceptance.id, acceptance.exclusions.iter().filter_map(compiled).collect());
        let Some(ask) = &acceptance.ask_usage else { continue };
        for pointer in prefixes(&ask.pointer) {
            wanted.add(&pointer);
        }
        tests.names.extend(first_name(&ask.pointer));
        let is_set = FrameTest::Equals(PointerEquals { pointer: ask.pointer.clone(), json: ask.json.clone() });
        tests.usage_is_asked = tests.usage_is_asked.or_else(|| Test::compile(&is_set, wanted).ok());
    }
    tests
}
