//! Headers that may hold credentials.

use super::{Problems, header_name};

/// Headers that have another meaning in every request. A credential's header is not passed on, so these cannot be one.
const NO_CREDENTIALS: [&str; 30] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-none-match",
    "origin",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-request-id",
];

/// Checks that a credential may be in this header.
pub(super) fn credential_header(name: &str, place: &str, p: &mut Problems) {
    header_name(name, place, p);
    let name = name.to_ascii_lowercase();
    let is_other = NO_CREDENTIALS.contains(&name.as_str()) || name.starts_with("x-weir-");
    p.unless(!is_other, place, format_args!("no credential stands in the header {name}"));
}
