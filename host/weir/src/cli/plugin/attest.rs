//! The report that an adapter reproduces its fixtures, as a statement of in-toto: for those who choose among adapters
//! in a registry. It is what the one who pushed says; `weir plugin install` proves an adapter itself.

use serde_json::{Value, json};

use weir_fixtures::proof::{Fixture, Outcome, Report};
use weir_sandbox::digest::Digest;

/// The types of the statement and of what it says, as in-toto names them.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// The statement about a component of this name. It has no time, so the same adapter and fixtures make the same one.
pub(super) fn statement(name: &str, component: &[u8], fixtures: &[Fixture], report: &Report) -> Value {
    let named = |is: fn(&Outcome) -> bool| -> Vec<&str> {
        let verdicts = report.verdicts.iter().filter(|verdict| is(&verdict.outcome));
        verdicts.map(|verdict| verdict.fixture.as_str()).collect()
    };
    let configuration: Vec<Value> =
        fixtures.iter().map(|one| resource(&format!("{}.json", one.name), one.text.as_bytes())).collect();
    json!({
        "_type": STATEMENT,
        "subject": [resource(&format!("{name}.wasm"), component)],
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": if report.failed == 0 { "PASSED" } else { "FAILED" },
            "configuration": configuration,
            "passedTests": named(|outcome| matches!(outcome, Outcome::Passed)),
            "warnedTests": named(|outcome| matches!(outcome, Outcome::Skipped(_))),
            "failedTests": named(|outcome| matches!(outcome, Outcome::Failed(_))),
        },
    })
}

/// A file with its digest.
fn resource(name: &str, bytes: &[u8]) -> Value {
    let digest = Digest::of(bytes).to_string();
    json!({"name": name, "digest": {"sha256": digest.trim_start_matches("sha256:")}})
}
