//! The contract's functions that have one form: a context and one input in, one output or an error out.

/// Applies a macro to the list of functions: the method, the place of its binding, its types, its name in messages.
macro_rules! functions {
    ($apply:ident) => {
        $apply! {
            /// Dialect: reads a client's chat request.
            parse_chat = dialect_chat.weir_adapter_dialect_chat.call_parse_request(HttpRequest) -> ParsedChat, "dialect-chat.parse-request";
            /// Dialect: writes a whole answer for the client.
            render_chat_response = dialect_chat.weir_adapter_dialect_chat.call_render_response(ChatResponse) -> RenderedResponse, "dialect-chat.render-response";
            /// Provider: writes a chat request for the upstream.
            render_chat = provider_chat.weir_adapter_provider_chat.call_render_request(ChatRequest) -> RenderedRequest, "provider-chat.render-request";
            /// Provider: reads the upstream's whole answer.
            parse_chat_response = provider_chat.weir_adapter_provider_chat.call_parse_response(HttpResponse) -> ChatOutcome, "provider-chat.parse-response";

            /// Dialect: reads a client's request for embeddings.
            parse_embeddings = dialect_embeddings.weir_adapter_dialect_embeddings.call_parse_request(HttpRequest) -> ParsedEmbeddings, "dialect-embeddings.parse-request";
            /// Dialect: writes embeddings for the client.
            render_embeddings_response = dialect_embeddings.weir_adapter_dialect_embeddings.call_render_response(EmbeddingsResponse) -> RenderedResponse, "dialect-embeddings.render-response";
            /// Provider: writes a request for embeddings for the upstream.
            render_embeddings = provider_embeddings.weir_adapter_provider_embeddings.call_render_request(EmbeddingsRequest) -> RenderedRequest, "provider-embeddings.render-request";
            /// Provider: reads the upstream's embeddings.
            parse_embeddings_response = provider_embeddings.weir_adapter_provider_embeddings.call_parse_response(HttpResponse) -> EmbeddingsResponse, "provider-embeddings.parse-response";

            /// Dialect: reads a client's request for models.
            parse_models = dialect_models.weir_adapter_dialect_models.call_parse_request(HttpRequest) -> ParsedModels, "dialect-models.parse-request";
            /// Dialect: writes a list of models, or one, for the client.
            render_models_response = dialect_models.weir_adapter_dialect_models.call_render_response(ModelsResponse) -> RenderedResponse, "dialect-models.render-response";
            /// Provider: writes a request for models for the upstream.
            render_models = provider_models.weir_adapter_provider_models.call_render_request(ModelsRequest) -> RenderedRequest, "provider-models.render-request";
            /// Provider: reads the upstream's models.
            parse_models_response = provider_models.weir_adapter_provider_models.call_parse_response(HttpResponse) -> ModelsResponse, "provider-models.parse-response";

            /// Dialect: reads a client's request to count tokens.
            parse_count = dialect_count_tokens.weir_adapter_dialect_count_tokens.call_parse_request(HttpRequest) -> ParsedCount, "dialect-count-tokens.parse-request";
            /// Provider: writes a request to count tokens for the upstream.
            render_count = provider_count_tokens.weir_adapter_provider_count_tokens.call_render_request(ChatRequest) -> RenderedRequest, "provider-count-tokens.render-request";
            /// Provider: reads the upstream's count.
            parse_count_response = provider_count_tokens.weir_adapter_provider_count_tokens.call_parse_response(HttpResponse) -> TokenCount, "provider-count-tokens.parse-response";

            /// Dialect: reads a client's request to rerank documents.
            parse_rerank = dialect_rerank.weir_adapter_dialect_rerank.call_parse_request(HttpRequest) -> ParsedRerank, "dialect-rerank.parse-request";
            /// Dialect: writes reranked documents for the client.
            render_rerank_response = dialect_rerank.weir_adapter_dialect_rerank.call_render_response(RerankResponse) -> RenderedResponse, "dialect-rerank.render-response";
            /// Provider: writes a request to rerank documents for the upstream.
            render_rerank = provider_rerank.weir_adapter_provider_rerank.call_render_request(RerankRequest) -> RenderedRequest, "provider-rerank.render-request";
            /// Provider: reads the upstream's ranking.
            parse_rerank_response = provider_rerank.weir_adapter_provider_rerank.call_parse_response(HttpResponse) -> RerankResponse, "provider-rerank.parse-response";
        }
    };
}
pub(crate) use functions;
