//! Operations, by their names and by how they may travel.

use super::about::Operation;

impl Operation {
    /// Its name in metrics, logs and the configuration.
    pub fn name(&self) -> &str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::CountTokens => "count_tokens",
            Self::Rerank => "rerank",
            Self::ImageGeneration => "images",
            Self::ImageEdit => "image-edits",
            Self::Speech => "speech",
            Self::Transcription => "transcriptions",
            Self::Moderation => "moderations",
            Self::Realtime => "realtime",
            Self::Other(name) => name,
        }
    }

    /// Whether requests are only relayed: no translation between formats exists for this operation.
    pub fn is_relayed_only(&self) -> bool {
        !matches!(self, Self::Chat | Self::Embeddings | Self::Models | Self::CountTokens | Self::Rerank)
    }
}
