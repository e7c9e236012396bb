//! What a client's handshake asks for, without its credentials.

use http::HeaderMap;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

use crate::auth::Caller;
use crate::serving::Serving;
use weir_realtime::handshake::{self, HandshakeError, UpgradeRequest};
use weir_server::Upgrade;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_types::contract::about::{CredentialPlace, ModelPlace};
use weir_types::fault::Fault;
use weir_types::headers;

/// What a client asks for before both sides exchange messages.
#[derive(Debug)]
pub(super) struct ClientHandshake {
    asked: UpgradeRequest,
    /// The model that it names; `None` where the first message does.
    pub(super) model: Option<String>,
    /// The query, without credentials.
    pub(super) query: String,
    /// The headers, without credentials.
    pub(super) headers: HeaderMap,
    /// The subprotocols that it offers, without credentials.
    pub(super) protocols: Vec<String>,
}

/// The client's connection, once the handshake is answered.
#[derive(Debug)]
pub(super) struct PendingUpgrade {
    pub(super) connection: OnUpgrade,
    pub(super) upgrade: Upgrade,
}

impl ClientHandshake {
    /// The headers that grant the session. A program in a browser gives up if none of the subprotocols that it offered
    /// is chosen.
    pub(super) fn grant(&self, chosen: Option<&str>) -> HeaderMap {
        handshake::grant(&self.asked, chosen.or(self.protocols.first().map(String::as_str)))
    }

    /// The provider that the client chooses, if it may.
    pub(super) fn target(&self, serving: &Serving, caller: &Caller) -> Option<&str> {
        let chosen = self.headers.get(&headers::TARGET)?.to_str().ok()?;
        (serving.config.server.target_header || caller.may_choose()).then_some(chosen)
    }
}

/// Reads a handshake.
pub(super) fn read(
    serving: &Serving,
    endpoint: &Endpoint,
    mut head: Parts,
) -> Result<(ClientHandshake, PendingUpgrade), Fault> {
    let mut asked = handshake::asked(&head.method, head.version, &head.headers).map_err(no_session)?;
    let (connection, upgrade) = (head.extensions.remove(), head.extensions.remove());
    let (Some(connection), Some(upgrade)) = (connection, upgrade) else {
        return Err(no_session(HandshakeError::NoUpgrade));
    };
    let query = head.uri.query().unwrap_or_default();
    let model = model(endpoint, &Head { headers: &head.headers, query })?;
    let is_credential = |protocol: &str| {
        let mut places = serving.endpoints.all().iter().flat_map(|endpoint| &endpoint.face.credentials);
        places.any(|place| matches!(place, CredentialPlace::Subprotocol(front) if protocol.starts_with(front.as_str())))
    };
    let mut protocols = std::mem::take(&mut asked.protocols);
    protocols.retain(|protocol| !is_credential(protocol));
    let named = &serving.config.server.key_headers;
    let (headers, query) = serving.endpoints.without_credentials(&endpoint.adapter, named, head.headers, query);
    Ok((ClientHandshake { asked, model, query, headers, protocols }, PendingUpgrade { connection, upgrade }))
}

/// The model's name, from the query, unless the first message has it.
fn model(endpoint: &Endpoint, head: &Head<'_>) -> Result<Option<String>, Fault> {
    let places = endpoint.face.model.iter().filter_map(|place| match place {
        ModelPlace::Query(name) => Some(name.as_str()),
        _ => None,
    });
    for name in places {
        if let Some(model) = head.query(name).filter(|model| !model.is_empty()) {
            return Ok(Some(model));
        }
    }
    if endpoint.face.model.iter().all(|place| matches!(place, ModelPlace::Message(_))) {
        return Ok(None);
    }
    Err(Fault::invalid("the handshake does not name a model in its query, such as `?model=...`").at("model"))
}

fn no_session(error: HandshakeError) -> Fault {
    let status = match error {
        HandshakeError::NoUpgrade | HandshakeError::Version | HandshakeError::Protocol => 426,
        HandshakeError::Key => 400,
    };
    Fault::invalid(error.to_string()).with_status(status).with_code("websocket_handshake")
}
