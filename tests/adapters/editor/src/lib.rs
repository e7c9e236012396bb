//! A guard for tests: it changes answers as its option `edit` says.

use weir_sdk::guard::{self, Access, Answer, Asked, EventAnswer, Facts, Grants, Guard, Manifest, Phase, RequestAnswer};
use weir_sdk::types::{ChatEvent, Opaque};

/// The guard.
#[derive(Debug)]
pub struct Editor;

impl Guard for Editor {
    type Answer = Edited;

    fn describe() -> Manifest {
        Manifest {
            name: "editor".into(),
            version: "1.0.0".into(),
            contract: guard::CONTRACT.into(),
            description: "changes answers as its option says".into(),
            settings: String::new(),
            phases: vec![Phase::Request, Phase::Event],
            grants: Grants { prompt: Access::None, answer: Access::Write, metadata: false },
            hold_back: 0,
            deterministic: true,
        }
    }

    fn on_request(_: &Facts, _: Asked) -> RequestAnswer {
        RequestAnswer::allow()
    }
}

weir_sdk::export_guard!(Editor);

/// An answer that is changed.
#[derive(Debug)]
pub struct Edited(String);

impl Answer for Edited {
    fn new(facts: Facts) -> Self {
        Self(facts.option("edit").ok().flatten().unwrap_or_default())
    }

    fn push(&mut self, mut events: Vec<ChatEvent>) -> EventAnswer {
        match self.0.as_str() {
            // A value of one format that is no JSON, and would bring a member.
            "value" => {
                let value = Opaque { format: "openai.chat".into(), kind: "note".into(), json: "1,\"model\":2".into() };
                events.push(ChatEvent::Opaque(value));
            }
            "end" => events.retain(|event| !matches!(event, ChatEvent::Finish(_))),
            _ => return EventAnswer::allow(),
        }
        EventAnswer::replace(events)
    }

    fn finish(&mut self) -> EventAnswer {
        EventAnswer::allow()
    }
}
