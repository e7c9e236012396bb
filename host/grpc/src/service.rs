//! Recognises the calls of gRPC among a listener's requests, and answers them.

use std::sync::Arc;

use http::{Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::inference::Method;
use crate::watchers::Watchers;
use crate::{answer, health, inference, reflection, timeout};
use weir_gateway::attempt::ReplyBody;
use weir_gateway::gateway::Gateway;
use weir_gateway::rate_limit::address_of;

/// The content type of all calls, with or without the name of the messages' encoding.
const CONTENT_TYPE: &str = "application/grpc";
const WITH_ENCODING: &str = "application/grpc+proto";

/// The services of a gateway.
#[derive(Debug, Clone)]
pub struct Service {
    gateway: Arc<Gateway>,
    draining: watch::Receiver<bool>,
    /// The callers that watch whether the gateway serves.
    watchers: Watchers,
}

impl Service {
    /// The services of this gateway, which drains once `draining` is true.
    pub fn new(gateway: Arc<Gateway>, draining: watch::Receiver<bool>) -> Self {
        Self { gateway, draining, watchers: Watchers::default() }
    }

    /// Whether a request is a call of gRPC: one over HTTP/2 with its content type.
    pub fn takes<B>(&self, request: &Request<B>) -> bool {
        request.version() == Version::HTTP_2 && content_type(request).is_some_and(|kind| kind.starts_with(CONTENT_TYPE))
    }

    /// Answers a call.
    pub async fn handle(self, mut request: Request<Incoming>) -> Response<ReplyBody> {
        if !content_type(&request).is_some_and(|kind| matches!(kind, CONTENT_TYPE | WITH_ENCODING)) {
            let mut response = Response::new(ReplyBody::from(bytes::Bytes::new()));
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
        }
        let path = request.uri().path().to_owned();
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        let unknown = |what: String| answer::refused(&Status::new(Code::Unimplemented, what));
        match service {
            inference::NAME => match Method::named(method) {
                Some(method) => {
                    timeout::apply(request.headers_mut());
                    Box::pin(self.gateway.handle_by(&method, request)).await
                }
                None => unknown(format!("{} has no such method", inference::NAME)),
            },
            health::NAME => {
                let caller = (&self.watchers, &address_of(request.extensions()));
                health::handle(method, request.into_body(), self.draining.clone(), caller, &[inference::NAME]).await
            }
            name if reflection::NAMES.contains(&name) && self.gateway.serving().config.server.grpc_reflection => {
                let within = self.gateway.serving().config.server.body_timeout;
                reflection::handle(method, request.into_body(), within)
            }
            _ => unknown(format!("the services here are {} and {}", inference::NAME, health::NAME)),
        }
    }
}

/// The content type without its parameters.
fn content_type<B>(request: &Request<B>) -> Option<&str> {
    let value = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}
