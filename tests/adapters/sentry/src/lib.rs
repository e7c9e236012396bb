//! A guard for tests: it does what its option `does` says, be it allowed or not.
#![allow(clippy::panic, reason = "a trap is what is asked for")]

use weir_sdk::guard::{
    self, Access, Annotation, Answer, Asked, Denial, EventAnswer, Facts, Grants, Guard, Manifest, Outcome, Phase,
    RequestAnswer,
};
use weir_sdk::types::{ChatEvent, ChatRequest, Part, TextPart};

/// The guard.
#[derive(Debug)]
pub struct Sentry;

impl Guard for Sentry {
    type Answer = Watch;

    fn describe() -> Manifest {
        Manifest {
            name: "sentry".into(),
            version: "1.0.0".into(),
            contract: guard::CONTRACT.into(),
            description: "does what its option says".into(),
            settings: String::new(),
            phases: vec![Phase::Request, Phase::Event, Phase::End],
            grants: Grants { prompt: Access::Write, answer: Access::Read, metadata: true },
            hold_back: 0,
            deterministic: true,
        }
    }

    fn on_request(facts: &Facts, asked: Asked) -> RequestAnswer {
        let does = facts.option::<String>("does").ok().flatten().unwrap_or_default();
        match does.as_str() {
            "trap" => panic!("the request asks for it"),
            "spin" => loop {
                core::hint::black_box(&asked);
            },
            // Everything that it knows, for the test to look at.
            "tell" => RequestAnswer::deny(Denial::new(format!("{facts:?} {asked:?}"))),
            "remember" => RequestAnswer { memo: "remembered".into(), ..RequestAnswer::allow() },
            "swap" => RequestAnswer::replace(Asked::Other("{}".into())),
            "append" => match asked {
                Asked::Chat(chat) => RequestAnswer::replace(Asked::Chat(appended(chat, facts))),
                other => RequestAnswer::replace(other),
            },
            _ => {
                let annotations = vec![Annotation::new("seen", if asked == Asked::Withheld { "no" } else { "yes" })];
                RequestAnswer { annotations, ..RequestAnswer::allow() }
            }
        }
    }

    fn on_end(facts: &Facts, outcome: Outcome) -> Vec<Annotation> {
        match facts.option::<String>("at_end").ok().flatten().as_deref() {
            Some("trap") => panic!("the request asks for it"),
            Some("tell") => {
                let failure = outcome.failure.map_or("none".to_owned(), |kind| format!("{kind:?}"));
                let output = outcome.usage.and_then(|usage| usage.output).unwrap_or_default();
                vec![Annotation::new(facts.request_id.clone(), format!("{failure}.{output}.{}", facts.memo))]
            }
            _ => Vec::new(),
        }
    }
}

weir_sdk::export_guard!(Sentry);

/// Judges answers as the option `answers` says.
#[derive(Debug)]
pub struct Watch(Facts);

impl Answer for Watch {
    fn new(facts: Facts) -> Self {
        Self(facts)
    }

    fn push(&mut self, _: Vec<ChatEvent>) -> EventAnswer {
        match self.0.option::<String>("answers").ok().flatten().as_deref() {
            Some("trap") => panic!("the request asks for it"),
            Some("spin") => loop {
                core::hint::black_box(&self.0);
            },
            _ => EventAnswer::allow(),
        }
    }

    fn finish(&mut self) -> EventAnswer {
        EventAnswer::allow()
    }
}

/// Adds the option `text` to the last message, and tries to change what no guard may change.
fn appended(mut chat: ChatRequest, facts: &Facts) -> ChatRequest {
    let text = facts.option::<String>("text").ok().flatten().unwrap_or_default();
    if let Some(Part::Text(TextPart { text: last, .. })) =
        chat.messages.last_mut().and_then(|message| message.parts.last_mut())
    {
        last.push_str(&text);
    }
    chat.model = "another".into();
    chat.stream = !chat.stream;
    chat
}
