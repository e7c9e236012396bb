//! Sessions whose first message names the model: the client's handshake is granted, and the provider is asked once the
//! message is there. What is refused then is reported by a close frame.

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;

use super::super::refusal::{note_fault, note_refusal};
use super::pending::{GrantedSession, PendingSession, SessionRefusal};
use crate::accounting::access::RequestRecord;
use crate::admission::AdmissionPermit;
use crate::dialect::request_peek::ObjectPlaces;
use crate::provenance::{self, Carried};
use crate::realtime::{ClientEnd, FirstMessage, ReadBounds, SessionPlace};
use weir_realtime::first::{self, LaterMessages};
use weir_realtime::{Close, Kind};
use weir_server::Leaving;
use weir_translate::dialect::reply::usual_status;
use weir_types::contract::about::{BodyKind, Face, ModelPlace, ModelPointer};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::Fault;

impl PendingSession {
    /// Waits for the first message, opens the session for the model that it names, and passes the session's messages
    /// on. A client that is refused has its stream back when the refusal reaches it, though its connection may last a
    /// little longer.
    pub(super) async fn later(
        self,
        permit: AdmissionPermit,
        mut record: Option<Box<RequestRecord>>,
        place: SessionPlace,
        upgrade: OnUpgrade,
        mut leaving: Leaving,
    ) {
        let config = &self.serving.config;
        let (most, whole) = (config.realtime.max_message_bytes, config.server.body_timeout);
        let reading = ReadBounds { most, whole, held: self.held.beside() };
        let ends = ClientEnd::take(upgrade, reading, config.server.send_timeout).await;
        let Some(mut client) = ends else { return };
        let first = tokio::select! {
            first = timeout(config.server.header_timeout, client.first()) => first,
            () = leaving.wait() => return client.leave(&Close::new(Close::RESTART, "the gateway restarts")).await,
        };
        let opened = match first {
            Ok(Ok((kind, message))) => Box::pin(self.open_for(kind, message, permit, &mut record)).await,
            Ok(Err(close)) => {
                drop(permit);
                return client.leave(&close).await;
            }
            Err(_) => {
                drop(permit);
                Err(SessionRefusal::Fault(Fault::invalid(
                    "the first message did not arrive in time: send it as soon as the session is open",
                )))
            }
        };
        match opened {
            Ok((opened, first)) => Box::pin(opened.session(place, leaving).run(client, Some(first))).await,
            Err(refusal) => {
                let close = self.refuse(refusal, &mut record);
                client.leave(&close).await;
            }
        }
    }

    /// Opens the session for the model that a message names; the message then has the provider's name for it.
    async fn open_for(
        &self,
        kind: Kind,
        message: Bytes,
        permit: AdmissionPermit,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<(GrantedSession, FirstMessage), SessionRefusal> {
        let place = self.place_of_model().ok_or_else(|| Fault::internal("the endpoint has no place for a model"))?;
        let unnamed = |error: first::FirstMessageError| {
            let message = format!("the first message names no model: {error}");
            Fault::invalid(message).at(place.pointer.trim_start_matches('/'))
        };
        let named = first::model(&message, &place.pointer, &place.prefix).map_err(unnamed)?;
        let later = LaterMessages::new(&place.pointer).map_err(unnamed)?;
        if let Some(record) = record.as_mut() {
            record.set_model(Some(&named.name));
        }
        let opened = self.open(&named.name, &self.carried(&message), permit, record).await?;
        let message = named.renamed(&message, opened.target.model(&opened.model));
        Ok((opened, FirstMessage { kind, message, later }))
    }

    /// What the first message names of what a provider made, such as the session that is to go on.
    fn carried(&self, message: &Bytes) -> Carried {
        let mut carried = Carried::default();
        let face = Face { body: BodyKind::Json, ..self.endpoint.face.clone() };
        if let Some(places) = ObjectPlaces::new(&face).filter(|_| self.provenance.has(provenance::Kind::Object)) {
            let named = places.read(std::slice::from_ref(message), None);
            carried.names(&self.provenance, &self.caller.tenant, named.all());
        }
        carried
    }

    /// Accounts for a session that is not opened, and returns the close for its client.
    fn refuse(&self, refusal: SessionRefusal, record: &mut Option<Box<RequestRecord>>) -> Close {
        let fault = match refusal {
            SessionRefusal::Fault(fault) => fault,
            SessionRefusal::Refused(refused) => refused.fault,
            SessionRefusal::Tried(fault, mut account, _) => {
                account.complete();
                return close_for(&fault);
            }
        };
        note_fault(&fault, &self.id);
        note_refusal(&self.metrics, &fault, record);
        if let Some(record) = record.as_mut() {
            record.finish_own_answer(fault.error.status.unwrap_or_else(|| usual_status(fault.error.kind)), 0);
        }
        close_for(&fault)
    }

    fn place_of_model(&self) -> Option<&ModelPointer> {
        self.endpoint.face.model.iter().find_map(|place| match place {
            ModelPlace::Message(place) => Some(place),
            _ => None,
        })
    }
}

/// How a session ends that is not opened.
fn close_for(fault: &Fault) -> Close {
    let code = match fault.error.kind {
        ErrorKind::Overloaded => Close::TRY_AGAIN,
        ErrorKind::Upstream | ErrorKind::Timeout => Close::BAD_GATEWAY,
        ErrorKind::Internal => Close::INTERNAL,
        _ => Close::POLICY,
    };
    Close::new(code, &fault.error.message)
}
