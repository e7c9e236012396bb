//! What no log may keep, and the texts of errors without it: a provider's error may quote what a client sent.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use weir_config::StoreSettings;
use weir_fixtures::fixture::{Rules, RulesError, Scrub};
use weir_gateway::accounting::captured::{CaptureRoom, CapturedExchange};
use weir_gateway::accounting::request_log::{FinishedRequest, RequestLog};

/// The rules for secrets and personal data.
#[derive(Debug, Default)]
pub(crate) struct Redaction {
    /// The built-in rules alone take memory that most programs never need, and are compiled when they are, once for all that
    /// wait for them. `None` if that failed, by a defect of this program.
    rules: OnceLock<Option<Rules>>,
}

impl Redaction {
    /// The rules of a configuration. Those of the operator's own are read now, so that a mistake in them is one of the start.
    pub(crate) fn of(settings: &StoreSettings) -> Result<Self, RulesError> {
        let files: Vec<PathBuf> = settings.redaction_rules.iter().cloned().collect();
        let rules = if files.is_empty() { OnceLock::new() } else { Some(Rules::read(&files)?).into() };
        Ok(Self { rules })
    }

    /// The rules themselves, without which nothing may be kept.
    pub(super) fn rules(&self) -> Option<&Rules> {
        let compile = || Rules::ours().inspect_err(|error| tracing::error!(%error, "nothing can be cleaned")).ok();
        self.rules.get_or_init(compile).as_ref()
    }

    /// Removes secrets from a text. What cannot be cleaned is not kept.
    fn clean(&self, text: &mut String) {
        match self.rules().map(|rules| Scrub::new(rules).value(text, "")) {
            Some(Some(clean)) => *text = clean,
            Some(None) => {}
            None => text.clear(),
        }
    }
}

/// Cleans the texts of errors on their way to a log.
#[derive(Debug, Clone)]
pub(crate) struct CleanedLog {
    inner: Arc<dyn RequestLog>,
    redaction: Arc<Redaction>,
}

impl CleanedLog {
    /// Cleans what this log gets.
    pub(crate) fn new(inner: Arc<dyn RequestLog>, redaction: Arc<Redaction>) -> Self {
        Self { inner, redaction }
    }

    fn clean_and_record(&self, mut finished: FinishedRequest) {
        if let Some(error) = &mut finished.error {
            self.redaction.clean(&mut error.message);
        }
        self.inner.record(finished);
    }
}

impl RequestLog for CleanedLog {
    fn record(&self, finished: FinishedRequest) {
        let needs_rules = finished.error.is_some() && self.redaction.rules.get().is_none();
        match Handle::try_current() {
            // Compiling them takes some 20 ms, for which no request should wait.
            Ok(runtime) if needs_rules => {
                let log = self.clone();
                drop(runtime.spawn_blocking(move || log.clean_and_record(finished)));
            }
            _ => self.clean_and_record(finished),
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

    #[test]
    fn a_text_loses_what_looks_like_a_secret_and_keeps_the_rest() {
        let cleaned = |text: &str| {
            let mut text = text.to_owned();
            Redaction::default().clean(&mut text);
            text
        };
        let plain = "Invalid value: 'assistent'. Supported values are: 'system', 'user' (see /v1/chat/completions).";
        assert_eq!(cleaned(plain), plain);
        let told = cleaned("no such user: ada.king@analytical-engines.org, key sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc");
        assert!(told.starts_with("no such user: ") && !told.contains("ada.king") && !told.contains("Zx81h"), "{told}");
    }
}
