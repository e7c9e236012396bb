//! The larger records of the contract with nothing in them but what was said: generated types have no defaults.

use super::types::{ChatRequest, Message, Part, Role, Sampling, TextPart};

impl ChatRequest {
    /// A request for one whole answer that asks for nothing in particular.
    pub fn plain(model: &str, messages: Vec<Message>) -> Self {
        Self {
            model: model.to_owned(),
            messages,
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            output: None,
            sampling: Sampling {
                temperature: None,
                top_p: None,
                top_k: None,
                seed: None,
                stop: Vec::new(),
                frequency_penalty: None,
                presence_penalty: None,
                candidates: None,
                logprobs: None,
                top_logprobs: None,
            },
            max_output_tokens: None,
            reasoning: None,
            stream: false,
            end_user: None,
            metadata: None,
            service_tier: None,
            cache_key: None,
            extensions: Vec::new(),
        }
    }
}

impl Message {
    /// What somebody said.
    pub fn plain(role: Role, parts: Vec<Part>) -> Self {
        Self { role, name: None, parts, extensions: Vec::new() }
    }
}

impl TextPart {
    /// Words.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), citations: Vec::new(), signature: None, cache: None, extensions: Vec::new() }
    }
}
