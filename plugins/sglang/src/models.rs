//! The list of models: `ListModels`, whose messages have fields of their own.

use weir_sdk::compat::Provider as _;
use weir_sdk::json::{Rest, Str};
use weir_sdk::types::{Error, HttpRequest, HttpResponse, ModelInfo, ModelsResponse, RenderedRequest};

use crate::Json;

/// Requests the list. A request for one model gets all of them.
pub(crate) fn render() -> RenderedRequest {
    RenderedRequest::new(HttpRequest::post(Json::QUIRKS.paths.models, "{}".to_owned()))
}

/// Parses the list.
pub(crate) fn parse(response: &HttpResponse) -> Result<ModelsResponse, Error> {
    let unreadable = |error| Error::unreadable(format!("the provider's answer is not readable: {error}"));
    let mut answer = Rest::parse(response.text()?).map_err(unreadable)?;
    let models = answer.list("models").unwrap_or_default();
    Ok(ModelsResponse { models: models.into_iter().filter_map(|raw| model(raw.get())).collect(), cursor: None })
}

fn model(json: &str) -> Option<ModelInfo> {
    let mut card = Rest::parse(json).ok()?;
    Some(ModelInfo {
        id: card.str("id")?.into_string(),
        display_name: None,
        created_ms: None,
        owner: card.str("parent").map(Str::into_string),
        context_tokens: card.count("maxModelLen"),
        output_tokens: None,
        extensions: Vec::new(),
    })
}
