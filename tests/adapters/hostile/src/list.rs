//! Lists of models, whose query selects what is wrong with them.

use weir_sdk::adapter::{DialectModels, ParsedModels, Result};
use weir_sdk::types::{Context, HttpRequest, ModelsRequest, ModelsResponse, RenderedResponse};

use crate::{Hostile, deeds};

impl DialectModels for Hostile {
    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedModels> {
        let deed = request.query.into_iter().find(|pair| pair.name == "deed").map(|pair| pair.value);
        deeds::act(deed.as_deref().unwrap_or_default(), "read");
        let request = ModelsRequest { id: None, cursor: None, limit: None };
        Ok(ParsedModels { request, losses: Vec::new(), memo: deed.unwrap_or_default() })
    }

    fn render_response(ctx: &Context, _: ModelsResponse) -> Result<RenderedResponse> {
        let text = deeds::act(&ctx.memo, "write");
        let list = if text == "well" { "{\"models\":[]}".to_owned() } else { text };
        let mut answer = RenderedResponse::json(list);
        deeds::dress(&ctx.memo, &mut answer);
        Ok(answer)
    }
}
