//! Requests for a provider's list of models.

use std::sync::Arc;

use http::HeaderMap;

use super::send::{bare, response_of};
use super::{InboundRequest, RequestContext};
use crate::route::Target;
use weir_translate::unified;
use weir_translate::unified::{Answer, Outcome, Request};
use weir_types::contract::about::Operation;
use weir_types::contract::types::{Context, ErrorKind, ModelInfo, ModelsRequest};
use weir_types::exchange::Exchange;
use weir_types::fault::{Fault, Side};

/// The most bytes of a page, and the most pages.
const MAX_BYTES: usize = 8 << 20;
const MAX_PAGES: usize = 10;
/// The most models of a list: more than any provider has, and few enough to be kept and compared.
const MAX_MODELS: usize = 20_000;

/// The request on whose behalf a list is fetched.
#[derive(Debug, Clone, Copy)]
struct Asker<'a> {
    tenant: &'a Arc<str>,
    exchange: &'a Exchange,
    headers: &'a HeaderMap,
    /// The client's format; empty if there is no client.
    format: &'a str,
}

/// Fetches a provider's list of models; empty if the provider has none.
pub(crate) async fn ask_models(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
) -> Result<Vec<ModelInfo>, Fault> {
    if !target.can_list() {
        return Ok(Vec::new());
    }
    let InboundRequest { exchange, headers, .. } = inbound;
    let asker = Asker { tenant: &inbound.caller.tenant, exchange, headers, format: inbound.endpoint.format() };
    pages(context, asker, target, MAX_PAGES).await
}

/// Checks whether a provider answers, by fetching the first page of its list.
pub(crate) async fn find_out(context: RequestContext<'_>, target: &Arc<Target>) -> Result<(), Fault> {
    ask_by_itself(context, target, 1).await.map(drop)
}

/// Asks a provider for its whole list, without a client's request.
pub(crate) async fn ask_list(context: RequestContext<'_>, target: &Arc<Target>) -> Result<Vec<ModelInfo>, Fault> {
    ask_by_itself(context, target, MAX_PAGES).await
}

async fn ask_by_itself(
    context: RequestContext<'_>,
    target: &Arc<Target>,
    most: usize,
) -> Result<Vec<ModelInfo>, Fault> {
    let headers = HeaderMap::new();
    let exchange = Exchange::begin(&headers);
    let asker = Asker { tenant: &Arc::from(""), exchange: &exchange, headers: &headers, format: "" };
    pages(context, asker, target, most).await
}

async fn pages(
    context: RequestContext<'_>,
    asker: Asker<'_>,
    target: &Arc<Target>,
    most: usize,
) -> Result<Vec<ModelInfo>, Fault> {
    let mut provider = target.adapter.lease(Arc::clone(asker.tenant)).await.map_err(|fault| unified::blame(&fault))?;
    let mut ctx = Context {
        format: target.format_for(asker.format, &Operation::Models).to_owned(),
        options: target.options.clone(),
        ..Context::new(&asker.exchange.id, asker.exchange.now_ms)
    };
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..most {
        let request = Request::Models(ModelsRequest { id: None, cursor: cursor.take(), limit: None });
        let made = unified::render(&mut provider, &ctx, &request)?;
        ctx.memo = made.memo;
        let request = bare(asker.headers, target, made.request, None, None)?;
        let response = context.upstreams.send(request).await.map_err(|error| super::send::fault_of(&error))?;
        let status = response.status;
        if !status.is_success() {
            let message = format!("the provider answered {status}");
            return Err(Fault::new(Side::Upstream, ErrorKind::Upstream, message).with_status(status.as_u16()));
        }
        let headers = response.headers;
        let body = response.body.collect(MAX_BYTES).await.map_err(|error| super::send::fault_of(&error))?;
        let http = response_of(status, target.read_headers.texts(&headers), &body);
        let Outcome::Complete(Answer::Models(page), _) =
            unified::parse_answer(&mut provider, &Operation::Models, &ctx, &http)?
        else {
            return Err(Fault::adapter("a list of models was read as something else"));
        };
        let room = MAX_MODELS - all.len();
        let is_full = page.models.len() > room;
        all.extend(page.models.into_iter().take(room));
        match page.cursor {
            _ if is_full => {
                tracing::info!(provider = %target.label, "provider lists more than {MAX_MODELS} models: others are left out");
                break;
            }
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    provider.release();
    Ok(all)
}
