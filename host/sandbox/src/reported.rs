//! The losses that a call's output reports.

use crate::contract::dialect_chat::exports::weir::adapter::dialect_chat::ParsedChat;
use crate::contract::dialect_count_tokens::exports::weir::adapter::dialect_count_tokens::ParsedCount;
use crate::contract::dialect_embeddings::exports::weir::adapter::dialect_embeddings::ParsedEmbeddings;
use crate::contract::dialect_models::exports::weir::adapter::dialect_models::ParsedModels;
use crate::contract::dialect_rerank::exports::weir::adapter::dialect_rerank::ParsedRerank;
use crate::contract::provider_chat::exports::weir::adapter::provider_chat::ChatOutcome;
use weir_types::contract::types::{
    Decoded, EmbeddingsResponse, Encoded, Loss, ModelsResponse, RenderedRequest, RenderedResponse, RerankResponse,
    TokenCount,
};

/// An output of a call, which may report losses.
pub(crate) trait Reported {
    /// The losses; none for outputs that cannot report any.
    fn losses(&self) -> &[Loss] {
        &[]
    }
}

macro_rules! with_losses {
    ($($output:ty),+) => {
        $(impl Reported for $output {
            fn losses(&self) -> &[Loss] {
                &self.losses
            }
        })+
    };
}

with_losses!(
    ParsedChat,
    ParsedCount,
    ParsedEmbeddings,
    ParsedModels,
    ParsedRerank,
    RenderedRequest,
    RenderedResponse,
    Decoded,
    Encoded
);

impl Reported for ChatOutcome {
    fn losses(&self) -> &[Loss] {
        match self {
            Self::Complete(answer) => &answer.losses,
            Self::FollowUp(_) => &[],
        }
    }
}

impl Reported for EmbeddingsResponse {}
impl Reported for ModelsResponse {}
impl Reported for RerankResponse {}
impl Reported for TokenCount {}
