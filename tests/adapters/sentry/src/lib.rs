//! A guard for tests: it does what its option `does` says, be it allowed or not.

#[path = "../../hostile/src/misdeeds.rs"]
mod misdeeds;

use weir_sdk::guard::{
    self, Access, Annotation, Answer, Asked, Denial, EventAnswer, EventVerdict, Facts, Grants, Guard, Manifest,
    OptionValues, Outcome, Phase, RequestAnswer, ScreenWords,
};
use weir_sdk::types::{ChatEvent, ChatRequest, Extension, Part, TextPart};

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

    fn screen(options: OptionValues<'_>) -> Option<ScreenWords> {
        match options.get::<String>("screen").ok().flatten()?.as_str() {
            "swarm" => Some(ScreenWords::spelled((0..SWARM).map(|number| number.to_string()))),
            deed => Some(ScreenWords::spelled([misdeeds::act(deed)])),
        }
    }

    fn on_request(facts: &Facts, asked: Asked) -> RequestAnswer {
        let does = facts.option::<String>("does").ok().flatten().unwrap_or_default();
        match does.as_str() {
            "swarm" => RequestAnswer { annotations: swarm(), ..RequestAnswer::allow() },
            "memo" => RequestAnswer { memo: "m".repeat(100 << 20), ..RequestAnswer::allow() },
            "wild" => RequestAnswer::deny(Denial { code: Some(WILD.into()), ..Denial::new(WILD.repeat(10_000)) }),
            // Everything that it knows, for the test to look at.
            "tell" => RequestAnswer::deny(Denial::new(format!("{facts:?} {asked:?}"))),
            "remember" => RequestAnswer { memo: "remembered".into(), ..RequestAnswer::allow() },
            "swap" => RequestAnswer::replace(Asked::Other("{}".into())),
            // A member that brings another one.
            "inject" => match asked {
                Asked::Chat(mut chat) => {
                    let (format, key) = ("openai.chat".into(), "verbosity".into());
                    chat.extensions.push(Extension { format, key, json: "\"low\",\"model\":\"another\"".into() });
                    RequestAnswer::replace(Asked::Chat(chat))
                }
                other => RequestAnswer::replace(other),
            },
            "append" => match asked {
                Asked::Chat(chat) => RequestAnswer::replace(Asked::Chat(appended(chat, facts))),
                other => RequestAnswer::replace(other),
            },
            "" => {
                let annotations = vec![Annotation::new("seen", if asked == Asked::Withheld { "no" } else { "yes" })];
                RequestAnswer { annotations, ..RequestAnswer::allow() }
            }
            deed => {
                let annotations = vec![Annotation::new("did", misdeeds::act(deed))];
                RequestAnswer { annotations, ..RequestAnswer::allow() }
            }
        }
    }

    fn on_end(facts: &Facts, outcome: Outcome) -> Vec<Annotation> {
        match facts.option::<String>("at_end").ok().flatten().as_deref() {
            Some("swarm") => swarm(),
            Some("tell") => {
                let failure = outcome.failure.map_or("none".to_owned(), |kind| format!("{kind:?}"));
                let output = outcome.usage.and_then(|usage| usage.output).unwrap_or_default();
                vec![Annotation::new(facts.request_id.clone(), format!("{failure}.{output}.{}", facts.memo))]
            }
            Some(deed) => vec![Annotation::new("did", misdeeds::act(deed))],
            None => Vec::new(),
        }
    }
}

weir_sdk::export_guard!(Sentry);

/// A list that is larger than any answer may be.
const SWARM: u32 = 2_000_000;
/// A text that no header and no terminal may get.
const WILD: &str = "no\u{1b}[2J\r\nx-evil: 1\r\n\r\n\0";

fn swarm() -> Vec<Annotation> {
    (0..SWARM).map(|number| Annotation::new(number.to_string(), "1")).collect()
}

/// Judges answers as the options `begins`, `answers` and `ends` say.
#[derive(Debug)]
pub struct Watch(Facts);

impl Watch {
    fn does(&self, option: &str) -> EventAnswer {
        match self.0.option::<String>(option).ok().flatten().as_deref() {
            Some("swarm") => EventAnswer { annotations: swarm(), ..EventAnswer::allow() },
            // It has not asked for that right.
            Some("swap") => EventAnswer::replace(Vec::new()),
            Some("wild") => EventAnswer::deny(Denial::new(WILD)),
            // Memory that it does not give back while it lives.
            Some("hoard") => {
                let megabytes: usize = self.0.option("megabytes").ok().flatten().unwrap_or_default();
                std::mem::forget(vec![1_u8; megabytes << 20]);
                EventAnswer::allow()
            }
            Some(deed) => {
                let annotations = vec![Annotation::new("did", misdeeds::act(deed))];
                EventAnswer { verdict: EventVerdict::Allow, annotations }
            }
            None => EventAnswer::allow(),
        }
    }
}

impl Answer for Watch {
    fn new(facts: Facts) -> Self {
        let watch = Self(facts);
        watch.does("begins");
        watch
    }

    fn push(&mut self, _: Vec<ChatEvent>) -> EventAnswer {
        self.does("answers")
    }

    fn finish(&mut self) -> EventAnswer {
        self.does("ends")
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
