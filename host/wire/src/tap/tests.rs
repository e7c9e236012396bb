//! Tests of a tap with a made-up format.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;
use weir_types::contract::about::{
    Bucket, FrameTest, Merge, PointerEquals, PointerValues, Tap, UnitPlace, UnitSource, UsagePlace,
};
use weir_types::contract::types::Unit;
use weir_types::tokens::Tokens;

fn texts(pointers: &[&str]) -> Vec<String> {
    pointers.iter().map(|&pointer| pointer.to_owned()).collect()
}

pub(super) fn place(bucket: Bucket, pointers: &[&str], merge: Merge, includes: &[Bucket]) -> UsagePlace {
    UsagePlace {
        bucket,
        pointers: texts(pointers),
        merge,
        includes: includes.to_vec(),
        beside: None,
        headers: Vec::new(),
    }
}

fn present(pointer: &str) -> FrameTest {
    FrameTest::Present(pointer.to_owned())
}

fn equals(pointer: &str, json: &str) -> FrameTest {
    FrameTest::Equals(PointerEquals { pointer: pointer.to_owned(), json: json.to_owned() })
}

fn zeta() -> Tap {
    Tap {
        usage: vec![
            place(
                Bucket::Input,
                &["/bill/in", "/start/bill/in"],
                Merge::Last,
                &[Bucket::CacheRead, Bucket::CacheWrite],
            ),
            place(Bucket::CacheRead, &["/bill/more/cached"], Merge::Max, &[]),
            place(Bucket::CacheWrite, &["/bill/more/stored/*"], Merge::Sum, &[]),
            place(Bucket::Output, &["/bill/out"], Merge::Max, &[Bucket::Reasoning]),
            place(Bucket::Reasoning, &["/bill/more/thought"], Merge::Last, &[]),
        ],
        finish: texts(&["/answers/*/why"]),
        model: texts(&["/brain", "/start/brain"]),
        content: vec![present("/answers/*/say"), FrameTest::Event("say".to_owned())],
        end: vec![FrameTest::Data("<end>".to_owned()), equals("/kind", "\"over\"")],
        failure: vec![FrameTest::Event("woe".to_owned()), present("/woe")],
        ..Tap::default()
    }
}

fn state(tap: &Tap) -> TapState {
    TapState::new(&CompiledTap::new(tap).unwrap())
}

fn stream(tap: &Tap, frames: &[(&str, &str)]) -> TapReading {
    let mut state = state(tap);
    for (event, data) in frames {
        let event = (!event.is_empty()).then_some(event.as_bytes());
        state.frame(FrameRef { event, data: data.as_bytes() });
    }
    state.reading()
}

fn body(tap: &Tap, chunks: &[&[u8]]) -> TapReading {
    let mut state = state(tap);
    for chunk in chunks {
        state.body(chunk);
    }
    state.finish_body()
}

fn buckets(values: [Option<u32>; 5]) -> Tokens {
    let names = [Bucket::Input, Bucket::CacheRead, Bucket::CacheWrite, Bucket::Output, Bucket::Reasoning];
    names.into_iter().zip(values).fold(Tokens::default(), |tokens, (bucket, count)| tokens.with(bucket, count))
}

const USAGE: &str = r#"{"in":100,"out":50,"more":{"cached":60,"stored":[5,6],"thought":20}}"#;

#[test]
fn a_stream_is_read_from_its_frames() {
    let frames = [
        ("", r#"{"start":{"brain":"z-1","bill":{"in":7}}}"#),
        ("", r#"{"answers":[{"say":null,"why":null}],"bill":null}"#),
        ("", r#"{"answers":[{"say":"hi","why":null}],"bill":null}"#),
        ("", r#"{"answers":[{"say":"!","why":"done"}],"brain":"other"}"#),
        ("", &format!("{{\"bill\":{USAGE}}}")),
        ("", "<end>"),
    ];
    let expected = TapReading {
        usage: buckets([Some(29), Some(60), Some(11), Some(30), Some(20)]),
        finish: Some("done".to_owned()),
        model: Some("z-1".to_owned()),
        content: true,
        ended: true,
        failed: false,
        ..TapReading::default()
    };
    assert_eq!(stream(&zeta(), &frames), expected);
    assert!(!stream(&zeta(), &frames[..2]).content);
    assert!(stream(&zeta(), &frames[..3]).content);
    assert!(!stream(&zeta(), &frames[..5]).ended);
}

#[test]
fn a_whole_answer_is_read_from_its_chunks_without_being_kept() {
    let answer = format!(
        "{{\"answers\":[{{\"say\":\"{}\",\"why\":\"done\"}}],\"brain\":\"z\",\"bill\":{USAGE}}}",
        "x".repeat(1 << 20)
    );
    let chunks: Vec<&[u8]> = answer.as_bytes().chunks(1000).collect();
    let reading = body(&zeta(), &chunks);
    assert_eq!(reading.usage, buckets([Some(29), Some(60), Some(11), Some(30), Some(20)]));
    assert_eq!((reading.finish.as_deref(), reading.model.as_deref()), (Some("done"), Some("z")));
    assert!(reading.content && reading.ended && !reading.failed);
}

#[test]
fn the_bill_of_a_whole_answer_is_read_without_the_rest() {
    let answer = format!(
        "{{\"answers\":[{{\"say\":\"x\",\"why\":\"done\"}}],\"brain\":\"z\",\"woe\":{{\"code\":1}},\"bill\":{USAGE}}}"
    );
    let compiled = CompiledTap::new(&zeta()).unwrap();
    let (mut state, mut bill) = (TapState::new(&compiled), TapState::of_bill(&compiled));
    for chunk in answer.as_bytes().chunks(7) {
        state.body(chunk);
        bill.body(chunk);
    }
    let (whole, read) = (state.finish_body(), bill.finish_body());
    assert!(whole.failed && whole.content && whole.finish.is_some() && whole.model.is_some());
    let expected = TapReading { finish: None, content: false, failed: false, ..whole };
    assert_eq!((read, bill.content_tokens()), (expected, state.content_tokens()));
}

#[test]
fn more_values_than_the_limit_hide_no_usage() {
    let answers = vec![r#"{"say":"x"}"#; 5000].join(",");
    let answer = format!("{{\"answers\":[{answers}],\"bill\":{{\"out\":3}}}}");
    assert_eq!(body(&zeta(), &[answer.as_bytes()]).usage.output(), Some(3));
}

#[test]
fn a_truncated_answer_keeps_the_values_before_the_break() {
    let reading = body(&zeta(), &[br#"{"bill":{"in":4},"answers":[{"say":"a"#]);
    assert_eq!(reading.usage.input(), Some(4));
    assert!(!reading.ended);
}

#[test]
fn unreported_usage_stays_unknown() {
    let reading = stream(&zeta(), &[("", r#"{"bill":{"in":0,"out":null,"more":{"thought":"many"}}}"#)]);
    assert_eq!(reading.usage, buckets([Some(0), None, None, None, None]));
    assert_eq!(stream(&zeta(), &[]), TapReading::default());
}

#[test]
fn parts_larger_than_their_total_are_cut_to_it() {
    let cut = |bill: &str| stream(&zeta(), &[("", &format!("{{\"bill\":{bill}}}"))]).usage;
    assert_eq!(cut(r#"{"in":10,"more":{"cached":60}}"#), buckets([Some(0), Some(10), None, None, None]));
    assert_eq!(cut(r#"{"in":10,"more":{"stored":[60]}}"#), buckets([Some(0), None, Some(10), None, None]));
    let both = r#"{"in":10,"more":{"cached":8,"stored":[3,4]}}"#;
    assert_eq!(cut(both), buckets([Some(0), Some(8), Some(2), None, None]));
    assert_eq!(cut(r#"{"more":{"cached":60}}"#), buckets([None, Some(60), None, None, None]), "no total");
    assert_eq!(cut(r#"{"out":5,"more":{"thought":6}}"#), buckets([None, None, None, Some(0), Some(5)]));
}

#[test]
fn later_figures_are_merged_as_the_manifest_says() {
    let frame = |n: u32| json!({"bill": {"in": n + 20, "out": n, "more": {"stored": [n]}}}).to_string();
    let reading = stream(&zeta(), &[("", &frame(5)), ("", &frame(9)), ("", &frame(2))]);
    assert_eq!(reading.usage, buckets([Some(6), None, Some(16), Some(9), None]));
    let huge = json!({"bill": {"out": 1e15, "more": {"stored": [4e9, 4e9]}}}).to_string();
    let reading = stream(&zeta(), &[("", &huge)]);
    assert_eq!(reading.usage, buckets([None, None, Some(u32::MAX), Some(u32::MAX), None]));
}

#[test]
fn places_of_one_bucket_are_added() {
    let usage = vec![
        place(Bucket::Input, &["/a"], Merge::Last, &[Bucket::CacheRead]),
        place(Bucket::Input, &["/b"], Merge::Last, &[]),
        place(Bucket::CacheRead, &["/c"], Merge::Last, &[]),
    ];
    let tap = Tap { usage, ..zeta() };
    let reading = stream(&tap, &[("", r#"{"a":10,"b":5,"c":4}"#), ("", r#"{"a":12,"b":6}"#)]);
    assert_eq!(reading.usage, buckets([Some(14), Some(4), None, None, None]));
}

#[test]
fn an_input_of_none_counts_where_the_report_has_it_in_the_cache() {
    let usage =
        vec![place(Bucket::Input, &["/in"], Merge::Last, &[]), place(Bucket::CacheRead, &["/cached"], Merge::Max, &[])];
    let tap = Tap { usage, ..zeta() };
    let last = |report: &str| stream(&tap, &[("", r#"{"in":9,"cached":0}"#), ("", report)]).usage;
    assert_eq!(last(r#"{"in":2,"cached":0}"#), buckets([Some(2), Some(0), None, None, None]));
    assert_eq!(last(r#"{"in":0,"cached":0}"#), buckets([Some(9), Some(0), None, None, None]));
    assert_eq!(last(r#"{"in":0}"#), buckets([Some(9), Some(0), None, None, None]));
    assert_eq!(last(r#"{"in":0,"cached":9}"#), buckets([Some(0), Some(9), None, None, None]));
    assert_eq!(last(r#"{"cached":9,"in":0}"#), buckets([Some(0), Some(9), None, None, None]));
}

#[test]
fn a_total_leaves_the_remainder_of_the_other_buckets() {
    let usage = vec![
        place(Bucket::Output, &["/total"], Merge::Last, &[Bucket::Input, Bucket::CacheRead]),
        place(Bucket::Input, &["/in"], Merge::Last, &[Bucket::CacheRead]),
        place(Bucket::CacheRead, &["/cached"], Merge::Last, &[]),
    ];
    let reading = body(&Tap { usage, ..zeta() }, &[br#"{"total":100,"in":60,"cached":20}"#]);
    assert_eq!(reading.usage, buckets([Some(40), Some(20), None, Some(40), None]));
}

#[test]
fn buckets_that_include_each_other_are_refused() {
    let usage = vec![
        place(Bucket::Output, &["/a"], Merge::Last, &[Bucket::Reasoning]),
        place(Bucket::Reasoning, &["/b"], Merge::Last, &[Bucket::Output]),
    ];
    assert_eq!(CompiledTap::new(&Tap { usage, ..zeta() }).unwrap_err(), TapError::Circle);
}

#[test]
fn failures_are_seen_by_name_and_by_value() {
    assert!(stream(&zeta(), &[("woe", "{}")]).failed);
    assert!(stream(&zeta(), &[("", r#"{"woe":{"code":1}}"#)]).failed);
    assert!(stream(&zeta(), &[("", "{\n \"woe\": {\n  \"code\": 1\n }\n}")]).failed);
    assert!(body(&zeta(), &[br#"{"woe":"x"}"#]).failed);
    assert!(!stream(&zeta(), &[("", r#"{"woe":null}"#), ("say", r#"{"woe":{}}"#), ("", "woe")]).failed);
}

#[test]
fn failures_and_the_end_are_seen_after_the_first_content_too() {
    let say = ("", r#"{"brain":"z","answers":[{"say":"a"}]}"#);
    assert!(stream(&zeta(), &[say, ("", r#"{"woe": "x"}"#)]).failed);
    assert!(stream(&zeta(), &[say, ("", r#"{"kind" : "over"}"#)]).ended);
    assert!(stream(&zeta(), &[say, ("", r#"{"kind":"o\u0076er"}"#)]).ended);
    assert!(!stream(&zeta(), &[say, ("", r#"{"kind":"overture"}"#), ("", r#"{"a":{"kind":"over"}}"#)]).ended);
}

#[test]
fn frames_that_are_not_json_do_no_harm() {
    let odd =
        [("", "\"bill\":"), ("", "{\"bill\":{\"in\":"), ("", ""), ("", "\"bill\""), ("", "{\"bill\":{\"in\":3}}")];
    assert_eq!(stream(&zeta(), &odd).usage.input(), Some(3));
}

#[test]
fn the_frame_to_withhold_is_recognised() {
    let holds = |test: &FrameTest, event: &str, data: &str| {
        let event = Some(event.as_bytes()).filter(|event| !event.is_empty());
        FrameCheck::new(&CompiledCheck::new(test, &[]).unwrap()).look(FrameRef { event, data: data.as_bytes() }).holds
    };
    let empty = equals("/answers", "[]");
    assert!(holds(&empty, "", r#"{"answers": [ ],"bill":{}}"#));
    assert!(!holds(&empty, "", r#"{"answers":[{}],"bill":{}}"#));
    assert!(!holds(&empty, "", r#"{"x":{"answers":[]}}"#));
    assert!(!holds(&empty, "", r#"{"answers":["#));
    assert!(holds(&FrameTest::Event("bill".to_owned()), "bill", ""));
    assert!(!holds(&FrameTest::Event("bill".to_owned()), "", "bill"));
    assert!(CompiledCheck::new(&equals("/a", "[1]"), &[]).is_err());
}

#[test]
fn a_figure_counts_under_a_condition_on_its_neighbour() {
    let modality = |json: &str, bucket| UsagePlace {
        beside: Some(PointerEquals { pointer: "/kind".to_owned(), json: json.to_owned() }),
        ..place(bucket, &["/bill/parts/*/n"], Merge::Last, &[])
    };
    let tap = Tap {
        usage: vec![
            place(Bucket::Input, &["/bill/in"], Merge::Last, &[Bucket::InputAudio, Bucket::InputImage]),
            modality("\"sound\"", Bucket::InputAudio),
            modality("4", Bucket::InputAudio),
            modality("\"sight\"", Bucket::InputImage),
        ],
        ..Tap::default()
    };
    let answer =
        r#"{"bill":{"parts":[{"kind":"words","n":5},{"n":7,"kind":"sound"},{"kind":"sight"},{"n":2}],"in":20}}"#;
    let expected = Tokens::default().with(Bucket::Input, Some(13)).with(Bucket::InputAudio, Some(7));
    assert_eq!(body(&tap, &[answer.as_bytes()]).usage, expected);
    assert_eq!(stream(&tap, &[("", answer)]).usage, expected);
    // A format may spell the neighbour's value in two ways.
    let numbered = answer.replace("\"sound\"", "4");
    assert_eq!(stream(&tap, &[("", &numbered)]).usage, expected);
}

#[test]
fn a_figure_of_one_kind_includes_what_is_of_its_kind() {
    let kind = |json: &str| Some(PointerEquals { pointer: "/kind".to_owned(), json: json.to_owned() });
    let part = |bucket, pointer: &str, includes: &[Bucket]| UsagePlace {
        beside: kind("\"sound\""),
        ..place(bucket, &[pointer], Merge::Last, includes)
    };
    let tap = Tap {
        usage: vec![
            place(Bucket::Input, &["/bill/in"], Merge::Last, &[Bucket::CacheRead, Bucket::InputAudio]),
            part(Bucket::InputAudio, "/bill/parts/*/n", &[Bucket::CacheRead]),
            // The total of the cached tokens, of which the next place has a part.
            place(Bucket::CacheRead, &["/bill/cached"], Merge::Last, &[Bucket::CacheRead]),
            part(Bucket::CacheRead, "/bill/kept/*/n", &[]),
        ],
        ..Tap::default()
    };
    let of = |input: u32, audio: Option<u32>, cached: u32| {
        let tokens = Tokens::default().with(Bucket::Input, Some(input)).with(Bucket::CacheRead, Some(cached));
        tokens.with(Bucket::InputAudio, audio)
    };
    let parts = r#""parts":[{"kind":"words","n":90},{"kind":"sound","n":110}]"#;
    for (cached, expected) in [
        // 50 words and 100 of sound come from the cache.
        (r#""cached":150,"kept":[{"kind":"words","n":50},{"kind":"sound","n":100}]"#, of(40, Some(10), 150)),
        // None of the sound does.
        (r#""cached":50,"kept":[{"kind":"words","n":50}]"#, of(40, Some(110), 50)),
        (r#""cached":50"#, of(40, Some(110), 50)),
        // All of it does, and the report of the parts is greater than its total.
        (r#""cached":100,"kept":[{"kind":"sound","n":110}]"#, of(100, Some(0), 100)),
        // The total is not told.
        (r#""kept":[{"kind":"sound","n":100}]"#, of(90, Some(10), 100)),
    ] {
        let answer = format!(r#"{{"bill":{{{parts},{cached},"in":200}}}}"#);
        assert_eq!(body(&tap, &[answer.as_bytes()]).usage, expected, "{answer}");
        assert_eq!(stream(&tap, &[("", &answer), ("", &answer)]).usage, expected, "{answer}");
    }
    // What is cached of another kind is not taken from the sound, and the buckets are disjoint all the same.
    let answer = r#"{"bill":{"parts":[{"kind":"sound","n":30}],"cached":20,"kept":[{"kind":"sight","n":20}],"in":40}}"#;
    assert_eq!(body(&tap, &[answer.as_bytes()]).usage, of(0, Some(20), 20));
}

#[test]
fn units_tier_and_batch_are_read_beside_the_tokens() {
    let number =
        |unit, pointer: &str| UnitPlace { unit, source: UnitSource::Number(texts(&[pointer])), merge: Merge::Last };
    let matches = UnitSource::Matches(equals("/made/*/type", "\"search\""));
    let tap = Tap {
        units: vec![
            number(Unit::Second, "/bill/seconds"),
            UnitPlace { unit: Unit::Search, source: matches, merge: Merge::Max },
            number(Unit::Search, "/bill/searches"),
        ],
        service_tier: texts(&["/tier"]),
        batch: vec![equals("/tier", "\"batch\"")],
        ..zeta()
    };
    let answer = r#"{"made":[{"type":"search"},{"type":"text"},{"type":"search"}],"bill":{"seconds":2.5,"searches":1},"tier":"batch"}"#;
    for reading in [body(&tap, &[answer.as_bytes()]), stream(&tap, &[("", answer)])] {
        let units: Vec<_> = reading.units.iter().map(|count| (count.unit, count.count)).collect();
        assert_eq!(units, [(Unit::Second, 2.5), (Unit::Search, 3.0)]);
        assert_eq!((reading.service_tier.as_deref(), reading.batch), (Some("batch"), Some(true)));
    }
    let none = body(&tap, &[br#"{"bill":{"seconds":-1}}"#]);
    assert_eq!((none.units, none.service_tier, none.batch), (Vec::new(), None, None));
}

#[test]
fn data_within_frames_are_read_and_frames_without_them_as_they_are() {
    let tap = Tap { wrapped: Some("/in".to_owned()), ..zeta() };
    let wrap = |data: &str| json!({ "pad": "\"bill\":{\"in\":9}", "in": STANDARD.encode(data) }).to_string();
    let begun = wrap(r#"{"brain":"m","answers":[{"say":"the quick brown fox"}],"bill":{"in":7}}"#);
    let said: Vec<String> = (0..4).map(|_| wrap(r#"{"answers":[{"say":" jumps over"}]}"#)).collect();
    let ended = wrap(r#"{"bill":{"in":7,"out":5},"kind":"over"}"#);
    let mut state = state(&tap);
    for data in [&begun].into_iter().chain(&said).chain([&ended]) {
        assert_eq!(state.length_of_like(data.as_bytes()), None);
        state.frame(FrameRef { event: Some(b"chunk"), data: data.as_bytes() });
    }
    let reading = state.reading();
    assert_eq!((reading.usage.input(), reading.usage.output(), reading.ended), (Some(7), Some(5), true));
    assert_eq!(reading.model.as_deref(), Some("m"));
    assert!(state.content_tokens() > 8, "{}", state.content_tokens());
    let plain = stream(&tap, &[("", r#"{"woe":1,"bill":{"in":3}}"#)]);
    assert!(plain.failed && plain.usage.input() == Some(3));
}

#[test]
fn headers_hold_counts_and_the_tier() {
    let counted = UsagePlace { headers: texts(&["x-in"]), ..place(Bucket::Input, &["/bill/in"], Merge::Max, &[]) };
    let output = UsagePlace { headers: texts(&["x-out"]), ..place(Bucket::Output, &["/bill/out"], Merge::Max, &[]) };
    let tiers = texts(&["x-tier"]);
    let tap =
        Tap { usage: vec![counted, output], service_tier: texts(&["/tier"]), service_tier_headers: tiers, ..zeta() };
    let tap = CompiledTap::new(&tap).unwrap();
    let value = |name: &str| match name {
        "x-in" => Some("12"),
        "x-out" => Some("many"),
        "x-tier" => Some("flex"),
        _ => None,
    };
    for mut state in [TapState::new(&tap), TapState::of_bill(&tap)] {
        state.headers(value);
        state.body(br#"{"bill":{"in":4,"out":2},"tier":"default"}"#);
        let reading = state.finish_body();
        assert_eq!((reading.usage.input(), reading.usage.output()), (Some(12), Some(2)));
        assert_eq!(reading.service_tier.as_deref(), Some("flex"), "the usual tier gives way");
    }
}

#[test]
fn the_tier_that_served_is_read_at_the_end_and_of_several_pointers_the_first_counts() {
    let tap = Tap { service_tier: texts(&["/bill/speed", "/tier"]), ..zeta() };
    let begun = r#"{"tier":"auto","brain":"m","answers":[{"say":"a"}]}"#;
    let said = r#"{"tier":"auto","answers":[{"say":"b"}]}"#;
    let ended = r#"{"bill":{"in":1,"out":2},"tier":"priority"}"#;
    let reading = stream(&tap, &[("", begun), ("", said), ("", ended)]);
    assert_eq!(reading.service_tier.as_deref(), Some("priority"), "what was asked for stands at the beginning");
    let both = r#"{"bill":{"speed":"fast"},"tier":"standard"}"#;
    assert_eq!(body(&tap, &[both.as_bytes()]).service_tier.as_deref(), Some("fast"));
    for usual in
        [r#"{"bill":{"speed":"standard"},"tier":"priority"}"#, r#"{"tier":"priority","bill":{"speed":"standard"}}"#]
    {
        assert_eq!(body(&tap, &[usual.as_bytes()]).service_tier.as_deref(), Some("priority"), "{usual}");
    }
    let reversed = r#"{"tier":"standard","bill":{"speed":"fast"}}"#;
    assert_eq!(body(&tap, &[reversed.as_bytes()]).service_tier.as_deref(), Some("fast"));
}

#[test]
fn the_region_is_what_an_answer_names_and_an_answer_under_way_says_so() {
    let place = PointerValues { pointer: "/bill/where".to_owned(), json: texts(&["\"nowhere\""]) };
    let tap = Tap { region: vec![place], under_way: vec![equals("/state", "\"made\"")], ..zeta() };
    for (told, region) in [("\"us\"", Some("us")), ("\"nowhere\"", None), ("\"\"", None), ("7", None), ("null", None)] {
        let answer = format!(r#"{{"brain":"m","answers":[{{"say":"a"}}],"bill":{{"in":1,"where":{told}}}}}"#);
        let late = format!(r#"{{"bill":{{"where":{told},"out":2}}}}"#);
        for reading in [body(&tap, &[answer.as_bytes()]), stream(&tap, &[("", &answer), ("", &late)])] {
            assert_eq!((reading.region.as_deref(), reading.completion), (region, Completion::Final), "{told}");
        }
    }
    for answer in [r#"{"state":"made","bill":{"in":0}}"#, r#"{"bill":{"in":0},"state":"made"}"#] {
        assert_eq!(body(&tap, &[answer.as_bytes()]).completion, Completion::UnderWay);
    }
    assert_eq!(body(&tap, &[br#"{"state":"done"}"#]).completion, Completion::Final);
}

/// Frames that have something of everything.
fn frames() -> impl Strategy<Value = Vec<String>> {
    let value = prop::sample::select(vec![
        json!(null),
        json!(3),
        json!("over"),
        json!(""),
        json!([]),
        json!({}),
        json!([7, 1]),
        json!("\"bill\":1"),
        json!({"in": 4}),
        json!({"say": "x", "why": "y", "bill": {"in": 9}}),
        json!({"cached": 2, "thought": 1}),
    ]);
    let name = prop::sample::select(vec!["bill", "in", "out", "more", "say", "why", "woe", "kind", "answers", "brain"]);
    let members = prop::collection::vec((name.clone(), value), 0..4);
    let object =
        members.prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let object = object.prop_map(serde_json::Value::Object);
    let frame = (object.clone(), object, name, any::<bool>(), any::<bool>()).prop_map(
        |(mut frame, inner, name, list, wide)| {
            frame[name] = if list { json!([inner]) } else { inner };
            if wide { format!("{frame:#}") } else { frame.to_string() }
        },
    );
    prop::collection::vec(frame, 0..5)
}

/// Frames of a few shapes, as streams have them, with values that matter here and there.
fn step() -> impl Strategy<Value = String> {
    let texts = ["", "a", "some words", "over", "bill", "\\\"bill", "\\\"bill\\\":{", "\\\\", "\\\"", "QUJD", "z"];
    let text = prop::sample::select(texts.to_vec());
    let ends = ["", "", ",\"bill\":null", ",\"bill\":{\"out\":3}", ",\"woe\":\"x\"", ",\"brain\":\"b\""];
    let end = prop::sample::select(ends.to_vec());
    let kind = prop::sample::select(vec!["more", "less", "less", "over"]);
    let shape = prop::sample::select(vec![0, 0, 0, 0, 1, 2]);
    let lead = prop::sample::select(vec!["", "", "b", "three more words"]);
    let words = (text.clone(), text, lead, kind, end);
    (words, shape, 0u32..20).prop_map(|((say, id, lead, kind, end), shape, n)| match shape {
        0 => format!(r#"{{"n":{n},"kind":"{kind}","answers":[{{"say":"{say}","lead":"{lead}"}}],"id":"{id}"{end}}}"#),
        1 => format!(r#"{{"n":{n},"answers":[{{"say":[{{"text":"{say}","n":{n}}},"{id}"]}}]{end}}}"#),
        _ => format!(r#"{{"brain":"z","say":"{id}","answers":[{{"say":"{say}"}}]{end}}}"#),
    })
}

#[test]
fn a_frame_that_is_alike_is_not_searched() {
    let mut state = state(&zeta());
    let frame =
        |say: &str, number: u32, id: &str| format!(r#"{{"n":{number},"answers":[{{"say":"{say}"}}],"id":"{id}"}}"#);
    let mut see = |data: &str| state.frame(FrameRef { event: None, data: data.as_bytes() });
    see(r#"{"brain":"z"}"#);
    see(&frame("one", 1, "abc"));
    see(&frame("two", 2, "de"));
    see(&frame("three", 3, "f"));
    for data in [frame("four", 10, ""), frame("f\\\"ive", 11, "ghij")] {
        assert!(state.alike.weigh(data.as_bytes(), &mut state.content), "{data}");
    }
    for data in [frame("", 12, "k"), frame("six", 13, "l") + " ", r#"{"bill":{"out":3}}"#.to_owned()] {
        assert!(!state.alike.weigh(data.as_bytes(), &mut state.content), "{data}");
    }
}

proptest! {
    #[test]
    fn frames_that_are_alike_are_checked_as_if_they_were_not(steps in prop::collection::vec(step(), 0..40)) {
        for test in [equals("/kind", "\"over\""), equals("/n", "7"), equals("/answers", "[]"), present("/answers/*")] {
            let compiled = CompiledCheck::new(&test, &texts(&["bill", "woe"])).unwrap();
            let mut check = FrameCheck::new(&compiled);
            for data in &steps {
                let frame = FrameRef { event: None, data: data.as_bytes() };
                prop_assert_eq!(check.look(frame), FrameCheck::new(&compiled).look(frame), "{}", data);
            }
        }
    }

    #[test]
    fn the_filter_hides_nothing(frames in frames()) {
        let compiled = CompiledTap::new(&zeta()).unwrap();
        let mut filtered = TapState::new(&compiled);
        let mut plain = TapState::new(&compiled);
        for frame in &frames {
            filtered.frame(FrameRef { event: None, data: frame.as_bytes() });
            plain.body(frame.as_bytes());
            plain.read();
            prop_assert_eq!(filtered.reading(), plain.reading());
        }
    }

    #[test]
    fn frames_that_are_alike_are_read_as_if_they_were_not(steps in prop::collection::vec(step(), 0..40)) {
        let content = vec![present("/answers/*/lead"), present("/answers/*/say")];
        let compiled = CompiledTap::new(&Tap { content, ..zeta() }).unwrap();
        let (mut state, mut searched) = (TapState::new(&compiled), TapState::new(&compiled));
        for data in &steps {
            let frame = FrameRef { event: None, data: data.as_bytes() };
            state.frame(frame);
            searched.alike = AlikeContent::default();
            searched.frame(frame);
            prop_assert_eq!(state.reading(), searched.reading(), "{}", data);
            prop_assert_eq!(state.content_tokens(), searched.content_tokens(), "{}", data);
        }
    }

    #[test]
    fn the_bill_is_that_of_the_whole_reading(frames in frames()) {
        let compiled = CompiledTap::new(&zeta()).unwrap();
        for frame in &frames {
            let (mut state, mut bill) = (TapState::new(&compiled), TapState::of_bill(&compiled));
            state.body(frame.as_bytes());
            bill.body(frame.as_bytes());
            let whole = state.finish_body();
            let read = bill.finish_body();
            let expected = TapReading { finish: None, content: false, failed: false, ..whole };
            // What is not JSON is found later, or not at all, by a scan that looks at less of it.
            prop_assert!(read == expected || !expected.ended, "{} gives {:?}", frame, read);
        }
    }

    #[test]
    fn cuts_of_a_body_never_matter(frames in frames(), at in any::<prop::sample::Index>()) {
        for frame in &frames {
            let (one, other) = frame.as_bytes().split_at(at.index(frame.len() + 1));
            prop_assert_eq!(body(&zeta(), &[one, other]), body(&zeta(), &[frame.as_bytes()]));
        }
    }
}

#[test]
fn a_report_that_lists_its_parts_is_the_account_of_the_whole() {
    let aside = || Some(PointerEquals { pointer: "/kind".to_owned(), json: "\"aside\"".to_owned() });
    let part = |bucket, pointer: &str| UsagePlace { beside: aside(), ..place(bucket, &[pointer], Merge::Sum, &[]) };
    let tap = Tap {
        usage: vec![
            place(Bucket::Input, &["/start/bill/in", "/bill/in"], Merge::Max, &[]),
            place(Bucket::Output, &["/start/bill/out", "/bill/out"], Merge::Max, &[]),
            part(Bucket::Input, "/bill/calls/*/in"),
            part(Bucket::Output, "/bill/calls/*/out"),
        ],
        ..Tap::default()
    };
    let begun = ("", r#"{"start":{"bill":{"in":200,"out":1}}}"#);
    let calls = r#"[{"kind":"aside","in":200,"out":10},{"kind":"own","in":30,"out":7}]"#;
    let told = format!(r#"{{"bill":{{"calls":{calls},"in":30,"out":7}}}}"#);
    let expected = buckets([Some(230), None, None, Some(17), None]);
    assert_eq!(stream(&tap, &[begun, ("", &told)]).usage, expected);
    // The list is cumulative, as all figures are.
    assert_eq!(stream(&tap, &[begun, ("", &told), ("", &told)]).usage, expected);
    assert_eq!(stream(&tap, &[begun, ("", &told), ("", r#"{"bill":{"in":3,"out":8}}"#)]).usage.output(), Some(18));
    assert_eq!(body(&tap, &[told.as_bytes()]).usage, expected);
    // Without a list, the greatest counts.
    let fallen = ("", r#"{"bill":{"calls":[],"in":30,"out":7}}"#);
    assert_eq!(stream(&tap, &[begun, fallen]).usage, buckets([Some(200), None, None, Some(7), None]));
    // Figures that the report leaves out stay.
    let partly = ("", r#"{"bill":{"calls":[{"kind":"own","out":7}],"out":7}}"#);
    assert_eq!(stream(&tap, &[begun, partly]).usage, buckets([Some(200), None, None, Some(7), None]));
}

#[test]
fn the_model_that_goes_on_with_a_stream_counts() {
    let tap = Tap { model: texts(&["/start/brain", "/brain", "/next/brain"]), ..zeta() };
    let begun = ("", r#"{"start":{"brain":"z-1"}}"#);
    let said = ("", r#"{"answers":[{"say":"hi","why":null}]}"#);
    let next = |name: &str| format!(r#"{{"next":{{"brain":"{name}"}}}}"#);
    let (two, three) = (next("z-2"), next("z-3"));
    let model = |frames: &[(&str, &str)]| stream(&tap, frames).model;
    assert_eq!(model(&[begun, said]).as_deref(), Some("z-1"));
    assert_eq!(model(&[begun, ("", &two), said]).as_deref(), Some("z-2"));
    assert_eq!(model(&[begun, said, ("", &two), said, ("", &three), said]).as_deref(), Some("z-3"));
    assert_eq!(model(&[begun, said, ("", &two), begun, ("", r#"{"brain":"z-9"}"#)]).as_deref(), Some("z-2"));
    assert_eq!(model(&[begun, said, begun, ("", &next("")), ("", r#"{"next":null}"#)]).as_deref(), Some("z-1"));
}
