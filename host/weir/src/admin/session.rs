//! `/admin/v1/session`: a browser's session, begun with a token or by [`super::login`]. `GET` also says who a request
//! is made by and what they may do, for any client.

use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin_route::AdminRoute;
use super::identity::AdminCaller;
use super::{Operations, Problem, access, body};
use crate::ui::{Holder, LASTS, Session};
use weir_config::Secret;
use weir_identity::document::Access;
use weir_server::Peer;

/// The cookie. It is sent to `/admin` only, so that no request of a client carries it.
const COOKIE: &str = "weir-session";
/// The header in which a page repeats the session's value.
pub(super) const CSRF: &str = "x-csrf-token";
/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 4_096;

/// The path below `/admin`, with its methods.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![AdminRoute::new("/v1/session", &["get", "post", "delete"], get(show).post(begin).delete(end))]
}

/// Whether a request begins a session: it has no token but that in its body.
pub(super) fn begins(method: &Method, path: &str) -> bool {
    method == Method::POST && path == "/v1/session"
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// Begins a session with a token that opens `/admin`.
async fn begin(
    State(operations): State<Operations>,
    peer: Option<Extension<Peer>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_own_page(&uri, &headers) {
        return Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", "no other site's page begins a session")
            .into_response();
    }
    let login = body::object::<Login>(&body).ok().filter(|login| login.token.len() <= MAX_TOKEN_BYTES);
    let Some(Login { token }) = login else {
        return Problem::bad("bad_json", "send {\"token\": \"…\"}").into_response();
    };
    let token = Secret::new(token.trim());
    let caller = match access::by_login(&operations, &token) {
        Ok(caller) => caller,
        Err(denied) => return access::deny(&operations, &denied, peer.map(|Extension(peer)| peer.address)).await,
    };
    let now = Instant::now();
    let Ok((id, session)) = operations.sessions.begin(Holder::Token(token), now) else {
        return Problem::internal().into_response();
    };
    let is_secure = headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let answer = Json(shown(&operations, &caller, Some(&session), now)).into_response();
    with_cookie(answer, id.expose(), Seconds(LASTS.as_secs()), is_secure)
}

/// Who the caller is.
async fn show(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    headers: HeaderMap,
) -> Json<Value> {
    let now = Instant::now();
    let session = cookie(&headers).and_then(|id| operations.sessions.find(id, now));
    Json(shown(&operations, &caller, session.as_ref(), now))
}

/// Ends the session.
async fn end(State(operations): State<Operations>, headers: HeaderMap) -> Response {
    if let Some(id) = cookie(&headers) {
        operations.sessions.end(id);
    }
    with_cookie(StatusCode::NO_CONTENT.into_response(), "", Seconds(0), false)
}

fn shown(operations: &Operations, caller: &AdminCaller, session: Option<&Session>, now: Instant) -> Value {
    let csrf = match session {
        Some(session) => Some(&session.csrf),
        None if caller.is_local => Some(operations.sessions.local_csrf()),
        None => None,
    };
    let access = match (caller.may(Access::Write, None), caller.may(Access::Read, None)) {
        (true, _) => "write",
        (false, true) => "read",
        (false, false) => "teams",
    };
    json!({
        "actor": {"kind": caller.actor.kind, "id": caller.actor.id},
        "access": access,
        "grants": caller.grants,
        "is_local": caller.is_local,
        "csrf_token": csrf.map(Secret::expose),
        "seconds_left": session.map(|session| session.ends.saturating_duration_since(now).as_secs()),
        "has_store": operations.store.is_some(),
    })
}

/// How long a browser keeps a cookie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) u64);

/// Gives an answer the session's cookie.
pub(super) fn with_cookie(mut response: Response, value: &str, lasts: Seconds, is_secure: bool) -> Response {
    let secure = if is_secure { "; Secure" } else { "" };
    let Seconds(seconds) = lasts;
    let text = format!("{COOKIE}={value}; Path=/admin; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::SET_COOKIE, text);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The session's cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_named(headers, COOKIE)
}

/// The value of a cookie.
pub(super) fn cookie_named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// Whether no page sends a request, or one of this very server. HTTP/2 has the server's name in place of the header
/// `host`.
fn is_own_page(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_own = |origin: &str| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && host == uri.authority().map(Authority::as_str).or(text("host"))
    };
    text("origin").is_none_or(is_own)
        && text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let text = headers(&[("cookie", "a=b; weir-session=xyz; weir-session2=c")]);
        assert_eq!(cookie(&text), Some("xyz"));
        assert_eq!(cookie(&headers(&[("cookie", "weir-sessions=xyz")])), None);
    }

    #[test]
    fn only_the_own_page_begins_a_session() {
        let path = Uri::from_static("/v1/session");
        assert!(is_own_page(&path, &headers(&[])));
        let own = [("host", "weir:1"), ("origin", "https://weir:1"), ("sec-fetch-site", "same-origin")];
        assert!(is_own_page(&path, &headers(&own)));
        let whole = Uri::from_static("https://weir:1/v1/session");
        assert!(is_own_page(&whole, &headers(&own[1..])));
        for (name, value) in [
            ("origin", "https://weir:2"),
            ("origin", "null"),
            ("origin", "weir:1"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert!(!is_own_page(&path, &headers(&[("host", "weir:1"), (name, value)])), "{name}: {value}");
            assert!(!is_own_page(&whole, &headers(&[(name, value)])), "{name}: {value}");
        }
    }
}
