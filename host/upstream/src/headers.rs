//! Header filters in both directions: only listed headers pass, and some never do.
//!
//! The names here are HTTP's own. The credential headers of a format come from the manifests, through the caller.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use weir_types::contract::types::Header;

/// The `accept-encoding` of a translated exchange: no coding. A compressor on the way delays the first pieces of a
/// stream to fill its window, and decompressing costs more than it saves for answers of some kilobytes. Answers that
/// are encoded anyway are decoded. (A relayed exchange forwards the client's own value.)
pub const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("identity");

/// Headers that belong to one connection, or are computed for each message.
static OF_CONNECTION: Names = Names::new(&weir_types::adapter_headers::OF_CONNECTION);

/// Headers that identify the client or the way it came.
static OF_CLIENT: Names = Names::new(&[
    "authorization",
    "cookie",
    "forwarded",
    "proxy-authorization",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-real-ip",
]);

/// Headers that describe the provider's server and would be wrong from the gateway.
static OF_SERVER: Names = Names::new(&weir_types::adapter_headers::OF_SERVER);

/// Headers of answers that every adapter may read: the media type, the time, the request's id, and when to try again.
const READ: [&str; 7] =
    ["content-type", "date", "ratelimit-*", "request-id", "retry-after", "retry-after-ms", "x-request-id"];

/// Typical number of headers that pass, for the initial allocation.
const TYPICAL: usize = 12;

/// Headers that describe how to read a body.
static OF_BODY: [HeaderName; 2] = [header::CONTENT_TYPE, header::CONTENT_ENCODING];

/// A fixed set of names, in lower case.
struct Names {
    names: &'static [&'static str],
    /// Lengths of the names, see [`length_bit`]. They alone rule out most headers.
    lengths: u64,
}

impl Names {
    const fn new(names: &'static [&'static str]) -> Self {
        let (mut lengths, mut rest) = (0, names);
        while let [name, others @ ..] = rest {
            lengths |= length_bit(name);
            rest = others;
        }
        Self { names, lengths }
    }

    fn contains(&self, name: &HeaderName) -> bool {
        self.lengths & length_bit(name.as_str()) != 0 && self.names.contains(&name.as_str())
    }

    fn parsed(&self) -> impl Iterator<Item = HeaderName> {
        self.names.iter().filter_map(|name| name.parse().ok())
    }
}

/// A bit set with the length of a name: bit n for n bytes, the last bit for all longer names.
const fn length_bit(name: &str) -> u64 {
    1 << if name.len() < 63 { name.len() } else { 63 }
}

/// Whether a header belongs to one connection, so that it is never forwarded and only this host sets it.
pub(crate) fn is_of_connection(name: &HeaderName) -> bool {
    OF_CONNECTION.contains(name)
}

/// Forwards the headers that describe a body. Needed wherever its bytes pass unchanged, in either direction.
pub fn forward_body_headers(from: &HeaderMap, to: &mut HeaderMap) {
    for name in &OF_BODY {
        if let Some(value) = from.get(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// Removes headers that never go upstream, whatever set them: the last check before the credential is applied.
pub(super) fn scrub(headers: &mut HeaderMap) {
    let is_forbidden = |name: &HeaderName| OF_CONNECTION.contains(name) || OF_CLIENT.contains(name);
    if !headers.keys().any(is_forbidden) {
        return;
    }
    for name in OF_CONNECTION.names.iter().chain(OF_CLIENT.names) {
        headers.remove(*name);
    }
}

/// Removes the headers of one connection, and those that `connection` names, from a message that otherwise passes
/// unchanged.
pub(super) fn hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_of_connection(name) || ConnectionHeaders::of(headers).contains(name))
        .cloned()
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// A compiled allow-list: exact names and `name-*` globs, minus the headers that never pass.
#[derive(Clone, Debug, Default)]
pub struct HeaderRules {
    exact: Vec<HeaderName>,
    /// The lengths of the exact names, see [`length_bit`].
    lengths: u64,
    /// Prefixes, in lower case.
    globs: Vec<Box<str>>,
    /// Names that no glob admits.
    never: Vec<HeaderName>,
}

impl HeaderRules {
    /// Rules for headers that go upstream. `credentials` names the headers in which clients send credentials, for all
    /// served faces and not only the one in use.
    pub fn request<'a>(
        allow: impl IntoIterator<Item = &'a str>,
        credentials: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let named = credentials.into_iter().filter_map(|name| name.parse().ok());
        Self::compile(allow, OF_CONNECTION.parsed().chain(OF_CLIENT.parsed()).chain(named).collect())
    }

    /// Rules for headers that go back to the client.
    pub fn response<'a>(allow: impl IntoIterator<Item = &'a str>) -> Self {
        Self::compile(allow, OF_CONNECTION.parsed().chain(OF_SERVER.parsed()).collect())
    }

    /// Rules for headers of answers that adapters read: a few that every adapter may read, and these.
    pub fn read_by_adapter<'a>(allow: impl IntoIterator<Item = &'a str>) -> Self {
        Self::response(READ.into_iter().chain(allow))
    }

    fn compile<'a>(allow: impl IntoIterator<Item = &'a str>, never: Vec<HeaderName>) -> Self {
        let mut rules = Self { never, ..Self::default() };
        for pattern in allow {
            if let Some(beginning) = pattern.strip_suffix('*') {
                rules.globs.push(beginning.to_ascii_lowercase().into());
                continue;
            }
            // A name that HTTP does not allow can never arrive.
            let Ok(name) = pattern.parse::<HeaderName>() else { continue };
            if !rules.never.contains(&name) {
                rules.lengths |= length_bit(name.as_str());
                rules.exact.push(name);
            }
        }
        rules
    }

    /// Whether a header of this name passes.
    pub fn passes(&self, name: &HeaderName) -> bool {
        if self.lengths & length_bit(name.as_str()) != 0 && self.exact.contains(name) {
            return true;
        }
        self.globs.iter().any(|beginning| name.as_str().starts_with(&**beginning)) && !self.never.contains(name)
    }

    /// The headers that pass, as adapters get them. Those that are no text are left out.
    pub fn texts(&self, from: &HeaderMap) -> Vec<Header> {
        let named = ConnectionHeaders::of(from);
        let passing = from.iter().filter(|(name, _)| self.passes(name) && !named.contains(name));
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some(Header { name: name.as_str().to_owned(), value: value.to_str().ok()?.to_owned() })
        };
        passing.filter_map(text).collect()
    }

    /// Copies the headers that pass, repeated ones included.
    pub fn forward(&self, from: &HeaderMap, to: &mut HeaderMap) {
        let named = ConnectionHeaders::of(from);
        to.reserve(from.keys_len().min(TYPICAL));
        for (name, value) in from {
            if self.passes(name) && !named.contains(name) {
                to.append(name.clone(), value.clone());
            }
        }
    }
}

/// The headers that `connection` declares to be of this connection only.
struct ConnectionHeaders<'a>(Option<&'a HeaderMap>);

impl<'a> ConnectionHeaders<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let usual = |value: &HeaderValue| {
            value.as_bytes().eq_ignore_ascii_case(b"keep-alive") || value.as_bytes().eq_ignore_ascii_case(b"close")
        };
        Self(headers.get_all(header::CONNECTION).iter().any(|value| !usual(value)).then_some(headers))
    }

    fn contains(&self, name: &HeaderName) -> bool {
        let Some(headers) = self.0 else { return false };
        let tokens = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
        tokens.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn forwarded(rules: &HeaderRules, from: &HeaderMap) -> Vec<String> {
        let mut to = HeaderMap::new();
        rules.forward(from, &mut to);
        to.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn only_what_is_listed_passes_and_globs_cover_any_ending() {
        let rules = HeaderRules::request(["x-version", "X-Beta-*"], []);
        let from =
            headers(&[("x-version", "1"), ("x-versions", "2"), ("x-beta-a", "3"), ("x-beta", "4"), ("accept", "5")]);
        assert_eq!(forwarded(&rules, &from), ["x-version: 1", "x-beta-a: 3"]);
    }

    #[test]
    fn repeated_headers_pass_as_often_as_they_came() {
        let mut from = HeaderMap::new();
        from.append("x-beta", HeaderValue::from_static("a"));
        from.append("x-beta", HeaderValue::from_static("b"));
        assert_eq!(forwarded(&HeaderRules::request(["x-beta"], []), &from), ["x-beta: a", "x-beta: b"]);
    }

    #[test]
    fn c_69_credentials_of_the_client_never_pass_not_even_when_they_are_listed() {
        let rules = HeaderRules::request(["*", "x-key", "authorization"], ["x-key", "X-Other-Key"]);
        let from = headers(&[
            ("authorization", "Bearer a"),
            ("proxy-authorization", "b"),
            ("cookie", "c"),
            ("x-key", "d"),
            ("x-other-key", "e"),
            ("x-forwarded-for", "f"),
            ("forwarded", "g"),
            ("x-fine", "h"),
        ]);
        assert_eq!(forwarded(&rules, &from), ["x-fine: h"]);
    }

    #[test]
    fn c_28_hop_by_hop_headers_never_pass_nor_do_those_that_connection_names() {
        let from = headers(&[
            ("connection", "keep-alive, x-hop"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("content-length", "7"),
            ("host", "h"),
            ("x-hop", "1"),
            ("x-fine", "2"),
        ]);
        for rules in [HeaderRules::request(["*"], []), HeaderRules::response(["*"])] {
            assert_eq!(forwarded(&rules, &from), ["x-fine: 2"]);
        }
    }

    #[test]
    fn headers_that_describe_the_other_server_are_not_returned() {
        let from = headers(&[("set-cookie", "a"), ("server", "b"), ("alt-svc", "c"), ("x-request-id", "d")]);
        assert_eq!(forwarded(&HeaderRules::response(["*", "server"]), &from), ["x-request-id: d"]);
    }

    #[test]
    fn adapters_read_what_they_name_and_what_all_may_read_but_no_cookie() {
        let rules = HeaderRules::read_by_adapter(["x-own-*", "set-cookie"]);
        let mut from = headers(&[
            ("content-type", "a"),
            ("retry-after", "b"),
            ("ratelimit-reset", "c"),
            ("x-own-id", "d"),
            ("set-cookie", "e"),
            ("server", "f"),
            ("x-other", "g"),
            ("x-own-hop", "h"),
            ("connection", "x-own-hop"),
        ]);
        from.insert("x-own-bytes", HeaderValue::from_bytes(&[0xff]).unwrap());
        let read: Vec<String> = rules.texts(&from).into_iter().map(|header| header.name).collect();
        assert_eq!(read, ["content-type", "retry-after", "ratelimit-reset", "x-own-id"]);
    }

    #[test]
    fn scrubbing_leaves_nothing_that_must_not_go_upstream() {
        let mut all: HeaderMap =
            OF_CONNECTION.parsed().chain(OF_CLIENT.parsed()).map(|name| (name, ACCEPT_ENCODING)).collect();
        all.insert("x-fine", ACCEPT_ENCODING);
        scrub(&mut all);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["x-fine"]);
    }

    #[test]
    fn names_longer_than_the_length_mask_are_still_found() {
        let long = "x-".repeat(40) + "y";
        let rules = HeaderRules::request([long.as_str()], []);
        assert!(rules.passes(&long.parse().unwrap()));
        assert!(!rules.passes(&("x-".repeat(40) + "z").parse().unwrap()));
    }
}
