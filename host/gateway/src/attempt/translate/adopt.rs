//! Takes in a client's request, read by its dialect's adapter, or a program's as it is.

use super::super::Judged;
use super::super::client_request::BLOB_MIN;
use super::super::media;
use super::super::side::ClientSide;
use super::{Run, called};
use crate::accounting::Account;
use weir_sandbox::ChatEncoder;
use weir_translate::names::Names;
use weir_translate::unified;
use weir_translate::unified::{Parsed, Request};
use weir_types::fault::Fault;

impl Run<'_> {
    /// Reads the request, within a span of its adapter. A program's request is in the unified model already, and so is
    /// one that guards have seen: what they judged is what is sent.
    pub(super) fn parse_request(&mut self, account: &Account) -> Result<Parsed, Fault> {
        if let Some(copy) = self.context.judged.and_then(Judged::copy) {
            let limit = self.context.config.server.translate_body_limit;
            let (parsed, lifted) = copy.parsed(self.takes_blobs(), limit)?;
            self.lift(lifted);
            return Ok(parsed);
        }
        match &self.inbound.side {
            ClientSide::Dialect(adapter) => called(account, adapter, "parse-request", || self.parse()),
            ClientSide::Program { request, .. } => self.adopt(request),
        }
    }

    /// Takes a program's request as it is, with the large blobs taken out.
    fn adopt(&mut self, request: &Request) -> Result<Parsed, Fault> {
        let mut request = request.clone();
        if let (Request::Chat(chat) | Request::CountTokens(chat), true) = (&mut request, self.takes_blobs()) {
            media::lift(chat, BLOB_MIN, &mut self.lifted)?;
            self.provider_ctx.blobs = self.lifted.describe();
        }
        Ok(Parsed { request, losses: Vec::new(), memo: String::new(), names: Names::default() })
    }

    /// The dialect's encoder of a stream; none for a program, which takes the events.
    pub(super) fn encoder(&mut self) -> Result<Option<ChatEncoder>, Fault> {
        let encoder = self.dialect.take().map(|dialect| dialect.encoder(&self.dialect_ctx)).transpose();
        encoder.map_err(|fault| unified::blame(&fault))
    }
}
