//! Lists of models, on both sides: `GET /v1/models`, `GET /v1/models/{model}`.

use weir_sdk::adapter::{DialectModels, ParsedModels, ProviderModels, Result};
use weir_sdk::json::{Count, Object, Seq, Str, object, parse};
use weir_sdk::losses::{Losses, extensions};
use weir_sdk::model::header;
use weir_sdk::path::{decoded, encoded};
use weir_sdk::types::{
    Context, Error, ErrorKind, Header, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse,
    RenderedRequest, RenderedResponse,
};

use crate::write::own;
use crate::{Cohere, FORMAT};

/// Models in one request; the service's limit.
const PAGE: u32 = 1000;
/// Memo of a request for one model.
const ONE: &str = "one";

weir_sdk::wire! {
    /// A page of models.
    struct List<'a> {
        "models" => models: Seq<Model<'a>>,
        "next_page_token" => next: Str<'a>,
    }

    /// An entry of the list of models.
    struct Model<'a> {
        "name" => name: Str<'a>,
        "context_length" => context_length: Count,
    }
}

impl ProviderModels for Cohere {
    fn render_request(_: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        if let Some(id) = &request.id {
            return Ok(RenderedRequest::new(HttpRequest::get(format!("v1/models/{}", encoded(id, b"/:@")))));
        }
        let mut http = HttpRequest::get("v1/models");
        http.query.push(Header::new("page_size", request.limit.unwrap_or(PAGE).clamp(1, PAGE).to_string()));
        http.query.extend(request.cursor.map(|cursor| Header::new("page_token", cursor)));
        Ok(RenderedRequest::new(http))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        let text = response.text()?;
        let unreadable = |error| Error::unreadable(format!("the models cannot be read: {error}"));
        let list: List<'_> = parse(text).map_err(unreadable)?;
        let Some(models) = list.models else {
            let one: Model<'_> = parse(text).map_err(unreadable)?;
            let one = model(one).ok_or_else(|| Error::unreadable("the model has no name"))?;
            return Ok(ModelsResponse { models: vec![one], cursor: None });
        };
        let cursor = list.next.map(Str::into_string).filter(|next| !next.is_empty());
        Ok(ModelsResponse { models: models.0.into_iter().filter_map(model).collect(), cursor })
    }
}

fn model(wire: Model<'_>) -> Option<ModelInfo> {
    Some(ModelInfo {
        id: wire.name?.into_string(),
        display_name: None,
        created_ms: None,
        owner: None,
        context_tokens: wire.context_length.map(|count| count.0),
        output_tokens: None,
        extensions: extensions(FORMAT, wire.rest),
    })
}

impl DialectModels for Cohere {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedModels> {
        let mut losses = Losses::default();
        let path = request.path.trim_end_matches('/');
        let named = path.split_once("/models/").map(|(_, id)| id).filter(|id| !id.is_empty());
        let id = named.map(|id| if ctx.model.is_empty() { decoded(id) } else { ctx.model.clone() });
        let query = |name: &str| header(&request.query, name);
        for name in ["endpoint", "default_only"] {
            losses.dropped_if(query(name).is_some(), name, "all models are listed");
        }
        let memo = if id.is_some() { ONE.to_owned() } else { String::new() };
        let cursor = query("page_token").map(str::to_owned);
        let limit = query("page_size").and_then(|limit| limit.parse().ok());
        Ok(ParsedModels { request: ModelsRequest { id, cursor, limit }, losses: losses.into_losses(), memo })
    }

    fn render_response(ctx: &Context, response: ModelsResponse) -> Result<RenderedResponse> {
        let mut losses = Losses::default();
        let mut body = String::new();
        if ctx.memo == ONE {
            let one = response.models.first();
            let one = one.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no model of this name"))?;
            object(&mut body, |o| write(o, one, &mut losses));
        } else {
            object(&mut body, |o| {
                o.array("models", |a| {
                    response.models.iter().for_each(|one| a.object(|o| write(o, one, &mut losses)));
                });
                o.opt_str("next_page_token", response.cursor.as_deref());
            });
        }
        Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
    }
}

fn write(o: &mut Object<'_>, model: &ModelInfo, losses: &mut Losses) {
    o.str("name", &model.id);
    o.opt_num("context_length", model.context_tokens);
    own(&model.extensions, FORMAT).for_each(|own| o.raw(&own.key, &own.json));
    losses.foreign("models[].", &model.extensions, FORMAT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_where_to_go_on() {
        let json = r#"{"models":[{"name":"a","context_length":128000,"endpoints":["chat"]}],"next_page_token":"t"}"#;
        let body = weir_sdk::types::Body::Text(json.into());
        let response = HttpResponse { status: 200, headers: Vec::new(), body };
        let list = <Cohere as ProviderModels>::parse_response(&Context::default(), response).unwrap();
        assert_eq!((list.cursor.as_deref(), list.models[0].context_tokens), (Some("t"), Some(128_000)));
        let request = ModelsRequest { id: None, cursor: list.cursor.clone(), limit: None };
        let http = <Cohere as ProviderModels>::render_request(&Context::default(), request).unwrap().request;
        assert_eq!(header(&http.query, "page_token"), Some("t"));
        let shown = <Cohere as DialectModels>::render_response(&Context::default(), list).unwrap();
        assert_eq!(shown.response.body.as_text().unwrap(), json);
    }

    #[test]
    fn one_model_is_asked_for_by_its_path() {
        let request = HttpRequest::get("/cohere/v1/models/vendor%2Fone");
        let parsed = <Cohere as DialectModels>::parse_request(&Context::default(), request).unwrap();
        assert_eq!(parsed.request.id.as_deref(), Some("vendor/one"));
        let ctx = Context { memo: parsed.memo, ..Context::default() };
        let none = ModelsResponse { models: Vec::new(), cursor: None };
        assert_eq!(<Cohere as DialectModels>::render_response(&ctx, none).unwrap_err().kind, ErrorKind::NotFound);
    }
}
