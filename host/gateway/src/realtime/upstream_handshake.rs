//! Asks one target for a session.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response};

use crate::accept::{Acceptance, Filling};
use crate::accounting::Account;
use crate::attempt::{by_status, fault_of, refused_credential, wait_for_limits};
use crate::route::Target;
use weir_types::contract::types::ErrorKind;
use weir_types::exchange::TRACE_HEADERS;
use weir_types::fault::{Fault, Side};
use weir_upstream::{Chunks, SessionAnswer, UpstreamRequest, UpstreamSession, Upstreams};

/// The most characters of a provider's refusal that a message repeats.
const SHOWN: usize = 300;

/// What a client's handshake asks of a provider.
#[derive(Debug)]
pub(crate) struct UpstreamHandshake<'a> {
    /// The model as the client names it.
    pub(crate) model: &'a str,
    /// The client's query, without its credentials.
    pub(crate) query: &'a str,
    /// The client's headers, without its credentials.
    pub(crate) headers: &'a HeaderMap,
    /// The subprotocols that it offers, without its credentials.
    pub(crate) protocols: &'a [&'a str],
}

impl UpstreamHandshake<'_> {
    /// Asks a target for a session, and records the attempt.
    pub(crate) async fn send(
        &self,
        upstreams: &Upstreams,
        target: &Arc<Target>,
        acceptance: &Acceptance,
        account: &mut Account,
    ) -> Result<UpstreamSession, Fault> {
        let mut request = self.request(target, acceptance)?;
        account.attempt().mark(&mut request.headers);
        let begun = Instant::now();
        let answer = upstreams.open_session(request, &self.protocols(acceptance)).await;
        account.attempted(&target.label, begun, begun.elapsed());
        match answer {
            Ok(SessionAnswer::Granted(session)) => Ok(*session),
            Ok(SessionAnswer::Refused(answer)) => Err(refusal(&answer, target, account)),
            Err(error) => {
                account.failed_upstream(&target.label, error.kind.name());
                tracing::warn!(provider = %target.label, %error, "request to the provider failed");
                Err(fault_of(&error))
            }
        }
    }

    fn request<'t>(&'t self, target: &'t Target, acceptance: &Acceptance) -> Result<UpstreamRequest<'t>, Fault> {
        let model = target.model(self.model);
        let option = |name: &str| target.option(name);
        let filling = Filling { model, id: "", option: &option };
        let query = acceptance.query(self.query, &filling, true);
        let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let path = acceptance.path(&filling, true);
        let address = match path.strip_prefix('/') {
            Some(path) => target.base.join_at_origin(path, pairs),
            None => target.base.join(&path, pairs),
        };
        Ok(UpstreamRequest {
            method: Method::GET,
            address: address.map_err(|error| Fault::invalid(error.to_string()))?,
            headers: self.headers(acceptance, &filling),
            body: Chunks::empty(),
            timeouts: target.timeouts,
            credential: target.credential.as_ref(),
            stream: true,
            model,
            grpc: None,
            hand_over: None,
        })
    }

    /// The subprotocols that go on. One of the form `NAME.VALUE` stands for a header, for programs in browsers, which
    /// can set none; it goes on where the header would, so that no client chooses, say, an organisation of the
    /// operator's.
    fn protocols(&self, acceptance: &Acceptance) -> Vec<&str> {
        let passes = |protocol: &str| match protocol.split_once('.') {
            None => true,
            Some((name, _)) => name.parse().is_ok_and(|name| acceptance.request_headers.passes(&name)),
        };
        self.protocols.iter().copied().filter(|protocol| passes(protocol)).collect()
    }

    fn headers(&self, acceptance: &Acceptance, filling: &Filling<'_>) -> HeaderMap {
        let mut to = HeaderMap::with_capacity(8);
        for name in &TRACE_HEADERS {
            if let Some(value) = self.headers.get(name) {
                to.insert(name, value.clone());
            }
        }
        acceptance.request_headers.forward(self.headers, &mut to);
        for (name, value) in acceptance.set_headers(filling) {
            to.entry(name.clone()).or_insert(value);
        }
        let own = HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION")));
        to.entry(header::USER_AGENT).or_insert(own);
        to
    }
}

/// The fault for a provider that grants no session.
fn refusal(answer: &Response<Bytes>, target: &Target, account: &Account) -> Fault {
    let mut error = by_status(answer.status(), answer.headers());
    // Whatever it is, it is no session.
    if answer.status().as_u16() < 400 {
        error.kind = ErrorKind::Upstream;
    }
    wait_for_limits(&mut error, target, answer.headers());
    account.failed_upstream(&target.label, weir_types::fault::error_kind_name(error.kind));
    if error.kind == ErrorKind::Authentication {
        tracing::error!(provider = %target.label, key = target.key, "the provider refuses the configured credential");
        return refused_credential();
    }
    let text = String::from_utf8_lossy(answer.body());
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    let number = answer.status().as_u16();
    error.message = format!("the provider grants no session ({number}): {}", shown.trim());
    target.hide_keys(&mut error.message);
    error.status = Some(if error.kind == ErrorKind::Upstream { 502 } else { number });
    Fault::from_error(Side::Upstream, error)
}
