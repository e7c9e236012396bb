//! The spans of an exchange: its own, and that of the current or answering attempt.

use crate::observe::trace::Span;
use weir_types::contract::types::Usage;
use weir_types::tokens::Tokens;

/// The spans, and the operation that names the attempts' spans.
#[derive(Debug, Default)]
pub(super) struct Traced {
    whole: Span,
    attempt: Span,
    /// The operation's name; empty if spans are not recorded.
    operation: String,
}

impl Traced {
    /// The spans of an exchange; `operation` is its name, such as `chat`.
    pub(super) fn new(whole: &Span, operation: &str) -> Self {
        let operation = if whole.is_recording() { operation.to_owned() } else { String::new() };
        Self { whole: whole.clone(), attempt: Span::default(), operation }
    }

    /// The spans of one of several concurrent attempts.
    pub(super) fn branch(&self) -> Self {
        Self { whole: self.whole.clone(), attempt: Span::default(), operation: self.operation.clone() }
    }

    /// Begins an attempt's span.
    pub(super) fn begins(&mut self, number: u32, provider: &str, model: &str) {
        self.attempt = self.whole.client(|| format!("{} {model}", self.operation));
        if !self.attempt.is_recording() {
            return;
        }
        self.attempt.set("gen_ai.operation.name", self.operation.clone());
        self.attempt.set("gen_ai.provider.name", provider.to_owned());
        self.attempt.set("gen_ai.request.model", model.to_owned());
        self.attempt.set("weir.attempt", i64::from(number));
    }

    /// The attempt's span.
    pub(super) fn attempt(&self) -> &Span {
        &self.attempt
    }

    /// Ends the attempt's span as failed.
    pub(super) fn failed(&mut self, reason: &'static str) {
        std::mem::take(&mut self.attempt).fail(reason);
    }

    /// Marks the attempt's span as broken: its answer had begun.
    pub(super) fn broke(&self) {
        self.attempt.fail("broken");
    }

    /// Takes over a branch's attempt.
    pub(super) fn adopt(&mut self, branch: &mut Self) {
        self.attempt = std::mem::take(&mut branch.attempt);
    }

    /// Marks the attempt as cancelled: another attempt answered first.
    pub(super) fn cancelled(&self) {
        self.attempt.set("weir.outcome", "cancelled");
    }

    /// Ends the spans with an outcome: `ok`, `client_error`, `error`, `broken` or `cancelled`.
    pub(super) fn ends(&self, outcome: &'static str, tries: u32, provider: Option<&str>, usage: Option<&Usage>) {
        if !self.whole.is_recording() {
            return;
        }
        self.whole.set("weir.attempts", i64::from(tries));
        if let Some(provider) = provider {
            self.whole.set("gen_ai.provider.name", provider.to_owned());
        }
        for (name, count) in usage.into_iter().flat_map(tokens) {
            self.attempt.set(name, count);
        }
        for span in [&self.whole, &self.attempt] {
            match outcome {
                "broken" => span.fail(outcome),
                _ => span.set("weir.outcome", outcome),
            }
        }
    }
}

/// Token counts by OpenTelemetry's definition: input includes cached tokens, output includes reasoning.
fn tokens(usage: &Usage) -> impl Iterator<Item = (&'static str, i64)> {
    let tokens = Tokens::from(usage);
    let told = [("gen_ai.usage.input_tokens", tokens.input()), ("gen_ai.usage.output_tokens", tokens.output())];
    told.into_iter().filter_map(|(name, count)| Some((name, i64::from(count?))))
}
