use std::time::UNIX_EPOCH;

use http::HeaderValue;

use super::*;
use weir_translate::dialect::endpoints::limit_headers;
use weir_types::contract::types::Header;

fn format(headers: &[(&str, &str)]) -> ErrorFormat {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: (*value).into() };
    ErrorFormat {
        body: String::new(),
        spellings: Vec::new(),
        headers: Vec::new(),
        stream_failure: None,
        keep_alive: None,
        request_id_header: None,
        rate_limit_headers: headers.iter().map(header).collect(),
    }
}

/// Headers with durations, and the scope at the end of the name.
fn by_duration() -> ErrorFormat {
    format(&[
        ("x-ratelimit-limit-{{scope}}", "{{limit}}"),
        ("x-ratelimit-remaining-{{scope}}", "{{remaining}}"),
        ("x-ratelimit-reset-{{scope}}", "{{reset}}"),
    ])
}

/// Headers with points in time, and the scope in the middle of the name.
fn by_moment() -> ErrorFormat {
    format(&[
        ("zeta-ratelimit-{{scope}}-limit", "{{limit}}"),
        ("zeta-ratelimit-{{scope}}-remaining", "{{remaining}}"),
        ("zeta-ratelimit-{{scope}}-reset", "{{reset-at}}"),
    ])
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(264_384)
}

fn figure(resource: Resource, limit: u64, remaining: u64, millis: u64) -> Figure {
    Figure { resource, limit: Some(limit), remaining: Some(remaining), reset: Some(Duration::from_millis(millis)) }
}

#[test]
fn limits_are_rendered_in_the_formats_spelling() {
    let format = format(&[
        ("zeta-{{scope}}-left", "{{remaining}}/{{limit}}"),
        ("zeta-{{scope}}-reset", "{{reset}}"),
        ("zeta-{{scope}}-at", "{{reset-at}}"),
    ]);
    let limits = [
        figure(Resource::Requests, 60, 59, 1500),
        figure(Resource::Input, 1000, 900, 0),
        figure(Resource::Output, 1000, 10, 360_000),
    ];
    let mut headers = HeaderMap::new();
    put(Some(&format), &limit_headers(&format), &limits, &mut headers);
    assert_eq!(headers["zeta-requests-left"], "59/60");
    assert_eq!(headers["zeta-requests-reset"], "1.5s");
    assert_eq!(headers["zeta-tokens-left"], "10/1000", "the one that is nearest to its end");
    assert_eq!(headers["zeta-tokens-reset"], "6m0s");
    assert!(headers["zeta-tokens-at"].to_str().unwrap().ends_with('Z'));
}

#[test]
fn unknown_figures_are_not_rendered() {
    let left = Figure { remaining: Some(3), ..Figure::unknown(Resource::Requests) };
    let mut headers = HeaderMap::new();
    let format = by_duration();
    put(Some(&format), &limit_headers(&format), &[left], &mut headers);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["x-ratelimit-remaining-requests"], "3");
}

#[test]
fn c63_either_spelling_is_read() {
    let spelling = Spelling::of([&by_duration(), &by_moment(), &by_duration()]);
    assert_eq!(spelling.0.len(), 6, "each once");
    let read = |pairs: &[(&'static str, &'static str)]| spelling.read(&headers(pairs), now());
    let one = read(&[
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", " 59 "),
        ("x-ratelimit-reset-requests", "1.5s"),
        ("x-ratelimit-remaining-tokens", "7"),
        ("x-ratelimit-remaining", "1"),
    ]);
    let tokens = Figure { remaining: Some(7), ..Figure::unknown(Resource::Tokens) };
    assert_eq!(one, [figure(Resource::Requests, 60, 59, 1500), tokens]);
    let other = read(&[
        ("zeta-ratelimit-output-tokens-limit", "1000"),
        ("zeta-ratelimit-output-tokens-remaining", "0"),
        ("zeta-ratelimit-output-tokens-reset", "2000-02-29T00:01:00Z"),
    ]);
    assert_eq!(other, [figure(Resource::Output, 1000, 0, 60_000)]);
    assert_eq!(read(&[("zeta-ratelimit-requests-reset", "1999-01-01T00:00:00Z")])[0].reset, Some(Duration::ZERO));
    assert!(read(&[("content-type", "text/plain")]).is_empty());
}

#[test]
fn malformed_values_are_ignored() {
    let spelling = Spelling::of([&by_duration(), &by_moment()]);
    for (name, value) in [
        ("x-ratelimit-limit-requests", "many"),
        ("x-ratelimit-remaining-requests", "-1"),
        ("x-ratelimit-remaining-requests", "99999999999999999999999"),
        ("x-ratelimit-reset-requests", "1735689599"),
        ("x-ratelimit-reset-requests", "-5s"),
        ("zeta-ratelimit-tokens-reset", "6m0s"),
        ("zeta-ratelimit-tokens-reset", "9999-12-31T23:59:59Z"),
    ] {
        assert!(spelling.read(&headers(&[(name, value)]), now()).is_empty(), "{name}: {value}");
    }
}

#[test]
fn values_of_several_placeholders_are_read() {
    let spelling = Spelling::of([&format(&[("zeta-{{scope}}", "left {{remaining}} of {{limit}}; {{other}}")])]);
    let read = |value| spelling.read(&headers(&[("zeta-tokens", value)]), now());
    let both = Figure { limit: Some(9), remaining: Some(2), ..Figure::unknown(Resource::Tokens) };
    assert_eq!(read("left 2 of 9; x"), [both]);
    assert!(read("2 of 9").is_empty());
}

#[test]
fn c64_an_exhausted_limit_gives_the_length_of_the_rest() {
    let spelling = Spelling::of([&by_duration()]);
    let rest = |pairs: &[(&'static str, &'static str)]| spelling.rest(&headers(pairs), now());
    let requests = ("x-ratelimit-reset-requests", "6m0s");
    let tokens = ("x-ratelimit-reset-tokens", "2s");
    let empty = ("x-ratelimit-remaining-tokens", "0");
    assert_eq!(rest(&[requests, tokens, empty]), Some(Duration::from_secs(2)));
    let (plenty, few) = (("x-ratelimit-limit-requests", "60"), ("x-ratelimit-remaining-requests", "3"));
    let full = [("x-ratelimit-limit-tokens", "900"), ("x-ratelimit-remaining-tokens", "900")];
    let figures = [requests, tokens, plenty, few, full[0], full[1]];
    assert_eq!(rest(&figures), Some(Duration::from_mins(6)), "what is nearest to its end where none is empty");
    assert_eq!(rest(&[requests, empty]), Some(Duration::from_mins(6)), "the empty one does not say");
    assert_eq!(rest(&[empty]), None);
    assert_eq!(rest(&[("x-ratelimit-reset-tokens", "soon")]), None);
}

#[test]
fn the_providers_limits_are_removed_whatever_their_scope() {
    let spelling = Spelling::of([&by_duration(), &format(&[("{{scope}}", "{{limit}}"), ("bare", "{{limit}}")])]);
    let mut of_answer = headers(&[
        ("x-ratelimit-limit-requests", "1"),
        ("x-ratelimit-reset-project-tokens", "1s"),
        ("content-type", "text/plain"),
    ]);
    spelling.strip(&mut of_answer);
    assert_eq!(of_answer.keys().collect::<Vec<_>>(), ["content-type"]);
    let mut of_answer = headers(&[("x-ratelimit-reset-", "1"), ("x-request-id", "r")]);
    Spelling::of([&by_duration()]).strip(&mut of_answer);
    assert_eq!(of_answer.len(), 2);
}
