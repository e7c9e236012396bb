//! Errors, in both directions.

use weir_sdk::adapter::ProviderErrors;
use weir_sdk::json::parse;
use weir_sdk::manifest::ErrorSpelling;
use weir_sdk::types::{Context, Error, ErrorKind, HttpResponse};

use crate::{Zeta, wire};

/// The body of an error.
pub(crate) const TEMPLATE: &str = r#"{"woe":{"sort":{{kind}},"words":{{message}},"sign":{{code}},"where":{{param}},"n":{{status}},"ref":{{request_id}}}}"#;
/// The frame that ends a broken stream.
pub(crate) const FRAME: &str = r#"{"k":"woe","woe":{"sort":{{kind}},"words":{{message}},"n":{{status}}}}"#;

const SPELLINGS: [(ErrorKind, &str, u16); 14] = [
    (ErrorKind::InvalidRequest, "garbled", 422),
    (ErrorKind::Authentication, "stranger", 401),
    (ErrorKind::Permission, "forbidden-rite", 403),
    (ErrorKind::NotFound, "nowhere", 404),
    (ErrorKind::TooLarge, "too-much", 413),
    (ErrorKind::ContextLength, "too-long", 414),
    (ErrorKind::RateLimited, "too-fast", 420),
    (ErrorKind::Quota, "no-coin", 402),
    (ErrorKind::ContentFiltered, "taboo", 451),
    (ErrorKind::Overloaded, "too-many", 503),
    (ErrorKind::Timeout, "too-slow", 504),
    (ErrorKind::Unsupported, "unheard-of", 422),
    (ErrorKind::Upstream, "broken-oracle", 502),
    (ErrorKind::Internal, "broken-gateway", 500),
];

pub(crate) fn spellings() -> Vec<ErrorSpelling> {
    let spelling = |(kind, name, status): (ErrorKind, &str, u16)| ErrorSpelling {
        kind,
        name: name.into(),
        code: Some(format!("zeta/{name}")),
        status,
    };
    SPELLINGS.map(spelling).into()
}

/// The format's name of an error kind.
pub(crate) fn name(kind: ErrorKind) -> &'static str {
    SPELLINGS.iter().find(|(known, ..)| *known == kind).map_or("broken-gateway", |(_, name, _)| name)
}

/// Parses an error.
pub(crate) fn read(woe: &wire::Woe<'_>, status: Option<u16>) -> Error {
    let sort = woe.sort.as_deref().unwrap_or_default();
    let known = SPELLINGS.iter().find(|(_, name, _)| *name == sort).map(|(kind, ..)| *kind);
    let by_status = |status| SPELLINGS.iter().find(|(.., s)| *s == status).map(|(kind, ..)| *kind);
    let kind = known.or_else(|| status.and_then(by_status)).unwrap_or(ErrorKind::Upstream);
    let words = woe.words.as_deref().unwrap_or("the oracle is silent");
    Error { status, ..Error::new(kind, words) }
}

impl ProviderErrors for Zeta {
    fn parse_error(_: &Context, response: HttpResponse) -> Error {
        let text = response.body.as_text().unwrap_or_default();
        let whole: wire::Whole<'_> = parse(text).unwrap_or_default();
        read(&whole.woe.unwrap_or_default(), Some(response.status))
    }
}
