//! The request for a target that continues an answer which broke off.

use std::sync::Arc;

use super::super::pipeline::Successor;
use super::super::resume::Continued;
use super::super::send::fault_of;
use super::super::versions::Versions;
use super::super::{InboundRequest, RequestContext};
use super::{Exchanged, Run, check_interfaces};
use crate::accounting::Account;
use crate::route::Target;
use weir_sandbox::Lease;
use weir_translate::unified;
use weir_translate::unified::Request;
use weir_types::contract::types::{ChatRequest, ErrorKind, Message, OutputFormat, Part, Role, TextPart};
use weir_types::fault::{Fault, Side};
use weir_upstream::Decoded;
use weir_wire::estimate;

/// The user's message after the text so far. Every provider accepts one; many refuse a conversation that ends with an
/// incomplete answer.
const GO_ON: &str = "Your answer was cut off. Go on exactly where it stops, in the middle of a word if need be: \
                     repeat nothing, explain nothing.";

/// Whether another target could continue an answer to this request: one candidate of plain text, and it is the
/// model's turn.
pub(super) fn is_continuable(request: &Request) -> bool {
    let Request::Chat(chat) = request else { return false };
    let is_plain = matches!(chat.output, None | Some(OutputFormat::Plain));
    let one = chat.sampling.candidates.unwrap_or(1) <= 1 && chat.sampling.logprobs != Some(true);
    let is_turn = chat.messages.last().is_some_and(|last| !matches!(last.role, Role::Assistant));
    chat.stream && is_plain && one && is_turn
}

/// Asks a target to continue an answer whose client already has this text.
pub(in super::super) async fn resume(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    sent: &str,
    account: &mut Account,
) -> Result<Continued, Fault> {
    check_interfaces(inbound, target)?;
    let versions = Versions::choose(inbound, target);
    versions.note(inbound, target, account);
    let continued = resume_by(context, inbound, target, &versions, sent, account).await;
    if let Err(fault) = &continued {
        versions.note_failure(fault);
    }
    continued
}

async fn resume_by(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    versions: &Versions,
    sent: &str,
    account: &mut Account,
) -> Result<Continued, Fault> {
    let leased = versions.lease(&inbound.caller.tenant).await;
    let (dialect, provider) = leased.map_err(|fault| unified::blame(&fault))?;
    let mut run = Run::new(context, inbound, target, dialect, provider);
    run.make_room().await?;
    let mut parsed = run.parse_request(account)?;
    run.names = std::mem::take(&mut parsed.names);
    // The dialect's losses were reported with the first attempt.
    let Request::Chat(chat) = &mut parsed.request else {
        return Err(Fault::internal("what is continued is not a chat"));
    };
    go_on(chat, sent)?;
    run.estimate(&parsed.request);
    let first = run.write(&mut parsed.request, account).await?;
    match run.exchange(first, true, account).await? {
        Exchanged::Stream(response, from, cancel_on_drop) => {
            let upstream = Decoded::new(&response.headers, response.body, run.decode_bound());
            let upstream = upstream.map_err(|error| fault_of(&error))?;
            let (limits, collector, target) = (run.frame_limits(), run.collector(), Arc::clone(target));
            let last_frame = run.last_frame();
            let decoder = run.provider.decoder(&run.provider_ctx).map_err(|fault| unified::blame(&fault))?;
            let input = run.provider_ctx.input_tokens.unwrap_or_default();
            let losses = run.losses;
            let successor = Successor { from, limits, decoder, last_frame, target, collector, losses, input };
            run.dialect.into_iter().for_each(Lease::release);
            Ok(Continued { upstream, successor, cancel_on_drop })
        }
        Exchanged::Whole(_) => {
            Err(Fault::new(Side::Upstream, ErrorKind::Upstream, "the provider answered whole, not with a stream"))
        }
    }
}

/// Appends the text so far and the message that asks for the rest; nothing if there is no text yet.
fn go_on(chat: &mut ChatRequest, sent: &str) -> Result<(), Fault> {
    if sent.is_empty() {
        return Ok(());
    }
    if let Some(limit) = &mut chat.max_output_tokens {
        let left = limit.saturating_sub(estimate::text_tokens(sent));
        *limit =
            Some(left).filter(|left| *left > 0).ok_or_else(|| Fault::internal("no token is left to go on with"))?;
    }
    chat.messages.push(message(Role::Assistant, sent));
    chat.messages.push(message(Role::User, GO_ON));
    Ok(())
}

fn message(role: Role, text: &str) -> Message {
    Message::plain(role, vec![Part::Text(TextPart::plain(text))])
}
