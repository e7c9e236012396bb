//! Lists of models.

use crate::compat::error;
use crate::compat::quirks::Quirks;
use crate::compat::request::escape_path;
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::extensions;
use crate::types::{
    Context, Error, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse, RenderedRequest,
};

/// The id of the format.
pub const FORMAT: &str = "openai.models";

/// Requests the list, or one model. The list has a single page.
pub fn render(quirks: &Quirks, ctx: &Context, request: &ModelsRequest) -> RenderedRequest {
    let mut http = quirks.address(ctx, HttpRequest::get(""), |paths| paths.models);
    if let Some(id) = &request.id {
        http.path.push('/');
        http.path.push_str(&escape_path(id));
    }
    RenderedRequest::new(http)
}

/// Parses a list, with or without its wrapper, or one model.
pub fn parse(response: &HttpResponse) -> Result<ModelsResponse, Error> {
    let text = response.text()?.trim();
    let unreadable = |e| Error::unreadable(format!("the provider's answer is not readable: {e}"));
    let models = if text.starts_with('[') {
        json::parse::<Vec<&RawValue>>(text).map_err(unreadable)?
    } else {
        let mut answer = Rest::parse(text).map_err(unreadable)?;
        if let Some(error) = answer.get("error") {
            return Err(error::from_json(error.get(), None));
        }
        match answer.list("data") {
            Some(data) => data,
            None => vec![json::parse(text).map_err(unreadable)?],
        }
    };
    Ok(ModelsResponse { models: models.into_iter().filter_map(model).collect(), cursor: None })
}

/// Parses one model. Unknown members are kept in place, so that they are written back unchanged.
fn model(raw: &RawValue) -> Option<ModelInfo> {
    let mut wire = Rest::parse(raw.get()).ok()?;
    wire.take("object");
    let count = |keys: &[&str]| {
        let number = |raw: &RawValue| json::parse::<json::Count>(raw.get()).ok().map(|count| count.0);
        keys.iter().find_map(|key| wire.get(key).and_then(number))
    };
    let context_tokens = count(&["context_length", "context_window", "max_context_length", "max_model_len"]);
    let output_tokens = count(&["max_completion_tokens", "max_output_tokens", "max_output_length"]);
    let display_name = ["display_name", "name"].iter().find_map(|key| wire.get(key).and_then(json::text));
    Some(ModelInfo {
        id: wire.str("id")?.into_string(),
        display_name: display_name.map(Str::into_string),
        created_ms: wire.number("created").map(|created| created * 1000.0),
        owner: wire.str("owned_by").map(Str::into_string),
        context_tokens,
        output_tokens,
        extensions: extensions(FORMAT, wire),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Body;

    fn ids(text: &str) -> Vec<String> {
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        parse(&response).unwrap().models.into_iter().map(|model| model.id).collect()
    }

    #[test]
    fn lists_bare_lists_and_single_models_are_read() {
        assert_eq!(ids(r#"{"object":"list","data":[{"id":"a"},{"id":"b","context_length":8192}]}"#), ["a", "b"]);
        assert_eq!(ids(r#"[{"id":"a","created":1}]"#), ["a"]);
        assert_eq!(ids(r#"{"id":"a","object":"model","owned_by":"x"}"#), ["a"]);
    }

    #[test]
    fn one_model_is_asked_for_by_its_path() {
        let request = ModelsRequest { id: Some("org/model x".into()), cursor: None, limit: None };
        let rendered = render(&Quirks::COMPATIBLE, &Context::default(), &request);
        assert_eq!(rendered.request.path, "models/org/model%20x");
    }
}
