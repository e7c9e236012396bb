//! `/admin/v1/playground/{path}`: sends a client's request, where clients have another address than the dashboard
//! (`admin.listen`). It is a request like any other: it needs a client's key where clients have keys, and counts as
//! that client's.

use std::net::Ipv4Addr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::admin_route::AdminRoute;
use super::{Operations, refuse};
use weir_server::Peer;
use weir_types::headers::CLIENT_KEY;

/// What stands before the client's path.
const PREFIX: &str = "/v1/playground";
/// Bytes between the two ends of a request within the process.
const BUFFER: usize = 64 << 10;

/// Why a request could not be sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("this is not a path of a client's request")]
    Path,
    #[error("`{}` is not a key", CLIENT_KEY)]
    Key,
    #[error("the request was not answered: {0}")]
    Unanswered(#[from] hyper::Error),
}

/// The paths below `/admin/v1`, with their methods.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![AdminRoute::new("/v1/playground/{*path}", &["post"], post(answer))]
}

async fn answer(State(operations): State<Operations>, request: Request) -> Response {
    let sent = match client_request(request) {
        Ok(request) => send(operations, request).await,
        Err(error) => Err(error),
    };
    sent.unwrap_or_else(|error| {
        let status =
            if matches!(error, SendError::Unanswered(_)) { StatusCode::BAD_GATEWAY } else { StatusCode::BAD_REQUEST };
        refuse(status, &error.to_string()).into_response()
    })
}

/// The request as the client would send it: of the operator's headers, none goes along.
fn client_request(request: Request) -> Result<Request, SendError> {
    let (head, body) = request.into_parts();
    let uri = head.uri.path_and_query().and_then(|path| path.as_str().strip_prefix(PREFIX)).ok_or(SendError::Path)?;
    let mut asked = Request::new(body);
    *asked.method_mut() = head.method;
    *asked.uri_mut() = uri.parse::<Uri>().map_err(|_| SendError::Path)?;
    *asked.headers_mut() = client_headers(&head.headers)?;
    Ok(asked)
}

fn client_headers(from: &HeaderMap) -> Result<HeaderMap, SendError> {
    let mut headers = HeaderMap::new();
    // The gateway takes requests without a key only from this machine itself, which is where the operator is then taken
    // to be.
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    if let Some(kind) = from.get(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, kind.clone());
    }
    if let Some(key) = from.get(&CLIENT_KEY) {
        let bearer = [b"Bearer ", key.as_bytes()].concat();
        let mut bearer = HeaderValue::from_bytes(&bearer).map_err(|_| SendError::Key)?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
    }
    Ok(headers)
}

/// Sends a request to the gateway within the process. It ends when its caller leaves, as by a closed connection.
async fn send(operations: Operations, request: Request) -> Result<Response, SendError> {
    let (near, far) = tokio::io::duplex(BUFFER);
    let gateway = operations.gateway;
    let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
        let gateway = std::sync::Arc::clone(&gateway);
        request.extensions_mut().insert(Peer::new(Ipv4Addr::LOCALHOST.into()));
        async move { Ok::<_, std::convert::Infallible>(gateway.handle(request).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), answer);
    // Both ends end with the request; what broke off shows in the answer.
    tokio::spawn(async move { drop(serving.await) });
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender.send_request(request).await?.map(Body::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_operators_goes_along() {
        let request = Request::post("/v1/playground/v1/messages?beta=true")
            .header("authorization", "Bearer operator")
            .header("cookie", "weir_session=1")
            .header("x-csrf-token", "c")
            .header(&CLIENT_KEY, "sk-client")
            .header("content-type", "application/json")
            .body(Body::empty())
            .unwrap();
        let asked = client_request(request).unwrap();
        assert_eq!(asked.uri(), "/v1/messages?beta=true");
        let mut headers: Vec<_> =
            asked.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        headers.sort_unstable();
        let expected: [(&str, &[u8]); 3] =
            [("authorization", b"Bearer sk-client"), ("content-type", b"application/json"), ("host", b"localhost")];
        assert_eq!(headers, expected);
        assert!(asked.headers()[header::AUTHORIZATION].is_sensitive());
        let other = Request::post("/v1/other").body(Body::empty()).unwrap();
        assert!(matches!(client_request(other), Err(SendError::Path)));
    }
}
