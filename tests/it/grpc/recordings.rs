//! Recordings of the real services over gRPC: their clients read the same content as of the recordings themselves.

use std::collections::{BTreeMap, BTreeSet};

use weir_grpc::messages::generate_event::Kind;
use weir_tests::parsed_answer::{Call, ParsedAnswer, Tokens};
use weir_tests::{Answer, Upstream, soon};
use weir_types::contract::types::{ChatEvent, ChatResponse, FinishReason, Part, PartKind, Usage};

use super::{chat, connect, generate};
use crate::fidelity::{COMPATIBLE, SERVICES, differences, gateway, mended, recordings, report, with_ids};

#[tokio::test(flavor = "multi_thread")]
async fn recordings_have_the_same_content_over_grpc() {
    let upstream = Upstream::always(Answer::default()).await;
    let (excepted, mut count, mut problems) = (contradictions(), 0, Vec::new());
    for service in SERVICES.into_iter().chain(COMPATIBLE) {
        let gateway = gateway(service, &upstream, false).await;
        let channel = connect(&gateway).await;
        for recording in recordings(service) {
            upstream.now(recording.answer());
            let answer = generate(&channel, chat(recording.model(), recording.stream), &[]).await;
            count += 1;
            let mut stream = match answer {
                Ok(stream) => stream,
                Err(status) => {
                    if !recording.is_cut() && !recording.fails() {
                        problems.push(format!("{}: {status}", recording.id));
                    }
                    continue;
                }
            };
            let (mut reading, mut is_over) = (Reading::default(), false);
            while let Ok(Some(message)) = soon("a message", stream.message()).await {
                match message.kind.unwrap() {
                    Kind::Event(event) => reading.event(event.try_into().unwrap()),
                    Kind::Response(response) => reading.whole(response.try_into().unwrap()),
                    Kind::Summary(summary) => {
                        is_over = true;
                        reading.usage(summary.usage.map(|usage| usage.try_into().unwrap()));
                    }
                }
            }
            let mut found = Vec::new();
            if !recording.is_cut() && !recording.fails() {
                assert!(reading.parsed.calls.iter().all(|call| !call.id.is_empty()), "each call has an id over gRPC");
                let expected =
                    with_ids(possible(&excepted, &recording.id, mended(recording.parsed())), &reading.parsed);
                found = differences(&expected, &reading.parsed, false);
                found.extend((!is_over).then(|| "it has no summary".to_owned()));
            } else if is_over && (recording.fails() || recording.parsed().finish.is_none()) {
                found.push("what broke off or failed has a summary".to_owned());
            }
            problems.extend((!found.is_empty()).then(|| format!("{}: {}", recording.id, found.join("; "))));
        }
    }
    report("gRPC", count, &problems);
}

/// What the fidelity of official clients excepts, with its reasons.
const EXCEPTIONS: &str = include_str!("../../fidelity/exceptions.toml");

/// The recordings that are excepted where tokens are in disjoint buckets, as here and in Messages: they have more
/// cached tokens than tokens of input, and a total that is the sum of input and output.
fn contradictions() -> BTreeSet<String> {
    let listed: toml::Table = EXCEPTIONS.parse().unwrap();
    let all = listed["exceptions"].as_array().unwrap();
    let words = |one: &toml::Value, key: &str| -> Vec<String> {
        let list = one.get(key).and_then(toml::Value::as_array).into_iter().flatten();
        list.filter_map(|word| Some(word.as_str()?.to_owned())).collect()
    };
    let is_of_buckets =
        |one: &&toml::Value| words(one, "dialects").iter().any(|dialect| dialect == "anthropic.messages");
    all.iter().filter(is_of_buckets).flat_map(|one| words(one, "ids")).collect()
}

/// The answer with counts that can be: the input follows the total, so its cached part is all of it (4.5: the buckets
/// of the unified model are disjoint).
fn possible(excepted: &BTreeSet<String>, id: &str, mut parsed: ParsedAnswer) -> ParsedAnswer {
    if let Some(tokens) = parsed.tokens.as_mut().filter(|_| excepted.contains(id)) {
        assert!(tokens.cached > tokens.input, "{id} is no exception");
        tokens.cached = tokens.input;
    }
    parsed
}

/// What a client makes of the messages.
#[derive(Default)]
struct Reading {
    parsed: ParsedAnswer,
    kinds: BTreeMap<u32, PartKind>,
    /// The calls by the number of their part.
    calls: BTreeMap<u32, usize>,
}

impl Reading {
    /// Reads an event, of the first candidate if it belongs to one.
    fn event(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::PartStart(start) if start.candidate == 0 => {
                if let PartKind::ToolCall(call) = &start.kind {
                    self.calls.insert(start.part, self.parsed.calls.len());
                    let (id, name) = (call.id.clone(), call.name.clone());
                    self.parsed.calls.push(Call { id, name, arguments: String::new() });
                }
                self.kinds.insert(start.part, start.kind);
            }
            ChatEvent::Delta(delta) if delta.candidate == 0 => match self.kinds.get(&delta.part) {
                Some(PartKind::Text) => self.parsed.text.push_str(&delta.text),
                Some(PartKind::Reasoning) => self.parsed.thinking.push_str(&delta.text),
                Some(PartKind::Refusal) => self.parsed.refusal.push_str(&delta.text),
                Some(PartKind::ToolCall(_)) => {
                    self.parsed.calls[self.calls[&delta.part]].arguments.push_str(&delta.text);
                }
                other => panic!("a delta of {other:?}"),
            },
            ChatEvent::Finish(end) if end.candidate == 0 => self.parsed.finish = Some(word(end.finish.reason)),
            _ => {}
        }
    }

    fn whole(&mut self, response: ChatResponse) {
        let Some(first) = response.candidates.into_iter().next() else { return };
        for part in first.parts {
            match part {
                Part::Text(text) => self.parsed.text.push_str(&text.text),
                Part::Reasoning(thought) => self.parsed.thinking.push_str(&thought.text.unwrap_or_default()),
                Part::Refusal(text) => self.parsed.refusal.push_str(&text),
                Part::ToolCall(call) => {
                    let (id, name, arguments) = (call.id, call.name, call.arguments);
                    self.parsed.calls.push(Call { id, name, arguments });
                }
                _ => {}
            }
        }
        self.parsed.finish = first.finish.map(|finish| word(finish.reason));
    }

    fn usage(&mut self, usage: Option<Usage>) {
        let sum = |counts: &[Option<u32>]| counts.iter().flatten().map(|count| u64::from(*count)).sum();
        self.parsed.tokens = usage.map(|usage| Tokens {
            input: sum(&[
                usage.input,
                usage.input_audio,
                usage.input_image,
                usage.cache_read,
                usage.cache_write,
                usage.cache_write_hour,
            ]),
            cached: sum(&[usage.cache_read]),
            output: sum(&[usage.output, usage.output_audio, usage.output_image, usage.reasoning]),
        });
    }
}

fn word(reason: FinishReason) -> String {
    match reason {
        FinishReason::Complete | FinishReason::StopSequence | FinishReason::Paused => "stop",
        FinishReason::Length | FinishReason::ContextLength => "length",
        FinishReason::ToolCalls => "tool",
        FinishReason::ContentFilter | FinishReason::Refusal => "filter",
        _ => "other",
    }
    .to_owned()
}
