//! Requests for ephemeral keys, which Weir answers itself. The client gets a key of Weir's that stands for the client's
//! own, so that a session with it takes the same path as any other. A provider's own ephemeral keys would let clients
//! bypass Weir.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::own_headers::put_limits;
use super::session::accepted;
use super::{Gateway, rights};
use crate::accounting::access::RequestRecord;
use crate::admission::{AdmissionPermit, not_allowed};
use crate::attempt::{InboundRequest, ReplyBody};
use crate::auth::Caller;
use crate::model_list;
use crate::realtime::NAME;
use crate::route::{Route, unknown_model};
use crate::serving::Serving;
use weir_identity::ephemeral::{EphemeralKey, MAX_CONFIGURATION, MAX_MODEL, SessionConfiguration};
use weir_realtime::CompiledSessionTap;
use weir_realtime::named::{Name, Named};
use weir_realtime::requests::RequestReader;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// The operation of endpoints for ephemeral keys, as manifests name it.
const OPERATION: &str = "realtime-secrets";
/// How long a key is valid by default, in seconds, and the shortest and longest time that a request may set.
const USUAL_SECONDS: i64 = 600;
const SECONDS: std::ops::RangeInclusive<i64> = 10..=7200;
/// The largest request.
const MAX_BODY: usize = 64 << 10;
/// Members that do not make a session a configured one by themselves.
const BARE: [&str; 3] = ["type", "model", "object"];
/// Members that are not part of a configuration: the key is bound to the model, by the client's name for it.
const NAMES: [&str; 2] = ["model", "object"];

#[derive(Debug, Deserialize)]
struct EphemeralKeyRequest {
    expires_after: Option<ExpiresAfter>,
    session: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct ExpiresAfter {
    seconds: Option<i64>,
}

/// Whether a face is one for ephemeral keys.
pub(super) fn is_for(endpoint: &Endpoint) -> bool {
    matches!(&endpoint.face.operation, Operation::Other(name) if name == OPERATION)
}

impl Gateway {
    /// Answers a request for an ephemeral key.
    pub(super) async fn issue_ephemeral(
        &self,
        serving: &Serving,
        inbound: &InboundRequest,
        permit: AdmissionPermit,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<Response<ReplyBody>, Fault> {
        let permit = match self.admission.admit_to_lists(&serving.config, &inbound.caller, permit).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.refuse_limited(&inbound.endpoint, &refused, &inbound.exchange.id, record)),
        };
        let issued = self.ephemeral(serving, inbound)?;
        let mut response = Response::new(ReplyBody::from(Bytes::from(issued.to_string())));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        put_limits(&mut response, &inbound.endpoint, &permit.limits(), None);
        Ok(response)
    }

    /// Makes an ephemeral key, as an answer shows it.
    fn ephemeral(&self, serving: &Serving, inbound: &InboundRequest) -> Result<Value, Fault> {
        let Some(stands_for) = inbound.caller.shown else {
            let message = "an ephemeral key stands for a client key, and this request has none: callers without a key and \
                           those with a token of an identity provider begin their sessions themselves";
            return Err(Fault::new(Side::Client, ErrorKind::Unsupported, message).with_code("no_client_key"));
        };
        rights::may_begin(&inbound.caller, NAME)?;
        let wanted = wanted(&inbound.body)?;
        let model = wanted.session.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| Fault::invalid("`session.model` must name a model").at("session.model"))?;
        if model.contains('\0') {
            return Err(Fault::invalid("a model's name has no such character").at("session.model"));
        }
        if model.len() > MAX_MODEL {
            return Err(Fault::invalid(format!("a model's name has at most {MAX_MODEL} bytes")).at("session.model"));
        }
        let meant = rights::meant(&inbound.caller, model)?;
        let Some(route) = serving.routes.find(&meant) else {
            let fault =
                unknown_model(model, serving.model_names(&inbound.caller), &model_list::list_for(serving, inbound));
            return Err(fault.at("session.model"));
        };
        let configuration = configuration(&wanted.session, &inbound.endpoint)?;
        let tap = configuration.as_ref().and_then(|_| configured_by(route, &inbound.endpoint));
        if let (Some(configuration), Some(tap)) = (&configuration, tap) {
            permit_models(&inbound.caller, tap, configuration)?;
        } else if configuration.is_some() {
            let message = format!(
                "sessions of the model `{}` take no configuration from a key: let `session` have `type` and `model` only, \
                 and configure the session by a message",
                route.alias
            );
            return Err(Fault::new(Side::Client, ErrorKind::Unsupported, message).at("session"));
        }
        let seconds = wanted.expires_after.and_then(|after| after.seconds).unwrap_or(USUAL_SECONDS);
        if !SECONDS.contains(&seconds) {
            let message = format!("`expires_after.seconds` must be {} to {}", SECONDS.start(), SECONDS.end());
            return Err(Fault::invalid(message).at("expires_after.seconds"));
        }
        let expires = Timestamp::now().checked_add(SignedDuration::from_secs(seconds));
        let expires = expires.map_err(|_| Fault::internal("the clock is out of range"))?;
        let sealed = EphemeralKey { stands_for, model: model.to_owned(), expires, configuration };
        let text = self.seal.seal(&serving.config, &sealed);
        let text = text.ok_or_else(|| Fault::internal("an ephemeral key could not be made"))?;
        Ok(json!({"value": text.expose(), "expires_at": expires.as_second(), "session": wanted.session}))
    }
}

/// The configuration of a session; `None` if it has nothing but names.
fn configuration(session: &Map<String, Value>, endpoint: &Endpoint) -> Result<Option<SessionConfiguration>, Fault> {
    if session.keys().all(|name| BARE.contains(&name.as_str())) {
        return Ok(None);
    }
    let kept = session.iter().filter(|(name, _)| !NAMES.contains(&name.as_str()));
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let json = Value::Object(kept).to_string();
    if json.len() > MAX_CONFIGURATION {
        let message = format!(
            "the configuration of an ephemeral key's session has at most {MAX_CONFIGURATION} bytes, since the key carries \
             it: send the rest by a message of the session"
        );
        return Err(Fault::new(Side::Client, ErrorKind::TooLarge, message).at("session"));
    }
    Ok(Some(SessionConfiguration::new(endpoint.format(), &json)))
}

/// The tap for the messages of a session, from a target of this route that takes configured sessions of the face's
/// format; `None` if there is none.
fn configured_by<'r>(route: &'r Route, endpoint: &Endpoint) -> Option<&'r CompiledSessionTap> {
    let taps = route.targets.iter().flatten().filter_map(|target| accepted(endpoint, target));
    taps.map(|(_, tap)| &**tap).find(|tap| tap.takes_configuration())
}

/// Refuses a configuration that names a model which the caller may not use. The other limits are checked when the
/// session begins.
fn permit_models(caller: &Caller, tap: &CompiledSessionTap, configured: &SessionConfiguration) -> Result<(), Fault> {
    let message = tap.configuring(&configured.json).unwrap_or_default();
    let read = RequestReader::default().read(&tap.requests, message.as_bytes(), true);
    let read = read.map_err(|error| Fault::invalid(error.to_string()).at("session"))?;
    let denied = |name: &Name| {
        let model = name.name.as_deref().filter(|model| !caller.may_use(model))?;
        (name.named == Named::FurtherModel).then(|| not_allowed(caller, model).at(name.member()))
    };
    read.names.iter().find_map(denied).map_or(Ok(()), Err)
}

fn wanted(body: &[Bytes]) -> Result<EphemeralKeyRequest, Fault> {
    if body.iter().map(Bytes::len).sum::<usize>() > MAX_BODY {
        let message = format!("a request for an ephemeral key has at most {MAX_BODY} bytes");
        return Err(Fault::new(Side::Client, ErrorKind::TooLarge, message));
    }
    serde_json::from_slice(&body.concat()).map_err(|error| Fault::invalid(format!("the body does not fit: {error}")))
}
