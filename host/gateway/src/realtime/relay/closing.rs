//! The end of a session: both sides get the reason, what is open is cancelled, and the session is accounted for.

use tokio::time::timeout;

use super::Relay;
use crate::accounting::Account;
use crate::realtime::ending::{Ending, Outcome};
use crate::realtime::wire::{CLOSE_TIMEOUT, Inlet};
use weir_realtime::{Event, Opcode, Side};

impl Relay {
    /// Ends the session: both sides get the reason, and some time to answer.
    pub(super) async fn end(&self, ending: Ending, mut client: Inlet, mut provider: Inlet, mut account: Box<Account>) {
        let [to_client, to_provider] = ending.closes();
        let outcome = ending.outcome();
        if let Some(message) = self.unread.take() {
            let _late = timeout(CLOSE_TIMEOUT, self.on_provider_message(&message)).await;
        }
        if let Ending::Refused(fault) = &ending {
            account.record().into_iter().for_each(|record| record.failed(fault));
            let telling = async {
                let _gone = self.report(fault).await;
                self.cancel().await;
            };
            let _late = timeout(CLOSE_TIMEOUT, telling).await;
        }
        tracing::debug!(by = ending.by(), code = to_client.code, reason = to_client.reason, "session ended");
        self.place.sessions().closed(ending.by(), to_client.code);
        // A side that is gone gets no close frame.
        for (side, close) in [(Side::Client, to_client), (Side::Server, to_provider)] {
            let _gone = timeout(CLOSE_TIMEOUT, self.send(side, Opcode::Close, true, &close.payload())).await;
        }
        let client = self.await_close(&mut client, Side::Client, &ending);
        let provider = self.await_close(&mut provider, Side::Server, &ending);
        let _late = Box::pin(timeout(CLOSE_TIMEOUT, async { tokio::join!(client, provider) })).await;
        for side in [Side::Client, Side::Server] {
            let _gone = timeout(CLOSE_TIMEOUT, async { self.outlet(side).lock().await.shut().await }).await;
        }
        let used = {
            let mut responses = self.responses.lock().await;
            responses.end(outcome);
            responses.used()
        };
        account.record().into_iter().for_each(|record| record.session_used(used));
        match outcome {
            Outcome::Whole => account.complete(),
            Outcome::Broke(Side::Client) => account.fail_stream("client"),
            Outcome::Broke(Side::Server) => account.fail_stream("upstream"),
            Outcome::Left => {}
        }
    }

    /// Cancels what the provider works on.
    async fn cancel(&self) {
        if self.responses.lock().await.are_over() {
            return;
        }
        if let Some(cancel) = &self.context.tap.cancel {
            let _gone = self.to_provider.lock().await.send_text(cancel).await;
        }
    }

    /// Reads what a side still sends, until it has closed too. What the provider says of open responses counts.
    async fn await_close(&self, from: &mut Inlet, side: Side, ending: &Ending) {
        if ending.is_over_for(side) {
            return;
        }
        while let Ok(event) = from.next(&self.clock).await {
            match event {
                Event::Message(_, message) if side == Side::Server => _ = self.on_provider_message(&message).await,
                Event::Close(_) => return,
                Event::Message(..) | Event::Piece { .. } | Event::Ping(_) | Event::Pong => {}
            }
        }
    }
}
