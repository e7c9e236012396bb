//! Tests of paths: they extend the operator's url, and never leave it.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;

use super::*;

fn base(url: &str) -> Base {
    Base::open(url, &[], false).unwrap()
}

fn uri(base: &Base, path: &str, query: &[(&str, &str)]) -> Result<String, OriginError> {
    base.join(path, query.iter().copied()).map(|address| text(&address))
}

fn text(address: &Address) -> String {
    match address.place() {
        Place::Network { uri, .. } => uri.to_string(),
        Place::Replay { path, .. } => path.to_string(),
    }
}

fn is_trusted(address: &Address) -> bool {
    matches!(address.place(), Place::Network { trusted: true, .. })
}

#[test]
fn a_path_is_appended_to_the_url_whether_it_ends_with_a_slash_or_not() {
    for url in ["https://host.example/v1/", "https://host.example/v1"] {
        assert_eq!(uri(&base(url), "chat/things", &[]).unwrap(), "https://host.example/v1/chat/things");
    }
    assert_eq!(uri(&base("http://127.0.0.1:8080"), "a", &[]).unwrap(), "http://127.0.0.1:8080/a");
}

#[test]
fn an_empty_path_is_the_url_itself() {
    assert_eq!(uri(&base("https://host.example/one/two"), "", &[]).unwrap(), "https://host.example/one/two");
    assert_eq!(uri(&base("https://host.example"), "", &[("a", "b")]).unwrap(), "https://host.example/?a=b");
}

#[test]
fn query_parameters_are_encoded_and_follow_those_of_the_url() {
    let base = base("https://host.example/v1/?version=2");
    let joined = uri(&base, "a", &[("alt", "sse"), ("k&y", "a b=c+d/é")]).unwrap();
    assert_eq!(joined, "https://host.example/v1/a?version=2&alt=sse&k%26y=a%20b%3Dc%2Bd%2F%C3%A9");
}

#[test]
fn paths_that_could_leave_the_url_are_refused() {
    let base = base("https://host.example/v1/");
    for path in [
        "/etc",
        "//evil.example/x",
        "https://evil.example/x",
        "a//b",
        "@evil.example",
        "user@evil.example/x",
        "..",
        "../x",
        "a/../../x",
        "a/..",
        "./x",
        "%2e%2e/x",
        "a/%2E%2e/x",
        "..%2fx",
        "a%2f..%2fx",
        "%252e%252e/x",
        "a\\..\\x",
        "%5c..",
        "a\r\nhost: evil",
        "a%0d%0ax",
        "a\u{0}",
        "a%00",
        "a?b=c",
        "a#b",
        "a\tb",
        "a\u{7f}",
    ] {
        assert!(matches!(uri(&base, path, &[]), Err(OriginError::Path { .. })), "{path:?} passed");
    }
}

#[test]
fn names_of_models_pass() {
    let base = base("https://host.example/v1/");
    for path in ["models/claude-x@20250101:predict", "models/a..b", "m/meta%2Fllama-3.1", "a/b.c-d_e~f:g", "m/100%25"] {
        assert_eq!(uri(&base, path, &[]).unwrap(), format!("https://host.example/v1/{path}"));
    }
    assert_eq!(uri(&base, "m/ä b", &[]).unwrap(), "https://host.example/v1/m/%C3%A4%20b");
    assert_eq!(encode_segment("meta/llama@1:x ?"), "meta%2Fllama%401%3Ax%20%3F");
}

#[test]
fn a_url_must_be_one_that_can_be_a_base() {
    for url in
        ["ftp://h/", "h.example/v1", "https://", "https://u:pw@h/", "https://h/#x", "https://h/../x", "https:// h/"]
    {
        let error = Base::open(url, &[], false).unwrap_err();
        assert!(!error.to_string().contains("pw"), "{error}");
    }
}

#[test]
fn a_follow_up_goes_where_the_operator_allows_and_takes_the_credential_only_if_it_may() {
    let allowed = [
        AllowedOrigin { origin: "https://files.example".into(), credential: false },
        AllowedOrigin { origin: "https://eu.example:8443".into(), credential: true },
    ];
    let base = Base::open("https://host.example/v1/", &allowed, false).unwrap();
    let plain = base.follow("https://FILES.example:443", "out/1", [("a", "b")]).unwrap();
    assert!(text(&plain).ends_with("/out/1?a=b") && !is_trusted(&plain));
    assert!(is_trusted(&base.follow("https://eu.example:8443", "x", []).unwrap()));
    assert!(is_trusted(&base.follow("https://host.example", "v2/x", []).unwrap()));
    for origin in
        ["https://evil.example", "http://host.example", "https://eu.example", "https://host.example.evil.example"]
    {
        assert!(matches!(base.follow(origin, "x", []), Err(OriginError::NotAllowed(_))), "{origin} passed");
    }
    assert!(base.follow("https://u@host.example", "x", []).is_err());
}

proptest! {
    #[test]
    fn no_path_and_no_query_changes_the_origin(path in "[ -~\\r\\n\\\\é]{0,24}", name in ".{0,8}", value in ".{0,8}") {
        let base = base("https://host.example/v1/");
        if let Ok(address) = base.join(&path, [(name.as_str(), value.as_str())]) {
            let joined: Uri = text(&address).parse().unwrap();
            prop_assert_eq!(joined.authority().unwrap().as_str(), "host.example");
            prop_assert!(joined.path() == "/v1" || joined.path().starts_with("/v1/"));
            prop_assert!(!joined.path().split('/').any(|segment| segment == ".."));
            prop_assert_eq!(joined.query().unwrap().split('&').count(), 1);
        }
    }

    #[test]
    fn an_encoded_segment_stays_one_segment(value in ".{1,16}") {
        let segment = encode_segment(&value);
        prop_assert!(!segment.contains(['/', '?', '#', '@', '\\']));
        prop_assert_eq!(percent_decode_str(&segment).decode_utf8().unwrap(), value.as_str());
    }
}

#[test]
fn an_encoded_query_stays_as_it_is_behind_the_urls_own() {
    let joined = |url: &str, query: &str| base(url).join_encoded("files", query).map(|address| text(&address)).unwrap();
    assert_eq!(joined("https://h.example/v1/", "a=b%2Fc+d&e"), "https://h.example/v1/files?a=b%2Fc+d&e");
    assert_eq!(joined("https://h.example/v1?own=1", "a=b"), "https://h.example/v1/files?own=1&a=b");
    assert_eq!(joined("https://h.example/v1/", ""), "https://h.example/v1/files");
    assert!(base("https://h.example/").join_encoded("../x", "").is_err());
}

#[test]
fn a_usual_path_leads_to_the_same_address_however_often_and_however_many_there_are() {
    let base = base("https://h.example/v1?own=1");
    for _ in 0..2 {
        for number in 0..20 {
            let path = format!("things/{number}");
            assert_eq!(text(&base.join_usual(&path).unwrap()), text(&base.join(&path, []).unwrap()));
        }
        assert!(base.join_usual("../x").is_err());
    }
}

#[test]
fn only_urls_below_the_base_are_told_by_their_path() {
    let base = base("https://host.example/v1");
    for (url, path) in [
        ("https://host.example/v1/a/b", Some("a/b")),
        ("https://HOST.example:443/v1/a%20b", Some("a%20b")),
        ("https://host.example/v1/", Some("")),
        ("https://host.example/v1", None),
        ("https://host.example/v12/a", None),
        ("http://host.example/v1/a", None),
        ("https://host.example:8443/v1/a", None),
        ("https://host.example.evil/v1/a", None),
        ("https://host.example@evil/v1/a", None),
        ("https://evil/https://host.example/v1/a", None),
        ("https://host.example?/v1/a", None),
        ("https://host.example/v1/a?b=c", None),
        ("https://host.example/v1/a#b", None),
        ("https://host.example/v1/../a", None),
        ("host.example/v1/a", None),
    ] {
        assert_eq!(base.path_below(url), path, "{url}");
    }
}
