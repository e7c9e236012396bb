//! `regex`: a guard that finds the operator's own patterns in requests and answers.

mod patterns;

use weir_sdk::guard::scan::{REACH, Scan};
use weir_sdk::guard::{self, Access, Asked, Facts, Grants, Guard, Manifest, Phase, RequestAnswer};

use patterns::Shared;

/// The guard.
#[derive(Debug)]
pub struct Regexes;

impl Guard for Regexes {
    type Answer = Scan<Shared>;

    fn describe() -> Manifest {
        Manifest {
            name: "regex".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: guard::CONTRACT.into(),
            description: "finds your own patterns in requests and answers".into(),
            settings: include_str!("settings.json").into(),
            phases: vec![Phase::Request, Phase::Event],
            grants: Grants { prompt: Access::Write, answer: Access::Write, metadata: true },
            hold_back: REACH as u32,
            deterministic: true,
        }
    }

    fn on_request(facts: &Facts, asked: Asked) -> RequestAnswer {
        guard::find::judge_request::<Shared>(facts, asked)
    }
}

weir_sdk::export_guard!(Regexes);
