//! Lists of models: those of a collection, by default the language models, or all public ones.

use weir_sdk::adapter::{ProviderModels, Result};
use weir_sdk::json::{Rest, parse};
use weir_sdk::path;
use weir_sdk::types::{
    Context, Error, Header, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse, RenderedRequest,
};

use crate::Replicate;
use crate::model_name::{ModelName, segment};

const COLLECTION: &str = "language-models";
/// Memo of a request for one model.
const ONE: &str = "one";

impl ProviderModels for Replicate {
    fn render_request(ctx: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        if let Some(id) = &request.id {
            let http = HttpRequest::get(entry(&ModelName::parse(id)?)?);
            return Ok(RenderedRequest { memo: ONE.to_owned(), ..RenderedRequest::new(http) });
        }
        let collection = ctx.option_str("collection").unwrap_or_else(|| COLLECTION.to_owned());
        let path =
            if collection.is_empty() { "models".into() } else { format!("collections/{}", segment(&collection)) };
        let mut http = HttpRequest::get(path);
        http.query.extend(request.cursor.map(|cursor| Header::new("cursor", cursor)));
        Ok(RenderedRequest::new(http))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        let text = response.text()?;
        let unreadable = |error| Error::unreadable(format!("the models cannot be read: {error}"));
        let mut body: Rest<'_> = parse(text).map_err(unreadable)?;
        let Some(all) = body.list("results").or_else(|| body.list("models")) else {
            let one = model(&mut body).ok_or_else(|| Error::unreadable("a model has no name"))?;
            return Ok(ModelsResponse { models: vec![one], cursor: None });
        };
        let models = all.into_iter().filter_map(|raw| model(&mut Rest::parse(raw.get()).ok()?)).collect();
        Ok(ModelsResponse { models, cursor: body.str("next").and_then(|url| cursor(&url)) })
    }
}

/// The path of one model's description.
fn entry(model: &ModelName<'_>) -> Result<String> {
    let (owner, name) = model.name();
    match model {
        ModelName::Deployment { .. } => Ok(format!("deployments/{}/{}", segment(owner), segment(name))),
        _ if owner.is_empty() => Err(Error::invalid("a version's model has to be named").at("model")),
        _ => Ok(format!("models/{}/{}", segment(owner), segment(name))),
    }
}

fn model(members: &mut Rest<'_>) -> Option<ModelInfo> {
    let (owner, name) = (members.str("owner")?.into_string(), members.str("name")?);
    Some(ModelInfo {
        id: format!("{owner}/{}", &*name),
        display_name: None,
        created_ms: None,
        owner: Some(owner),
        context_tokens: None,
        output_tokens: None,
        extensions: Vec::new(),
    })
}

/// The cursor in the address of the next page.
fn cursor(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
    Some(path::decoded(value)).filter(|cursor| !cursor.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::model::header;
    use weir_sdk::types::{Body, Setting};

    fn ask(options: &[(&str, &str)], id: Option<&str>, cursor: Option<String>) -> Result<HttpRequest> {
        let setting = |(key, json): &(&str, &str)| Setting { key: (*key).into(), json: (*json).into() };
        let ctx = Context { options: options.iter().map(setting).collect(), ..Context::default() };
        let request = ModelsRequest { id: id.map(str::to_owned), cursor, limit: None };
        <Replicate as ProviderModels>::render_request(&ctx, request).map(|rendered| rendered.request)
    }

    fn read(json: &str) -> ModelsResponse {
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(json.into()) };
        <Replicate as ProviderModels>::parse_response(&Context::default(), response).unwrap()
    }

    #[test]
    fn a_collection_or_all_models_page_by_page() {
        assert_eq!(ask(&[], None, None).unwrap().path, "collections/language-models");
        let list = read(r#"{"slug":"x","models":[{"owner":"a","name":"b"},{"odd":1}]}"#);
        assert_eq!((list.models.len(), list.models[0].id.as_str(), list.cursor), (1, "a/b", None));
        let page = read(r#"{"next":"https://api/v1/models?cursor=c%3D1","results":[{"owner":"a","name":"b"}]}"#);
        let next = ask(&[("collection", "\"\"")], None, page.cursor).unwrap();
        assert_eq!((next.path.as_str(), header(&next.query, "cursor")), ("models", Some("c=1")));
        assert_eq!(read(r#"{"next":null,"results":[]}"#).cursor, None);
    }

    #[test]
    fn one_model_is_asked_for_by_its_path() {
        assert_eq!(ask(&[], Some("a/b:1"), None).unwrap().path, "models/a/b");
        assert!(ask(&[], Some("nameless"), None).is_err());
        assert_eq!(read(r#"{"owner":"a","name":"b","latest_version":{}}"#).models[0].owner.as_deref(), Some("a"));
    }
}
