//! Access to `/admin`: with the token; without one, only from this machine itself, and only on a listener that serves
//! its operator alone.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::identity::AdminCaller;
use super::{Operations, Problem, identity, login, refuse, session};
use crate::login::{Basis, Person};
use crate::ui::Holder;
use jiff::Timestamp;
use weir_config::{Config, Secret};
use weir_gateway::auth::local;
use weir_identity::change::Actor;
use weir_identity::document::Access;
use weir_server::Peer;

/// Endpoints that change nothing although they are not asked by GET.
const READING: [&str; 2] = ["/routes/explain", "/v1/routes/explain"];

/// The kind of those who send a token of the configuration.
const TOKEN: &str = "token";
/// The id of those who send the token that only reads.
const READ_TOKEN: &str = "admin.read_token";

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AdminDenied {
    #[error(
        "this needs a token: send `admin.token`, `admin.read_token` or a key with grants as `authorization: Bearer TOKEN`"
    )]
    NoToken,
    #[error("set `admin.token` and send it as `authorization: Bearer TOKEN`")]
    NoneIsSet,
    #[error("the token is neither `admin.token` nor `admin.read_token`, nor a key with grants")]
    WrongToken,
    #[error(
        "the token may be a key of the store, which cannot be read at present, and the log says why; `admin.token` and \
         `admin.read_token` are accepted"
    )]
    Unread,
    #[error("{0}")]
    Key(weir_identity::KeyDenied),
    #[error("this API key or account has no grants, so it may not use `/admin`")]
    NoGrants,
    #[error("your grants do not allow this: ask an administrator for wider ones")]
    Forbidden,
    #[error("`admin.read_token` only reads: changes need `admin.token`")]
    OnlyReads,
    #[error(
        "this listener serves others than the operator (keys, `server.anonymous`), so `/admin` needs a token: set \
         `admin.token`, or `admin.listen`"
    )]
    Shared,
    #[error("{0}, so `/admin` needs a token: set `admin.token`")]
    NotLocal(local::NotLocal),
    #[error("without `admin.token`, nothing is changed for web pages but those of `/ui`")]
    Page,
    #[error("a request of a session that changes something needs its `x-csrf-token`: `GET /admin/v1/session` shows it")]
    Csrf,
    #[error(
        "this listener serves callers without keys (`server.anonymous`), also with pages of others: to use sessions, set `admin.listen`"
    )]
    Anonymous,
    #[error(
        "`/metrics` shows what each team uses: send `admin.token` or `admin.read_token` as `authorization: Bearer TOKEN`, \
         or set `admin.open_metrics`"
    )]
    Metrics,
}

impl AdminDenied {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::NoneIsSet | Self::WrongToken | Self::Metrics => StatusCode::UNAUTHORIZED,
            Self::Unread => StatusCode::SERVICE_UNAVAILABLE,
            Self::Key(denied) => StatusCode::from_u16(denied.status()).unwrap_or(StatusCode::UNAUTHORIZED),
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// The code in answers. Codes do not change.
    fn code(&self) -> &'static str {
        match self {
            Self::NoToken | Self::NoneIsSet | Self::Metrics => "no_token",
            Self::WrongToken => "wrong_token",
            Self::Unread => "store_unavailable",
            Self::Key(denied) => denied.code(),
            Self::NoGrants | Self::Forbidden | Self::OnlyReads => "forbidden",
            Self::Shared | Self::NotLocal(_) => "admin_token_required",
            Self::Page => "origin_not_allowed",
            Self::Csrf => "csrf_token_required",
            Self::Anonymous => "admin_listen_required",
        }
    }
}

/// Admits requests with a token, or a key that has grants; without a configured token, those of this machine itself.
pub(super) async fn guard(State(operations): State<Operations>, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    if session::begins(method, path) || login::begins(method, path) {
        return next.run(request).await;
    }
    let config = Arc::clone(&operations.reload.current().config);
    let denied = match check(&operations, &config, &request).and_then(|caller| within_grants(caller, &request)) {
        Ok(_) if !is_text(path) => {
            return Problem::parameter("the path has an escape that is no UTF-8").into_response();
        }
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            return next.run(request).await;
        }
        Err(denied) => denied,
    };
    let address = request.extensions().get::<Peer>().map(|peer| peer.address);
    deny(&operations, &denied, address).await
}

/// Whether a path is text without its escapes: ids are, and the router would answer in its own words.
fn is_text(path: &str) -> bool {
    percent_encoding::percent_decode_str(path).decode_utf8().is_ok()
}

/// Answers a request that is refused. Wrong tokens from one address are slowed down, and so is what may be one.
pub(super) async fn deny(operations: &Operations, denied: &AdminDenied, address: Option<IpAddr>) -> Response {
    if matches!(denied, AdminDenied::WrongToken | AdminDenied::Unread)
        && let Err(wait) = operations.gateway.wrong_keys().count(address, std::time::Instant::now()).await
    {
        return too_many(wait);
    }
    Problem::new(denied.status(), denied.code(), denied.to_string()).into_response()
}

/// The answer to an address that sent too many wrong tokens, and may try again after this time.
pub(super) fn too_many(wait: Duration) -> Response {
    let message = "too many wrong tokens from this address: send the right one, or try again later";
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_wrong_tokens", message).into_response();
    let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Whether a request that was admitted would still be, for answers that last.
pub(super) fn is_admitted(operations: &Operations, request: &Request) -> bool {
    let config = Arc::clone(&operations.reload.current().config);
    check(operations, &config, request).and_then(|caller| within_grants(caller, request)).is_ok()
}

/// Who makes a request.
fn check(operations: &Operations, config: &Config, request: &Request) -> Result<AdminCaller, AdminDenied> {
    let headers = request.headers();
    let begun = session_of(operations, request)?;
    if let Some(Holder::Person(person)) = &begun {
        return by_person(operations, config, person);
    }
    let begun = begun.as_ref().and_then(|holder| match holder {
        Holder::Token(token) => Some(token.expose()),
        Holder::Person(_) => None,
    });
    let sent = begun.or_else(|| bearer(headers));
    if let Some(caller) = by_token(operations, config, sent)? {
        return Ok(caller);
    }
    if is_shared(operations, config) && !operations.is_apart {
        return Err(AdminDenied::Shared);
    }
    local::check(request.uri(), headers, &[]).map_err(AdminDenied::NotLocal)?;
    // A web page served on this machine must not be able to change anything, either.
    let is_a_page = request.method() != Method::GET && headers.contains_key(header::ORIGIN);
    if is_a_page && !repeats(operations.sessions.local_csrf(), headers) {
        return Err(AdminDenied::Page);
    }
    Ok(AdminCaller { is_local: true, ..AdminCaller::of_all("local", "this machine", Access::Write) })
}

/// What the request's session stands for, unless the request has a token of its own. A session that changes something
/// shows that its page sends the request.
fn session_of(operations: &Operations, request: &Request) -> Result<Option<Holder>, AdminDenied> {
    let headers = request.headers();
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let found = session::cookie(headers).and_then(|id| operations.sessions.find(id, std::time::Instant::now()));
    let Some(found) = found else { return Ok(None) };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !repeats(&found.csrf, headers) { Err(AdminDenied::Csrf) } else { Ok(Some(found.holder)) }
}

/// Whether a request repeats the value that only pages of `/ui` can read.
fn repeats(csrf: &Secret, headers: &HeaderMap) -> bool {
    headers.get(session::CSRF).and_then(|value| value.to_str().ok()).is_some_and(|sent| csrf.matches(sent))
}

/// Who begins a session with a token.
pub(super) fn by_login(operations: &Operations, token: &Secret) -> Result<AdminCaller, AdminDenied> {
    let config = Arc::clone(&operations.reload.current().config);
    if config.server.anonymous && !operations.is_apart {
        return Err(AdminDenied::Anonymous);
    }
    by_token(operations, &config, Some(token.expose()))?.ok_or(AdminDenied::WrongToken)
}

/// Who begins a session by a login at the identity provider.
pub(super) fn by_person_login(operations: &Operations, person: &Person) -> Result<AdminCaller, AdminDenied> {
    let config = Arc::clone(&operations.reload.current().config);
    if config.server.anonymous && !operations.is_apart {
        return Err(AdminDenied::Anonymous);
    }
    by_person(operations, &config, person)
}

/// A person who logged in: with what the claims of the login gave, and with the grants of the store's user whose
/// account it is. Both end when the login is configured no longer or otherwise, and with a user who is disabled.
fn by_person(operations: &Operations, config: &Config, person: &Person) -> Result<AdminCaller, AdminDenied> {
    let Person { login, grants, basis } = person;
    let now = config.admin.login.as_ref().and_then(|configured| Basis::of(configured).ok());
    if now.is_none_or(|now| now != **basis) {
        return Err(AdminDenied::NoToken);
    }
    let directory = operations.gateway.stored_keys().directory();
    let (mut grants, mut actor) =
        (grants.clone(), Actor { kind: "login".to_owned(), id: login.subject.chars().take(256).collect() });
    if let Some(user) = directory.user_of_login(login) {
        if user.is_disabled() {
            return Err(AdminDenied::Key(weir_identity::KeyDenied::User(user.id.clone())));
        }
        grants.extend(user.grants.iter().cloned());
        actor = Actor { kind: "user".to_owned(), id: user.id.to_string() };
    }
    if grants.is_empty() { Err(AdminDenied::NoGrants) } else { Ok(AdminCaller { actor, grants, is_local: false }) }
}

/// Who sends a token or a key with grants; `None` if none is needed from this machine itself.
fn by_token(operations: &Operations, config: &Config, sent: Option<&str>) -> Result<Option<AdminCaller>, AdminDenied> {
    let is = |token: &Option<Secret>| sent.is_some_and(|sent| token.as_ref().is_some_and(|token| token.matches(sent)));
    if is(&config.admin.token) {
        return Ok(Some(AdminCaller::of_all(TOKEN, "admin.token", Access::Write)));
    }
    if is(&config.admin.read_token) {
        return Ok(Some(AdminCaller::of_all(TOKEN, READ_TOKEN, Access::Read)));
    }
    let keys = operations.gateway.stored_keys();
    // Asked before the directory is loaded, since the store may be read in between.
    let is_unread = keys.is_unread();
    match sent.map(|sent| keys.directory().look_up(sent, Timestamp::now())) {
        Some(Ok(caller)) => return by_key(&caller).map(Some),
        Some(Err(weir_identity::KeyDenied::Unknown)) if is_unread => return Err(AdminDenied::Unread),
        Some(Err(weir_identity::KeyDenied::Unknown | weir_identity::KeyDenied::Mistyped(_))) | None => {}
        Some(Err(denied)) => return Err(AdminDenied::Key(denied)),
    }
    if config.admin.token.is_some() || config.admin.login.is_some() {
        return Err(if sent.is_some() { AdminDenied::WrongToken } else { AdminDenied::NoToken });
    }
    if operations.is_exposed { Err(AdminDenied::NoneIsSet) } else { Ok(None) }
}

fn by_key(caller: &weir_identity::Caller) -> Result<AdminCaller, AdminDenied> {
    if caller.grants().is_empty() {
        return Err(AdminDenied::NoGrants);
    }
    let actor = Actor { kind: "key".to_owned(), id: caller.id().to_owned() };
    Ok(AdminCaller { actor, grants: caller.grants().to_vec(), is_local: false })
}

/// Whether the caller's grants allow the request. Grants for one team are for the endpoints that check them themselves.
fn within_grants(caller: AdminCaller, request: &Request) -> Result<AdminCaller, AdminDenied> {
    let path = request.uri().path();
    let path = path.strip_prefix("/admin").unwrap_or(path);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD) || READING.contains(&path);
    let access = if reads { Access::Read } else { Access::Write };
    let is_reader = caller.actor.kind == TOKEN && caller.actor.id == READ_TOKEN;
    // A session ends by a request that is no change of this kind.
    if is_reader && access == Access::Write && identity::changes_documents(path) {
        return Err(AdminDenied::OnlyReads);
    }
    match identity::checks_grants(path) || caller.may(access, None) {
        true => Ok(caller),
        false if is_reader => Err(AdminDenied::OnlyReads),
        false => Err(AdminDenied::Forbidden),
    }
}

/// Whether the main listener serves other callers than this machine.
fn is_shared(operations: &Operations, config: &Config) -> bool {
    config.server.anonymous || is_keyed(operations, config)
}

/// Whether callers are distinguished by keys or tokens.
fn is_keyed(operations: &Operations, config: &Config) -> bool {
    !config.clients.is_empty() || operations.gateway.stored_keys().is_keyed()
}

/// Guards `/metrics`, which show what each client and team uses. On the clients' listener, they are for those who may
/// read everything under `/admin`, unless the operator opens them; without any token, for this machine itself.
pub(super) async fn show_metrics(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    let config = Arc::clone(&operations.reload.current().config);
    if operations.is_apart || config.admin.open_metrics || !is_keyed(&operations, &config) {
        return show(State(operations), request, next).await;
    }
    let denied = match by_token(&operations, &config, bearer(request.headers())) {
        Ok(Some(caller)) if caller.may(Access::Read, None) => return next.run(request).await,
        Ok(Some(_)) => AdminDenied::Forbidden,
        Ok(None) if local::check(request.uri(), request.headers(), &[]).is_ok() => return next.run(request).await,
        Ok(None) | Err(AdminDenied::NoToken | AdminDenied::NoneIsSet) => AdminDenied::Metrics,
        Err(denied) => denied,
    };
    let address = request.extensions().get::<Peer>().map(|peer| peer.address);
    deny(&operations, &denied, address).await
}

/// Guards pages that name models and adapters: everyone may read them, but if the gateway serves only this machine, no
/// foreign web page and no proxy may.
pub(super) async fn show(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    let is_own = !operations.is_exposed && !is_shared(&operations, &operations.reload.current().config);
    match local::check(request.uri(), request.headers(), &[]) {
        Err(why) if is_own => refuse(
            StatusCode::FORBIDDEN,
            &format!("{why}; without keys only this machine is served: add `[[clients]]`, or set `server.anonymous`"),
        ),
        _ => next.run(request).await,
    }
}

/// The token that a request sends. Schemes are case-insensitive (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
