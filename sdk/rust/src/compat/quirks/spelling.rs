//! Things that providers spell in different ways: thinking, cache hints, vectors, media.

/// How a request asks for thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// There is no such member.
    None,
    /// `reasoning_effort: "low"`.
    Effort,
    /// `reasoning: {enabled}`, and `reasoning_effort` beside it.
    EnabledAndEffort,
    /// `reasoning: {effort, max_tokens, enabled, exclude}`.
    Object,
    /// `thinking: {type}`.
    Thinking,
    /// `thinking: {type}`, and `reasoning_effort` beside it.
    ThinkingAndEffort,
    /// `thinking: {type, budget_tokens}`, and `reasoning_effort` beside it.
    BudgetAndEffort,
}

/// How thinking is sent in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// Thinking is left out.
    None,
    /// The member `reasoning_content`.
    Content,
    /// The member `reasoning`.
    Reasoning,
    /// `reasoning_details` if there is an opaque value, `reasoning` otherwise.
    Details,
    /// Parts of type `thinking` in the content.
    Parts,
    /// Parts of type `reasoning` in the content, with a summary that may be signed.
    Summaries,
}

/// How cache hints are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// There are none.
    None,
    /// `cache_control: {"type": "ephemeral"}`.
    Control,
}

/// The type of the numbers in embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    /// Floats, as numbers or in base64.
    Floats,
    /// Signed bytes in base64 (`base64_int8`), or bits (`base64_binary`). Requests are translated: a client that asks
    /// for floats gets the bytes as numbers.
    Bytes,
}

/// The media that a provider takes.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a provider, none a state")]
pub struct Media {
    /// `image_url`.
    pub images: bool,
    /// Whether addresses other than data URLs are fetched.
    pub urls: bool,
    /// `input_audio`.
    pub audio: bool,
    /// `file`.
    pub files: bool,
    /// Addresses in `file.file_data`.
    pub file_urls: bool,
    /// Whether documents are parts of type `document_url`, including base64.
    pub document_urls: bool,
    /// Whether `input_audio` is the base64 alone, without a format.
    pub bare_audio: bool,
    /// `video_url`.
    pub video: bool,
    /// Whether tool messages may hold images; they are moved to a user message otherwise.
    pub in_tools: bool,
}
