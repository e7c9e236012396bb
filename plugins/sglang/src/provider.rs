//! The provider's side: what the base of compatible providers does, with the messages around it.

use weir_sdk::adapter::{
    ChatOutcome, ProviderChat, ProviderEmbeddings, ProviderErrors, ProviderModels, ProviderRerank, Result,
};
use weir_sdk::types::{
    Body, ChatRequest, Context, EmbeddingsRequest, EmbeddingsResponse, Error, HttpResponse, ModelsRequest,
    ModelsResponse, RenderedRequest, RerankRequest, RerankResponse,
};

use crate::decoder::ChunkDecoder;
use crate::envelope::{unwrap, wrap};
use crate::{Json, Sglang, models};

impl ProviderErrors for Sglang {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        Json::parse_error(ctx, response)
    }
}

impl ProviderChat for Sglang {
    type Decoder = ChunkDecoder;
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        wrap(<Json as ProviderChat>::render_request(ctx, request)?)
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        <Json as ProviderChat>::parse_response(ctx, unwrap(response)?)
    }
}

impl ProviderEmbeddings for Sglang {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        wrap(<Json as ProviderEmbeddings>::render_request(ctx, request)?)
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        <Json as ProviderEmbeddings>::parse_response(ctx, unwrap(response)?)
    }
}

impl ProviderRerank for Sglang {
    fn render_request(ctx: &Context, request: RerankRequest) -> Result<RenderedRequest> {
        wrap(<Json as ProviderRerank>::render_request(ctx, request)?)
    }
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<RerankResponse> {
        let mut response = unwrap(response)?;
        // The answer is the list of results alone.
        if let Body::Text(json) = &mut response.body
            && json.trim_start().starts_with('[')
        {
            *json = format!("{{\"results\":{json}}}");
        }
        <Json as ProviderRerank>::parse_response(ctx, response)
    }
}

impl ProviderModels for Sglang {
    fn render_request(_: &Context, _: ModelsRequest) -> Result<RenderedRequest> {
        Ok(models::render())
    }
    fn parse_response(_: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        models::parse(&response)
    }
}
