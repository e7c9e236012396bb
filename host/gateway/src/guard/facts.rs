//! The facts of an exchange, which every guard may know.

use super::Guard;
use crate::auth::{Caller, StoredCaller};
use weir_sandbox::guard::Facts;

/// The facts that are the same for all guards of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeFacts<'a> {
    /// The id that the answer's header and the log lines have.
    pub request_id: &'a str,
    /// When the exchange began: milliseconds since the Unix epoch.
    pub now_ms: f64,
    /// Who asks.
    pub caller: &'a Caller,
    /// The model, as the client named it.
    pub model: &'a str,
    /// The client's format.
    pub format: &'a str,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The request's input tokens, estimated.
    pub input_tokens: Option<u32>,
    /// The request's bytes. No guard gets them; they distinguish a guard's failures at different requests.
    pub size: usize,
    /// Pointers at the client's name for its end user, in the request's JSON.
    pub end_user: &'a [String],
}

impl ExchangeFacts<'_> {
    /// The facts as a guard gets them, with its own options.
    pub(super) fn shown_to(&self, guard: &Guard) -> Facts {
        Facts {
            request_id: self.request_id.to_owned(),
            now_ms: self.now_ms,
            client: client_of(self.caller).map(str::to_owned),
            team: team_of(self.caller).map(str::to_owned),
            model: self.model.to_owned(),
            format: self.format.to_owned(),
            stream: self.stream,
            input_tokens: self.input_tokens,
            options: guard.options.clone(),
            memo: String::new(),
        }
    }
}

/// The client's name in the configuration.
pub(super) fn client_of(caller: &Caller) -> Option<&str> {
    caller.client.as_ref().map(|client| &*client.name)
}

/// The team of a configured client, or of the owner of a key in the store.
pub(super) fn team_of(caller: &Caller) -> Option<&str> {
    let own = caller.client.as_ref().and_then(|client| client.team.as_deref());
    own.or_else(|| caller.stored.as_deref().and_then(StoredCaller::team))
}
