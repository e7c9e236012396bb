//! A chat of one token, sent to check whether a provider answers chats. It belongs to no client's request, so it is
//! not accounted for.

use std::sync::Arc;

use http::HeaderMap;

use super::RequestContext;
use super::send::{bare, fault_of, response_of};
use crate::route::Target;
use weir_translate::unified;
use weir_translate::unified::Request;
use weir_types::contract::about::Operation;
use weir_types::contract::types::{ChatRequest, Context, ErrorKind, Message, Part, Role, TextPart};
use weir_types::exchange::Exchange;
use weir_types::fault::{Fault, Side};
use weir_upstream::{DecodeBound, Decoded, UpstreamRequest};
use weir_wire::estimate;

/// The most bytes of the answer.
const MAX_BYTES: usize = 1 << 20;
/// The text of the user's message.
const WORDS: &str = "ping";

/// Asks a model for one token, and discards the answer. A provider that requires follow-ups has accepted the request,
/// which is enough.
pub async fn ping(context: RequestContext<'_>, target: &Arc<Target>, model: &str) -> Result<(), Fault> {
    let headers = HeaderMap::new();
    let exchange = Exchange::begin(&headers);
    let chat = chat(model);
    let mut provider = target.adapter.lease("").await.map_err(|fault| unified::blame(&fault))?;
    let mut ctx = Context {
        model: model.to_owned(),
        format: target.format_for("", &Operation::Chat).to_owned(),
        options: target.options.clone(),
        input_tokens: Some(estimate::input_tokens(&chat)),
        ..Context::new(&exchange.id, exchange.now_ms)
    };
    let made = unified::render(&mut provider, &ctx, &Request::Chat(chat))?;
    ctx.memo = made.memo;
    let request = UpstreamRequest { model, ..bare(&headers, target, made.request, None, None)? };
    let response = context.upstreams.send(request).await.map_err(|error| fault_of(&error))?;
    let (status, headers) = (response.status, response.headers);
    if !status.is_success() {
        let message = format!("the provider answered {status}");
        return Err(Fault::new(Side::Upstream, ErrorKind::Upstream, message).with_status(status.as_u16()));
    }
    let body = Decoded::new(&headers, response.body, DecodeBound::default()).map_err(|error| fault_of(&error))?;
    let body = body.collect(MAX_BYTES).await.map_err(|error| fault_of(&error))?;
    let http = response_of(status, target.read_headers.texts(&headers), &body);
    unified::parse_answer(&mut provider, &Operation::Chat, &ctx, &http)?;
    provider.release();
    Ok(())
}

fn chat(model: &str) -> ChatRequest {
    let message = Message::plain(Role::User, vec![Part::Text(TextPart::plain(WORDS))]);
    ChatRequest { max_output_tokens: Some(1), ..ChatRequest::plain(model, vec![message]) }
}
