//! The path of a session: recognise, identify, admit, route, ask a provider for it, and hand the connection over to it.
//!
//! Where the handshake names the model, the provider is asked before the client gets its answer. Where the first
//! message names it, the client's handshake is granted first.

mod asking;
mod handshake;
mod later;
mod pending;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use self::handshake::PendingUpgrade;
pub(super) use self::pending::accepted;
use self::pending::{GrantedSession, PendingSession, SessionRefusal};
use super::own_headers::{forbid_retry, put_limits};
use super::recognise::EndpointCall;
use super::{Gateway, TracedRequest, fault_response, rights};
use crate::accounting::access::RequestRecord;
use crate::admission::AdmissionPermit;
use crate::attempt::ReplyBody;
use crate::auth::Caller;
use crate::observe::log::current;
use crate::provenance::Carried;
use crate::realtime::{NAME, SessionOwner, SessionPlace};
use crate::serving::Serving;
use weir_identity::ephemeral::EphemeralKey;
use weir_server::Peer;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_translate::dialect::reply::insert;
use weir_types::contract::about::Operation;
use weir_types::fault::Fault;
use weir_types::headers;

/// After how long to come back if there are too many sessions.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Whether a face is one of sessions.
pub(super) fn is_for(endpoint: &Endpoint) -> bool {
    endpoint.face.operation == Operation::Realtime
}

impl Gateway {
    /// Identifies, admits and routes a client that asks for a session, and opens it at a provider.
    pub(super) async fn begin_session(
        &self,
        serving: &Arc<Serving>,
        begun: TracedRequest<'_>,
        head: Parts,
        called: EndpointCall,
    ) -> Result<Response<ReplyBody>, Fault> {
        let TracedRequest { exchange, span, record } = begun;
        let endpoint = called.endpoint;
        let (caller, shown) = self.identified_for_session(serving, &endpoint, &head).await?;
        if let Some(record) = record.as_mut() {
            record.set_caller(&caller);
        }
        rights::may_begin(&caller, NAME)?;
        let held = self.buffers.begin(caller.number(), head.extensions.get::<Peer>().map(|peer| peer.buffers.clone()));
        let (handshake, pending) = handshake::read(serving, &endpoint, head)?;
        let permit = match self.admission.admit_caller(&serving.config, &caller).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.refuse_limited(&endpoint, &refused, &exchange.id, record)),
        };
        let settings = &serving.config.realtime;
        let place = self.sessions.enter(settings.max_sessions, SessionOwner::of(&caller, settings));
        let place = place.ok_or_else(too_many)?;
        let session = PendingSession {
            serving: Arc::clone(serving),
            current: Arc::clone(&self.serving),
            stored_keys: Arc::clone(&self.stored_keys),
            upstreams: self.upstreams.clone(),
            metrics: Arc::clone(&self.metrics),
            admission: Arc::clone(&self.admission),
            health: Arc::clone(&self.health),
            log: self.log.get().cloned(),
            id: Arc::clone(&exchange.id),
            exchange,
            endpoint,
            caller,
            shown,
            handshake,
            span: span.clone(),
            held,
            owners: Arc::clone(self.reasoning_cache.owners()),
            provenance: Arc::clone(self.reasoning_cache.provenance()),
        };
        let id = Arc::clone(&session.id);
        let Some(model) = session.handshake.model.clone() else {
            return Ok(self.begin_unnamed_session(session, permit, place, pending, record).await);
        };
        if let Some(record) = record.as_mut() {
            record.set_model(Some(&model));
        }
        let opened = match session.open(&model, &Carried::default(), permit, record).await {
            Ok(opened) => opened,
            Err(refusal) => return self.refuse_session(&session.endpoint, refusal, &id, record),
        };
        let response = session.answer(&opened);
        let PendingUpgrade { connection, upgrade } = pending;
        let session = opened.session(place, upgrade.leaving());
        upgrade.go_on(current::within(id, session.begin(connection)));
        Ok(response)
    }

    /// Answers a handshake whose session is not opened.
    fn refuse_session(
        &self,
        endpoint: &Endpoint,
        refusal: SessionRefusal,
        id: &str,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<Response<ReplyBody>, Fault> {
        match refusal {
            SessionRefusal::Fault(fault) => Err(fault),
            SessionRefusal::Refused(refused) => Ok(self.refuse_limited(endpoint, &refused, id, record)),
            SessionRefusal::Tried(fault, account, limits) => {
                let mut response = fault_response(endpoint.errors.as_deref(), &fault, id);
                forbid_retry(&mut response, &fault);
                put_limits(&mut response, endpoint, &limits, None);
                Ok(response.map(|body| body.attach(account)))
            }
        }
    }

    /// Grants the handshake of a session whose first message names the model.
    async fn begin_unnamed_session(
        &self,
        session: PendingSession,
        permit: AdmissionPermit,
        place: SessionPlace,
        pending: PendingUpgrade,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Response<ReplyBody> {
        let id = Arc::clone(&session.id);
        let permit = match session.admit(permit).await {
            Ok(permit) => permit,
            Err(refused) => return self.refuse_limited(&session.endpoint, &refused, &id, record),
        };
        let headers = session.handshake.grant(None);
        let PendingUpgrade { connection, upgrade } = pending;
        let work = session.later(permit, record.take(), place, connection, upgrade.leaving());
        upgrade.go_on(current::within(id, work));
        granted(headers)
    }
}

impl Gateway {
    /// The caller of a handshake, and its ephemeral key, if it shows one.
    async fn identified_for_session(
        &self,
        serving: &Serving,
        endpoint: &Endpoint,
        head: &Parts,
    ) -> Result<(Caller, Option<EphemeralKey>), Fault> {
        let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
        let address = head.extensions.get::<Peer>().map(|peer| peer.address);
        match self.seal.caller(&serving.config, &self.stored_keys, endpoint, &about, address) {
            None => Ok((self.identified(serving, endpoint, head).await?, None)),
            Some(Ok((caller, key))) => Ok((caller, Some(key))),
            Some(Err(denied)) if denied.is_a_guess() => Err(self.wrong_keys.judge(denied.into(), address).await),
            Some(Err(denied)) => Err(denied.into()),
        }
    }
}

impl PendingSession {
    /// The answer that grants a session, with the provider's headers.
    fn answer(&self, opened: &GrantedSession) -> Response<ReplyBody> {
        let mut headers = opened.headers.clone();
        headers.extend(self.handshake.grant(opened.protocol()));
        let mut response = granted(headers);
        put_limits(&mut response, &self.endpoint, &opened.limits, None);
        if self.serving.config.server.diagnostic_headers {
            let (to, target) = (response.headers_mut(), &opened.target);
            insert(to, &headers::PROVIDER, &target.label);
            insert(to, &headers::MODEL, target.model(&opened.model));
            insert(to, &headers::ADAPTER, &target.adapter.label);
            insert(to, &headers::LANE, "relay");
            insert(to, &headers::ATTEMPTS, &opened.attempts());
        }
        response
    }
}

fn granted(headers: HeaderMap) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::from(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}

fn too_many() -> Fault {
    let message = "too many sessions are open (`realtime.max_sessions`, `max_sessions_of_client`): close one, or try again \
                   later";
    Fault::overloaded(message, RETRY_AFTER)
}
