//! Properties that hold for any input. The fuzz targets share them with the host's tests, which replay the seeds.

use bytes::Bytes;
use serde_json::Value;
use std::path::Path;
use weir_config::{Config, Environment};
use weir_types::contract::about::{Bucket, FrameTest, Merge, PointerEquals, Tap, UsagePlace};
use weir_types::contract::types::{Frame, Framing};
use weir_wire::form;
use weir_wire::frame::{Decoder, Encoder, FrameRef, Limits};
use weir_wire::opaque::{Scanner, WORD, Word};
use weir_wire::peek;
use weir_wire::peek::{Found, Hit, Peek, Pointers};
use weir_wire::reset_time;
use weir_wire::tap::{CompiledTap, TapReading, TapState};

/// Cuts the bytes into pieces whose lengths are derived from the bytes, so that each input always gives the same
/// pieces.
pub fn pieces(data: &[u8], longest: usize) -> Vec<&[u8]> {
    let mut state = data.iter().fold(data.len(), |state, &byte| state.wrapping_mul(31).wrapping_add(byte.into()));
    let mut rest = data;
    let mut out = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (piece, tail) = rest.split_at(rest.len().min((state >> 33) % (longest + 1)));
        out.push(piece);
        rest = tail;
    }
    out
}

/// Checks that a stream gives the same frames however it is cut, that no frame exceeds the limit, and that encoding and
/// decoding the frames again changes nothing.
pub fn frames(framing: Framing, data: &[u8]) {
    for frame_bytes in [16 << 20, 24] {
        let limits = Limits { frame_bytes, ..Limits::default() };
        let (whole, complete) = decode(framing, limits, &[data]);
        for longest in [1, 5, 40] {
            let cut = decode(framing, limits, &pieces(data, longest));
            assert_eq!(cut, (whole.clone(), complete), "cut in pieces of up to {longest}");
        }
        if complete {
            survives(framing, &whole);
        }
    }
}

/// Wraps the bytes, as headers and payload, into one event-stream message with correct lengths and checksums, which
/// random input never has.
pub fn message(data: &[u8]) {
    let Some((&length, rest)) = data.split_first() else { return };
    let headers = rest.len().min(length.into());
    let mut message = Vec::new();
    message.extend_from_slice(&(rest.len() as u32 + 16).to_be_bytes());
    message.extend_from_slice(&(headers as u32).to_be_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(rest);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    frames(Framing::EventStream, &message);
}

fn decode(framing: Framing, limits: Limits, pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
    let mut decoder = Decoder::new(framing, limits);
    let mut frames = Vec::new();
    let each = &mut |frame: FrameRef<'_>| {
        assert!(frame.data.len() <= limits.frame_bytes + 40, "the limit is kept");
        frames.push(frame.to_owned());
    };
    let complete = pieces.iter().all(|piece| decoder.push(piece, each).is_ok()) && decoder.finish(each).is_ok();
    (frames, complete)
}

fn survives(framing: Framing, frames: &[Frame]) {
    // Frames without white space around their data and without line ends in it; the encoder may change both.
    let plain = |frame: &&Frame| frame.data.trim_ascii() == frame.data && !frame.data.contains(['\n', '\r']);
    let frames: Vec<Frame> = frames.iter().filter(plain).cloned().collect();
    let mut encoder = Encoder::new(framing);
    let mut out = Vec::new();
    for frame in &frames {
        encoder.push(frame, &mut out);
    }
    encoder.finish(&mut out);
    assert_eq!(decode(framing, Limits::default(), &[&out]), (frames, true), "encoded again");
}

/// Reads the first line as pointers, separated by spaces, and the rest as a body. Checks that a scan finds the same
/// values however the body is cut, and the same as a full parser, and that a member is found after it was set.
pub fn peek(data: &[u8]) {
    let line = data.iter().position(|&byte| byte == b'\n').unwrap_or(0);
    let (Some(line), Some(body)) = (data.get(..line), data.get(line + 1..)) else { return };
    let Ok(line) = std::str::from_utf8(line) else { return };
    let texts: Vec<&str> = line.split(' ').collect();
    let Ok(pointers) = Pointers::compile(&texts) else { return };
    let whole = scan(&pointers, &[body]);
    for longest in [1, 7] {
        let cut = scan(&pointers, &pieces(body, longest));
        assert_eq!(cut.as_ref().map(Found::hits), whole.as_ref().map(Found::hits), "cut in pieces of up to {longest}");
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
    let found = whole.expect("what a full parser takes, the scan takes");
    for (number, pointer) in texts.iter().enumerate() {
        agrees(&found, number, pointer, body, &value);
    }
    for pointer in texts.iter().filter(|pointer| !pointer.contains('*') && !pointer.is_empty()) {
        is_set(pointer, body, &value);
    }
}

fn scan(pointers: &Pointers, pieces: &[&[u8]]) -> Option<Found> {
    let mut peek = Peek::new(pointers, peek::Limits::default());
    for piece in pieces {
        peek.push(piece);
    }
    peek.finish().ok()
}

fn agrees(found: &Found, number: usize, pointer: &str, body: &[u8], value: &Value) {
    let mut hits: Vec<&Hit> = found.live(number).collect();
    hits.reverse();
    let read = |hit: &&Hit| serde_json::from_slice::<Value>(&body[hit.range.clone()]).expect("a hit is a value");
    let names: Vec<String> =
        pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
    let expected: Vec<Value> = parsed(value, &names).into_iter().cloned().collect();
    assert_eq!(hits.iter().map(read).collect::<Vec<_>>(), expected, "{pointer}");
    for (hit, value) in hits.iter().zip(&expected) {
        assert_eq!(hit.value.as_bool(), value.as_bool(), "{pointer}");
        let text = value.as_str().filter(|_| hit.value != peek::Scalar::Long);
        assert_eq!(hit.value.as_text(), text, "{pointer}");
    }
}

/// The values that a full parser finds at a pointer.
fn parsed<'v>(value: &'v Value, names: &[String]) -> Vec<&'v Value> {
    let Some((first, rest)) = names.split_first() else { return vec![value] };
    let index = || first.parse::<usize>().ok().filter(|index| index.to_string() == *first);
    let below: Vec<&Value> = match value {
        Value::Object(members) if first != "*" => members.get(first).into_iter().collect(),
        Value::Array(elements) if first == "*" => elements.iter().collect(),
        Value::Array(elements) => index().and_then(|index| elements.get(index)).into_iter().collect(),
        _ => Vec::new(),
    };
    below.into_iter().flat_map(|value| parsed(value, rest)).collect()
}

fn is_set(pointer: &str, body: &[u8], value: &Value) {
    let pointers = Pointers::compile(&peek::prefixes(pointer)).expect("prefixes of a pointer are pointers");
    let found = scan(&pointers, &[body]).expect("the body was scanned before");
    let Ok(edits) = peek::set_member(&found, pointer, "[7]") else {
        assert!(!value.is_object(), "a member can be set in every object");
        return;
    };
    let chunks: Vec<Bytes> = pieces(body, 9).into_iter().map(Bytes::copy_from_slice).collect();
    let out = peek::splice(&chunks, &edits).expect("the edits fit").concat();
    let value: Value = serde_json::from_slice(out.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&out)).expect("still JSON");
    assert_eq!(value.pointer(pointer), Some(&serde_json::json!([7])), "{pointer}");
}

/// Reads lines as frames, with the event's name before a `|`. Checks that a frame gives the same usage as a whole
/// answer with the same text, cut or not.
pub fn tap(data: &[u8]) {
    let tap = CompiledTap::new(&made_up()).expect("a valid tap");
    let mut stream = TapState::new(&tap);
    for line in data.split(|&byte| byte == b'\n') {
        let bar = line.iter().position(|&byte| byte == b'|');
        let event = bar.and_then(|bar| line.get(..bar)).filter(|event| !event.is_empty());
        let text = line.get(bar.map_or(0, |bar| bar + 1)..).unwrap_or_default();
        stream.frame(FrameRef { event, data: text });
        let whole = body(&tap, &[text]);
        assert_eq!(body(&tap, &pieces(text, 3)), whole);
        // Streams are searched for names as they are spelled, without undoing escapes.
        if !text.contains(&b'\\') {
            let mut alone = TapState::new(&tap);
            alone.frame(FrameRef { event: None, data: text });
            assert_eq!(TapReading { ended: whole.ended, ..alone.reading() }, whole);
        }
    }
    let usage = stream.reading().usage;
    assert!(data.iter().any(u8::is_ascii_digit) || usage.total().is_none(), "no figures out of nothing");
}

fn body(tap: &CompiledTap, pieces: &[&[u8]]) -> TapReading {
    let mut state = TapState::new(tap);
    for piece in pieces {
        state.body(piece);
    }
    state.finish_body()
}

/// A tap for an invented format.
fn made_up() -> Tap {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let place = |bucket, pointers: &[&str], merge, includes: &[Bucket]| UsagePlace {
        bucket,
        pointers: texts(pointers),
        merge,
        includes: includes.to_vec(),
        beside: None,
        headers: Vec::new(),
    };
    let over = PointerEquals { pointer: "/kind".to_owned(), json: "\"over\"".to_owned() };
    Tap {
        usage: vec![
            place(Bucket::Input, &["/bill/in", "/start/bill/in"], Merge::Last, &[Bucket::CacheRead]),
            place(Bucket::CacheRead, &["/bill/more/cached"], Merge::Max, &[]),
            place(Bucket::CacheWrite, &["/bill/more/stored/*"], Merge::Sum, &[]),
            place(Bucket::Output, &["/out"], Merge::Max, &[]),
        ],
        finish: texts(&["/answers/*/why"]),
        model: texts(&["/brain", "/start/brain"]),
        content: vec![FrameTest::Present("/answers/*/say".to_owned()), FrameTest::Event("say".to_owned())],
        end: vec![FrameTest::Data("<end>".to_owned()), FrameTest::Equals(over)],
        failure: vec![FrameTest::Event("woe".to_owned()), FrameTest::Present("/woe".to_owned())],
        ..Tap::default()
    }
}

/// Checks that any configuration is either parsed, with every alias found by its lookup, or rejected with printable
/// problems.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let environment: Environment =
        [("WEIR_SERVER__PORT", "9000")].map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    match Config::parse("fuzz.toml", text, Path::new(""), environment) {
        Ok(config) => {
            assert!(config.models.iter().all(|model| config.models.lookup(&model.alias.to_string()).is_some()));
        }
        Err(problems) => assert!(!problems.render(false).is_empty()),
    }
}

/// Checks that a form has the same fields however its body is cut, and that each field is at its reported position.
pub fn form(data: &[u8]) {
    let names = ["model", "stream"];
    let whole = form::fields(&[Bytes::copy_from_slice(data)], "x", &names);
    for longest in [1, 5, 40] {
        let cut: Vec<Bytes> = pieces(data, longest).into_iter().map(Bytes::copy_from_slice).collect();
        assert_eq!(form::fields(&cut, "x", &names), whole, "cut in pieces of up to {longest}");
        let mut scan = form::FieldScan::new("x", names.map(str::to_owned).to_vec());
        let passed = cut.iter().try_for_each(|piece| scan.push(piece)).and_then(|()| scan.finish());
        assert_eq!(
            passed.is_ok().then(|| scan.found().to_vec()),
            whole.as_ref().ok().cloned(),
            "in pieces of {longest}"
        );
    }
    for field in whole.into_iter().flatten() {
        let value = data.get(field.range.clone()).expect("the range lies in the body");
        if let Some(text) = field.text {
            assert_eq!(text.as_bytes(), value);
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(form::boundary(text).map_or(true, |boundary| (1..=70).contains(&boundary.len())));
    }
}

/// Checks that the words of a body do not depend on how it is cut, and that they include every opaque value that a full
/// parser finds.
pub fn words(data: &[u8]) {
    let whole = scanned(&[data]);
    for longest in [1, 7, 80] {
        assert_eq!(scanned(&pieces(data, longest)), whole, "cut in pieces of up to {longest}");
    }
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        each_text(&value, &mut |text| {
            let Some(beginning) = text.as_bytes().get(..WORD).filter(|text| is_opaque(text)) else { return };
            assert!(whole.iter().any(|word| word == beginning), "{text}");
        });
    }
}

fn scanned(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut scanner, mut words) = (Scanner::new(true), Vec::new());
    for piece in pieces {
        scanner.push(piece, &mut |word| {
            words.push(match word {
                Word::Value(word) => word.to_vec(),
                Word::Id(id) => id.to_vec(),
            });
        });
    }
    words
}

fn is_opaque(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=:".contains(byte))
}

fn each_text(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(elements) => elements.iter().for_each(|element| each_text(element, see)),
        Value::Object(members) => members.values().for_each(|member| each_text(member, see)),
        _ => {}
    }
}

/// Reads lines as the times of rate-limit headers: no duration is longer than a month, and what is written again is
/// read as the same time.
pub fn reset_times(data: &[u8]) {
    for line in String::from_utf8_lossy(data).lines() {
        if let Some(duration) = reset_time::read_duration(line) {
            assert!(duration <= reset_time::MAX_RESET, "{line}");
        }
        if let Some(moment) = reset_time::read_moment(line) {
            let again = reset_time::read_moment(&reset_time::spell_moment(moment));
            assert_eq!(again, Some(moment), "{line}");
        }
    }
}
