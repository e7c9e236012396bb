//! Lists of models, on both sides: `{"models": [{"name": "models/NAME", ...}], "nextPageToken": ...}`.

use weir_sdk::adapter::{DialectModels, ParsedModels, ProviderModels, Result};
use weir_sdk::json::{Object, Str, object, parse};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::model::header;
use weir_sdk::types::{
    Context, Error, ErrorKind, Header, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse,
    RenderedRequest, RenderedResponse,
};

use crate::wire::{self, extensions};
use crate::{FORMAT, Gemini, path, user_project, write};

/// Models in one request; the service's limit.
const PAGE: u32 = 1000;
/// Memo of a request for one model.
const ONE: &str = "one";
const METHODS: &str = "supportedGenerationMethods";

impl ProviderModels for Gemini {
    fn render_request(ctx: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        let Some(id) = &request.id else {
            let mut http = HttpRequest::get("models");
            http.query.push(Header::new("pageSize", request.limit.unwrap_or(PAGE).clamp(1, PAGE).to_string()));
            http.query.extend(request.cursor.map(|cursor| Header::new("pageToken", cursor)));
            return Ok(user_project::named(ctx, RenderedRequest::new(http)));
        };
        let http = HttpRequest::get(path::encoded(&path::resource(id)));
        Ok(user_project::named(ctx, RenderedRequest::new(http)))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        let text = response.text()?;
        let unreadable = |error| Error::unreadable(format!("the models cannot be read: {error}"));
        let list: wire::ModelList<'_> = parse(text).map_err(unreadable)?;
        let cursor = list.next.map(Str::into_string).filter(|token| !token.is_empty());
        if let Some(models) = list.models {
            return Ok(ModelsResponse { models: models.into_iter().map(model).collect::<Result<_>>()?, cursor });
        }
        let one: wire::Model<'_> = parse(text).map_err(unreadable)?;
        // An empty page has no members at all.
        let models = if one.name.is_none() && one.rest.0.is_empty() { Vec::new() } else { vec![model(one)?] };
        Ok(ModelsResponse { models, cursor })
    }
}

fn model(wire: wire::Model<'_>) -> Result<ModelInfo> {
    let name = wire.name.ok_or_else(|| Error::unreadable("a model has no name"))?;
    Ok(ModelInfo {
        id: path::name(&name).to_owned(),
        display_name: wire.display_name.map(Str::into_string),
        created_ms: None,
        owner: None,
        context_tokens: wire.input_limit.map(|count| count.0),
        output_tokens: wire.output_limit.map(|count| count.0),
        extensions: extensions("", wire.rest),
    })
}

impl DialectModels for Gemini {
    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedModels> {
        let path = request.path.trim_end_matches('/');
        let id = path.split_once("/models/").map(|(_, id)| weir_sdk::path::decoded(id)).filter(|id| !id.is_empty());
        let query = |camel: &str, snake: &str| header(&request.query, camel).or_else(|| header(&request.query, snake));
        let cursor = query("pageToken", "page_token").filter(|token| !token.is_empty()).map(str::to_owned);
        let limit = query("pageSize", "page_size").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
        let memo = if id.is_some() { ONE.to_owned() } else { String::new() };
        Ok(ParsedModels { request: ModelsRequest { id, cursor, limit }, losses: Vec::new(), memo })
    }

    fn render_response(ctx: &Context, response: ModelsResponse) -> Result<RenderedResponse> {
        let mut losses = Losses::default();
        let mut body = String::new();
        if ctx.memo == ONE {
            let Some(one) = response.models.first() else {
                return Err(Error::new(ErrorKind::NotFound, "there is no model of this name"));
            };
            object(&mut body, |o| write_model(o, one, &mut losses));
        } else {
            object(&mut body, |o| {
                o.array("models", |a| {
                    response.models.iter().for_each(|one| a.object(|o| write_model(o, one, &mut losses)));
                });
                o.opt_str("nextPageToken", response.cursor.as_deref());
            });
        }
        Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
    }
}

/// Writes a model. Clients look for its supported methods; one of another format is assumed to generate.
fn write_model(o: &mut Object<'_>, model: &ModelInfo, losses: &mut Losses) {
    o.str("name", &path::resource(&model.id));
    o.str("displayName", model.display_name.as_deref().unwrap_or(&model.id));
    o.opt_num("inputTokenLimit", model.context_tokens);
    o.opt_num("outputTokenLimit", model.output_tokens);
    write::members(o, &model.extensions, "");
    if extension(&model.extensions, FORMAT, METHODS).is_none() {
        o.array(METHODS, |a| ["generateContent", "countTokens"].into_iter().for_each(|method| a.str(method)));
    }
    losses.foreign("models[].", &model.extensions, FORMAT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::Body;

    #[test]
    fn a_page_knows_where_to_go_on() {
        let json = r#"{"models":[{"name":"models/a","inputTokenLimit":5}],"nextPageToken":"t"}"#;
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(json.into()) };
        let list = <Gemini as ProviderModels>::parse_response(&Context::default(), response).unwrap();
        assert_eq!((list.models[0].id.as_str(), list.cursor.as_deref()), ("a", Some("t")));
        let request = ModelsRequest { id: None, cursor: list.cursor, limit: None };
        let http = <Gemini as ProviderModels>::render_request(&Context::default(), request).unwrap().request;
        assert_eq!(header(&http.query, "pageToken"), Some("t"));
    }

    #[test]
    fn one_model_is_asked_for_by_its_path() {
        let request = HttpRequest::get("/v1beta/models/vendor%2Fone:8b");
        let parsed = <Gemini as DialectModels>::parse_request(&Context::default(), request).unwrap();
        assert_eq!(parsed.request.id.as_deref(), Some("vendor/one:8b"));
        let http = <Gemini as ProviderModels>::render_request(&Context::default(), parsed.request).unwrap().request;
        assert_eq!(http.path, "models/vendor/one%3A8b");
        let ctx = Context { memo: parsed.memo, ..Context::default() };
        let none = ModelsResponse { models: Vec::new(), cursor: None };
        assert_eq!(<Gemini as DialectModels>::render_response(&ctx, none).unwrap_err().kind, ErrorKind::NotFound);
    }

    #[test]
    fn models_of_others_are_named_as_resources() {
        let models = vec![ModelInfo {
            id: "gpt-5".into(),
            display_name: None,
            created_ms: None,
            owner: None,
            context_tokens: Some(7),
            output_tokens: None,
            extensions: Vec::new(),
        }];
        let response = ModelsResponse { models, cursor: None };
        let rendered = <Gemini as DialectModels>::render_response(&Context::default(), response).unwrap();
        let body = rendered.response.body.as_text().unwrap().to_owned();
        assert!(
            body.starts_with(r#"{"models":[{"name":"models/gpt-5","displayName":"gpt-5","inputTokenLimit":7"#),
            "{body}"
        );
    }
}
