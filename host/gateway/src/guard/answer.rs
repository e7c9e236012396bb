//! The judgement of one answer by its guards, event by event, on its way to the client.

mod hold_back;
mod passed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::note::remember;
use super::{Guard, GuardMetrics, Note, Notes, Pending};
use hold_back::HoldBack;
use passed::ClientSideState;
use weir_sandbox::guard::{Access, Annotation, EventAnswer, EventVerdict};
use weir_sandbox::{AnswerJudge, PluginFault};
use weir_translate::event_validator::EventValidator;
use weir_translate::stated_json::LOGPROBS;
use weir_types::contract::types::{ChatEvent, ErrorKind, Loss, LossKind};
use weir_types::fault::{Fault, Side};

/// The guards of one answer, in order. Each gets what the one before it lets through.
#[derive(Debug)]
pub struct AnswerGuards {
    links: Vec<GuardStage>,
    passed: ClientSideState,
    /// Checks events that guards put in place of others.
    validator: Option<EventValidator>,
    is_refused: bool,
    /// Whether the answer had log probabilities, which are not sent on.
    had_logprobs: bool,
    metrics: GuardMetrics,
    request_id: String,
    /// The notes of each guard.
    notes: Notes,
}

impl Drop for AnswerGuards {
    /// An answer that broke off has been judged as far as it arrived.
    fn drop(&mut self) {
        self.end();
    }
}

/// One guard on the way.
#[derive(Debug)]
struct GuardStage {
    guard: Arc<Guard>,
    /// `None` once it is no longer asked.
    judge: Option<AnswerJudge>,
    held: HoldBack,
    /// What it did so far.
    verdict: &'static str,
    annotations: Vec<Annotation>,
}

/// The result for some events at one guard.
enum Step {
    Pass(Vec<ChatEvent>),
    Refused,
}

/// Why a guard gave no verdict.
#[derive(Debug, thiserror::Error)]
enum AnswerGuardError {
    #[error(transparent)]
    Component(#[from] PluginFault),
    #[error("it may not change answers")]
    MayNotReplace,
    #[error("too much of the answer is kept back for a part of it that does not go on")]
    Overfull,
}

impl AnswerGuards {
    /// Leases the guards that judge the answer to a request; `None` if there are none.
    ///
    /// # Errors
    ///
    /// A guard cannot run whose failures refuse requests.
    pub async fn begin(
        pending: &[Pending],
        tenant: &Arc<str>,
        request_id: &str,
        metrics: &GuardMetrics,
        notes: Notes,
    ) -> Result<Option<Self>, Fault> {
        let mut links = Vec::new();
        for pending in pending {
            let guard = &pending.guard;
            match judge_of(pending, tenant).await {
                Ok(judge) => links.extend(judge.map(|judge| GuardStage::new(guard, judge))),
                Err(fault) => {
                    tracing::warn!(request_id, guard = &*guard.name, error = %fault, "guard failed");
                    let (name, enforces) = (&guard.name, guard.enforces());
                    metrics.judged_answer(name, enforces, "failed");
                    notes.all().push(Note::of_answer(name, "failed", enforces, &[]));
                    if !guard.fails_open() {
                        return Err(failed(guard));
                    }
                }
            }
        }
        if links.is_empty() {
            return Ok(None);
        }
        let may_replace = links.iter().any(|link| link.guard.answer_access() == Access::Write);
        Ok(Some(Self {
            links,
            passed: ClientSideState::default(),
            validator: may_replace.then(|| EventValidator::new(request_id)),
            is_refused: false,
            had_logprobs: false,
            metrics: metrics.clone(),
            request_id: request_id.to_owned(),
            notes,
        }))
    }

    /// Whether all guards only watch, so that no byte of the answer may change.
    pub(crate) fn only_watch(&self) -> bool {
        !self.links.iter().any(|link| link.guard.enforces())
    }

    /// How long a piece may wait to be judged together with the next ones; `None` if no guard holds anything back, so
    /// that waiting would delay the client.
    pub(crate) fn judge_every(&self) -> Option<Duration> {
        let holds_back = self.links.iter().any(|link| link.held.holds_back());
        let times = self.links.iter().filter(|link| link.guard.enforces()).map(|link| link.guard.settings.judge_every);
        times.min().filter(|_| holds_back)
    }

    /// Judges the events of one read, and returns those that go on to the client.
    ///
    /// # Errors
    ///
    /// A guard failed whose failures end answers.
    pub fn push(&mut self, events: Vec<ChatEvent>) -> Result<Vec<ChatEvent>, Fault> {
        self.judge(events, false)
    }

    /// Judges the end of the events, and returns those held back that are sent on.
    ///
    /// # Errors
    ///
    /// As of [`Self::push`].
    pub fn finish(&mut self) -> Result<Vec<ChatEvent>, Fault> {
        self.judge(Vec::new(), true)
    }

    /// Whether a guard has refused the answer: its end has been returned, and nothing more follows.
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Ends a stream that has failed: drops events held back, and returns those that end what the client has.
    pub fn cut(&mut self, failure: Vec<ChatEvent>) -> Vec<ChatEvent> {
        let mut events = self.passed.close_parts();
        events.extend(failure.into_iter().filter(|event| matches!(event, ChatEvent::Failure(_))));
        events
    }

    /// Takes the losses of the answer among the guards that no guard took out on purpose: replacements that are not
    /// JSON, ends that guards left out, and log probabilities, which would show what is kept back.
    pub(crate) fn take_losses(&mut self) -> Vec<Loss> {
        let mut losses = self.validator.as_mut().map(EventValidator::take_losses).unwrap_or_default();
        for loss in &mut losses {
            let note =
                if loss.kind == LossKind::Dropped { "a guard's value is not JSON" } else { "a guard left it out" };
            loss.note = Some(note.to_owned());
        }
        if std::mem::take(&mut self.had_logprobs) {
            let note = Some("guards judge the answer".to_owned());
            losses.push(Loss { field: LOGPROBS.to_owned(), kind: LossKind::Dropped, note });
        }
        losses
    }

    /// Ends the judgement: counts, logs and notes it. Returns whether a guard changed the answer's texts.
    pub(crate) fn conclude(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        let links = std::mem::take(&mut self.links);
        let note = |link: GuardStage| {
            let GuardStage { guard, judge, verdict, annotations, .. } = link;
            judge.into_iter().for_each(AnswerJudge::release);
            self.metrics.judged_answer(&guard.name, guard.enforces(), verdict);
            let note = Note::of_answer(&guard.name, verdict, guard.enforces(), &annotations);
            if verdict != "allow" || !note.annotations.is_empty() {
                let (request_id, guard, annotations) = (&*self.request_id, &*guard.name, note.annotated());
                tracing::info!(
                    request_id,
                    guard,
                    verdict,
                    enforced = note.enforced,
                    annotations,
                    "guard judged answer"
                );
            }
            note
        };
        let notes: Vec<Note> = links.into_iter().map(note).collect();
        let is_changed = notes.iter().any(|note| note.verdict == "replace" && note.enforced);
        self.notes.all().extend(notes);
        is_changed
    }

    fn judge(&mut self, mut events: Vec<ChatEvent>, is_end: bool) -> Result<Vec<ChatEvent>, Fault> {
        if self.is_refused {
            return Ok(Vec::new());
        }
        if !self.only_watch() {
            // Their texts would show what is kept back.
            let all = events.len();
            events.retain(|event| !matches!(event, ChatEvent::Logprobs(_)));
            self.had_logprobs |= events.len() < all;
        }
        self.passed.remember_start(&events);
        for link in &mut self.links {
            match link.judge(events, is_end, &self.request_id)? {
                Step::Pass(passed) => events = passed,
                Step::Refused => {
                    self.is_refused = true;
                    return Ok(self.passed.refuse());
                }
            }
        }
        if let Some(validator) = &mut self.validator {
            events = validator.push(events);
            if is_end {
                events.extend(validator.end());
            }
        }
        self.passed.note(&events);
        Ok(events)
    }
}

impl GuardStage {
    fn new(guard: &Arc<Guard>, judge: AnswerJudge) -> Self {
        // A version on trial may keep back more than the serving one.
        let manifest = judge.adapter().guard.as_ref();
        let most = manifest.map_or(0, |manifest| manifest.hold_back as usize);
        let held = HoldBack::new(if guard.enforces() { most } else { 0 });
        Self { guard: Arc::clone(guard), judge: Some(judge), held, verdict: "allow", annotations: Vec::new() }
    }

    fn judge(&mut self, events: Vec<ChatEvent>, is_end: bool, request_id: &str) -> Result<Step, Fault> {
        let Some(judge) = &mut self.judge else { return Ok(Step::Pass(self.held.all(events))) };
        match verdicts(judge, &events, is_end, self.guard.answer_access()) {
            Ok(verdicts) => match self.follow(verdicts, events, is_end) {
                Step::Pass(passed) if self.held.is_overfull() => {
                    self.fail(&AnswerGuardError::Overfull, passed, request_id)
                }
                step => Ok(step),
            },
            Err(failure) => {
                let passed = self.held.all(events);
                self.fail(&failure, passed, request_id)
            }
        }
    }

    /// Ends the judgement by this guard: these events and the waiting ones pass, or the answer ends.
    fn fail(
        &mut self,
        failure: &AnswerGuardError,
        mut passed: Vec<ChatEvent>,
        request_id: &str,
    ) -> Result<Step, Fault> {
        tracing::warn!(request_id, guard = &*self.guard.name, error = %failure, "guard failed");
        (self.verdict, self.judge) = ("failed", None);
        passed.extend(self.held.all(Vec::new()));
        if self.guard.fails_open() { Ok(Step::Pass(passed)) } else { Err(failed(&self.guard)) }
    }

    /// Carries out the verdict of the guard on events and, at the end, on those that it still held.
    fn follow(&mut self, verdicts: Verdicts, events: Vec<ChatEvent>, is_end: bool) -> Step {
        let (mut going, mut is_replaced) = (events, false);
        for (nth, answer) in [verdicts.pushed, verdicts.finished].into_iter().enumerate() {
            let Some(EventAnswer { verdict, annotations }) = answer else { continue };
            remember(&mut self.annotations, &annotations);
            match verdict {
                EventVerdict::Allow => {}
                EventVerdict::Deny(denial) => {
                    self.verdict = "deny";
                    remember(&mut self.annotations, &denial.annotations);
                    if self.guard.enforces() {
                        return Step::Refused;
                    }
                    self.judge = None;
                }
                EventVerdict::Replace(events) => {
                    is_replaced |= self.guard.enforces();
                    if nth > 0 || meaning(&events) != meaning(&going) {
                        self.verdict = "replace";
                    }
                    match nth {
                        _ if !self.guard.enforces() => {}
                        0 => going = events,
                        _ => going.extend(events),
                    }
                }
            }
        }
        // A guard that replaces text keeps back by itself what it is not sure of.
        Step::Pass(if is_end || is_replaced { self.held.all(going) } else { self.held.push(going) })
    }
}

/// The content of events, however their texts are split: the text of each part, and everything else.
fn meaning(events: &[ChatEvent]) -> (BTreeMap<(u32, u32), String>, Vec<&ChatEvent>) {
    let (mut texts, mut others) = (BTreeMap::<_, String>::new(), Vec::new());
    for event in events {
        match event {
            ChatEvent::Delta(delta) => {
                texts.entry((delta.candidate, delta.part)).or_default().push_str(&delta.text);
            }
            other => others.push(other),
        }
    }
    (texts, others)
}

/// The verdict of a guard on events, and at the end.
struct Verdicts {
    pushed: Option<EventAnswer>,
    finished: Option<EventAnswer>,
}

fn verdicts(
    judge: &mut AnswerJudge,
    events: &[ChatEvent],
    is_end: bool,
    access: Access,
) -> Result<Verdicts, AnswerGuardError> {
    let pushed = if events.is_empty() { None } else { Some(judge.push(events)?) };
    let is_over = pushed.as_ref().is_some_and(|answer| matches!(answer.verdict, EventVerdict::Deny(_)));
    let finished = if is_end && !is_over { Some(judge.finish()?) } else { None };
    let replaces = |answer: &EventAnswer| matches!(answer.verdict, EventVerdict::Replace(_));
    if access != Access::Write && pushed.iter().chain(&finished).any(replaces) {
        return Err(AnswerGuardError::MayNotReplace);
    }
    Ok(Verdicts { pushed, finished })
}

/// Leases a guard for an answer; `None` if its component is gone, which the judgement of the request has reported.
async fn judge_of(pending: &Pending, tenant: &Arc<str>) -> Result<Option<AnswerJudge>, PluginFault> {
    let Some(version) = &pending.version else { return Ok(None) };
    let lease = version.lease(Arc::clone(tenant)).await?;
    lease.within(pending.guard.settings.deadline).about(pending.size).judge_answer(&pending.facts).map(Some)
}

fn failed(guard: &Guard) -> Fault {
    let message = format!("the guard `{}` failed, and answers that it does not judge are refused", guard.name);
    Fault::new(Side::Gateway, ErrorKind::Internal, message).with_status(503).with_code("guard_failed")
}

#[cfg(test)]
mod tests {
    use weir_types::contract::types::{CandidateLogprobs, Opaque, Usage};

    use super::*;
    use crate::observe::metrics::Metrics;

    /// The losses of events that guards have let through.
    fn lost(events: Vec<ChatEvent>, is_end: bool) -> Vec<String> {
        let mut guards = AnswerGuards {
            links: Vec::new(),
            passed: ClientSideState::default(),
            validator: Some(EventValidator::new("r")),
            is_refused: false,
            had_logprobs: false,
            metrics: GuardMetrics::new(&Metrics::new().unwrap()).unwrap(),
            request_id: "r".into(),
            notes: Notes::default(),
        };
        guards.judge(events, is_end).unwrap();
        let losses = guards.take_losses();
        assert!(guards.take_losses().is_empty(), "each is reported once");
        losses.into_iter().map(|loss| format!("{}={:?}: {}", loss.field, loss.kind, loss.note.unwrap())).collect()
    }

    #[test]
    fn what_guards_put_in_place_and_is_no_json_is_a_loss_and_so_is_an_end_that_they_left_out() {
        let opaque =
            |json: &str| ChatEvent::Opaque(Opaque { format: "f".into(), kind: "note".into(), json: json.into() });
        assert_eq!(lost(vec![opaque("{}"), ChatEvent::Usage(Usage::default())], false), [""; 0]);
        assert_eq!(lost(vec![opaque("1,\"model\":2")], false), ["note=Dropped: a guard's value is not JSON"]);
        assert_eq!(lost(vec![opaque("{}")], true), ["finish_reason=Approximated: a guard left it out"]);
    }

    #[test]
    fn guards_without_a_verdict_that_holds_leave_the_figures_of_tokens() {
        let figures = ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: "{}".into() });
        assert_eq!(lost(vec![figures], false), [""; 0]);
    }
}
