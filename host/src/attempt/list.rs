//! A provider's own list of models.

use std::sync::Arc;

use super::send::{rendered, response_of};
use super::unified::{self, Answer, Outcome, Request};
use super::{Asked, House};
use crate::contract::about::exports::weir::adapter::about::Operation;
use crate::contract::types::{Context, ModelInfo, ModelsRequest};
use crate::fault::{Fault, Side};
use crate::plugin::Interface;
use crate::route::Target;

/// Bytes and pages of a list.
const MAX_BYTES: usize = 8 << 20;
const MAX_PAGES: usize = 10;

/// Asks a provider which models it has.
pub async fn ask_models(house: House<'_>, asked: &Asked, target: &Arc<Target>) -> Result<Vec<ModelInfo>, Fault> {
    if !target.adapter.has(Interface::ProviderModels) {
        return Ok(Vec::new());
    }
    let mut provider = target.adapter.lease(&asked.caller.tenant).await.map_err(|fault| unified::blame(&fault))?;
    let mut ctx = Context {
        request_id: asked.exchange.id.clone(),
        now_ms: asked.exchange.now_ms,
        model: String::new(),
        format: target.format_for(asked.face.format(), &Operation::Models).to_owned(),
        options: target.options.clone(),
        blobs: Vec::new(),
        input_tokens: None,
        memo: String::new(),
    };
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let request = Request::Models(ModelsRequest { id: None, cursor: cursor.take(), limit: None });
        let made = unified::render(&mut provider, &ctx, &request)?;
        ctx.memo = made.memo;
        let request = rendered(asked, target, made.request, None, None, false)?;
        let response = house.upstreams.send(request).await.map_err(|error| super::send::fault_of(&error))?;
        let status = response.status;
        if !status.is_success() {
            let message = format!("the provider answered {status}");
            return Err(Fault::new(Side::Upstream, crate::contract::types::ErrorKind::Upstream, message));
        }
        let headers = response.headers;
        let body = response.body.collect(MAX_BYTES).await.map_err(|error| super::send::fault_of(&error))?;
        let http = response_of(status, &headers, &body);
        let Outcome::Complete(Answer::Models(page), _) =
            unified::parse_answer(&mut provider, &Operation::Models, &ctx, &http)?
        else {
            return Err(Fault::adapter("a list of models was read as something else"));
        };
        all.extend(page.models);
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    provider.release();
    Ok(all)
}
