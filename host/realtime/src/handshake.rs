//! The heads that begin a session: a client's request, and a server's answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// What RFC 6455 appends to a key.
const APPENDED: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The bytes of a key.
const KEY_BYTES: usize = 16;

/// Why a request begins no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// It asks for no session.
    #[error("this endpoint serves WebSocket sessions only: send a handshake (RFC 6455) over HTTP/1.1")]
    NoUpgrade,
    /// It uses HTTP/2 or HTTP/3.
    #[error("sessions begin over HTTP/1.1: WebSockets over HTTP/2 (RFC 8441) are not served")]
    Version,
    /// It uses another version of the protocol.
    #[error("`sec-websocket-version` must be 13")]
    Protocol,
    /// Its key is missing or malformed.
    #[error("`sec-websocket-key` must be 16 bytes in base64")]
    Key,
}

/// Why an answer grants no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It does not say that the connection is a session now.
    #[error("the answer does not upgrade the connection")]
    NoUpgrade,
    /// It belongs to another key.
    #[error("the answer's `sec-websocket-accept` is wrong")]
    Accept,
    /// It has an extension, though none was offered.
    #[error("the answer has an extension that was not offered")]
    Extension,
    /// It has a subprotocol that was not offered.
    #[error("the answer has a subprotocol that was not offered")]
    Protocol,
}

/// A client's request for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// The value that proves the answer.
    pub accept: HeaderValue,
    /// The subprotocols that it offers, in order.
    pub protocols: Vec<String>,
}

/// Reads a client's request for a session.
pub fn asked(method: &Method, version: Version, headers: &HeaderMap) -> Result<UpgradeRequest, HandshakeError> {
    if version >= Version::HTTP_2 {
        return Err(HandshakeError::Version);
    }
    if *method != Method::GET
        || !has_token(headers, &UPGRADE, "websocket")
        || !has_token(headers, &CONNECTION, "upgrade")
    {
        return Err(HandshakeError::NoUpgrade);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|value| value.as_bytes() != b"13") {
        return Err(HandshakeError::Protocol);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).map(str::trim);
    let is_key = |key: &&str| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES);
    let key = key.filter(is_key).ok_or(HandshakeError::Key)?;
    Ok(UpgradeRequest {
        accept: accept(key),
        protocols: tokens(headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect(),
    })
}

/// The headers that grant a session, with the subprotocol that was chosen.
pub fn grant(asked: &UpgradeRequest, protocol: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, asked.accept.clone());
    if let Some(protocol) = protocol.and_then(|protocol| HeaderValue::try_from(protocol).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    headers
}

/// Adds to a request what asks for a session, and returns what a right answer has to prove. `random` is new for each.
pub fn ask(headers: &mut HeaderMap, protocols: &[&str], random: [u8; KEY_BYTES]) -> HeaderValue {
    let key = STANDARD.encode(random);
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(protocols) = HeaderValue::try_from(protocols.join(", "))
        && !protocols.is_empty()
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
    }
    let expected = accept(&key);
    if let Ok(key) = HeaderValue::try_from(key) {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    expected
}

/// Checks the answer to [`ask`], whose status is 101, and returns the subprotocol that the server chose.
pub fn granted(headers: &HeaderMap, expected: &HeaderValue, offered: &[&str]) -> Result<Option<String>, GrantError> {
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        return Err(GrantError::NoUpgrade);
    }
    if headers.get(SEC_WEBSOCKET_ACCEPT) != Some(expected) {
        return Err(GrantError::Accept);
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(GrantError::Extension);
    }
    match headers.get(SEC_WEBSOCKET_PROTOCOL).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(chosen)) if offered.contains(&chosen) => Ok(Some(chosen.to_owned())),
        Some(_) => Err(GrantError::Protocol),
    }
}

fn accept(key: &str) -> HeaderValue {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{APPENDED}").as_bytes());
    // Base64 is always a header's value.
    HeaderValue::try_from(STANDARD.encode(digest)).unwrap_or(HeaderValue::from_static(""))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|one| one.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "realtime, key.secret"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_example_of_the_rfc_is_answered_as_it_says() {
        let asked = asked(&Method::GET, Version::HTTP_11, &request()).unwrap();
        assert_eq!(asked.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(asked.protocols, ["realtime", "key.secret"]);
        let headers = grant(&asked, Some("realtime"));
        let granted = granted(&headers, &asked.accept, &["realtime"]);
        assert_eq!(granted, Ok(Some("realtime".to_owned())));
    }

    #[test]
    fn what_begins_no_session_is_refused() {
        let with = |name: &'static str, value: Option<&'static str>| {
            let mut headers = request();
            match value {
                Some(value) => _ = headers.insert(name, HeaderValue::from_static(value)),
                None => _ = headers.remove(name),
            }
            asked(&Method::GET, Version::HTTP_11, &headers).unwrap_err()
        };
        assert_eq!(with("upgrade", None), HandshakeError::NoUpgrade);
        assert_eq!(with("upgrade", Some("h2c")), HandshakeError::NoUpgrade);
        assert_eq!(with("connection", Some("close")), HandshakeError::NoUpgrade);
        assert_eq!(with("sec-websocket-version", Some("8")), HandshakeError::Protocol);
        for key in [None, Some(""), Some("short"), Some("dGhlIHNhbXBsZSBub25jZQ"), Some("not base64!")] {
            assert_eq!(with("sec-websocket-key", key), HandshakeError::Key);
        }
        assert_eq!(asked(&Method::GET, Version::HTTP_2, &request()), Err(HandshakeError::Version));
        assert_eq!(asked(&Method::POST, Version::HTTP_11, &request()), Err(HandshakeError::NoUpgrade));
    }

    #[test]
    fn an_answer_must_prove_itself_and_add_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-extensions", HeaderValue::from_static("permessage-deflate"));
        let expected = ask(&mut headers, &["a"], [7; 16]);
        assert!(!headers.contains_key("sec-websocket-extensions"));
        let asked = asked(&Method::GET, Version::HTTP_11, &headers).unwrap();
        let answer = |change: &dyn Fn(&mut HeaderMap)| {
            let mut headers = grant(&asked, Some("a"));
            change(&mut headers);
            granted(&headers, &expected, &["a"])
        };
        let set = |name: &'static str, value: &'static str| {
            move |headers: &mut HeaderMap| _ = headers.insert(name, HeaderValue::from_static(value))
        };
        assert_eq!(answer(&|_| {}), Ok(Some("a".into())));
        assert_eq!(answer(&set("sec-websocket-accept", "x")), Err(GrantError::Accept));
        assert_eq!(answer(&set("sec-websocket-protocol", "b")), Err(GrantError::Protocol));
        assert_eq!(answer(&set("sec-websocket-extensions", "x")), Err(GrantError::Extension));
        assert_eq!(answer(&set("upgrade", "x")), Err(GrantError::NoUpgrade));
    }
}
