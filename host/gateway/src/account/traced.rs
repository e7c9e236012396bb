//! The spans of an exchange: its own, and that of the attempt which is under way or which gave the answer.

use crate::observe::trace::Span;
use weir_types::contract::types::Usage;
use weir_types::tokens::Tokens;

/// What spans are told.
#[derive(Debug, Default)]
pub(super) struct Traced {
    whole: Span,
    attempt: Span,
    /// What the exchange is; empty where nobody keeps its spans.
    operation: String,
}

impl Traced {
    /// Of an exchange with this span, which is a `chat` or the like.
    pub(super) fn new(whole: &Span, operation: &str) -> Self {
        let operation = if whole.is_recording() { operation.to_owned() } else { String::new() };
        Self { whole: whole.clone(), attempt: Span::default(), operation }
    }

    /// Of one of several attempts at the same time.
    pub(super) fn branch(&self) -> Self {
        Self { whole: self.whole.clone(), attempt: Span::default(), operation: self.operation.clone() }
    }

    /// An attempt begins.
    pub(super) fn begins(&mut self, number: u32, provider: &str, model: &str) {
        self.attempt = self.whole.client(|| format!("{} {model}", self.operation));
        if !self.attempt.is_recording() {
            return;
        }
        self.attempt.say("gen_ai.operation.name", self.operation.clone());
        self.attempt.say("gen_ai.provider.name", provider.to_owned());
        self.attempt.say("gen_ai.request.model", model.to_owned());
        self.attempt.say("weir.attempt", i64::from(number));
    }

    /// The attempt's span.
    pub(super) fn attempt(&self) -> &Span {
        &self.attempt
    }

    /// The attempt failed, and is over.
    pub(super) fn failed(&mut self, reason: &'static str) {
        std::mem::take(&mut self.attempt).fail(reason);
    }

    /// The attempt had begun to answer and broke off.
    pub(super) fn broke(&self) {
        self.attempt.fail("broken");
    }

    /// Takes over a branch's attempt.
    pub(super) fn adopt(&mut self, branch: &mut Self) {
        self.attempt = std::mem::take(&mut branch.attempt);
    }

    /// Nobody took this branch over: another attempt answered first.
    pub(super) fn cancelled(&self) {
        self.attempt.say("weir.outcome", "cancelled");
    }

    /// What became of the whole: `ok`, `broken`, `cancelled`.
    pub(super) fn ends(&self, outcome: &'static str, tries: u32, provider: Option<&str>, usage: Option<&Usage>) {
        if !self.whole.is_recording() {
            return;
        }
        self.whole.say("weir.attempts", i64::from(tries));
        if let Some(provider) = provider {
            self.whole.say("gen_ai.provider.name", provider.to_owned());
        }
        for (name, count) in usage.into_iter().flat_map(tokens) {
            self.attempt.say(name, count);
        }
        for span in [&self.whole, &self.attempt] {
            match outcome {
                "broken" => span.fail(outcome),
                _ => span.say("weir.outcome", outcome),
            }
        }
    }
}

/// Tokens as OpenTelemetry counts them: what was cached is part of the input, thinking is part of the output.
fn tokens(usage: &Usage) -> impl Iterator<Item = (&'static str, i64)> {
    let tokens = Tokens::from(usage);
    let told = [("gen_ai.usage.input_tokens", tokens.input()), ("gen_ai.usage.output_tokens", tokens.output())];
    told.into_iter().filter_map(|(name, count)| Some((name, i64::from(count?))))
}
