//! Lists of models, whose query selects what is wrong with them.

use weir_sdk::adapter::{DialectModels, ParsedModels, Result};
use weir_sdk::types::{Context, HttpRequest, ModelsRequest, ModelsResponse, RenderedResponse};

use crate::{Hostile, deeds};

impl DialectModels for Hostile {
    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedModels> {
        let deed = request.query.into_iter().find(|pair| pair.name == "deed").map(|pair| pair.value);
        let request = ModelsRequest { id: None, cursor: None, limit: None };
        Ok(ParsedModels { request, losses: Vec::new(), memo: deed.unwrap_or_default() })
    }

    fn render_response(ctx: &Context, _: ModelsResponse) -> Result<RenderedResponse> {
        let mut answer = RenderedResponse::json("{\"models\":[]}".to_string());
        deeds::dress(&ctx.memo, &mut answer);
        Ok(answer)
    }
}
