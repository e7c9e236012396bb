//! The contract's functions that have one form: a context and one input in, one output or an error out.

/// Applies a macro to the list of functions: the method, its types, and its name in the contract.
macro_rules! functions {
    ($apply:ident) => {
        $apply! {
            /// Dialect: reads a client's chat request.
            parse_chat(HttpRequest) -> ParsedChat, "dialect-chat.parse-request";
            /// Dialect: writes a whole answer for the client.
            render_chat_response(ChatResponse) -> RenderedResponse, "dialect-chat.render-response";
            /// Provider: writes a chat request for the upstream.
            render_chat(ChatRequest) -> RenderedRequest, "provider-chat.render-request";
            /// Provider: reads the upstream's whole answer.
            parse_chat_response(HttpResponse) -> ChatOutcome, "provider-chat.parse-response";

            /// Dialect: reads a client's request for embeddings.
            parse_embeddings(HttpRequest) -> ParsedEmbeddings, "dialect-embeddings.parse-request";
            /// Dialect: writes embeddings for the client.
            render_embeddings_response(EmbeddingsResponse) -> RenderedResponse, "dialect-embeddings.render-response";
            /// Provider: writes a request for embeddings for the upstream.
            render_embeddings(EmbeddingsRequest) -> RenderedRequest, "provider-embeddings.render-request";
            /// Provider: reads the upstream's embeddings.
            parse_embeddings_response(HttpResponse) -> EmbeddingsResponse, "provider-embeddings.parse-response";

            /// Dialect: reads a client's request for models.
            parse_models(HttpRequest) -> ParsedModels, "dialect-models.parse-request";
            /// Dialect: writes a list of models, or one, for the client.
            render_models_response(ModelsResponse) -> RenderedResponse, "dialect-models.render-response";
            /// Provider: writes a request for models for the upstream.
            render_models(ModelsRequest) -> RenderedRequest, "provider-models.render-request";
            /// Provider: reads the upstream's models.
            parse_models_response(HttpResponse) -> ModelsResponse, "provider-models.parse-response";

            /// Dialect: reads a client's request to count tokens.
            parse_count(HttpRequest) -> ParsedCount, "dialect-count-tokens.parse-request";
            /// Provider: writes a request to count tokens for the upstream.
            render_count(ChatRequest) -> RenderedRequest, "provider-count-tokens.render-request";
            /// Provider: reads the upstream's count.
            parse_count_response(HttpResponse) -> TokenCount, "provider-count-tokens.parse-response";

            /// Dialect: reads a client's request to rerank documents.
            parse_rerank(HttpRequest) -> ParsedRerank, "dialect-rerank.parse-request";
            /// Dialect: writes reranked documents for the client.
            render_rerank_response(RerankResponse) -> RenderedResponse, "dialect-rerank.render-response";
            /// Provider: writes a request to rerank documents for the upstream.
            render_rerank(RerankRequest) -> RenderedRequest, "provider-rerank.render-request";
            /// Provider: reads the upstream's ranking.
            parse_rerank_response(HttpResponse) -> RerankResponse, "provider-rerank.parse-response";
        }
    };
}
pub(crate) use functions;
