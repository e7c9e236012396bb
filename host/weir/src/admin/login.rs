//! `/admin/login`: a browser's way to the identity provider and back. It ends at the dashboard, whatever happens: no
//! address that a request names is ever gone to.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::admin_route::AdminRoute;
use super::session::{self, Seconds};
use super::{Operations, Problem, access};
use crate::login::{LoginError, Person, is_secure};
use crate::ui::{Holder, LASTS};
use weir_config::AdminLogin;
use weir_identity::oidc::CallbackError;
use weir_server::Peer;

/// The cookie that is kept for a login that has begun. Unlike the session's, it comes along when the provider sends the
/// browser back.
const COOKIE: &str = "weir-login";
/// How long that cookie is kept; a login takes no longer.
const LOGIN_SECONDS: u64 = 600;

/// The path below `/admin` that the description names.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![AdminRoute::new("/v1/login", &["get"], get(show))]
}

/// The pages that lead a browser to the identity provider and back.
pub(super) fn pages() -> Router<Operations> {
    Router::new().route("/login", get(begin)).route("/login/callback", get(finish))
}

/// Whether a request is on its way to a session, and so needs none.
pub(super) fn begins(method: &Method, path: &str) -> bool {
    method == Method::GET && matches!(path, "/login" | "/login/callback" | "/v1/login")
}

/// Says whether there is a login at an identity provider, and what its button says.
async fn show(State(operations): State<Operations>) -> Response {
    match configured(&operations) {
        Some(login) => Json(json!({"name": login.name, "address": "/admin/login"})).into_response(),
        None => {
            Problem::new(StatusCode::NOT_FOUND, "no_login", "no identity provider is configured: set `[admin.login]`")
                .into_response()
        }
    }
}

fn configured(operations: &Operations) -> Option<AdminLogin> {
    operations.reload.current().config.admin.login.clone()
}

/// Sends the browser to the provider.
async fn begin(State(operations): State<Operations>) -> Response {
    let begun = match configured(&operations) {
        Some(login) => operations.logins.begin(&login).await.map(|begun| (login, begun)),
        None => Err(LoginError::Off),
    };
    match begun {
        Ok((login, (address, cookie))) => {
            with_cookie(go_to(&address), cookie.expose(), LOGIN_SECONDS, is_secure(&login))
        }
        Err(error) => login_failed(&error),
    }
}

/// Takes the browser back, and begins its session.
async fn finish(
    State(operations): State<Operations>,
    peer: Option<Extension<Peer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let address = peer.map(|Extension(peer)| peer.address);
    let (response, secure) = match ended(&operations, &query.unwrap_or_default(), &headers, address).await {
        Ok((response, secure)) => (response, secure),
        Err(Refused::Login(error)) => (login_failed(&error), false),
        Err(Refused::Word(word)) => (go_to(&format!("/ui/?login={word}")), false),
        Err(Refused::TooMany(wait)) => (access::too_many(wait), false),
    };
    // A login ends once.
    with_cookie(response, "", 0, secure)
}

/// Why no session begins.
enum Refused {
    Login(LoginError),
    /// With this word for the page.
    Word(&'static str),
    /// Too many were refused from the same address, which may try again after this time.
    TooMany(Duration),
}

impl From<LoginError> for Refused {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

async fn ended(
    operations: &Operations,
    query: &str,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<(Response, bool), Refused> {
    let login = configured(operations).ok_or(LoginError::Off)?;
    let pending = session::cookie_named(headers, COOKIE).and_then(|cookie| operations.logins.pending(cookie));
    let pending = pending.ok_or(LoginError::Callback(CallbackError::State))?;
    // A login that is refused counts as a wrong token of its address, before the provider is asked: trying is slow. One
    // that no browser began here counts nothing, since other sites' pages can call this address.
    let wrong = operations.gateway.wrong_keys();
    wrong.count(address, Instant::now()).await.map_err(Refused::TooMany)?;
    let person = operations.logins.finish(&login, query, &pending).await;
    if !person.as_ref().is_err_and(LoginError::is_of_browser) {
        wrong.take_back(address, Instant::now());
    }
    let person = person?;
    let caller = match access::by_person_login(operations, &person) {
        Ok(caller) => caller,
        Err(denied) => {
            let Person { login, .. } = &person;
            tracing::warn!(issuer = login.issuer, subject = login.subject, %denied, "a login was refused");
            return Err(Refused::Word("no_grants"));
        }
    };
    let actor = format!("{}:{}", caller.actor.kind, caller.actor.id);
    let begun = operations.sessions.begin(Holder::Person(person), Instant::now());
    let (id, _) = begun.map_err(|error| LoginError::Local(error.to_string()))?;
    tracing::info!(actor, "signed in at the identity provider");
    let secure = is_secure(&login);
    Ok((session::with_cookie(go_to("/ui/"), id.expose(), Seconds(LASTS.as_secs()), secure), secure))
}

/// The dashboard's login page, which says why there is no session.
fn login_failed(error: &LoginError) -> Response {
    tracing::warn!(%error, "a login at the identity provider failed");
    go_to(&format!("/ui/?login={}", error.word()))
}

fn go_to(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(address) {
        Ok(address) => _ = headers.insert(header::LOCATION, address),
        Err(_) => return Problem::internal().into_response(),
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn with_cookie(mut response: Response, value: &str, seconds: u64, is_secure: bool) -> Response {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/admin/login; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, text);
    }
    response
}
