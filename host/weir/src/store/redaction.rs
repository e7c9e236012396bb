//! What no log may keep, and the texts of errors without it: a provider's error may quote what a client sent.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use tokio::runtime::Handle;
use weir_config::{Secret, StoreSettings};
use weir_fixtures::fixture::{Rules, RulesError, Scrub};
use weir_gateway::accounting::captured::{CaptureRoom, CapturedExchange};
use weir_gateway::accounting::request_log::{FinishedRequest, RequestLog};
use weir_gateway::observe::log::clean::{TextCleaner, may_hold_key};
use weir_gateway::serving::Serving;

/// The built-in rules alone. They take memory that most programs never need, and are compiled when they are, once for
/// all that wait for them. `None` if that failed, by a defect of this program.
static BUILT_IN: OnceLock<Option<Rules>> = OnceLock::new();

/// The fewest bytes of a secret that is looked for as it is: shorter ones stand in words.
const LEAST_SECRET: usize = 8;
/// What stands in a secret's place.
const REPLACED: &str = "xxxxx";
/// Most requests that wait for the rules. The text of an error has ten kilobytes at most.
const MOST_WAITING: usize = 512;

/// The rules for secrets and personal data.
#[derive(Debug, Default)]
pub(crate) struct Redaction {
    /// The operator's rules together with the built-in ones; `None` if there are only built-in ones.
    own: Option<Rules>,
    /// The configuration, whose secrets need not look like any.
    configured: Configured,
}

/// Gives what is served from, once it is there.
#[derive(Default)]
struct Configured(OnceLock<Box<ServingNow>>);

type ServingNow = dyn Fn() -> Arc<Serving> + Send + Sync;

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").finish_non_exhaustive()
    }
}

impl Redaction {
    /// The rules of a configuration. Those of the operator's own are read now, so that a mistake in them is one of the
    /// start.
    pub(crate) fn of(settings: &StoreSettings) -> Result<Self, RulesError> {
        let files: Vec<PathBuf> = settings.redaction_rules.iter().cloned().collect();
        let own = if files.is_empty() { None } else { Some(Rules::read(&files)?) };
        Ok(Self { own, configured: Configured::default() })
    }

    /// Looks for the secrets of what is served from, too.
    pub(crate) fn follow(&self, serving_now: impl Fn() -> Arc<Serving> + Send + Sync + 'static) {
        // The first one stays, which follows each reload.
        _ = self.configured.0.set(Box::new(serving_now));
    }

    /// The rules themselves, without which nothing may be kept.
    pub(super) fn rules(&self) -> Option<&Rules> {
        match &self.own {
            Some(own) => Some(own),
            None => built_in(),
        }
    }

    /// Whether the rules are ready, so that no caller waits.
    fn is_ready(&self) -> bool {
        self.own.is_some() || BUILT_IN.get().is_some()
    }

    /// A text without secrets; `None` if it cannot be cleaned. The first time, it takes some 20 ms.
    pub(crate) fn cleaned(&self, text: &str) -> Option<String> {
        let text = self.without_configured(text);
        Some(Scrub::new(self.rules()?).value(&text, "").unwrap_or_else(|| text.into_owned()))
    }

    /// A text without the secrets of the configuration.
    fn without_configured<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(serving_now) = self.configured.0.get() else { return Cow::Borrowed(text) };
        without(text, serving_now().config.secrets().map(Secret::expose))
    }
}

/// A text without these secrets: the longest first, since what another one begins with may be one itself.
fn without<'a, 's>(text: &'a str, secrets: impl Iterator<Item = &'s str>) -> Cow<'a, str> {
    let mut found: Vec<&str> =
        secrets.filter(|secret| secret.len() >= LEAST_SECRET && text.contains(*secret)).collect();
    found.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    found.iter().fold(Cow::Borrowed(text), |text, secret| Cow::Owned(text.replace(secret, REPLACED)))
}

/// The built-in rules, which are compiled now if they are not yet.
fn built_in() -> Option<&'static Rules> {
    let compile = || Rules::ours().inspect_err(|error| tracing::error!(%error, "nothing can be cleaned")).ok();
    BUILT_IN.get_or_init(compile).as_ref()
}

/// Has the built-in rules compiled on a thread of their own, the first time that this is called.
fn compile_beside() {
    static IS_BEGUN: AtomicBool = AtomicBool::new(false);
    if !IS_BEGUN.swap(true, Ordering::Relaxed) {
        let thread = thread::Builder::new().name("weir-rules".into());
        let begun = thread.spawn(built_in);
        IS_BEGUN.store(begun.is_ok(), Ordering::Relaxed);
    }
}

/// Cleans the lines of the log. Until the rules are compiled, it cleans nothing.
impl TextCleaner for Redaction {
    fn clean(&self, text: &str) -> Option<String> {
        if !self.is_ready() {
            compile_beside();
            return None;
        }
        self.cleaned(text)
    }
}

/// Cleans the texts of errors on their way to a log, and what clients say of themselves.
#[derive(Debug, Clone)]
pub(crate) struct CleanedLog {
    inner: Arc<dyn RequestLog>,
    redaction: Arc<Redaction>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Requests that ended before the rules were compiled. One thread compiles them and then records all that wait.
#[derive(Debug, Default)]
struct Waiting {
    requests: Vec<FinishedRequest>,
    has_thread: bool,
}

impl CleanedLog {
    /// Cleans what this log gets.
    pub(crate) fn new(inner: Arc<dyn RequestLog>, redaction: Arc<Redaction>) -> Self {
        Self { inner, redaction, waiting: Arc::default() }
    }

    /// Records a request, whose texts are cleaned so. What cannot be cleaned is not kept.
    fn record_cleaned(&self, mut finished: FinishedRequest, cleaned: impl Fn(&str) -> Option<String>) {
        let cleaned = |text: &str| cleaned(text).unwrap_or_default();
        if let Some(error) = &mut finished.error {
            let clean = cleaned(&error.message);
            error.message = error.kept_of(&clean).to_owned();
        }
        for text in finished.asked.iter_mut().chain(&mut finished.user_agent).filter(|text| may_hold_key(text)) {
            *text = cleaned(text);
        }
        if let Some(id) = finished.client_id.as_mut().filter(|id| may_hold_key(id)) {
            *id = cleaned(id).into();
        }
        self.inner.record(finished);
    }

    /// Records a request once the rules are compiled. Beyond [`MOST_WAITING`], it is recorded now, without what would
    /// have to be cleaned.
    fn record_later(&self, finished: FinishedRequest) {
        let mut waiting = self.waiting();
        if waiting.requests.len() >= MOST_WAITING {
            drop(waiting);
            return self.record_cleaned(finished, |_| None);
        }
        waiting.requests.push(finished);
        if std::mem::replace(&mut waiting.has_thread, true) {
            return;
        }
        drop(waiting);
        let log = self.clone();
        match Handle::try_current() {
            // Compiling takes some 20 ms, for which no request should wait.
            Ok(runtime) => drop(runtime.spawn_blocking(move || log.record_waiting())),
            Err(_) => log.record_waiting(),
        }
    }

    fn record_waiting(&self) {
        loop {
            let mut waiting = self.waiting();
            if waiting.requests.is_empty() {
                waiting.has_thread = false;
                return;
            }
            let requests = std::mem::take(&mut waiting.requests);
            drop(waiting);
            for finished in requests {
                self.record_cleaned(finished, |text| self.redaction.cleaned(text));
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether anything of a request has to be cleaned.
fn needs_cleaning(finished: &FinishedRequest) -> bool {
    let mut told =
        finished.asked.iter().chain(&finished.user_agent).map(String::as_str).chain(finished.client_id.as_deref());
    finished.error.is_some() || told.any(may_hold_key)
}

impl RequestLog for CleanedLog {
    fn record(&self, finished: FinishedRequest) {
        if self.redaction.is_ready() || !needs_cleaning(&finished) {
            self.record_cleaned(finished, |text| self.redaction.cleaned(text));
        } else {
            self.record_later(finished);
        }
    }

    fn room(&self) -> Option<Arc<CaptureRoom>> {
        self.inner.room()
    }

    fn keep(&self, captured: CapturedExchange) {
        self.inner.keep(captured);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_gateway::accounting::request_log::FinalError;
    use weir_types::fault::Fault;

    #[test]
    fn a_text_loses_what_looks_like_a_secret_and_keeps_the_rest() {
        let cleaned = |text: &str| Redaction::default().cleaned(text).unwrap();
        let plain = "Invalid value: 'assistent'. Supported values are: 'system', 'user' (see /v1/chat/completions).";
        assert_eq!(cleaned(plain), plain);
        let told = cleaned("no such user: ada.king@analytical-engines.org, key sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc");
        assert!(told.starts_with("no such user: ") && !told.contains("ada.king") && !told.contains("Zx81h"), "{told}");
    }

    #[test]
    fn a_secret_that_begins_with_another_one_goes_as_a_whole() {
        let secrets = ["short", "team-key", "team-key-of-red"];
        assert_eq!(without("team-key-of-red and team-key", secrets.into_iter()), "xxxxx and xxxxx");
        assert!(matches!(without("a short text", secrets.into_iter()), Cow::Borrowed(_)));
    }

    #[test]
    fn no_half_of_a_secret_stays_wherever_a_text_is_cut() {
        const SECRET: &str = "sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc";
        let redaction = Redaction::default();
        let kept = |text: &str| {
            let error = FinalError::of(&Fault::invalid(text));
            error.kept_of(&redaction.cleaned(&error.message).unwrap()).to_owned()
        };
        // Before the ends of what is kept, and of what is cleaned.
        for before in (2_000..2_060).chain(10_190..10_250).step_by(2) {
            let text = format!("{}{SECRET} {}", "a ".repeat(before / 2), "b ".repeat(9_000));
            let kept = kept(&text);
            assert!(kept.len() > 2_000 && !kept.contains("Zx8"), "{before}: {kept}");
        }
        // An adapter cut it.
        for end in 1..SECRET.len() {
            let half = SECRET.get(..end).unwrap();
            for text in [format!("{}{half}", "a ".repeat(490)), format!("it is {half}…")] {
                assert!(!kept(&text).contains("Zx8"), "{text}");
            }
        }
        let key = format!("{}-----BEGIN PRIVATE KEY-----\n{}", "a ".repeat(490), "MIIEvQIBADANBgkqhkiG\n".repeat(5));
        assert!(!kept(&key).contains("MII"), "{}", kept(&key));
    }
}
