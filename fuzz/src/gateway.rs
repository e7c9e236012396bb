//! Assertions of the fuzz targets for the gateway's own parsers.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use weir_gateway::dialect::limits::Spelling;
use weir_gateway::provenance::{Scanner, WORD, Word};
use weir_types::contract::about::ErrorFormat;
use weir_types::contract::types::Header;

use super::oracle::pieces;

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

/// Parses lines as a provider's rate-limit headers: no header value makes a target rest for longer than a month.
pub fn limits(data: &[u8]) {
    let template = |what: &str, hole: &str| Header {
        name: format!("made-up-{{{{scope}}}}-{what}"),
        value: format!("{{{{{hole}}}}}"),
    };
    let rate_limit_headers = [("limit", "limit"), ("left", "remaining"), ("in", "reset"), ("at", "reset-at")]
        .map(|(w, h)| template(w, h))
        .into();
    let format = ErrorFormat {
        body: String::new(),
        spellings: Vec::new(),
        headers: Vec::new(),
        stream_failure: None,
        keep_alive: None,
        request_id_header: None,
        rate_limit_headers,
    };
    let names = ["limit", "left", "in", "at"].map(|what| format!("made-up-requests-{what}"));
    let mut headers = HeaderMap::new();
    for (name, line) in names.iter().zip(data.split(|&byte| byte == b'\n')) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_bytes(line)) {
            headers.insert(name, value);
        }
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    let rest = Spelling::of([&format]).rest(&headers, now);
    assert!(rest.is_none_or(|rest| rest <= Duration::from_hours(31 * 24)));
}
