//! Sends one request to the provider, and reads the answer with the provider's adapter.

use std::pin::pin;
use std::time::SystemTime;

use bytes::Bytes;
use http::header;
use http_body::Body as _;

use super::super::failure::wait_for_limits;
use super::super::send::{fault_of, refuse_redirect, response_of, send, upstream_fault};
use super::whole::{TooLong, WholeBody};
use super::{Run, called, unreadable};
use crate::accounting::Account;
use crate::admission::budgets::DEFAULT_OUTPUT;
use weir_buffers::Held;
use weir_translate::unified;
use weir_translate::unified::Outcome;
use weir_types::contract::types::{ErrorKind, Framing, HttpResponse};
use weir_types::fault::Fault;
use weir_types::stage;
use weir_upstream::{DecodeBound, Decoded, UpstreamRequest, UpstreamResponse};
use weir_wire::frame;

/// The most bytes of an error's body that are read.
const ERROR_BODY: usize = 256 * 1024;

/// The result of one request.
pub(super) enum Step {
    Stream(UpstreamResponse, Framing),
    Read(Box<Outcome>),
}

impl Run<'_> {
    /// Sends one request and reads its answer, unless that is a stream.
    pub(super) async fn step(
        &mut self,
        request: UpstreamRequest<'_>,
        streams: bool,
        account: &mut Account,
    ) -> Result<Step, Fault> {
        let response = pin!(self.send(request, account)).await?;
        match self.framing_of(&response, streams) {
            Some(framing) => Ok(Step::Stream(response, framing)),
            None => pin!(self.read(response, account)).await.map(|outcome| Step::Read(Box::new(outcome))),
        }
    }

    /// Sends one request. The provider's adapter parses a refusal.
    async fn send(&mut self, request: UpstreamRequest<'_>, account: &mut Account) -> Result<UpstreamResponse, Fault> {
        let target = self.target;
        let response = pin!(send(self.context, target, request, account)).await?;
        refuse_redirect(false, &response, target)?;
        account.limited(target.limits.read(&response.headers, SystemTime::now()));
        if response.status.as_u16() < 400 {
            return Ok(response);
        }
        let (status, headers) = (response.status, response.headers.clone());
        let http = Box::pin(self.collected(response, ERROR_BODY)).await?;
        let parse = || self.provider.parse_error(&self.provider_ctx, &http);
        let error = called(account, &target.adapter, "parse-error", parse);
        let mut error = error.map_err(|fault| unified::blame(&fault))?;
        // Clients act on these two kinds by the code of their own format: they shorten the conversation, or wait.
        if matches!(error.kind, ErrorKind::ContextLength | ErrorKind::RateLimited) {
            error.code = None;
        }
        wait_for_limits(&mut error, target, &headers);
        Err(upstream_fault(error, status, target, account))
    }

    async fn read(&mut self, response: UpstreamResponse, account: &mut Account) -> Result<Outcome, Fault> {
        let http = pin!(self.collected(response, self.context.config.server.translate_body_limit)).await?;
        stage::begin().await;
        let parse = || unified::parse_answer(&mut self.provider, self.inbound.operation(), &self.provider_ctx, &http);
        let outcome = called(account, &self.target.adapter, "parse-response", parse);
        if let Err(fault) = &outcome
            && unreadable::is_unreadable(fault, &http)
        {
            account.unreadable(unreadable::output(&http.body, self.most_output()));
        }
        outcome
    }

    /// The most tokens of output that the answer may have, as budgets reserve them.
    fn most_output(&self) -> u64 {
        let (inbound, target) = (self.inbound, self.target);
        let of_model = || target.capabilities_of(inbound.model()).output.unwrap_or(DEFAULT_OUTPUT);
        inbound.peek.output_limit.unwrap_or_else(of_model).saturating_mul(inbound.peek.candidates)
    }

    async fn collected(&mut self, response: UpstreamResponse, limit: usize) -> Result<HttpResponse, Fault> {
        let (status, headers) = (response.status, self.target.read_headers.texts(&response.headers));
        let body = pin!(self.read_whole(response, limit)).await?;
        Ok(response_of(status, headers, &body))
    }

    /// Reads and decodes a whole body.
    pub(super) async fn read_whole(&mut self, response: UpstreamResponse, limit: usize) -> Result<Bytes, Fault> {
        read_whole(response, limit, self.decode_bound(), &mut self.held).await
    }

    /// The framing of an answer that is the requested stream; `None` for a whole answer.
    fn framing_of(&self, response: &UpstreamResponse, streams: bool) -> Option<Framing> {
        if !streams {
            return None;
        }
        let kind = response.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match frame::from_content_type(kind) {
            // A whole answer instead of a stream also has this content type, so the adapter decides.
            Some(Framing::JsonArray) => self.framing.filter(|framing| *framing == Framing::JsonArray),
            Some(framing) => Some(framing),
            None => Some(self.framing.unwrap_or(Framing::Sse)),
        }
    }
}

/// Reads and decodes a whole body. Holds its bytes.
pub(super) async fn read_whole(
    response: UpstreamResponse,
    limit: usize,
    bound: DecodeBound,
    held: &mut Held,
) -> Result<Bytes, Fault> {
    let UpstreamResponse { headers, body, .. } = response;
    let mut body = Decoded::new(&headers, body, bound).map_err(|error| fault_of(&error))?;
    if body.size_hint().lower() > limit as u64 {
        return Err(fault_of(&body.is_too_large()));
    }
    let mut whole = WholeBody::default();
    while let Some(piece) = body.next_piece().await.map_err(|error| fault_of(&error))? {
        held.grow(piece.len()).await?;
        whole.push(piece, limit).map_err(|TooLong| fault_of(&body.is_too_large()))?;
    }
    Ok(whole.finish())
}
