//! Web pages of other origins that may call the gateway from a browser (`server.allowed_origins`): the Fetch standard's
//! CORS protocol.
//!
//! Callers show a key in a header, which no page can make a browser send unasked; cookies count for nothing here. So a
//! page gets what any other client gets, and no credentials are allowed beside.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, Request, Response, StatusCode};

use weir_gateway::attempt::ReplyBody;
use weir_gateway::gateway::Gateway;

/// All methods of the formats' endpoints.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// How long browsers keep the answer to their question: one of Weir's settings may change meanwhile.
const SECONDS: HeaderValue = HeaderValue::from_static("600");
const ALL_HEADERS: HeaderValue = HeaderValue::from_static("*");

/// The origin of a page that may call.
#[derive(Debug)]
pub(crate) struct Page(HeaderValue);

impl Page {
    /// The page that sends a request, if it may.
    pub(crate) fn of(gateway: &Gateway, headers: &HeaderMap) -> Option<Self> {
        let origin = headers.get(ORIGIN)?;
        let serving = gateway.serving();
        let is_it = |one: &String| one == "*" || one.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        serving.config.server.allowed_origins.iter().any(is_it).then(|| Self(origin.clone()))
    }

    /// Whether the browser asks whether a page may send a request.
    pub(crate) fn asks_first<B>(request: &Request<B>) -> bool {
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Answers that question.
    pub(crate) fn may_ask(&self, asked: &HeaderMap) -> Response<ReplyBody> {
        let mut response = self.may_read(Response::new(ReplyBody::from(Bytes::new())));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, SECONDS);
        if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            headers.append(VARY, HeaderValue::from(ACCESS_CONTROL_REQUEST_HEADERS));
        }
        response
    }

    /// Lets the page read an answer.
    pub(crate) fn may_read(&self, mut response: Response<ReplyBody>) -> Response<ReplyBody> {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.0.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ALL_HEADERS);
        headers.append(VARY, HeaderValue::from(ORIGIN));
        response
    }
}
