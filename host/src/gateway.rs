//! The way of a request, as a story: recognise, identify, read, admit, route, attempt, respond, account.

mod door;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, Version};
use hyper::body::Incoming;

use crate::account::Account;
use crate::admit::{AdmitMetrics, Demand, Door, Refused};
use crate::attempt::{Asked, House, ReplyBody, SpokenBy, attempt};
use crate::contract::about::exports::weir::adapter::about::{ErrorFormat, Operation};
use crate::contract::types::ErrorKind;
use crate::dialect::faces::{Face, Head, Lookup};
use crate::dialect::path::Holes;
use crate::dialect::reply::{error_response, insert, limit_headers};
use crate::exchange::Exchange;
use crate::fault::{Fault, Side};
use crate::identify::identify;
use crate::listen::Peer;
use crate::models;
use crate::observe::metrics::Metrics;
use crate::recall::Recall;
use crate::route::{self, Plan, Target};
use crate::serving::Serving;
use crate::upstream::Upstreams;

/// The data plane.
#[derive(Debug)]
pub struct Gateway {
    serving: ArcSwap<Serving>,
    upstreams: Upstreams,
    metrics: Arc<Metrics>,
    lists: models::Lists,
    recall: Arc<Recall>,
    door: Door,
}

impl Gateway {
    /// A gateway that serves from this.
    pub fn new(serving: Serving, upstreams: Upstreams, metrics: Arc<Metrics>) -> Result<Self, prometheus::Error> {
        let recall = Arc::new(Recall::new(serving.config.server.recall_bytes));
        let lists = models::Lists::default();
        let door = Door::new(AdmitMetrics::new(&metrics)?);
        Ok(Self { serving: ArcSwap::from_pointee(serving), upstreams, metrics, lists, recall, door })
    }

    /// Serves from this from now on. Requests under way keep what they began with.
    pub fn replace(&self, serving: Serving) {
        self.serving.store(Arc::new(serving));
        self.lists.forget();
    }

    /// What is served from now.
    pub fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    /// The metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let serving = self.serving.load_full();
        let (head, body) = request.into_parts();
        let exchange = Exchange::begin(&head.headers);
        let id = exchange.id.clone();
        let (mut response, face) = match recognise(&serving, &head) {
            Ok(called) => {
                let face = Arc::clone(&called.face);
                let answer = self.serve(&serving, exchange, head, body, called).await;
                (answer.unwrap_or_else(|fault| self.refuse(face.errors.as_deref(), &fault, &id)), Some(face))
            }
            Err(Unrecognised { fault, nearest: face }) => {
                let errors = face.as_ref().and_then(|face| face.errors.as_deref());
                (self.refuse(errors, &fault, &id), face)
            }
        };
        name(&mut response, face.as_deref(), &id);
        response
    }

    async fn serve(
        &self,
        serving: &Serving,
        exchange: Exchange,
        head: Parts,
        body: Incoming,
        called: Called,
    ) -> Result<Response<ReplyBody>, Fault> {
        let Called { face, holes } = called;
        let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
        let address = head.extensions.get::<Peer>().map(|peer| peer.0);
        let caller = identify(&serving.config, &face, &about, address)?;
        let framing = face.framing(&about);
        let (body, reading) = door::read(serving, &face, &holes, &head, body).await?;
        let dialect = serving.adapter(&face.adapter).cloned();
        let query = head.uri.query().unwrap_or_default();
        let (headers, query) = serving.faces.without_credentials(head.headers, query);
        let asked = Asked {
            exchange,
            caller,
            dialect: dialect.ok_or_else(|| Fault::internal("the adapter of this endpoint is gone"))?,
            holes,
            method: head.method,
            path: head.uri.path().to_owned(),
            query,
            headers,
            body,
            reading,
            framing,
            can_cut: head.version < Version::HTTP_2,
            face,
        };
        let house = House { config: &serving.config, upstreams: &self.upstreams, recall: &self.recall };
        if *asked.operation() == Operation::Models {
            return models::answer(house, serving, &self.lists, &asked).await;
        }
        self.forward(house, serving, &asked).await
    }

    /// Admits, routes and attempts a request; whatever happens from here on is accounted for.
    async fn forward(&self, house: House<'_>, serving: &Serving, asked: &Asked) -> Result<Response<ReplyBody>, Fault> {
        let body_len = asked.body.iter().map(Bytes::len).sum();
        let model = asked.reading.model.as_deref();
        let (output_limit, stream) = (asked.reading.output_limit, asked.reading.stream);
        let demand = Demand { model, output_limit, body_len, stream };
        let permit = match self.door.admit(&serving.config, &asked.caller, &demand).await {
            Ok(permit) => permit,
            Err(Refused { fault, told }) => {
                let mut response = self.refuse(asked.face.errors.as_deref(), &fault, &asked.exchange.id);
                limit_headers(asked.face.errors.as_deref(), &told, response.headers_mut());
                return Ok(response);
            }
        };
        let told = permit.told();
        let plan = plan(serving, asked)?;
        let series = plan.route.series(&self.metrics, &asked.face);
        let mut account = Account::open(&self.metrics, series, asked.exchange.begun, &asked.exchange.id, permit);
        let Some(target) = plan.targets.first() else {
            return Err(Fault::internal("the plan has no target"));
        };
        let mut response = match attempt(house, asked, target, &mut account).await {
            Ok(response) => response,
            Err(fault) => {
                let response = fault_response(asked.face.errors.as_deref(), &fault, &asked.exchange.id);
                account.answering(response.status().as_u16(), false, false);
                response
            }
        };
        account.note_overhead();
        limit_headers(asked.face.errors.as_deref(), &told, response.headers_mut());
        if serving.config.server.diagnostic_headers {
            diagnose(&mut response, target, asked, account.overhead());
        }
        Ok(response.map(|body| body.attach(Box::new(account))))
    }

    fn refuse(&self, errors: Option<&ErrorFormat>, fault: &Fault, id: &str) -> Response<ReplyBody> {
        let reason = match fault.error.kind {
            ErrorKind::NotFound => "not_found",
            ErrorKind::Permission => "permission",
            ErrorKind::Authentication => "authentication",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::RateLimited | ErrorKind::Overloaded => "overloaded",
            _ => "invalid",
        };
        self.metrics.rejected.with_label_values(&[reason]).inc();
        fault_response(errors, fault, id)
    }
}

/// Where a request goes. Operations that are only relayed need not be about a model.
fn plan(serving: &Serving, asked: &Asked) -> Result<Plan, Fault> {
    match (asked.reading.model.as_deref(), asked.operation()) {
        (Some(model), _) => route::plan(&serving.routes, model),
        (None, operation @ Operation::Other(_)) => {
            let named = asked.headers.get(route::PROVIDER_HEADER).and_then(|value| value.to_str().ok());
            route::plan_for_provider(&serving.routes, named, asked.face.format(), operation)
        }
        (None, _) => Err(Fault::invalid("the request does not say which model it is for").at("model")),
    }
}

/// A face that was called.
struct Called {
    face: Arc<Face>,
    holes: Holes,
}

/// A request that calls no face.
struct Unrecognised {
    fault: Fault,
    /// The face whose format the error is told in.
    nearest: Option<Arc<Face>>,
}

/// The face that a request's head calls, or an error in the format of the one that is nearest.
fn recognise(serving: &Serving, head: &Parts) -> Result<Called, Unrecognised> {
    let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
    match serving.faces.find(&head.method, head.uri.path(), &about) {
        Lookup::Found(face, holes) => Ok(Called { face, holes }),
        Lookup::WrongMethod(face, methods) => {
            let methods: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
            let message = format!("{} is not served here, but {} is", head.method, methods.join(", "));
            let fault = Fault::invalid(message).with_status(405).with_code("method_not_allowed");
            Err(Unrecognised { fault, nearest: Some(face) })
        }
        Lookup::Unknown(face) => {
            let path: String = head.uri.path().chars().take(200).collect();
            let fault = Fault::not_found(format!("nothing is served at {path}")).with_code("unknown_url");
            Err(Unrecognised { fault, nearest: face })
        }
    }
}

fn fault_response(errors: Option<&ErrorFormat>, fault: &Fault, id: &str) -> Response<ReplyBody> {
    if fault.side != Side::Client {
        tracing::warn!(request_id = id, side = fault.side.as_str(), error = %fault, "request failed");
    }
    let mut response = error_response(errors, fault, id).map(ReplyBody::from);
    insert(response.headers_mut(), "x-weir-error-source", fault.side.as_str());
    response
}

/// Sets the request's id, also under the name that the format's clients look for; the provider's own id moves aside.
fn name(response: &mut Response<ReplyBody>, face: Option<&Face>, id: &str) {
    let own = face.and_then(|face| face.errors.as_deref()).and_then(|errors| errors.request_id_header.as_deref());
    let headers = response.headers_mut();
    for header in [Some("x-request-id"), own].into_iter().flatten() {
        if let Some(upstream) = headers.remove(header) {
            headers.insert("x-weir-upstream-request-id", upstream);
        }
    }
    for header in [Some("x-request-id"), own].into_iter().flatten() {
        insert(headers, header, id);
    }
}

/// What happened to the request, for people who look.
fn diagnose(response: &mut Response<ReplyBody>, target: &Target, asked: &Asked, overhead: Duration) {
    let spoke = response.extensions().get::<SpokenBy>().map(|SpokenBy(adapter)| Arc::clone(adapter));
    let adapter = spoke.unwrap_or_else(|| Arc::clone(&target.adapter));
    let headers = response.headers_mut();
    insert(headers, "x-weir-provider", &target.label);
    insert(headers, "x-weir-model", target.model(asked.model()));
    insert(headers, "x-weir-attempts", "1");
    insert(headers, "x-weir-adapter", &format!("{}@{}", adapter.name, adapter.digest.short()));
    insert(headers, "x-weir-overhead-ms", &format!("{:.3}", overhead.as_secs_f64() * 1000.0));
}
