//! `openai.models`, the dialect's side.

use weir_sdk::adapter::{ParsedModels, Result};
use weir_sdk::compat::models::FORMAT;
use weir_sdk::json::{self, Object};
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    Context, Error, ErrorKind, HttpRequest, ModelInfo, ModelsRequest, ModelsResponse, RenderedResponse,
};

/// Memo: the client wants one model, not the list.
const ONE: &str = "1";

/// Parses a request: one for the model in the path, or for the list.
pub(crate) fn parse(ctx: &Context, request: &HttpRequest) -> ParsedModels {
    let list = request.path.trim_end_matches('/').ends_with("/models");
    let id = (!list && !ctx.model.is_empty()).then(|| ctx.model.clone());
    let memo = if id.is_some() { ONE } else { "" };
    let request = ModelsRequest { id, cursor: None, limit: None };
    ParsedModels { request, losses: Vec::new(), memo: memo.to_owned() }
}

/// Renders the list, or the one model.
pub(crate) fn render(ctx: &Context, response: &ModelsResponse) -> Result<RenderedResponse> {
    let mut losses = Losses::default();
    for model in &response.models {
        losses.foreign("data[].", &model.extensions, FORMAT);
    }
    let mut out = String::with_capacity(128 * (response.models.len() + 1));
    if ctx.memo == ONE {
        let model = response.models.iter().find(|model| model.id == ctx.model).or(response.models.first());
        let Some(model) = model else {
            let error = Error::new(ErrorKind::NotFound, "the model does not exist").with_status(404);
            return Err(error.with_code("model_not_found").at("model"));
        };
        json::object(&mut out, |o| write(o, ctx, model));
    } else {
        json::object(&mut out, |o| {
            o.str("object", "list");
            o.array("data", |a| response.models.iter().for_each(|model| a.object(|o| write(o, ctx, model))));
        });
    }
    Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(out) })
}

fn write(o: &mut Object<'_>, ctx: &Context, model: &ModelInfo) {
    o.str("id", &model.id);
    o.str("object", "model");
    o.num("created", (model.created_ms.unwrap_or(ctx.now_ms) / 1000.0).floor());
    o.str("owned_by", model.owner.as_deref().unwrap_or("system"));
    model.extensions.iter().filter(|e| e.format == FORMAT).for_each(|e| o.raw(&e.key, &e.json));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_list_from_one_model() {
        let ctx = Context { model: "gpt-4o".into(), ..Context::default() };
        assert_eq!(parse(&ctx, &HttpRequest::get("/v1/models")).request.id, None);
        assert_eq!(parse(&ctx, &HttpRequest::get("/v1/models/gpt-4o")).request.id.as_deref(), Some("gpt-4o"));
    }

    #[test]
    fn a_model_that_is_not_there_is_an_error() {
        let ctx = Context { memo: ONE.into(), ..Context::default() };
        let error = render(&ctx, &ModelsResponse { models: Vec::new(), cursor: None }).unwrap_err();
        assert_eq!(error.status, Some(404));
    }
}
