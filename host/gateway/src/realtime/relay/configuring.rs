//! Configures a session before the client's first message, as the client's ephemeral key says.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Relay, SessionContext};
use crate::provenance::OthersSearch;
use crate::realtime::ending::Ending;
use crate::realtime::responses::Verdict;
use weir_realtime::requests::RequestReader;
use weir_realtime::{Opcode, Side};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side as FaultSide};

/// Whether a session's configuration is still to be confirmed.
#[derive(Debug)]
pub(super) struct Confirmation {
    is_awaited: AtomicBool,
    arrived: Notify,
}

impl Confirmation {
    pub(super) fn new(is_awaited: bool) -> Self {
        Self { is_awaited: AtomicBool::new(is_awaited), arrived: Notify::new() }
    }
}

impl Relay {
    /// Sends the message that configures the session, and waits until the provider has confirmed it. What it adds to
    /// the next response must have room in the budgets, and what it names must be the caller's to name.
    pub(super) async fn configure(&self, message: String) -> Result<(), Ending> {
        let SessionContext { tap, names, .. } = &self.context;
        let message = Bytes::from(message);
        let read = RequestReader::default().read(&tap.requests, &message, true).map_err(Ending::Unread)?;
        let caller = self.caller_check.now().map_err(Ending::Refused)?;
        names.search(&caller.tenant, &mut OthersSearch::default(), &message, true).map_err(Ending::Refused)?;
        let message = names.review(&caller, &read.names, message, true).map_err(Ending::Refused)?;
        match self.responses.lock().await.sent(&message, true, false).await {
            Verdict::Pass => {}
            Verdict::Withhold(fault) | Verdict::End(fault) => return Err(Ending::Refused(fault)),
        }
        self.send(Side::Server, Opcode::Text, true, &message).await?;
        let confirmed = timeout(self.context.send_timeout, self.confirmation.arrived.notified());
        confirmed.await.map_err(|_| Ending::Silent(Side::Server))
    }

    /// Reads a message of the provider's while the configuration is to be confirmed. A session whose configuration is
    /// refused ends, since the client must not have one without it.
    pub(super) fn confirm(&self, message: &[u8]) -> Result<(), Ending> {
        let Confirmation { is_awaited, arrived } = &self.confirmation;
        if !is_awaited.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.context.tap.is_configured(message) {
            is_awaited.store(false, Ordering::Relaxed);
            arrived.notify_one();
        } else if self.context.tap.is_failure(message) {
            let reason = "the provider refused the configuration of the ephemeral key";
            return Err(Ending::Refused(Fault::new(FaultSide::Client, ErrorKind::InvalidRequest, reason)));
        }
        Ok(())
    }
}
