//! acme: a guard that refuses chat requests with a certain word, which the option `word` sets.
//!
//! `vendor/wit/hook/hook.wit` has everything that a guard can do: refuse, change and annotate requests, judge answers,
//! and take note of the end of exchanges. `weir_sdk::guard` has what most guards share: a walk over every text of a
//! request (`texts`), and verdicts about what is found there and in answers (`find`, `scan`).

use weir_sdk::guard::{
    self, Access, Annotation, Asked, Denial, Facts, Grants, Guard, Manifest, Phase, RequestAnswer, RequestVerdict,
    Unjudged,
};
use weir_sdk::types::Part;

/// Keeps nothing from request to request.
#[derive(Debug)]
pub struct Acme;

impl Guard for Acme {
    /// A type that implements `weir_sdk::guard::Answer` judges answers; `describe` then names the phase `Event` and the
    /// access.
    type Answer = Unjudged;

    fn describe() -> Manifest {
        Manifest {
            name: "acme".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: guard::CONTRACT.into(),
            description: "acme: refuses chat requests with a certain word".into(),
            settings: r#"{"type":"object","additionalProperties":false,"properties":{"word":{"type":"string"}}}"#.into(),
            phases: vec![Phase::Request],
            grants: Grants { prompt: Access::Read, answer: Access::None, metadata: false },
            hold_back: 0,
            deterministic: true,
        }
    }

    fn on_request(facts: &Facts, asked: Asked) -> RequestAnswer {
        let word: String = match facts.option("word") {
            Ok(word) => word.unwrap_or_default(),
            Err(problem) => return RequestAnswer::deny(Denial::cannot_judge("acme", &problem)),
        };
        let Asked::Chat(chat) = asked else { return RequestAnswer::allow() };
        let parts = chat.messages.iter().flat_map(|message| &message.parts);
        let found = parts.filter(|part| matches!(part, Part::Text(text) if text.text.contains(&word))).count();
        if word.is_empty() || found == 0 {
            return RequestAnswer::allow();
        }
        RequestAnswer {
            // What was found is never told, only that it was.
            annotations: vec![Annotation::new("word", found.to_string())],
            ..RequestAnswer::of(RequestVerdict::Deny(Denial::new("this request has a word that is not allowed here")))
        }
    }
}

weir_sdk::export_guard!(Acme);
