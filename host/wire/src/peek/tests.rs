//! Tests of the scan and the splice, case by case.

use super::*;
use bytes::Bytes;
use weir_types::contract::about::{FrameTest, PointerBound, PointerEquals, PointerValues};

pub(super) fn scan_with(limits: Limits, pointers: &[&str], chunks: &[&[u8]]) -> Result<Found, PeekError> {
    let mut peek = Peek::new(&Pointers::compile(pointers).unwrap(), limits);
    for chunk in chunks {
        peek.push(chunk);
    }
    peek.finish()
}

fn scan(pointers: &[&str], body: &str) -> Result<Found, PeekError> {
    scan_with(Limits::default(), pointers, &[body.as_bytes()])
}

/// The last value of each pointer, in its raw form.
fn last<'b>(pointers: &[&str], body: &'b str) -> Vec<Option<&'b str>> {
    let found = scan(pointers, body).unwrap();
    (0..pointers.len()).map(|pointer| found.last(pointer).map(|hit| &body[hit.range.clone()])).collect()
}

#[test]
fn values_are_found_at_their_places() {
    let body =
        r#" { "model" : "m" ,"messages":[{"model":"no"}], "stream":true,"n":1.5e3,"o":{"p":[{"q":null},{"q":{}}]}} "#;
    let pointers = ["/model", "/stream", "/n", "/o/p/*/q", "/o/p/0/q", "/o", "/absent", "/n/x"];
    let expected = [
        Some("\"m\""),
        Some("true"),
        Some("1.5e3"),
        Some("{}"),
        Some("null"),
        Some(r#"{"p":[{"q":null},{"q":{}}]}"#),
        None,
        None,
    ];
    assert_eq!(last(&pointers, body), expected);
}

#[test]
fn of_members_with_one_name_the_last_counts_and_all_are_reported() {
    let body = r#"{"model":"a","x":{"y":1},"mod\u0065l":"b","x":{"z":2},"model":"c"}"#;
    let found = scan(&["/model", "/x/y", "/x"], body).unwrap();
    let all: Vec<_> = found.all(0).map(|hit| (hit.value.as_text().unwrap(), hit.superseded)).collect();
    assert_eq!(all, [("a", true), ("b", true), ("c", false)]);
    assert_eq!(found.last(0).unwrap().value.as_text(), Some("c"));
    assert_eq!(found.last(1), None, "the second x has no y");
    assert_eq!(found.live(2).count(), 1);
}

#[test]
fn of_any_number_of_names_the_last_member_counts() {
    let pointers: Vec<String> = (0..100).map(|number| format!("/m{number}")).collect();
    let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
    let members: Vec<String> = (0..100).map(|number| format!("\"m{number}\":1,")).collect();
    let members = members.concat();
    let body = format!("{{{members}{members}\"x\":0}}");
    let found = scan(&pointers, &body).unwrap();
    for number in 0..100 {
        assert_eq!(found.live(number).count(), 1);
        assert_eq!(found.all(number).count(), 2);
    }
}

#[test]
fn names_spelled_with_escapes_are_found() {
    let body = r#"{"mod\u0065l":"a\n\"\ud83d\ude00\u00e9\/","\u006d\u006f\u0064\u0065\u006c2":1}"#;
    let found = scan(&["/model", "/model2"], body).unwrap();
    assert_eq!(found.last(0).unwrap().value.as_text(), Some("a\n\"😀é/"));
    assert!(found.last(1).is_some());
}

#[test]
fn lone_surrogates_become_replacement_characters() {
    let found = scan(&["/a"], r#"{"a":"x\ud83dy\udc00\ud83d\u0041"}"#).unwrap();
    assert_eq!(found.last(0).unwrap().value.as_text(), Some("x\u{FFFD}y\u{FFFD}\u{FFFD}A"));
}

#[test]
fn a_star_is_every_element_and_no_member() {
    assert_eq!(last(&["/a/*"], r#"{"a":{"*":1}}"#), [None]);
    let found = scan(&["/a/*/b", "/a/1/b", "/a/0"], r#"{"a":[{"b":1},{"b":2},3]}"#).unwrap();
    assert_eq!(found.live(0).count(), 2);
    assert_eq!(found.last(1).unwrap().value, Scalar::Number("2".into()));
    assert_eq!(found.last(2).unwrap().value, Scalar::Object { empty: false });
}

#[test]
fn numbers_in_pointers_are_names_too() {
    assert_eq!(last(&["/0", "/00"], r#"{"0":1,"00":2}"#), [Some("1"), Some("2")]);
    assert_eq!(last(&["/0", "/00"], r#"["x","y"]"#), [Some("\"x\""), None]);
}

#[test]
fn the_empty_pointer_is_the_body() {
    assert_eq!(last(&[""], " [1] "), [Some("[1]")]);
    assert_eq!(last(&[""], "12"), [Some("12")]);
    assert_eq!(last(&[""], "\"a\""), [Some("\"a\"")]);
}

#[test]
fn only_an_object_has_members_to_splice() {
    assert_eq!(scan(&["/a"], " {}").unwrap().object(), Some(Object { inside: 2, empty: true }));
    assert_eq!(scan(&["/a"], "{\"b\":1}").unwrap().object(), Some(Object { inside: 1, empty: false }));
    assert_eq!(scan(&[], "{\"b\":1}").unwrap().object(), Some(Object { inside: 1, empty: false }));
    for body in ["[{}]", "1", "null", "\"{}\""] {
        assert_eq!(scan(&["/a", "/0"], body).unwrap().object(), None, "{body}");
    }
}

#[test]
fn broken_bodies_are_refused_with_their_offset() {
    let told = |body| scan(&["/a"], body).unwrap_err().to_string();
    assert_eq!(told(""), "the body is empty");
    assert_eq!(told("{"), "the body ends within its JSON value, after 1 bytes");
    let malformed = |offset| Err(PeekError::Malformed { offset });
    let truncated = |offset| Err(PeekError::Truncated { offset });
    let trailing = |offset| Err(PeekError::Trailing { offset });
    let cases = [
        ("", truncated(0)),
        ("{", truncated(1)),
        ("{\"a\":{\"b\":[", truncated(11)),
        ("{\"a\":\"x", truncated(7)),
        ("{\"a\":1", truncated(6)),
        ("{\"x\":\"\\\"}", truncated(9)),
        ("{} x", trailing(3)),
        ("{}{}", trailing(2)),
        ("{a:1}", malformed(1)),
        ("{\"a\" 1}", malformed(5)),
        ("{\"a\":}", malformed(5)),
        ("{\"a\":1,}", malformed(7)),
        ("{\"a\":1]", malformed(6)),
        ("{\"a\":tru}", malformed(5)),
        ("{\"a\":01}", malformed(5)),
        ("{\"a\":\"\\x\"}", malformed(6)),
        ("nonsense", malformed(0)),
        ("?", malformed(0)),
    ];
    for (body, expected) in cases {
        assert_eq!(scan(&["/a", ""], body).map(|_| ()), expected, "{body}");
    }
}

#[test]
fn invalid_utf8_is_refused_even_in_skipped_values() {
    let body = b"{\"x\":\"\xE4\xBD\"}";
    for at in 0..body.len() {
        let outcome = scan_with(Limits::default(), &["/a"], &[&body[..at], &body[at..]]);
        assert!(matches!(outcome, Err(PeekError::NotUtf8 { .. })), "{at}");
    }
    let unchecked = Limits { utf8: false, ..Limits::default() };
    assert!(scan_with(unchecked, &["/a"], &[body]).is_ok());
}

#[test]
fn a_byte_order_mark_is_skipped_and_counted() {
    let body = "\u{FEFF}{\"a\":1}";
    assert_eq!(last(&["/a"], body), [Some("1")]);
    assert_eq!(scan(&[], body).unwrap().object(), Some(Object { inside: 4, empty: false }));
}

#[test]
fn depth_is_limited_on_and_off_the_way() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"x\":", "}")] {
        for pointers in [&["/a/a"][..], &["/x"], &["/*/*/*"], &[""], &[]] {
            let body = |depth| [open.repeat(depth), "1".to_owned(), close.repeat(depth)].concat();
            let limits = Limits { depth: 20, ..Limits::default() };
            assert!(scan_with(limits, pointers, &[body(20).as_bytes()]).is_ok(), "{open} {pointers:?}");
            let outcome = scan_with(limits, pointers, &[body(21).as_bytes()]).map(|_| ());
            assert_eq!(outcome, Err(PeekError::TooDeep { limit: 20 }), "{open} {pointers:?}");
        }
    }
    let deep = "[".repeat(1_000_000);
    assert!(matches!(scan(&["/a"], &deep), Err(PeekError::TooDeep { .. })));
}

#[test]
fn long_values_are_known_by_their_place_only() {
    let limits = Limits { text_bytes: 4, ..Limits::default() };
    let body = br#"{"a":"12345","b":123456,"c":"1234","d":1234}"#;
    for at in 0..body.len() {
        let found = scan_with(limits, &["/a", "/b", "/c", "/d"], &[&body[..at], &body[at..]]).unwrap();
        let values: Vec<_> = found.hits().iter().map(|hit| hit.value.clone()).collect();
        let short = [Scalar::Text("1234".into()), Scalar::Number("1234".into())];
        assert_eq!(values, [&[Scalar::Long, Scalar::Long][..], &short].concat());
    }
}

#[test]
fn huge_numbers_keep_their_spelling() {
    let number = "1".repeat(400);
    let found = scan(&["/a"], &format!("{{\"a\":{number}}}")).unwrap();
    assert_eq!(found.last(0).unwrap().value, Scalar::Number(number));
}

#[test]
fn the_number_of_hits_is_limited() {
    let limits = Limits { hits: 3, ..Limits::default() };
    let pointers = ["/a/*", "/b"];
    let hits = |limits, body: &str| scan_with(limits, &pointers, &[body.as_bytes()]).map(|found| found.hits().len());
    assert_eq!(hits(limits, r#"{"a":[1,2,3],"b":4}"#), Ok(4));
    assert_eq!(hits(limits, r#"{"a":[1,2,3,[]],"b":4}"#), Err(PeekError::TooManyHits { limit: 3 }));
    assert_eq!(hits(Limits { drop_excess: true, ..limits }, r#"{"a":[1,2,3,[],{}],"b":4}"#), Ok(4));
}

#[test]
fn a_scan_can_be_used_again() {
    let mut peek = Peek::new(&Pointers::compile(&["/a", "/b"]).unwrap(), Limits::default());
    for (body, expected) in [("{\"a\":1,\"b\":[", None), ("{\"b\":2}", Some("2")), ("\u{FEFF}{\"b\":3}", Some("3"))] {
        peek.push(body.as_bytes());
        let found = peek.end().ok().and_then(|found| found.last(1)).map(|hit| &body[hit.range.clone()]);
        assert_eq!(found, expected);
        peek.reset();
        assert_eq!(peek.so_far().hits(), []);
    }
}

#[test]
fn values_before_a_break_are_available() {
    let mut peek = Peek::new(&Pointers::compile(&["/a"]).unwrap(), Limits::default());
    peek.push(b"{\"a\":7,\"b\":");
    assert!(peek.end().is_err());
    assert_eq!(peek.so_far().last(0).unwrap().value.as_count(), Some(7));
}

#[test]
fn pointers_must_be_pointers() {
    for pointer in ["a", "/~", "/a~2"] {
        assert!(matches!(Pointers::compile(&[pointer]), Err(PointerError::Invalid { .. })), "{pointer}");
    }
    assert_eq!(last(&["/a~1b/~0"], r#"{"a/b":{"~":1}}"#), [Some("1")]);
}

#[test]
fn pointers_that_multiply_are_refused() {
    let star = "/*".repeat(30);
    let pointers: Vec<String> =
        (0..30).map(|at| format!("{}/0{}", "/*".repeat(at), "/*".repeat(29 - at))).chain([star]).collect();
    assert!(matches!(Pointers::compile(&pointers), Err(PointerError::TooMany { .. })));
    assert!(matches!(Pointers::compile(&["/a".repeat(33)]), Err(PointerError::TooMany { .. })));
}

#[test]
fn counts_are_read_from_any_number() {
    let count = |text: &str| Scalar::Number(text.into()).as_count();
    assert_eq!([count("7"), count("7.0"), count("1e3")], [Some(7), Some(7), Some(1000)]);
    assert_eq!([count("99999999999"), count("1e99"), count("-1")], [Some(u32::MAX), Some(u32::MAX), None]);
}

#[test]
fn tests_hold_for_values_that_are_present() {
    let equals =
        |pointer: &str, json: &str| FrameTest::Equals(PointerEquals { pointer: pointer.into(), json: json.into() });
    let present = |pointer: &str| FrameTest::Present(pointer.into());
    let body = r#"{"n":1.0,"s":"x","l":[],"o":{},"z":null,"e":"","f":false,"m":[{"t":"a"},{"t":"b"}]}"#;
    let cases = [
        (present("/n"), true),
        (present("/s"), true),
        (present("/f"), true),
        (present("/m"), true),
        (present("/l"), false),
        (present("/o"), false),
        (present("/z"), false),
        (present("/e"), false),
        (present("/absent"), false),
        (present("/m/*/t"), true),
        (present("/m/*/u"), false),
        (equals("/n", "1"), true),
        (equals("/n", "2"), false),
        (equals("/s", "\"\\u0078\""), true),
        (equals("/l", "[]"), true),
        (equals("/m", "[]"), false),
        (equals("/o", "{}"), true),
        (equals("/z", "null"), true),
        (equals("/absent", "null"), false),
        (equals("/f", "false"), true),
        (equals("/m/*/t", "\"b\""), true),
        (equals("/m/*/t", "\"c\""), false),
        (FrameTest::Event("x".into()), false),
        (FrameTest::Data("x".into()), false),
    ];
    let mut wanted = Wanted::default();
    let tests: Vec<_> = cases.iter().map(|(test, _)| Test::compile(test, &mut wanted).unwrap()).collect();
    let mut peek = Peek::new(&wanted.compile().unwrap(), Limits::default());
    peek.push(body.as_bytes());
    let found = peek.finish().unwrap();
    for (test, (source, expected)) in tests.iter().zip(&cases) {
        assert_eq!(test.holds(&found), *expected, "{source:?}");
    }
    assert!(Test::compile(&equals("/a", "[1]"), &mut wanted).is_err());
    assert!(Test::compile(&equals("/a", "nonsense"), &mut wanted).is_err());
}

/// The body after a member has been set.
#[test]
fn tests_of_values_hold_of_the_values_that_they_name() {
    let body = r#"{"n":1,"half":0.5,"text":"2.5","none":null,"word":"low","list":[1,2,3],"empty":[]}"#;
    let at = |pointer: &str, bound| PointerBound { pointer: pointer.into(), bound };
    let other = |pointer: &str, json: &[&str]| {
        let json = json.iter().map(|json| (*json).to_owned()).collect();
        FrameTest::OtherThan(PointerValues { pointer: pointer.into(), json })
    };
    for (source, expected) in [
        (other("/n", &["1.0", "null"]), false),
        (other("/n", &["2"]), true),
        (other("/none", &[]), false),
        (other("/absent", &[]), false),
        (other("/word", &["\"low\"", "\"high\""]), false),
        (other("/word", &["\"high\""]), true),
        (other("/empty", &["[]"]), false),
        (other("/list/*", &["1", "2"]), true),
        (FrameTest::Above(at("/n", 1.0)), false),
        (FrameTest::Above(at("/text", 2.0)), true),
        (FrameTest::Above(at("/list/*", 2.0)), true),
        (FrameTest::Above(at("/word", 0.0)), false),
        (FrameTest::Below(at("/half", 1.0)), true),
        (FrameTest::Below(at("/none", 1.0)), false),
        (FrameTest::Fractional("/half".into()), true),
        (FrameTest::Fractional("/n".into()), false),
    ] {
        let mut wanted = Wanted::default();
        let test = Test::compile(&source, &mut wanted).unwrap();
        let mut peek = Peek::new(&wanted.compile().unwrap(), Limits::default());
        peek.push(body.as_bytes());
        assert_eq!(test.holds(peek.end().unwrap()), expected, "{source:?}");
    }
}

#[test]
fn a_number_too_long_to_read_is_not_known_to_be_allowed() {
    let body = format!("{{\"n\":0.{}}}", "1".repeat(5000));
    let source = FrameTest::Above(PointerBound { pointer: "/n".into(), bound: 1.0 });
    let mut wanted = Wanted::default();
    let test = Test::compile(&source, &mut wanted).unwrap();
    let mut peek = Peek::new(&wanted.compile().unwrap(), Limits::default());
    peek.push(body.as_bytes());
    assert!(test.holds(peek.end().unwrap()));
}

pub(super) fn set(body: &str, pointer: &str, json: &str) -> Result<String, SpliceError> {
    let pointers = prefixes(pointer);
    let mut peek = Peek::new(&Pointers::compile(&pointers).unwrap(), Limits::default());
    peek.push(body.as_bytes());
    let edits = set_member(&peek.finish().unwrap(), pointer, json)?;
    let out = splice(&[Bytes::copy_from_slice(body.as_bytes())], &edits)?.concat();
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_member_is_set_wherever_it_is_missing() {
    let cases = [
        ("{}", r#"{"o":{"u":true}}"#),
        (r#" { "a":1}"#, r#" {"o":{"u":true}, "a":1}"#),
        (r#"{"a":1,"o":{}}"#, r#"{"a":1,"o":{"u":true}}"#),
        (r#"{"o":{ "v":2}}"#, r#"{"o":{"u":true, "v":2}}"#),
        (r#"{"o":null}"#, r#"{"o":{"u":true}}"#),
        (r#"{"o":[1]}"#, r#"{"o":{"u":true}}"#),
        (r#"{"o":{"u":false}}"#, r#"{"o":{"u":true}}"#),
        (r#"{"o":{"u": true}}"#, r#"{"o":{"u": true}}"#),
        (r#"{"o":{"u":true},"o":{}}"#, r#"{"o":{"u":true},"o":{"u":true}}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(set(body, "/o/u", "true").unwrap(), expected);
    }
    assert_eq!(set("{}", "/a~1b", "1").unwrap(), r#"{"a/b":1}"#);
    assert_eq!(set("[]", "/o/u", "true"), Err(SpliceError::NotAnObject));
}

#[test]
fn edits_that_do_not_fit_are_refused() {
    let body = [Bytes::from_static(b"abc"), Bytes::from_static(b"def")];
    let edit = |start, end| Edit { range: start..end, replacement: Bytes::from_static(b"X") };
    let text = |edits: &[Edit]| splice(&body, edits).map(|chunks| chunks.concat());
    assert_eq!(text(&[edit(2, 4), edit(0, 1)]).unwrap(), b"XbXef");
    assert_eq!(text(&[edit(6, 6), edit(3, 3)]).unwrap(), b"abcXdefX");
    for edits in [&[edit(0, 2), edit(1, 3)][..], &[edit(5, 7)], &[edit(7, 7)], &[edit(2, 1)]] {
        assert!(matches!(text(edits), Err(SpliceError::Range { .. })), "{edits:?}");
    }
}

#[test]
fn kept_bytes_are_shared_and_not_copied() {
    let body = [Bytes::from_static(b"{\"model\":\"a\",\"x\":1}")];
    let out = splice(&body, &[Edit::text(9..12, "b\"c")]).unwrap();
    assert_eq!(out.concat(), b"{\"model\":\"b\\\"c\",\"x\":1}");
    assert_eq!(out[0].as_ptr(), body[0].as_ptr());
    assert_eq!(out[2].as_ptr(), body[0][12..].as_ptr());
}
