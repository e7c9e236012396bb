//! `regex`: a guard that finds the operator's own patterns in requests.

mod patterns;

use weir_sdk::guard::{
    self, Access, Action, Asked, Denial, Facts, Grants, Guard, Manifest, Phase, RequestAnswer, Unjudged,
};

/// The message of a refusal, unless the option `message` sets another.
const MESSAGE: &str = "the request contains something that is not allowed here";

/// The guard.
#[derive(Debug)]
pub struct Regexes;

impl Guard for Regexes {
    type Answer = Unjudged;

    fn describe() -> Manifest {
        Manifest {
            name: "regex".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: guard::CONTRACT.into(),
            description: "finds your own patterns in requests".into(),
            settings: include_str!("settings.json").into(),
            phases: vec![Phase::Request],
            grants: Grants { prompt: Access::Write, answer: Access::None, metadata: true },
            hold_back: 0,
            deterministic: true,
        }
    }

    fn on_request(facts: &Facts, asked: Asked) -> RequestAnswer {
        match judge(facts, asked) {
            Ok(answer) => answer,
            Err(problem) => RequestAnswer::deny(Denial::new(format!("the guard `regex` cannot judge: {problem}"))),
        }
    }
}

weir_sdk::export_guard!(Regexes);

fn judge(facts: &Facts, asked: Asked) -> Result<RequestAnswer, String> {
    let action: Action = facts.option("action")?.unwrap_or_default();
    let message = facts.option::<String>("message")?;
    let patterns = patterns::compiled(facts)?;
    Ok(guard::find::judge(asked, &*patterns, action, message.as_deref().unwrap_or(MESSAGE)))
}
