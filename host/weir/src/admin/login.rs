//! `/admin/login`: a browser's way to the identity provider and back. It ends at the dashboard, whatever happens: no address
//! that a request names is ever gone to.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::json;

use super::session::{self, Seconds};
use super::{Operations, Problem, access};
use crate::login::{LoginError, Person, is_secure};
use crate::ui::{Holder, LASTS};
use weir_config::{AdminLogin, Secret};
use weir_identity::oidc::PendingLogin;
use weir_server::Peer;

/// The cookie that is kept for a login that has begun. Unlike the session's, it comes along when the provider sends the
/// browser back.
const COOKIE: &str = "weir-login";
/// How long that cookie is kept; a login takes no longer.
const PATIENCE: u64 = 600;
/// The longest value of the cookie, in bytes.
const LONGEST: usize = 512;

/// The path below `/admin` that the description names.
pub(super) fn routes() -> [(&'static str, &'static [&'static str], MethodRouter<Operations>); 1] {
    [("/v1/login", &["get"], get(show))]
}

/// The routes below `/admin`.
pub(super) fn router() -> Router<Operations> {
    let pages = Router::new().route("/login", get(begin)).route("/login/callback", get(finish));
    routes().into_iter().fold(pages, |router, (path, _, methods)| router.route(path, methods))
}

/// Whether a request is on its way to a session, and so needs none.
pub(super) fn begins(method: &Method, path: &str) -> bool {
    method == Method::GET && matches!(path, "/login" | "/login/callback" | "/v1/login")
}

/// Says whether there is a login at an identity provider, and what its button says.
async fn show(State(operations): State<Operations>) -> Response {
    match configured(&operations) {
        Some(login) => Json(json!({"name": login.name, "address": "/admin/login"})).into_response(),
        None => Problem::new(StatusCode::NOT_FOUND, "no_login", "no identity provider is configured").into_response(),
    }
}

fn configured(operations: &Operations) -> Option<AdminLogin> {
    operations.reload.current().config.admin.login.clone()
}

/// Sends the browser to the provider.
async fn begin(State(operations): State<Operations>) -> Response {
    let begun = match configured(&operations) {
        Some(login) => operations.logins.begin(&login).await.map(|start| (login, start)),
        None => Err(LoginError::Off),
    };
    match begun {
        Ok((login, start)) => {
            let response = go_to(&start.address);
            with_cookie(response, &cookie_of(&start.pending), PATIENCE, is_secure(&login))
        }
        Err(error) => turned_away(&error),
    }
}

/// Takes the browser back, and begins its session.
async fn finish(
    State(operations): State<Operations>,
    peer: Option<Extension<Peer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let ended = ended(&operations, &query.unwrap_or_default(), &headers).await;
    let (response, secure) = match ended {
        Ok((response, secure)) => (response, secure),
        Err(Refused::Login(error)) => {
            count_wrong(&operations, &error, peer.map(|peer| peer.0.0)).await;
            (turned_away(&error), false)
        }
        Err(Refused::Word(word)) => (go_to(&format!("/ui/?login={word}")), false),
    };
    // A login ends once.
    with_cookie(response, "", 0, secure)
}

/// Why no session begins.
enum Refused {
    Login(LoginError),
    /// With this word for the page.
    Word(&'static str),
}

impl From<LoginError> for Refused {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

async fn ended(operations: &Operations, query: &str, headers: &HeaderMap) -> Result<(Response, bool), Refused> {
    let login = configured(operations).ok_or(LoginError::Off)?;
    let pending = session::cookie_named(headers, COOKIE).and_then(pending_of);
    let pending = pending.ok_or(LoginError::Callback(weir_identity::oidc::CallbackError::State))?;
    let (logged_in, grants) = operations.logins.finish(&login, query, &pending).await?;
    let person = Person { login: logged_in.login, grants };
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

/// Answers of the provider that are refused count as wrong tokens of their address, so that trying is slow.
async fn count_wrong(operations: &Operations, error: &LoginError, address: Option<IpAddr>) {
    if matches!(error, LoginError::Callback(_) | LoginError::Answer(_)) {
        // The browser gets a page in any case.
        let _counted = operations.gateway.wrong_keys().count(address, Instant::now()).await;
    }
}

/// The dashboard's login page, which says why there is no session.
fn turned_away(error: &LoginError) -> Response {
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

/// A login that has begun, as the cookie has it. Its owner gains nothing by another value: the provider's answer has to fit.
fn cookie_of(pending: &PendingLogin) -> String {
    let PendingLogin { state, nonce, verifier, expires } = pending;
    format!("{}.{}.{}.{}", state.expose(), nonce.expose(), verifier.expose(), expires.as_second())
}

fn pending_of(cookie: &str) -> Option<PendingLogin> {
    let parts: Vec<&str> = cookie.split('.').collect();
    let [state, nonce, verifier, expires] = parts.try_into().ok()?;
    let is_random = |text: &&str| {
        text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if cookie.len() > LONGEST || ![state, nonce, verifier].iter().all(is_random) {
        return None;
    }
    let expires = Timestamp::from_second(expires.parse().ok()?).ok()?;
    let [state, nonce, verifier] = [state, nonce, verifier].map(Secret::new);
    Some(PendingLogin { state, nonce, verifier, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_kept_in_its_cookie_and_nothing_else_is_taken_for_one() {
        let now = Timestamp::from_second(1_795_262_400).unwrap();
        let pending = PendingLogin::from_random([[1; 32], [2; 32], [3; 32]], now);
        let text = cookie_of(&pending);
        assert_eq!(pending_of(&text), Some(pending));
        for other in ["", "a.b.c.1", "..."] {
            assert_eq!(pending_of(other), None, "{other}");
        }
        assert_eq!(pending_of(&text.replacen('A', ";", 1)), None);
        assert_eq!(pending_of(&format!("{text}.1")), None);
    }
}
