//! Where the requests of the main listener go: to the operations endpoints, to gRPC, or to the formats that adapters
//! declare.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use tower_service::Service as _;

use crate::admin;
use crate::cross_origin::Page;
use weir_gateway::attempt::ReplyBody;
use weir_gateway::gateway::Gateway;
use weir_server::BeyondLimit;
use weir_types::in_place::pinned;

/// A request that is being answered.
pub(crate) type Answering = Pin<Box<dyn Future<Output = http::Response<ReplyBody>> + Send>>;

/// What answers the requests of the main listener.
#[derive(Debug, Clone)]
pub(crate) struct MainPort {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) grpc: weir_grpc::Service,
    pub(crate) router: axum::Router,
    /// Whether the operations endpoints have a listener of their own.
    pub(crate) is_apart: bool,
}

impl MainPort {
    /// Answers one request.
    pub(crate) fn answer(&self, request: Request<Incoming>) -> Answering {
        if !self.is_apart && admin::serves(request.uri().path()) {
            return Box::pin(operate(self.router.clone(), request));
        }
        match Page::of(&self.gateway, request.headers()) {
            None => self.serve(request),
            Some(page) if Page::asks_first(&request) => Box::pin(ready(page.may_ask(request.headers()))),
            Some(page) => {
                let answering = self.serve(request);
                Box::pin(async move { page.may_read(answering.await) })
            }
        }
    }

    fn serve(&self, request: Request<Incoming>) -> Answering {
        let gateway = Arc::clone(&self.gateway);
        if request.extensions().get::<BeyondLimit>().is_some() {
            Box::pin(ready(gateway.refuse_beyond_limit(request)))
        } else if self.grpc.takes(&request) {
            pinned(|| self.grpc.clone().handle(request))
        } else {
            pinned(|| gateway.handle(request))
        }
    }
}

/// Answers a request for the operations endpoints.
pub(crate) async fn operate(mut router: axum::Router, request: Request<Incoming>) -> http::Response<ReplyBody> {
    let answer = router.call(request.map(axum::body::Body::new)).await;
    match answer {
        Ok(response) => response.map(ReplyBody::Other),
        Err(never) => match never {},
    }
}
