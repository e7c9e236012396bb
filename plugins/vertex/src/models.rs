//! Lists of models: those of each publisher in the platform's model garden, not those that a project may use.

use weir_adapter_gemini::user_project;
use weir_sdk::adapter::{ProviderModels, Result};
use weir_sdk::json::{Rest, Str, parse};
use weir_sdk::types::{
    Context, Error, Header, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse, RenderedRequest,
};

use crate::Vertex;
use crate::target::{self, Publisher, Target};

/// Separates a cursor into the publisher whose list continues, and the list's own cursor.
const MARK: char = ':';

impl ProviderModels for Vertex {
    fn render_request(ctx: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        if let Some(id) = &request.id {
            let target = Target::of(&Context { model: String::new(), ..ctx.clone() }, id)?;
            let http = HttpRequest::get(target::entry(ctx, &target));
            return Ok(user_project::named(ctx, RenderedRequest::new(http)));
        }
        let cursor = request.cursor.unwrap_or_default();
        let (publisher, token) = cursor.split_once(MARK).unwrap_or_default();
        let publisher = Publisher::parse(publisher).or(Publisher::configured(ctx)).unwrap_or(Publisher::Google);
        let mut http = HttpRequest::get(target::list(ctx, publisher));
        http.query.extend(request.limit.map(|limit| Header::new("pageSize", limit.to_string())));
        if !token.is_empty() {
            http.query.push(Header::new("pageToken", token));
        }
        let rendered = RenderedRequest { memo: publisher.name().to_owned(), ..RenderedRequest::new(http) };
        Ok(user_project::named(ctx, rendered))
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        let text = response.text()?;
        let unreadable = |error| Error::unreadable(format!("the models cannot be read: {error}"));
        let mut body: Rest<'_> = parse(text).map_err(unreadable)?;
        let Some(publisher) = Publisher::parse(&ctx.memo) else {
            return Ok(ModelsResponse { models: model(&mut body).into_iter().collect(), cursor: None });
        };
        let list = body.list("publisherModels").unwrap_or_default();
        let models = list.into_iter().filter_map(|raw| model(&mut Rest::parse(raw.get()).ok()?)).collect();
        let next = body.str("nextPageToken").map(Str::into_string).filter(|token| !token.is_empty());
        let cursor = next.map(|token| format!("{}{MARK}{token}", publisher.name())).or_else(|| other(ctx, publisher));
        Ok(ModelsResponse { models, cursor })
    }
}

/// The cursor of the other publisher's list, unless the operator names a publisher.
fn other(ctx: &Context, publisher: Publisher) -> Option<String> {
    let follows = publisher == Publisher::Google && Publisher::configured(ctx).is_none();
    follows.then(|| format!("{}{MARK}", Publisher::Anthropic.name()))
}

fn model(members: &mut Rest<'_>) -> Option<ModelInfo> {
    let name = members.str("name")?.into_string();
    let publisher = name.strip_prefix("publishers/").and_then(|rest| rest.split('/').next());
    Some(ModelInfo {
        id: name.rsplit('/').next().unwrap_or_default().to_owned(),
        display_name: members.str("displayName").map(Str::into_string),
        created_ms: None,
        owner: publisher.map(str::to_owned),
        context_tokens: None,
        output_tokens: None,
        extensions: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::model::header;
    use weir_sdk::types::{Body, Setting};

    fn page(memo: &str, json: &str) -> ModelsResponse {
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(json.into()) };
        let ctx = Context { memo: memo.into(), ..Context::default() };
        <Vertex as ProviderModels>::parse_response(&ctx, response).unwrap()
    }

    fn ask(cursor: Option<String>) -> RenderedRequest {
        let options = vec![Setting { key: "project".into(), json: "\"p\"".into() }];
        let ctx = Context { options, model: "m".into(), ..Context::default() };
        <Vertex as ProviderModels>::render_request(&ctx, ModelsRequest { id: None, cursor, limit: None }).unwrap()
    }

    #[test]
    fn the_lists_of_both_publishers_follow_each_other_page_by_page() {
        let first = ask(None);
        assert_eq!((first.request.path.as_str(), first.memo.as_str()), ("v1beta1/publishers/google/models", "google"));
        let json =
            r#"{"publisherModels":[{"name":"publishers/google/models/a","versionId":"default"}],"nextPageToken":"t"}"#;
        let one = page("google", json);
        assert_eq!((one.models[0].id.as_str(), one.models[0].owner.as_deref()), ("a", Some("google")));
        let second = ask(one.cursor);
        assert_eq!(header(&second.request.query, "pageToken"), Some("t"));
        let last = page("google", r#"{"publisherModels":[]}"#);
        let third = ask(last.cursor);
        assert_eq!(third.request.path, "v1beta1/publishers/anthropic/models");
        assert!(third.request.query.is_empty());
        assert_eq!(page("anthropic", "{}").cursor, None);
    }

    #[test]
    fn one_model_is_asked_for_by_its_path() {
        let request = ModelsRequest { id: Some("claude-opus-4-5@20251101".into()), cursor: None, limit: None };
        let rendered = <Vertex as ProviderModels>::render_request(&Context::default(), request).unwrap();
        assert_eq!(rendered.request.path, "publishers/anthropic/models/claude-opus-4-5@20251101");
        let one = page(&rendered.memo, r#"{"name":"publishers/anthropic/models/claude-opus-4-5"}"#);
        assert_eq!(one.models[0].id, "claude-opus-4-5");
    }
}
