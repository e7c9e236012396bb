//! Verdicts about answers, wherever a stream splits them.

use super::*;
use crate::guard::OptionValues;
use crate::types::{
    CandidateFinish, Finish, FinishReason, MediaKind, MediaPart, MediaSource, Opaque, PartCitation, PartStart,
    PartStop, ToolStart, Usage,
};

/// Finds the word `hush` with any further letters `h`.
#[derive(Debug)]
struct Hush;

impl Finder for Hush {
    fn find(&self, text: &str) -> Vec<Found> {
        let end = |at: usize| at + 4 + text[at + 4..].bytes().take_while(|byte| *byte == b'h').count();
        text.match_indices("hush").map(|(at, _)| Found { range: at..end(at), label: "word".into() }).collect()
    }
}

impl Configured for Hush {
    const NAME: &'static str = "hush";
    const VERSION: &'static str = "1.0.0";
    const DESCRIPTION: &'static str = "finds a word";
    const SETTINGS: &'static str = "";

    fn setup(_: OptionValues<'_>) -> Result<Setup<Self>, String> {
        Err("not in this test".into())
    }
}

fn scanner(action: Action) -> Scanner<Hush> {
    Scanner::new(Setup { finder: Hush, action, message: "no".into(), restores: false })
}

fn delta(text: &str) -> ChatEvent {
    ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text: text.into() })
}

fn stop() -> ChatEvent {
    ChatEvent::PartStop(PartStop { candidate: 0, part: 0, extensions: Vec::new() })
}

/// The text that a masking guard lets through.
fn reported(pieces: &[&str]) -> String {
    let mut scanner = scanner(Action::Mask);
    let start = ChatEvent::PartStart(PartStart { candidate: 0, part: 0, kind: PartKind::Text });
    let events = [start].into_iter().chain(pieces.iter().map(|piece| delta(piece))).chain([stop()]);
    let mut text = String::new();
    for event in events {
        let EventVerdict::Replace(out) = scanner.push(vec![event]).verdict else { panic!("it masks") };
        for event in out {
            if let ChatEvent::Delta(delta) = event {
                text += &delta.text;
            }
        }
    }
    text
}

#[test]
fn a_word_is_found_wherever_it_is_split() {
    let whole = format!("{}hushhh and hush{}", "é".repeat(200), "z".repeat(300));
    let expected = format!("{}[word] and [word]{}", "é".repeat(200), "z".repeat(300));
    for (at, _) in whole.char_indices() {
        for size in [1, 3] {
            let next = whole.ceil_char_boundary(at + size);
            assert_eq!(reported(&[&whole[..at], &whole[at..next], &whole[next..]]), expected, "{at}");
        }
        let mut scanner = scanner(Action::Annotate);
        let pieces = vec![delta(&whole[..at]), delta(&whole[at..])];
        let noted: Vec<_> = pieces.into_iter().flat_map(|piece| scanner.push(vec![piece]).annotations).collect();
        assert_eq!(noted.last(), Some(&Annotation::new("word", "2")), "{at}");
    }
}

#[test]
fn an_answer_is_refused_before_the_host_lets_the_word_go_or_at_the_end() {
    let denied = EventVerdict::Deny(Denial::new("no"));
    let long = "z".repeat(REACH - 5);
    for (last, verdict) in [(delta("z"), &denied), (stop(), &denied), (delta(""), &EventVerdict::Allow)] {
        let mut scanner = scanner(Action::Deny);
        for piece in ["hu", "s", "h", long.as_str()] {
            assert_eq!(scanner.push(vec![delta(piece)]), EventAnswer::allow(), "{piece}");
        }
        assert_eq!(scanner.push(vec![last]).verdict, *verdict);
    }
    let mut scanner = scanner(Action::Deny);
    assert_eq!(scanner.push(vec![delta("hush")]), EventAnswer::allow());
    assert_eq!(scanner.finish().verdict, denied, "the part was not stopped");
}

#[test]
fn a_long_word_stays_whole_and_what_is_kept_is_bounded() {
    for (action, length) in
        [(Action::Deny, 3 * MAX_FINDING_BYTES), (Action::Mask, 3 * MAX_FINDING_BYTES), (Action::Annotate, 500)]
    {
        let mut scanner = scanner(action);
        scanner.push(vec![delta("é ")]);
        for pushed in (1..=length).step_by(32).map(|before| before + 31) {
            scanner.push(vec![delta(&"x".repeat(32))]);
            let seen = &scanner.parts[&(0, 0)];
            let is_whole = pushed <= MAX_FINDING_BYTES;
            assert_eq!(seen.text.contains(" x"), is_whole, "{pushed}");
            assert!(is_whole || seen.text.len() <= REACH + 1, "{pushed}: {}", seen.text.len());
        }
    }
}

/// Finds as [`Hush`] does, and counts the bytes that it searches.
#[derive(Debug, Default)]
struct CountedHush(std::cell::Cell<usize>);

impl Finder for CountedHush {
    fn find(&self, text: &str) -> Vec<Found> {
        self.0.set(self.0.get() + text.len());
        Hush.find(text)
    }
}

impl Configured for CountedHush {
    const NAME: &'static str = "hush";
    const VERSION: &'static str = "1.0.0";
    const DESCRIPTION: &'static str = "finds a word";
    const SETTINGS: &'static str = "";

    fn setup(_: OptionValues<'_>) -> Result<Setup<Self>, String> {
        Err("not in this test".into())
    }
}

#[test]
fn a_long_word_that_is_masked_is_not_searched_again_at_each_of_its_letters() {
    let (setup, word) = (CountedHush::default(), format!("hus{}", "h".repeat(MAX_FINDING_BYTES)));
    let mut scanner =
        Scanner::new(Setup { finder: setup, action: Action::Mask, message: "no".into(), restores: false });
    let text: String = format!("{word} and more").chars().collect();
    let mut sent = String::new();
    for event in text.chars().map(|letter| delta(letter.encode_utf8(&mut [0; 4]))).chain([stop()]) {
        let EventVerdict::Replace(events) = scanner.push(vec![event]).verdict else { panic!("it masks") };
        for event in events {
            if let ChatEvent::Delta(delta) = event {
                sent += &delta.text;
            }
        }
    }
    assert!(!sent.contains("hush") && sent.starts_with("[word]") && sent.ends_with(" and more"), "{sent}");
    let searched = scanner.setup.finder.0.get() / text.len();
    assert!(searched < 200, "each letter was searched {searched} times");
}

fn of_part(part: u32, kind: PartKind, text: &str) -> [ChatEvent; 3] {
    [
        ChatEvent::PartStart(PartStart { candidate: 0, part, kind }),
        ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into() }),
        ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() }),
    ]
}

fn call() -> PartKind {
    let (id, name) = ("c".to_owned(), "f".to_owned());
    PartKind::ToolCall(ToolStart { id, name, kind: ToolKind::Function, signature: None })
}

/// The verdicts on parts that come one after the other, each event alone, and what is noted of them.
fn over_parts(action: Action, parts: &[(PartKind, &str)]) -> (bool, Option<Annotation>) {
    let mut scanner = scanner(action);
    let events = parts.iter().zip(0..).flat_map(|((kind, text), part)| of_part(part, kind.clone(), text));
    let answers: Vec<_> = events.map(|event| scanner.push(vec![event])).collect();
    let is_denied = answers.iter().any(|answer| matches!(answer.verdict, EventVerdict::Deny(_)));
    (is_denied, answers.into_iter().flat_map(|answer| answer.annotations).last())
}

#[test]
fn a_word_is_found_over_parts_that_a_client_may_put_together() {
    use PartKind::{Reasoning, Refusal, Text};
    let long = "z".repeat(3 * REACH);
    let (begun, ended) = (format!("{long}hu"), format!("sh{long}"));
    for (parts, is_found) in [
        (vec![(Text, "say hu"), (Text, "sh!")], true),
        (vec![(Text, &begun), (Text, &ended)], true),
        (vec![(Text, "hu"), (Reasoning, "so"), (Text, "sh")], true),
        (vec![(Reasoning, "hu"), (Text, "so"), (Reasoning, "sh")], true),
        (vec![(Refusal, "hu"), (Refusal, "sh")], true),
        (vec![(Text, "h"), (call(), "{}"), (Text, "u"), (Text, ""), (Text, "s"), (Reasoning, "x"), (Text, "h")], true),
        (vec![(Text, "hu"), (Reasoning, "sh")], false),
        (vec![(call(), "hu"), (call(), "sh")], false),
        (vec![(Text, "hu"), (Text, &long), (Text, "sh")], false),
        (vec![(Text, "hu "), (Text, "sh")], false),
    ] {
        let noted = is_found.then(|| Annotation::new("word", "1"));
        assert_eq!(over_parts(Action::Deny, &parts), (is_found, noted.clone()), "{parts:?}");
        assert_eq!(over_parts(Action::Mask, &parts), (is_found, noted.clone()), "{parts:?}");
        assert_eq!(over_parts(Action::Annotate, &parts), (false, noted), "{parts:?}");
    }
}

#[test]
fn what_a_part_has_alone_is_masked_there_whatever_stood_before() {
    /// Finds a word that ends in `hush`.
    #[derive(Debug)]
    struct AnyHush;

    impl Finder for AnyHush {
        fn find(&self, text: &str) -> Vec<Found> {
            let Some(at) = text.find("hush") else { return Vec::new() };
            let begin = text[..at].rfind(' ').map_or(0, |space| space + 1);
            vec![Found { range: begin..at + 4, label: "word".into() }]
        }
    }

    let mut joined = JoinedTexts::default();
    assert_eq!(joined.push(0, 0, Kind::Text, "I say", &AnyHush), []);
    assert_eq!(joined.push(0, 1, Kind::Text, "hush", &AnyHush), []);
    assert_eq!(joined.stop(0, Kind::Text, &AnyHush), []);
    let mut joined = JoinedTexts::default();
    assert_eq!(joined.push(0, 0, Kind::Text, "I say hu", &AnyHush), []);
    assert_eq!(joined.push(0, 1, Kind::Text, "sh", &AnyHush), []);
    assert_eq!(joined.stop(0, Kind::Text, &AnyHush).len(), 1);
}

#[test]
fn the_second_half_is_refused_before_it_goes() {
    for action in [Action::Deny, Action::Mask] {
        let mut scanner = scanner(action);
        let [start, text, stop] = of_part(1, PartKind::Text, "sh");
        let first = of_part(0, PartKind::Text, "hu").into_iter().chain([start, text]);
        for event in first {
            match scanner.push(vec![event]).verdict {
                EventVerdict::Deny(_) => panic!("nothing is known yet"),
                EventVerdict::Replace(events) => assert!(!events.iter().any(|event| *event == delta("sh"))),
                EventVerdict::Allow => {}
            }
        }
        assert_eq!(scanner.push(vec![stop]).verdict, EventVerdict::Deny(Denial::new("no")));
    }
    let mut scanner = scanner(Action::Deny);
    scanner.push(of_part(0, PartKind::Text, "hu").to_vec());
    assert_eq!(scanner.push(vec![of_part(1, PartKind::Text, "sh")[1].clone()]), EventAnswer::allow());
    assert_eq!(scanner.finish().verdict, EventVerdict::Deny(Denial::new("no")), "the part was not stopped");
}

#[test]
fn what_is_kept_of_texts_that_belong_together_is_bounded() {
    let mut scanner = scanner(Action::Deny);
    for part in 0..200 {
        scanner.push(of_part(part, PartKind::Text, "so many words ").to_vec());
    }
    assert!(scanner.joined.kept() <= 2 * REACH, "{}", scanner.joined.kept());
    for part in 200..1_200 {
        scanner.push(of_part(part, PartKind::Text, "xyzxyzxyz").to_vec());
    }
    assert!(scanner.joined.kept() <= MAX_FINDING_BYTES + REACH, "{}", scanner.joined.kept());
}

fn source(json: &str) -> Opaque {
    Opaque { format: "f".into(), kind: "k".into(), json: json.into() }
}

fn extension(json: &str) -> Extension {
    Extension { format: "f".into(), key: "k".into(), json: json.into() }
}

fn cited(url: Option<&str>, json: &str) -> ChatEvent {
    let (url, source) = (url.map(str::to_owned), Some(source(json)));
    let citation = Citation { url, title: None, quote: None, start: None, end: None, source };
    ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation })
}

fn finish(raw: Option<&str>) -> ChatEvent {
    let finish = Finish { reason: FinishReason::Other, raw: raw.map(str::to_owned), stop_sequence: None };
    ChatEvent::Finish(CandidateFinish { candidate: 0, finish })
}

fn usage(extensions: Vec<Extension>) -> ChatEvent {
    ChatEvent::Usage(Usage { extensions, ..Usage::default() })
}

fn medium(source: MediaSource, extensions: Vec<Extension>) -> ChatEvent {
    let media = MediaPart { extensions, ..MediaPart::new(MediaKind::Audio, source) };
    ChatEvent::PartStart(PartStart { candidate: 0, part: 0, kind: PartKind::Media(media) })
}

/// A note that an adapter leaves for itself.
fn note(kind: &str) -> ChatEvent {
    ChatEvent::Opaque(Opaque { format: "f".into(), kind: kind.into(), json: "null".into() })
}

const HIDDEN: &str = r#"{"a":"h\u0075sh"}"#;

#[test]
fn what_comes_as_a_whole_is_seen_and_masked_where_it_can_be() {
    let base64 = || MediaSource::Base64("hush".into());
    let replaced = |event| EventVerdict::Replace(vec![event]);
    let mut without_source = cited(Some("u"), HIDDEN);
    if let ChatEvent::Citation(cited) = &mut without_source {
        cited.citation.source = None;
    }
    for (event, masked) in [
        (cited(Some("u"), HIDDEN), replaced(without_source)),
        (cited(None, HIDDEN), EventVerdict::Replace(Vec::new())),
        (finish(Some("hush")), replaced(finish(None))),
        (usage(vec![extension(HIDDEN), extension("1")]), replaced(usage(vec![extension("1")]))),
        (note(&format!("end={HIDDEN}")), EventVerdict::Replace(Vec::new())),
        (medium(base64(), vec![extension(HIDDEN)]), EventVerdict::Deny(Denial::new("no"))),
        (medium(MediaSource::Base64("aHVzaA==".into()), Vec::new()), EventVerdict::Deny(Denial::new("no"))),
        (medium(MediaSource::Url("x/hush".into()), Vec::new()), EventVerdict::Deny(Denial::new("no"))),
        (medium(MediaSource::Text("hush".into()), Vec::new()), EventVerdict::Deny(Denial::new("no"))),
    ] {
        let denied = scanner(Action::Deny).push(vec![event.clone()]);
        assert_eq!(denied.verdict, EventVerdict::Deny(Denial::new("no")), "{event:?}");
        assert_eq!(denied.annotations, [Annotation::new("word", "1")], "{event:?}");
        let answer = scanner(Action::Mask).push(vec![event]);
        assert_eq!((answer.verdict, answer.annotations), (masked, denied.annotations));
    }
    let clean = [cited(Some("u"), "{}"), finish(Some("x")), usage(vec![extension("1")]), medium(base64(), vec![])];
    for event in clean.into_iter().chain([note("item=hush\tnull"), note("end={}")]) {
        assert_eq!(scanner(Action::Deny).push(vec![event.clone()]), EventAnswer::allow());
        assert_eq!(scanner(Action::Mask).push(vec![event.clone()]).verdict, replaced(event));
    }
}
