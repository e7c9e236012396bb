//! A relayed request whose answer guards judge: it is sent as the client wrote it, and the answer is parsed beside its
//! bytes. If the guards let everything through, the client gets the provider's bytes, otherwise what the guards made of
//! the answer.

use std::pin::pin;
use std::sync::Arc;

use http::header::{self, HeaderMap};
use http::{Response, StatusCode};

use super::super::covered::ModelTexts;
use super::super::failure::Failure;
use super::super::judged_request::JudgedCopy;
use super::super::pipeline::Original;
use super::super::relay::{self, Relay};
use super::super::reply::ReplyBody;
use super::super::send::{fault_of, late_fault, response_of};
use super::super::translated_body::{Translated, prime};
use super::super::translated_headers::stream_headers;
use super::super::versions::Versions;
use super::super::{InboundRequest, Judged, RequestContext, Values};
use super::{Run, called, guarded, screened};
use crate::accept::Acceptance;
use crate::accounting::Account;
use crate::admission::AdmissionPermit;
use crate::route::Target;
use weir_sandbox::{Interface, Lease};
use weir_translate::dialect::reply::response as reply_with;
use weir_translate::unified;
use weir_translate::unified::{Answer, Outcome};
use weir_types::contract::types::Framing;
use weir_types::fault::Fault;
use weir_types::stage;
use weir_upstream::{Decoded, UpstreamResponse};

/// Whether the answer of a relaying target can be parsed: the target's adapter has the client's format as its own.
pub(in super::super) fn can_read(inbound: &InboundRequest, target: &Target) -> bool {
    let format = inbound.endpoint.format();
    inbound.side.has(Interface::DialectChat)
        && target.adapter.has(Interface::ProviderChat)
        && target.format_for(format, inbound.operation()) == format
        && target.adapter.manifest.formats.iter().any(|one| one.id == format)
}

/// Sends the client's bytes, and has guards judge the answer.
pub(in super::super) async fn relay_judged(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    acceptance: &Acceptance,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    if !inbound.peek.stream
        && let Some(judged) = context.judged
        && let Some(screens) = judged.answer_screens(&inbound.caller.tenant).await
    {
        return Box::pin(screened::relay(context, inbound, target, acceptance, &screens, account)).await;
    }
    let versions = Versions::choose(inbound, target);
    versions.note(inbound, target, account);
    let Some(run) = pin!(Run::to_judge(context, inbound, target, &versions, account)).await? else {
        return pin!(relay::relay(context, inbound, target, acceptance, account)).await;
    };
    let (response, asks_usage) =
        pin!(relay::send_unchanged(context, inbound, target, acceptance, true, account)).await?;
    let lane = Relay { context, inbound, acceptance, asks_usage };
    if response.status.as_u16() >= 400 {
        return Err(Box::pin(relay::refused(lane, target, response, account)).await);
    }
    let framing = relay::stream_framing(inbound.peek.stream, inbound.framing, response.status, &response.headers);
    let answer = match framing {
        Some(framing) => pin!(run.stream_unchanged(lane, framing, response, account)).await,
        None => pin!(run.answer_unchanged(lane, response, account)).await,
    };
    let answer = answer.map_err(|fault| late_fault(fault, target));
    if let Err(fault) = &answer {
        versions.note_failure(fault);
    }
    Ok(answer?)
}

impl<'a> Run<'a> {
    /// Leases the adapters and guards that read and judge an answer. `None` if no guard that judges answers is
    /// available, and their failures let answers pass.
    pub(super) async fn to_judge(
        context: RequestContext<'a>,
        inbound: &'a InboundRequest,
        target: &'a Arc<Target>,
        versions: &Versions,
        account: &mut Account,
    ) -> Result<Option<Self>, Fault> {
        let leased = pin!(versions.lease(&inbound.caller.tenant)).await;
        let (dialect, provider) = leased.map_err(|fault| unified::blame(&fault))?;
        let mut run = Self::new(context, inbound, target, dialect, provider);
        run.understand(account).await?;
        if run.guards.is_none() {
            account.set_trial(None);
            run.dialect.into_iter().for_each(Lease::release);
            run.provider.release();
            return Ok(None);
        }
        Ok(Some(run))
    }

    /// Reads the request as far as writing an answer to it requires, and leases the guards.
    async fn understand(&mut self, account: &Account) -> Result<(), Fault> {
        self.values = Values::All;
        self.make_room().await?;
        // The request that guards have seen is not copied: an answer needs only the memo and the names beside it.
        if let Some((request, memo, names)) =
            self.context.judged.and_then(Judged::copy).and_then(JudgedCopy::for_answer)
        {
            memo.clone_into(&mut self.dialect_ctx.memo);
            self.names = names.clone();
            self.estimate(request);
        } else {
            let parsed = self.parse_request(account)?;
            self.dialect_ctx.memo = parsed.memo;
            self.names = parsed.names;
            self.estimate(&parsed.request);
        }
        self.guards = pin!(guarded::answer_guards(self.context, self.inbound)).await?;
        Ok(())
    }

    /// Answers with the provider's stream, as long as guards let it through.
    async fn stream_unchanged(
        self,
        lane: Relay<'_>,
        framing: Framing,
        response: UpstreamResponse,
        account: &mut Account,
    ) -> Result<Response<ReplyBody>, Fault> {
        let (bound, inbound) = (self.decode_bound(), self.inbound);
        let UpstreamResponse { status, mut headers, body } = response;
        let mut upstream = Decoded::new(&headers, body, bound).map_err(|error| fault_of(&error))?;
        let withhold = lane.withhold(framing, &headers);
        headers.remove(header::CONTENT_ENCODING);
        // The encoder could not continue a stream of another framing.
        let is_watched = self.only_watched();
        let original = (framing == inbound.framing).then(|| Original::new(&inbound.body, withhold, is_watched));
        let mut pipeline = self.pipeline(framing, original, account)?;
        let first = pin!(prime(&mut upstream, &mut pipeline, account)).await?;
        account.answering(200, true, true);
        let is_original = pipeline.is_original();
        let body = Translated::new(upstream, pipeline, first, inbound.can_cut);
        let mut response = reply_with(ReplyBody::Translated(Box::new(body)));
        lane.put_head(&mut response, status, &headers);
        if is_original {
            relay::put_stream_headers(response.headers_mut());
        } else {
            account.set_lane("translate");
            stream_headers(&mut response, inbound.framing);
        }
        Ok(response)
    }

    /// Answers with the provider's whole answer, if guards let it through.
    pub(super) async fn answer_unchanged(
        mut self,
        lane: Relay<'_>,
        response: UpstreamResponse,
        account: &mut Account,
    ) -> Result<Response<ReplyBody>, Fault> {
        let (status, mut headers) = (response.status, response.headers.clone());
        let bytes = pin!(self.read_whole(response, self.context.config.server.translate_body_limit)).await?;
        headers.remove(header::CONTENT_ENCODING);
        stage::begin().await;
        let mut answer = self.read_answer(status, &headers, &bytes, account)?;
        self.book(&mut answer, account);
        let Answer::Chat(chat) = &mut answer else { return Err(unread()) };
        let mut known = ModelTexts::of(&self.inbound.body);
        known.add_answer(chat);
        stage::begin().await;
        let is_watched = self.only_watched();
        let is_changed = self.judge_whole(chat)?;
        let is_covered = is_watched || std::str::from_utf8(&bytes).is_ok_and(|text| known.covers_text(text));
        if is_changed || !is_covered {
            account.set_lane("translate");
            return self.respond(answer, account);
        }
        account.answering(status.as_u16(), false, true);
        self.held.shrink(self.held.bytes().saturating_sub(bytes.len()));
        account.hold(AdmissionPermit::to_hold(self.held));
        let mut response = reply_with(ReplyBody::from(bytes));
        lane.put_head(&mut response, status, &headers);
        self.dialect.into_iter().for_each(Lease::release);
        self.provider.release();
        Ok(response)
    }

    /// Whether the guards only watch, so that what they find in the answer changes nothing.
    fn only_watched(&self) -> bool {
        self.guards.as_ref().is_some_and(|guards| guards.only_watch())
    }

    fn read_answer(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        bytes: &bytes::Bytes,
        account: &Account,
    ) -> Result<Answer, Fault> {
        let http = response_of(status, self.target.read_headers.texts(headers), bytes);
        let parse = || unified::parse_answer(&mut self.provider, self.inbound.operation(), &self.provider_ctx, &http);
        match called(account, &self.target.adapter, "parse-response", parse)? {
            Outcome::Complete(answer, _) => Ok(answer),
            Outcome::FollowUp(_) => Err(unread()),
        }
    }
}

/// The failure of an adapter that reads no chat although its manifest claims it.
fn unread() -> Fault {
    Fault::adapter("the answer to a relayed request is not a chat".to_owned())
}
