//! Lists of models.

use weir_sdk::adapter::{DialectModels, ParsedModels, ProviderModels, Result};
use weir_sdk::json::{object, parse};
use weir_sdk::types::{
    Context, Error, Header, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse, RenderedRequest,
    RenderedResponse,
};

use crate::{Zeta, wire};

impl ProviderModels for Zeta {
    fn render_request(_: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        let mut http = HttpRequest::get("roster");
        http.query.extend(request.cursor.map(|cursor| Header::new("from", cursor)));
        Ok(RenderedRequest::new(http))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        let text = response.body.as_text().map_err(|_| Error::unreadable("the roster is not text"))?;
        let roster: wire::Roster<'_> = parse(text).map_err(|error| Error::unreadable(format!("no roster: {error}")))?;
        let info = |mind: wire::Mind<'_>| ModelInfo {
            id: mind.called.map(String::from).unwrap_or_default(),
            display_name: None,
            created_ms: None,
            owner: mind.by.map(String::from),
            context_tokens: None,
            output_tokens: None,
            extensions: Vec::new(),
        };
        let models = roster.minds.unwrap_or_default().into_iter().map(info).collect();
        Ok(ModelsResponse { models, cursor: roster.more.map(String::from) })
    }
}

impl DialectModels for Zeta {
    fn parse_request(_: &Context, _: HttpRequest) -> Result<ParsedModels> {
        let request = ModelsRequest { id: None, cursor: None, limit: None };
        Ok(ParsedModels { request, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(_: &Context, response: ModelsResponse) -> Result<RenderedResponse> {
        let mut body = String::new();
        object(&mut body, |o| {
            o.array("minds", |a| {
                for model in &response.models {
                    a.object(|o| {
                        o.str("called", &model.id);
                        o.opt_str("by", model.owner.as_deref());
                    });
                }
            });
        });
        Ok(RenderedResponse::json(body))
    }
}
