//! Lists of models, on both sides.

use weir_sdk::adapter::{DialectModels, ParsedModels, ProviderModels, Result};
use weir_sdk::json::{Object, Str, object, parse};
use weir_sdk::losses::{Losses, extension, extensions};
use weir_sdk::model::header;
use weir_sdk::path::{decoded, encoded};
use weir_sdk::time;
use weir_sdk::types::{
    Context, Error, ErrorKind, Header, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse,
    RenderedRequest, RenderedResponse,
};

use crate::{Anthropic, FORMAT, provider, wire, write};

/// Models in one request; the service's limit.
const PAGE: u32 = 1000;
/// Memo of a request for one model.
const ONE: &str = "one";

impl ProviderModels for Anthropic {
    fn render_request(ctx: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        let mut http = match &request.id {
            Some(id) => HttpRequest::get(format!("models/{}", encoded(id, b":@"))),
            None => HttpRequest::get("models"),
        };
        if request.id.is_none() {
            http.query.push(Header::new("limit", request.limit.unwrap_or(PAGE).clamp(1, PAGE).to_string()));
            http.query.extend(request.cursor.map(|cursor| Header::new("after_id", cursor)));
        }
        http.headers = provider::request::headers(ctx, None);
        Ok(RenderedRequest::new(http))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        let text = response.text()?;
        let unreadable = |error| Error::unreadable(format!("the models cannot be read: {error}"));
        let list: wire::ModelList<'_> = parse(text).map_err(unreadable)?;
        let Some(models) = list.data else {
            let one: wire::Model<'_> = parse(text).map_err(unreadable)?;
            return Ok(ModelsResponse { models: vec![model(one)?], cursor: None });
        };
        let more = list.has_more.unwrap_or(false);
        let cursor = list.last_id.filter(|_| more).map(Str::into_string);
        Ok(ModelsResponse { models: models.0.into_iter().map(model).collect::<Result<_>>()?, cursor })
    }
}

fn model(wire: wire::Model<'_>) -> Result<ModelInfo> {
    let id = wire.id.ok_or_else(|| Error::unreadable("a model has no id"))?.into_string();
    Ok(ModelInfo {
        id,
        display_name: wire.display_name.map(Str::into_string),
        created_ms: wire.created_at.and_then(|text| time::parse(&text)),
        owner: None,
        context_tokens: wire.max_input_tokens.map(|count| count.0),
        output_tokens: wire.max_tokens.map(|count| count.0),
        extensions: extensions(FORMAT, wire.rest),
    })
}

impl DialectModels for Anthropic {
    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedModels> {
        let mut losses = Losses::default();
        let path = request.path.trim_end_matches('/');
        let id = path.split_once("/models/").map(|(_, id)| decoded(id)).filter(|id| !id.is_empty());
        let query = |name: &str| header(&request.query, name);
        losses.dropped_if(query("before_id").is_some(), "before_id", "lists are read forwards only");
        let memo = if id.is_some() { ONE.to_owned() } else { String::new() };
        let cursor = query("after_id").map(str::to_owned);
        let limit = query("limit").and_then(|limit| limit.parse().ok());
        Ok(ParsedModels { request: ModelsRequest { id, cursor, limit }, losses: losses.into_losses(), memo })
    }

    fn render_response(ctx: &Context, response: ModelsResponse) -> Result<RenderedResponse> {
        let mut losses = Losses::default();
        let mut body = String::new();
        if ctx.memo == ONE {
            let Some(one) = response.models.first() else {
                return Err(Error::new(ErrorKind::NotFound, "there is no model of this name"));
            };
            object(&mut body, |o| write(o, one, &mut losses));
        } else {
            object(&mut body, |o| {
                o.array("data", |a| response.models.iter().for_each(|one| a.object(|o| write(o, one, &mut losses))));
                o.bool("has_more", response.cursor.is_some());
                let id = |model: Option<&ModelInfo>| model.map(|model| model.id.clone());
                let last = response.cursor.clone().or_else(|| id(response.models.last()));
                for (key, id) in [("first_id", id(response.models.first())), ("last_id", last)] {
                    match id {
                        Some(id) => o.str(key, &id),
                        None => o.null(key),
                    }
                }
            });
        }
        Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
    }
}

/// Writes a model. Unknown times are written as the epoch, as the service does.
fn write(o: &mut Object<'_>, model: &ModelInfo, losses: &mut Losses) {
    o.str("type", "model");
    o.str("id", &model.id);
    o.str("display_name", model.display_name.as_deref().unwrap_or(&model.id));
    o.str("created_at", &time::format(model.created_ms.unwrap_or(0.0)));
    o.opt_num("max_input_tokens", model.context_tokens);
    o.opt_num("max_tokens", model.output_tokens);
    for own in write::own(&model.extensions) {
        o.raw(&own.key, &own.json);
    }
    if extension(&model.extensions, FORMAT, "lifecycle").is_none() {
        o.str("lifecycle", "active");
    }
    losses.foreign("data[].", &model.extensions, FORMAT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_where_to_go_on() {
        let json =
            r#"{"data":[{"type":"model","id":"a","created_at":"2026-01-01T00:00:00Z"}],"has_more":true,"last_id":"a"}"#;
        let response =
            HttpResponse { status: 200, headers: Vec::new(), body: weir_sdk::types::Body::Text(json.into()) };
        let list = <Anthropic as ProviderModels>::parse_response(&Context::default(), response).unwrap();
        assert_eq!(list.cursor.as_deref(), Some("a"));
        let request = ModelsRequest { id: None, cursor: list.cursor, limit: None };
        let http = <Anthropic as ProviderModels>::render_request(&Context::default(), request).unwrap().request;
        assert_eq!(header(&http.query, "after_id"), Some("a"));
    }

    #[test]
    fn one_model_is_asked_for_by_its_path() {
        let mut request = HttpRequest::get("/v1/models/vendor%2Fone");
        request.query.push(Header::new("limit", "5"));
        let parsed = <Anthropic as DialectModels>::parse_request(&Context::default(), request).unwrap();
        assert_eq!(parsed.request.id.as_deref(), Some("vendor/one"));
        let ctx = Context { memo: parsed.memo, ..Context::default() };
        let none = ModelsResponse { models: Vec::new(), cursor: None };
        assert_eq!(<Anthropic as DialectModels>::render_response(&ctx, none).unwrap_err().kind, ErrorKind::NotFound);
    }
}
