//! Answers a request by a kept answer to a question that means the same.

use std::sync::Arc;
use std::time::Duration;

use super::Gateway;
use super::kept_answer::KeptAnswer;
use super::own_time::own_time;
use crate::answer_cache::{CacheResult, SemanticResult};
use crate::attempt::{InboundRequest, Meaning};
use crate::route::Route;
use crate::serving::Serving;
use weir_cache::similar::wording::Wording;
use weir_cache::similar::{Demand, Direction, PendingQuestion, Question};
use weir_cache::{Control, Entry, Key, Mark};
use weir_config::SemanticCache;
use weir_types::contract::types::{ChatRequest, Part, Role};
use weir_types::headers;

/// The longest question in bytes: longer texts are rarely asked twice, and a vector says little of them.
const MAX_QUESTION_BYTES: usize = 8 << 10;
/// Questions whose answers have ended that are passed over for one request.
const MAX_ENDED: usize = 4;
/// What a client writes to have no such answer.
const OFF: [&str; 2] = ["off", "false"];

/// What was found for a request.
pub(super) enum Similar {
    /// The answer to a question that means the same.
    Answer(KeptAnswer),
    /// None; the question is kept with the answer that follows, if it has a vector.
    Nothing(Option<PendingQuestion>),
}

/// A model with a semantic cache.
#[derive(Clone, Copy)]
pub(super) struct SemanticModel<'a> {
    pub(super) route: &'a Arc<Route>,
    /// The settings of its cache.
    pub(super) settings: &'a SemanticCache,
}

impl Gateway {
    /// Looks for a kept answer to a question that means the same as this one, in the same conversation with the same
    /// settings. The vector of the question is made on behalf of the caller. `mark` has the removals that the server
    /// which nodes share knows.
    pub(super) async fn find_similar(
        &self,
        serving: &Serving,
        inbound: &InboundRequest,
        SemanticModel { route, settings }: SemanticModel<'_>,
        meaning: &Meaning,
        control: &Control,
        mark: Option<&Mark>,
    ) -> Similar {
        let refuses = |value: &str| OFF.iter().any(|off| off.eq_ignore_ascii_case(value.trim()));
        let header = inbound.headers.get(&headers::SEMANTIC_CACHE).and_then(|value| value.to_str().ok());
        if control.no_cache || header.is_some_and(refuses) {
            return Similar::Nothing(None);
        }
        let Some((text, rest)) = split(&meaning.chat) else { return Similar::Nothing(None) };
        let (model, questions) = (Arc::<str>::from(route.alias.as_str()), self.answers.questions());
        let embedding = self.embed(serving, inbound, &settings.embeddings, &text);
        let direction = match tokio::time::timeout(wait(inbound, route, settings), Box::pin(embedding)).await {
            Ok(Ok(vector)) => Direction::of(vector),
            Ok(Err(fault)) => {
                tracing::debug!(%fault, model = &*settings.embeddings, "no vector for the semantic cache");
                None
            }
            Err(_) => None,
        };
        let Some(direction) = direction else {
            questions.count(&model, SemanticResult::Failed);
            return Similar::Nothing(None);
        };
        let partition = self.answers.meaning_key(serving, inbound, route, &rest);
        let question = Question { direction, wording: Wording::of(&text) };
        let mut pending = questions.pending(partition, &model, question);
        if let Some(mark) = mark {
            self.answers.learn(inbound, &mut pending, mark).await;
        }
        let (result, found) = self.nearest_kept(inbound, &pending, settings, &model, meaning, control).await;
        questions.count(&model, result);
        match found {
            Some((key, entry, similarity)) => {
                let (result, route) = (CacheResult::Semantic, Arc::clone(route));
                Similar::Answer(KeptAnswer { key, entry, result, route, similarity: Some(similarity), held: None })
            }
            None => Similar::Nothing(Some(pending)),
        }
    }

    /// The kept answer to the nearest question, how near that is, and the outcome of the search. Questions whose
    /// answers have ended or were removed are forgotten on the way.
    async fn nearest_kept(
        &self,
        inbound: &InboundRequest,
        pending: &PendingQuestion,
        settings: &SemanticCache,
        model: &Arc<str>,
        meaning: &Meaning,
        control: &Control,
    ) -> (SemanticResult, Option<(Key, Arc<Entry>, f64)>) {
        let demand = Demand { threshold: settings.threshold, same_wording: settings.token_gate };
        for _ in 0..MAX_ENDED {
            let Some(nearest) = self.answers.questions().nearest(pending, demand).await else { break };
            if !nearest.fits {
                let is_near = nearest.similarity >= settings.threshold;
                return (if is_near { SemanticResult::Near } else { SemanticResult::Miss }, None);
            }
            let (found, mark) = self.find_in_another_format(inbound, nearest.key, meaning, model, control).await;
            if let Some(entry) = found {
                if self.answers.was_called_wrong(&nearest.key, &entry).await {
                    pending.forget(&nearest.key);
                    continue;
                }
                return (SemanticResult::Hit, Some((nearest.key, entry, nearest.similarity)));
            }
            if self.answers.get(&nearest.key, &Control::default()).is_some() {
                // It is too old for this request, or this format has no place for it.
                break;
            }
            if mark.is_none() && self.answers.is_shared() {
                // The server is away: other nodes may still have it.
                break;
            }
            pending.forget(&nearest.key);
        }
        (SemanticResult::Miss, None)
    }
}

/// How long a request waits for its vector: half of its own time is for the provider.
fn wait(inbound: &InboundRequest, route: &Route, settings: &SemanticCache) -> Duration {
    let totals = route.targets.iter().flatten().filter_map(|target| target.timeouts.total);
    let most = own_time(inbound).into_iter().chain(totals).min();
    most.map_or(settings.wait, |most| settings.wait.min(most / 2))
}

/// The last words of a client, and the request without them; none if it does not end with words alone, or they are too
/// long.
fn split(chat: &ChatRequest) -> Option<(String, ChatRequest)> {
    let mut rest = chat.clone();
    let last = rest.messages.last_mut().filter(|message| message.role == Role::User)?;
    let mut text = String::new();
    for part in &mut last.parts {
        let Part::Text(part) = part else { return None };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&std::mem::take(&mut part.text));
    }
    (text.len() <= MAX_QUESTION_BYTES && !text.trim().is_empty()).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_the_last_words_of_the_client_and_all_else_its_partition() {
        let (text, rest) = split(&ChatRequest::user("Hi")).unwrap();
        let (other, other_rest) = split(&ChatRequest::user("Ho")).unwrap();
        assert_eq!((text.as_str(), other.as_str()), ("Hi", "Ho"));
        assert_eq!(format!("{rest:?}"), format!("{other_rest:?}"));
        assert!(split(&ChatRequest::user(" ")).is_none());
        assert!(split(&ChatRequest::user(&"x".repeat(MAX_QUESTION_BYTES + 1))).is_none());
        let mut answered = ChatRequest::user("Hi");
        answered.messages[0].role = Role::Assistant;
        assert!(split(&answered).is_none());
    }
}
