//! The judgement of one request by its guards.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;

use super::labels::Labels;
use super::webhook::{Call, WebhookFailure};
use super::{ExchangeFacts, Guard, GuardMetrics, Judge, Note, Pending};
use weir_buffers::Held;
use weir_sandbox::guard::{Access, Annotation, Asked, Denial, RequestAnswer, RequestVerdict};
use weir_sandbox::{Adapter, FaultKind, PluginFault};
use weir_translate::bounds;
use weir_translate::extension_names::is_owned;
use weir_translate::stated_json;
use weir_types::contract::types::{Error, ErrorKind, Extension};
use weir_types::fault::{Fault, Side};
use weir_types::stage;
use weir_wire::screen::Screen;

/// The code of a refusal for which the guard names none.
const CODE: &str = "content_filter";

/// What guards made of a request.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What each guard did, in order. Guards after a refusal were not asked.
    pub notes: Vec<Note>,
    /// Whether a guard changed the request.
    pub changed: bool,
    /// The guards that are going to judge the answer.
    pub pending: Vec<Pending>,
    /// The guards that are notified of the end of the exchange, those after a refusal too.
    pub ends: Vec<Pending>,
    /// Why the request is refused.
    pub refused: Option<Fault>,
}

/// Why a guard gave no verdict.
#[derive(Debug, thiserror::Error)]
enum RequestGuardError {
    #[error("no such component is loaded")]
    Missing,
    #[error(transparent)]
    Component(#[from] PluginFault),
    #[error(transparent)]
    Webhook(#[from] WebhookFailure),
    #[error("it may not change requests")]
    MayNotReplace,
    #[error("its replacement is a request of another operation")]
    OtherRequest,
    #[error("its replacement has a value that is not JSON")]
    NotJson,
    #[error("the request cannot be read: {0}")]
    Unreadable(Fault),
}

/// A guard whose turn it is.
#[derive(Debug)]
pub struct Turn<'a> {
    guard: &'a Arc<Guard>,
    /// The version of its component that judges, if one was chosen already.
    version: Option<Arc<Adapter>>,
    /// Whether the request passes without being shown to it.
    passes: bool,
}

impl<'a> Turn<'a> {
    /// The turns of guards, in order.
    pub(crate) fn of(guards: &[&'a Arc<Guard>]) -> Vec<Self> {
        guards.iter().map(|guard| Self { guard, version: None, passes: false }).collect()
    }

    /// Whether it does not see requests, or may say what it looks for in them.
    pub(crate) fn may_pass(&self) -> bool {
        !self.guard.sees_requests() || self.guard.has_screen()
    }
}

/// Whether a request passes all guards that would see it, because nothing of what they look for is in its bytes. They
/// then need not be shown the request.
pub(crate) async fn pass_unread(turns: &mut [Turn<'_>], tenant: &Arc<str>, request: UnreadRequest<'_>) -> bool {
    let mut seeing: Vec<_> = turns.iter_mut().filter(|turn| turn.guard.sees_requests()).collect();
    for turn in &mut seeing {
        turn.version = turn.guard.version();
        let Some(screen) = turn.guard.screen(turn.version.as_ref(), tenant).await else { return false };
        if request.has_any(&screen) {
            return false;
        }
    }
    for turn in &mut seeing {
        turn.passes = true;
    }
    !seeing.is_empty()
}

/// A request in JSON that has not been read for the guards.
#[derive(Debug, Clone, Copy)]
pub struct UnreadRequest<'a> {
    /// Its body, in one piece.
    pub body: &'a [u8],
    /// Its headers, and the names of those that its format reads.
    pub headers: &'a HeaderMap,
    /// See `headers`.
    pub read_headers: &'a [String],
}

impl UnreadRequest<'_> {
    fn has_any(&self, screen: &Screen) -> bool {
        let values = self.read_headers.iter().flat_map(|name| self.headers.get_all(name.as_str()));
        screen.may_find(self.body) || values.into_iter().any(|value| screen.may_find(value.as_bytes()))
    }
}

/// Has guards judge a request, one after the other. A guard that changes the request does so for those after it too.
///
/// `unread` is why the request cannot be read, if it cannot: guards that may see requests have then failed. What a
/// guard's service is sent is held beside `held`.
pub async fn judge(
    mut turns: Vec<Turn<'_>>,
    facts: ExchangeFacts<'_>,
    asked: &mut Asked,
    unread: Option<&Fault>,
    held: &Held,
    metrics: &GuardMetrics,
) -> Judgement {
    let mut judgement = Judgement::default();
    // Those that are notified of the end are, whatever becomes of the request; others may not have their turn.
    let choose_early = |turn: &mut Turn<'_>| {
        if turn.guard.notes_ends() && turn.version.is_none() {
            turn.version = turn.guard.version();
        }
    };
    turns.iter_mut().for_each(choose_early);
    let pending = |guard: &Arc<Guard>, version: &Option<Arc<Adapter>>| Pending {
        guard: Arc::clone(guard),
        facts: facts.shown_to(guard),
        version: version.clone(),
        size: facts.size,
    };
    let noting = turns.iter().filter(|turn| turn.guard.notes_ends());
    judgement.ends = noting.map(|turn| pending(turn.guard, &turn.version)).collect();
    for Turn { guard, version, passes } in turns {
        let version = version.or_else(|| guard.version());
        if guard.judges_answers() {
            judgement.pending.push(pending(guard, &version));
        }
        if !guard.judges_requests() {
            continue;
        }
        let begun = Instant::now();
        let answer = match unread.filter(|_| guard.sees_requests()) {
            _ if passes => Ok(allowed()),
            Some(fault) => Err(RequestGuardError::Unreadable(fault.clone())),
            None => answer_of(guard, version.as_ref(), facts, asked, held).await,
        };
        let (verdict, annotations) = in_words(&answer);
        metrics.judged(&guard.name, guard.enforces(), verdict, begun.elapsed());
        let note = Note::new(&guard.name, verdict, guard.enforces(), &annotations);
        log(facts.request_id, &note, answer.as_ref().err());
        judgement.notes.push(note);
        if let Ok(answer) = &answer {
            let later = judgement.pending.iter_mut().chain(&mut judgement.ends);
            later
                .filter(|pending| Arc::ptr_eq(&pending.guard, guard))
                .for_each(|pending| pending.facts.memo.clone_from(&answer.memo));
        }
        judgement.follow(guard, answer, asked);
        if judgement.refused.is_some() {
            break;
        }
    }
    judgement
}

impl Judgement {
    /// Applies a guard's answer to the request, if the guard enforces its verdicts.
    fn follow(&mut self, guard: &Guard, answer: Result<RequestAnswer, RequestGuardError>, asked: &mut Asked) {
        match answer {
            Ok(_) if !guard.enforces() => {}
            Ok(RequestAnswer { verdict: RequestVerdict::Allow, .. }) => {}
            Ok(RequestAnswer { verdict: RequestVerdict::Replace(replaced), .. }) => {
                *asked = replaced;
                self.changed = true;
            }
            Ok(RequestAnswer { verdict: RequestVerdict::Deny(denial), .. }) => self.refused = Some(refusal(denial)),
            // A lack of room is not a failure of the guard, which would let requests pass meanwhile.
            Err(RequestGuardError::Webhook(WebhookFailure::Full(full))) => self.refused = Some(full.into()),
            Err(_) if guard.fails_open() => {}
            Err(failure) => self.refused = Some(failed(guard, &failure)),
        }
    }
}

/// The answer of a guard that found nothing.
fn allowed() -> RequestAnswer {
    RequestAnswer { verdict: RequestVerdict::Allow, annotations: Vec::new(), memo: String::new() }
}

/// The word of a verdict, and its annotations.
fn in_words(answer: &Result<RequestAnswer, RequestGuardError>) -> (&'static str, Vec<Annotation>) {
    let Ok(RequestAnswer { verdict, annotations, .. }) = answer else { return ("failed", Vec::new()) };
    match verdict {
        RequestVerdict::Allow => ("allow", annotations.clone()),
        RequestVerdict::Replace(_) => ("replace", annotations.clone()),
        RequestVerdict::Deny(denial) => ("deny", [annotations.as_slice(), &denial.annotations].concat()),
    }
}

fn log(request_id: &str, note: &Note, failure: Option<&RequestGuardError>) {
    let (guard, verdict, enforced) = (&*note.guard, note.verdict, note.enforced);
    match failure {
        Some(failure) => tracing::warn!(request_id, guard, enforced, error = %failure, "guard failed"),
        None if verdict == "allow" && note.annotations.is_empty() => {}
        None => tracing::info!(request_id, guard, verdict, enforced, annotations = note.annotated(), "guard judged"),
    }
}

/// One guard's answer, checked against what it may do.
async fn answer_of(
    guard: &Guard,
    version: Option<&Arc<Adapter>>,
    facts: ExchangeFacts<'_>,
    asked: &mut Asked,
    held: &Held,
) -> Result<RequestAnswer, RequestGuardError> {
    let labels = if guard.sees_metadata() { Labels::default() } else { Labels::take(asked, facts.end_user) };
    let seen = if guard.access() == Access::None { &Asked::Withheld } else { &*asked };
    let answer = judged_by(guard, version, facts, seen, held).await;
    labels.put_back(asked, !guard.sees_metadata());
    let mut answer = answer?;
    if let RequestVerdict::Replace(replaced) = &mut answer.verdict {
        if guard.access() != Access::Write {
            return Err(RequestGuardError::MayNotReplace);
        }
        settle(replaced, asked, guard.sees_metadata())?;
        if !is_sound(replaced) {
            return Err(RequestGuardError::NotJson);
        }
    }
    Ok(answer)
}

/// The verdict of the guard's component or service on the request as it may see it.
async fn judged_by(
    guard: &Guard,
    version: Option<&Arc<Adapter>>,
    facts: ExchangeFacts<'_>,
    seen: &Asked,
    held: &Held,
) -> Result<RequestAnswer, RequestGuardError> {
    let (shown, deadline) = (facts.shown_to(guard), guard.settings.deadline);
    match &guard.judge {
        Judge::Component(adapter) => {
            let lease = version.unwrap_or(adapter).lease(Arc::clone(&facts.caller.tenant)).await?;
            stage::begin().await;
            let mut lease = lease.within(deadline).about(facts.size);
            let answer = lease.on_request(&shown, seen);
            lease.release();
            Ok(answer?)
        }
        Judge::Webhook(webhook) => {
            let call = Call { caller: facts.caller.number(), timeout: deadline, held: held.beside() };
            Ok(webhook.on_request(&shown, seen, call).await?)
        }
        Judge::Missing => Err(RequestGuardError::Missing),
    }
}

/// Restores in a replaced request what no guard may change: the model, whether the answer is streamed, and labels that
/// it did not see. None of these comes back as an extension either.
fn settle(replaced: &mut Asked, before: &Asked, saw_labels: bool) -> Result<(), RequestGuardError> {
    match (replaced, before) {
        (Asked::Chat(replaced), Asked::Chat(before)) => {
            before.model.clone_into(&mut replaced.model);
            replaced.stream = before.stream;
            keep_names(&mut replaced.extensions, &before.extensions);
            if !saw_labels {
                replaced.metadata.clone_from(&before.metadata);
                replaced.end_user.clone_from(&before.end_user);
            }
        }
        (Asked::Embeddings(replaced), Asked::Embeddings(before)) => {
            before.model.clone_into(&mut replaced.model);
            keep_names(&mut replaced.extensions, &before.extensions);
            if !saw_labels {
                replaced.end_user.clone_from(&before.end_user);
            }
        }
        (Asked::Rerank(replaced), Asked::Rerank(before)) => {
            before.model.clone_into(&mut replaced.model);
            keep_names(&mut replaced.extensions, &before.extensions);
        }
        _ => return Err(RequestGuardError::OtherRequest),
    }
    Ok(())
}

/// Whether everything in a replaced request is JSON that has to be: another value would bring members of its own, such
/// as a model.
fn is_sound(replaced: &Asked) -> bool {
    match replaced {
        Asked::Chat(request) => stated_json::chat_is_sound(request),
        Asked::Embeddings(request) => stated_json::embeddings_are_sound(request),
        Asked::Rerank(request) => stated_json::rerank_is_sound(request),
        Asked::Withheld | Asked::Other(_) => true,
    }
}

/// Removes extensions that say what has a field, unless the client's request had them.
fn keep_names(replaced: &mut Vec<Extension>, before: &[Extension]) {
    replaced.retain(|new| !is_owned(&new.key) || before.iter().any(|known| known.key == new.key));
}

/// The refusal of a guard for the client, in bounds.
fn refusal(denial: Denial) -> Fault {
    let error = Error {
        kind: ErrorKind::ContentFiltered,
        message: denial.message,
        status: Some(400),
        code: Some(denial.code.filter(|code| !code.is_empty()).unwrap_or_else(|| CODE.to_owned())),
        param: None,
        retry_after_ms: None,
    };
    Fault::from_error(Side::Client, bounds::error(error))
}

/// The refusal because a guard failed. It contains none of the guard's own words, but says if a request cannot be read.
fn failed(guard: &Guard, failure: &RequestGuardError) -> Fault {
    let name = &guard.name;
    let is_too_large = match failure {
        RequestGuardError::Unreadable(fault) => return fault.clone(),
        RequestGuardError::Component(fault) => fault.kind == FaultKind::TooLarge,
        RequestGuardError::Missing
        | RequestGuardError::Webhook(_)
        | RequestGuardError::MayNotReplace
        | RequestGuardError::OtherRequest
        | RequestGuardError::NotJson => false,
    };
    if is_too_large {
        let message = format!("the request is too large for the guard `{name}`: send less at once");
        return Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413).with_code("guard_failed");
    }
    let message = format!("the guard `{name}` failed, and requests that it does not judge are refused");
    Fault::new(Side::Adapter, ErrorKind::Overloaded, message).with_status(503).with_code("guard_failed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::ChatRequest;

    #[test]
    fn a_refusal_is_bounded_and_has_a_code() {
        let denial = |code: Option<&str>, message: &str| Denial {
            code: code.map(str::to_owned),
            message: message.to_owned(),
            annotations: Vec::new(),
        };
        assert_eq!(refusal(denial(None, "no")).error.code.as_deref(), Some("content_filter"));
        let own = refusal(denial(Some("pii"), &"\u{1b}[31m".repeat(100_000))).error;
        assert_eq!((own.code.as_deref(), own.status), (Some("pii"), Some(400)));
        assert!(own.message.len() < 20_000 && !own.message.contains('\u{1b}'));
    }

    #[test]
    fn a_guard_changes_neither_the_model_nor_what_it_did_not_see() {
        let mut asked = Asked::Chat(ChatRequest::plain("m", Vec::new()));
        if let Asked::Chat(chat) = &mut asked {
            chat.metadata = Some("{\"a\":1}".into());
        }
        let mut replaced = Asked::Chat(ChatRequest { stream: true, ..ChatRequest::plain("other", Vec::new()) });
        settle(&mut replaced, &asked, false).unwrap();
        assert_eq!(replaced, asked);
        assert!(settle(&mut Asked::Withheld, &asked, false).is_err());
    }

    #[test]
    fn a_replaced_request_gets_no_extension_in_the_place_of_a_field() {
        let extension = |key: &str| Extension { format: "f".into(), key: key.into(), json: "1".into() };
        let chat = |keys: &[&str]| {
            let extensions = keys.iter().map(|key| extension(key)).collect();
            Asked::Chat(ChatRequest { extensions, ..ChatRequest::plain("m", Vec::new()) })
        };
        let mut replaced = chat(&["model", "stream", "options.max_tokens", "verbosity", "n"]);
        settle(&mut replaced, &chat(&["n"]), true).unwrap();
        assert_eq!(replaced, chat(&["verbosity", "n"]), "the client's own request had the last one");
    }
}
