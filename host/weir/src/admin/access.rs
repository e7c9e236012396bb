//! Access to `/admin`: with the token; without one, only from this machine itself, and only on a listener that serves
//! its operator alone.

use std::sync::Arc;

use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{Operations, refuse};
use weir_config::Config;
use weir_gateway::auth::local;
use weir_server::Peer;

/// Maximum size of a request's body, in bytes.
const BODY: usize = 2 << 20;

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Denied {
    #[error("set `admin.token` and send it as `authorization: Bearer TOKEN`")]
    NoToken,
    #[error("the token is not `admin.token`")]
    WrongToken,
    #[error(
        "this listener serves others than the operator (`[[clients]]`, `server.anonymous`), so `/admin` needs a token: \
         set `admin.token`, or `admin.listen`"
    )]
    Shared,
    #[error("{0}, so `/admin` needs a token: set `admin.token`")]
    NotLocal(local::NotLocal),
    #[error("without `admin.token`, nothing is changed for web pages")]
    Page,
}

/// Admits requests with the token; without a configured token, those of this machine itself.
pub(super) async fn guard(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    let config = Arc::clone(&operations.reload.current().config);
    let Err(denied) = check(&operations, &config, &request) else { return next.run(request).await };
    if denied == Denied::WrongToken {
        let address = request.extensions().get::<Peer>().map(|peer| peer.0);
        if let Err(wait) = operations.gateway.wrong_keys().count(address, std::time::Instant::now()).await {
            let message = "too many wrong tokens from this address: send the right one, or try again later";
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, message);
            let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
    }
    let status = match denied {
        Denied::NoToken | Denied::WrongToken => StatusCode::UNAUTHORIZED,
        Denied::Shared | Denied::NotLocal(_) | Denied::Page => StatusCode::FORBIDDEN,
    };
    refuse(status, &denied.to_string())
}

fn check(operations: &Operations, config: &Config, request: &Request) -> Result<(), Denied> {
    let headers = request.headers();
    if let Some(token) = &config.admin.token {
        return match bearer(headers) {
            Some(sent) if token.matches(sent) => Ok(()),
            Some(_) => Err(Denied::WrongToken),
            None => Err(Denied::NoToken),
        };
    }
    if operations.is_exposed {
        return Err(Denied::NoToken);
    }
    if is_shared(config) && !operations.is_apart {
        return Err(Denied::Shared);
    }
    local::check(request.uri(), headers).map_err(Denied::NotLocal)?;
    // A web page served on this machine must not be able to change anything, either.
    let is_a_page = request.method() != Method::GET && headers.contains_key(header::ORIGIN);
    if is_a_page { Err(Denied::Page) } else { Ok(()) }
}

/// Whether the main listener serves other callers than this machine.
fn is_shared(config: &Config) -> bool {
    !config.clients.is_empty() || config.server.anonymous
}

/// Guards pages that name models and adapters: everyone may read them, but if the gateway serves only this machine, no
/// foreign web page and no proxy may.
pub(super) async fn show(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    let is_own = !operations.is_exposed && !is_shared(&operations.reload.current().config);
    match local::check(request.uri(), request.headers()) {
        Err(why) if is_own => refuse(
            StatusCode::FORBIDDEN,
            &format!("{why}; without keys only this machine is served: add `[[clients]]`, or set `server.anonymous`"),
        ),
        _ => next.run(request).await,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Reads the body of an admitted request, within the timeout for bodies.
pub(super) async fn take_body(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    let patience = operations.reload.current().config.server.body_timeout;
    let (head, body) = request.into_parts();
    match tokio::time::timeout(patience, body::to_bytes(body, BODY)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(_)) => refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body broke off or is larger than 2 MiB"),
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the body did not arrive within `server.body_timeout`"),
    }
}
