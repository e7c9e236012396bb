//! The spans of an exchange: its own, and that of the current or answering attempt.

use std::time::Duration;

use opentelemetry::TraceId;

use crate::observe::trace::{Attribute, Span};
use weir_types::contract::about::Bucket;
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
        self.attempt.set(Attribute::Operation, self.operation.clone());
        self.attempt.set(Attribute::Provider, provider.to_owned());
        self.attempt.set(Attribute::Model, model.to_owned());
        self.attempt.set(Attribute::Attempt, i64::from(number));
    }

    /// The exchange's trace, if it is sampled.
    pub(super) fn trace(&self) -> Option<TraceId> {
        self.whole.trace()
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
        self.attempt.set(Attribute::Outcome, "cancelled");
    }

    /// Ends the spans with an outcome: `ok`, `client_error`, `error`, `broken` or `cancelled`.
    pub(super) fn ends(&self, outcome: &'static str, ended: SpanEnd<'_>) {
        if !self.whole.is_recording() {
            return;
        }
        self.whole.set(Attribute::Attempts, i64::from(ended.tries));
        if let Some(provider) = ended.provider {
            self.whole.set(Attribute::Provider, provider.to_owned());
        }
        if ended.is_streamed {
            self.attempt.set(Attribute::Streamed, true);
        }
        if let Some(first) = ended.first_piece {
            self.attempt.set(Attribute::TimeToFirstChunk, first.as_secs_f64());
        }
        for (attribute, count) in ended.usage.into_iter().flat_map(tokens) {
            self.attempt.set(attribute, count);
        }
        for span in [&self.whole, &self.attempt] {
            match outcome {
                "broken" => span.fail(outcome),
                _ => span.set(Attribute::Outcome, outcome),
            }
        }
        // A capture may still hold the span.
        self.attempt.end();
    }
}

/// The facts for an exchange's span at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpanEnd<'a> {
    pub(super) tries: u32,
    /// The provider that was tried last.
    pub(super) provider: Option<&'a str>,
    pub(super) usage: Option<&'a Usage>,
    pub(super) is_streamed: bool,
    /// From the request's head to the stream's first piece.
    pub(super) first_piece: Option<Duration>,
}

/// Token counts by OpenTelemetry's definition: input includes cached tokens, output includes reasoning.
fn tokens(usage: &Usage) -> impl Iterator<Item = (Attribute, i64)> {
    let tokens = Tokens::from(usage);
    let written = [Bucket::CacheWrite, Bucket::CacheWriteHour].iter().filter_map(|bucket| tokens.get(*bucket));
    let counts = [
        (Attribute::InputTokens, tokens.input()),
        (Attribute::OutputTokens, tokens.output()),
        (Attribute::CacheReadTokens, tokens.get(Bucket::CacheRead)),
        (Attribute::CacheWriteTokens, written.reduce(u32::saturating_add)),
        (Attribute::ReasoningTokens, tokens.get(Bucket::Reasoning)),
    ];
    counts.into_iter().filter_map(|(attribute, count)| Some((attribute, i64::from(count?))))
}
