//! `semantic_cache` of a model: kept answers for questions that mean the same.

use std::time::Duration;

use crate::Place;
use crate::section::{Section, Share, section};

section! {
    /// Answers of a model with `cache` for questions that mean the same, off by default; see `docs/cache.md`.
    SEMANTIC_CACHE = "semantic_cache = { ... }" then SemanticCache::placed;
    #[derive(Debug, Clone)]
    pub struct SemanticCache {
        /// The alias of the model that makes vectors of questions. The caller pays for them, and needs the right to use
        /// it.
        embeddings: String => required "the alias of a model for embeddings",
        /// The least cosine of two questions that get the same answer.
        threshold: f64 as Share = 0.95,
        /// Whether the two must say the same in the same order too, but for courtesy, punctuation and phrases that
        /// always mean the same. Without it "enable" and "disable" get the same answer: their vectors are as near as
        /// those of paraphrases.
        token_gate: bool = true,
        /// How long a request waits for the vector at most. Then a provider is asked.
        wait: Duration = Duration::from_secs(1),
    } beside {
        /// Where the table stands.
        place: Place = Place::Unset,
    }
}

impl SemanticCache {
    fn placed(self, section: &Section<'_>) -> Self {
        Self { place: section.place.clone(), ..self }
    }
}
