//! The operations besides chat. A deed that nothing is left of in the result is one that does not return.

use weir_sdk::adapter::{
    DialectCountTokens, DialectEmbeddings, DialectRerank, ParsedCount, ParsedEmbeddings, ParsedRerank,
    ProviderCountTokens, ProviderEmbeddings, ProviderModels, ProviderRerank, Result,
};
use weir_sdk::types::{
    ChatRequest, Context, Embedding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, HttpRequest, HttpResponse,
    Message, ModelInfo, ModelsRequest, ModelsResponse, Part, RenderedRequest, RenderedResponse, RerankDocument,
    RerankRequest, RerankResponse, RerankResult, Role, TokenCount, Vector,
};

use crate::{Hostile, deeds, lies};

/// A list that is larger than any answer may be.
const SWARM: u32 = 2_000_000;

fn rendered(model: &str) -> RenderedRequest {
    RenderedRequest::new(deeds::sent(model))
}

fn written(ctx: &Context) -> RenderedResponse {
    RenderedResponse::json(format!("{{\"text\":\"{}\"}}", deeds::act(&ctx.memo, "write")))
}

/// How many results the answer has.
fn count(model: &str) -> u32 {
    if deeds::asked(model, "parse") == Some("swarm") { SWARM } else { 1 }
}

fn lies(model: &str) -> bool {
    deeds::asked(model, "parse") == Some("lie")
}

impl ProviderEmbeddings for Hostile {
    fn render_request(ctx: &Context, _: EmbeddingsRequest) -> Result<RenderedRequest> {
        Ok(rendered(&ctx.model))
    }

    fn parse_response(ctx: &Context, _: HttpResponse) -> Result<EmbeddingsResponse> {
        let id = Some(deeds::act(&ctx.model, "parse"));
        if lies(&ctx.model) {
            return Ok(lies::embeddings());
        }
        let embedding = |index| Embedding { index, vector: Vector::Floats(vec![0.5]) };
        let embeddings = (0..count(&ctx.model)).map(embedding).collect();
        Ok(EmbeddingsResponse { id, model: None, embeddings, usage: None, extensions: Vec::new() })
    }
}

impl DialectEmbeddings for Hostile {
    fn parse_request(ctx: &Context, _: HttpRequest) -> Result<ParsedEmbeddings> {
        let request = EmbeddingsRequest {
            model: ctx.model.clone(),
            inputs: vec![EmbeddingInput::Text(deeds::act(&ctx.model, "read"))],
            single: true,
            dimensions: None,
            encoding: None,
            task: None,
            title: None,
            end_user: None,
            extensions: Vec::new(),
        };
        Ok(ParsedEmbeddings { request, losses: Vec::new(), memo: ctx.model.clone() })
    }

    fn render_response(ctx: &Context, _: EmbeddingsResponse) -> Result<RenderedResponse> {
        Ok(written(ctx))
    }
}

impl ProviderRerank for Hostile {
    fn render_request(ctx: &Context, _: RerankRequest) -> Result<RenderedRequest> {
        Ok(rendered(&ctx.model))
    }

    fn parse_response(ctx: &Context, _: HttpResponse) -> Result<RerankResponse> {
        let id = Some(deeds::act(&ctx.model, "parse"));
        if lies(&ctx.model) {
            return Ok(lies::rerank());
        }
        let result = |index| RerankResult { index, score: 0.5, document: None };
        let results = (0..count(&ctx.model)).map(result).collect();
        Ok(RerankResponse { id, model: None, results, usage: None, extensions: Vec::new() })
    }
}

impl DialectRerank for Hostile {
    fn parse_request(ctx: &Context, _: HttpRequest) -> Result<ParsedRerank> {
        let request = RerankRequest {
            model: ctx.model.clone(),
            query: deeds::act(&ctx.model, "read"),
            documents: vec![RerankDocument::Text("a".to_owned())],
            top_n: None,
            return_documents: None,
            extensions: Vec::new(),
        };
        Ok(ParsedRerank { request, losses: Vec::new(), memo: ctx.model.clone() })
    }

    fn render_response(ctx: &Context, _: RerankResponse) -> Result<RenderedResponse> {
        Ok(written(ctx))
    }
}

impl ProviderCountTokens for Hostile {
    fn render_request(ctx: &Context, _: ChatRequest) -> Result<RenderedRequest> {
        Ok(rendered(&ctx.model))
    }

    fn parse_response(ctx: &Context, _: HttpResponse) -> Result<TokenCount> {
        deeds::act(&ctx.model, "parse");
        let most = lies(&ctx.model).then_some(u32::MAX);
        Ok(TokenCount { input: most.unwrap_or(3), cached: most })
    }
}

impl DialectCountTokens for Hostile {
    fn parse_request(ctx: &Context, _: HttpRequest) -> Result<ParsedCount> {
        let text = deeds::act(&ctx.model, "read");
        let messages = vec![Message::new(Role::User, vec![Part::text(text)])];
        let request = ChatRequest { model: ctx.model.clone(), messages, ..ChatRequest::default() };
        Ok(ParsedCount { request, losses: Vec::new(), memo: ctx.model.clone() })
    }

    fn render_response(ctx: &Context, _: TokenCount) -> Result<RenderedResponse> {
        Ok(written(ctx))
    }
}

/// A list is asked for without a model: the id of the client's request has the deed.
impl ProviderModels for Hostile {
    fn render_request(ctx: &Context, _: ModelsRequest) -> Result<RenderedRequest> {
        Ok(rendered(&ctx.request_id))
    }

    fn parse_response(ctx: &Context, _: HttpResponse) -> Result<ModelsResponse> {
        let name = deeds::act(&ctx.request_id, "parse");
        let model = |number| ModelInfo {
            id: format!("{name}-{number}"),
            display_name: None,
            created_ms: None,
            owner: None,
            context_tokens: None,
            output_tokens: None,
            extensions: Vec::new(),
        };
        // A list that goes on and on.
        let cursor = lies(&ctx.request_id).then(|| "more".to_owned());
        let most = if cursor.is_some() { 15_000 } else { count(&ctx.request_id) };
        Ok(ModelsResponse { models: (0..most).map(model).collect(), cursor })
    }
}
