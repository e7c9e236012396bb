//! Properties: the scan finds the same values as a full parser, for any body in any chunks; a splice changes nothing
//! else.

use super::tests::{scan_with, set};
use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

/// The values that a full parser finds.
fn parsed<'v>(value: &'v Value, segments: &[String]) -> Vec<&'v Value> {
    let Some((first, rest)) = segments.split_first() else { return vec![value] };
    match value {
        Value::Object(_) if first == "*" => Vec::new(),
        Value::Object(members) => members.get(first).map(|value| parsed(value, rest)).unwrap_or_default(),
        Value::Array(elements) if first == "*" => elements.iter().flat_map(|value| parsed(value, rest)).collect(),
        Value::Array(elements) => {
            let element = first.parse::<usize>().ok().and_then(|index| elements.get(index));
            element.map(|value| parsed(value, rest)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn agrees(found: &Found, pointers: &[&str], body: &[u8], value: &Value) {
    for (number, pointer) in pointers.iter().enumerate() {
        let mut hits: Vec<&Hit> = found.live(number).collect();
        hits.reverse();
        let expected = parsed(value, &pointer::segments(pointer).unwrap());
        let read: Vec<Value> =
            hits.iter().map(|hit| serde_json::from_slice(&body[hit.range.clone()]).unwrap()).collect();
        assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{pointer}");
        for (hit, value) in hits.iter().zip(&expected) {
            let same = match value {
                Value::Null => hit.value == Scalar::Null,
                Value::Bool(flag) => hit.value.as_bool() == Some(*flag),
                Value::String(text) => hit.value.as_text() == Some(text),
                Value::Number(_) => matches!(hit.value, Scalar::Number(_)),
                Value::Array(elements) => hit.value == Scalar::Array { empty: elements.is_empty() },
                Value::Object(members) => hit.value == Scalar::Object { empty: members.is_empty() },
            };
            assert!(same, "{pointer}: {:?} is not {value}", hit.value);
        }
    }
}

/// Pointers to the values in a document, up to a limit.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    if out.len() >= 200 {
        return;
    }
    out.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            places(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
        }),
        Value::Array(elements) => elements.iter().zip(0..20).for_each(|(value, index)| {
            places(value, &format!("{at}/{index}"), out);
        }),
        _ => {}
    }
}

#[test]
fn the_scan_agrees_with_a_full_parser_on_recorded_bodies() {
    let exchanges = crate::frame::recordings::exchanges();
    if exchanges.is_empty() {
        println!("skipped: no recordings in {}", crate::frame::recordings::folder().display());
    }
    let limits = Limits { text_bytes: usize::MAX, ..Limits::default() };
    for (_, exchange) in exchanges {
        for value in [&exchange["request"]["body"], &exchange["response"]["body"]] {
            let mut pointers = Vec::new();
            places(value, "", &mut pointers);
            pointers.retain(|pointer| pointer.matches('/').count() < 30);
            let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
            let body = value.to_string().into_bytes();
            // Parsed again, because the parser does not keep the last digit of every number.
            let value = &serde_json::from_slice(&body).unwrap();
            let chunks: Vec<&[u8]> = body.chunks(1 + body.len() / 7).collect();
            agrees(&scan_with(limits, &pointers, &chunks).unwrap(), &pointers, &body, value);
        }
    }
}

/// JSON texts with odd spellings: white space, escapes, duplicate members.
fn json() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["a", "b", "0", "*", "mod\\u0065l", "model", "\\u0061", "a/b", "~", ""]);
    let plain = prop::sample::select(vec!["null", "true", "false", "0", "-1.5e3", "12345678901234567890", "1E-7"]);
    let piece = prop::sample::select(vec![
        "x",
        "é",
        "\\\"",
        "\\\\",
        "\\u00e9",
        "\\n",
        "{",
        "]",
        ":",
        ",",
        "😀",
        "\\ud83d\\ude00",
    ]);
    let text = prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()));
    let leaf = prop_oneof![plain.prop_map(str::to_owned), text];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let space = prop::sample::select(vec!["", " ", "\n\t"]);
        let array = (prop::collection::vec(inner.clone(), 0..5), space.clone())
            .prop_map(|(elements, space)| format!("[{space}{}{space}]", elements.join(&format!("{space},"))));
        let object = (prop::collection::vec((name(), inner), 0..5), space).prop_map(|(members, space)| {
            let members: Vec<_> =
                members.iter().map(|(name, json)| format!("\"{name}\"{space}:{space}{json}")).collect();
            format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
        });
        prop_oneof![array, object]
    })
}

fn pointers() -> impl Strategy<Value = Vec<String>> {
    let segment = prop::sample::select(vec!["a", "b", "0", "1", "*", "model", "a~1b", "~0", ""]);
    let pointer = prop::collection::vec(segment, 0..4)
        .prop_map(|segments| segments.iter().flat_map(|segment| ["/", segment]).collect::<String>());
    prop::collection::vec(pointer, 0..6)
}

fn cut<'a>(body: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..8)
}

/// A valid body, sometimes with a byte or two broken.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::sample::select(b"\"\\{}[],: 1tx\n\xE4\x80".to_vec());
    (json(), prop::collection::vec((any::<prop::sample::Index>(), bytes, 0..3_u8), 0..3)).prop_map(|(json, faults)| {
        let mut body = json.into_bytes();
        for (at, byte, kind) in faults {
            let at = at.index(body.len() + 1);
            match kind {
                0 => body.insert(at, byte),
                1 => body.truncate(at),
                _ => body.get_mut(at).into_iter().for_each(|place| *place = byte),
            }
        }
        body
    })
}

proptest! {
    #[test]
    fn the_scan_agrees_with_a_full_parser(body in broken(), pointers in pointers(), cuts in cuts()) {
        let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
        let found = scan_with(Limits::default(), &pointers, &cut(&body, &cuts));
        if let Ok(value) = serde_json::from_slice::<Value>(&body) {
            agrees(&found.unwrap(), &pointers, &body, &value);
        }
    }

    #[test]
    fn cuts_never_matter(body in broken(), pointers in pointers(), cuts in cuts(), text_bytes in 0..9_usize) {
        let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
        let limits = Limits { text_bytes, hits: 5, depth: 4, ..Limits::default() };
        let whole = scan_with(limits, &pointers, &[&body]);
        let pieces = scan_with(limits, &pointers, &cut(&body, &cuts));
        match (whole, pieces) {
            (Ok(whole), Ok(pieces)) => {
                prop_assert_eq!(whole.hits(), pieces.hits());
                prop_assert_eq!(whole.object(), pieces.object());
            }
            // Of two errors, either may be reported first.
            (whole, pieces) => prop_assert!(whole.is_err() && pieces.is_err()),
        }
    }

    #[test]
    fn outside_of_its_ranges_a_splice_changes_nothing(
        body in prop::collection::vec(any::<u8>(), 0..60),
        cuts in cuts(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        replacement in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut places: Vec<usize> = places.iter().map(|place| place.index(body.len() + 1)).collect();
        places.sort_unstable();
        let edits: Vec<Edit> = places.chunks_exact(2)
            .map(|pair| Edit { range: pair[0]..pair[1], replacement: replacement.clone().into() })
            .collect();
        let mut expected = body.clone();
        for edit in edits.iter().rev() {
            expected.splice(edit.range.clone(), edit.replacement.iter().copied());
        }
        let chunks: Vec<Bytes> = cut(&body, &cuts).iter().map(|chunk| Bytes::copy_from_slice(chunk)).collect();
        prop_assert_eq!(splice(&chunks, &edits).unwrap().concat(), expected);
    }

    #[test]
    fn setting_a_member_changes_nothing_else(json in json()) {
        let body = format!("{{\"x\":{json},\"a\":{json}}}");
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        let changed = set(&body, "/a/b", "[1]").unwrap();
        if !expected["a"].is_object() {
            expected["a"] = serde_json::json!({});
        }
        expected["a"]["b"] = serde_json::json!([1]);
        prop_assert_eq!(serde_json::from_str::<Value>(&changed).unwrap(), expected);
    }
}
