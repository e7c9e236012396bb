//! Rate-limit headers: rendered for clients in their format's spelling, and parsed from providers' answers in theirs.
//!
//! A spelling is a manifest's list of header templates (`rate-limit-headers` of an error format): the name contains
//! `{{scope}}`, the value `{{limit}}`, `{{remaining}}`, `{{reset}}` or `{{reset-at}}`. Values of a provider that
//! cannot be parsed are ignored.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};

use crate::rate_limit::{LimitStatus, Resource};
use weir_translate::dialect::reply::{insert_made, replace_placeholders};
use weir_types::contract::about::ErrorFormat;
use weir_wire::reset_time::{MAX_RESET, read_duration, read_moment, spell_duration, spell_moment};

const SCOPE: &str = "{{scope}}";
/// The placeholders of values.
const PLACEHOLDERS: [&str; 4] = ["limit", "remaining", "reset", "reset-at"];

/// The values of `{{scope}}`. Clients get the first two; some providers also send the others.
const SCOPES: [(&str, Resource); 4] = [
    ("requests", Resource::Requests),
    ("tokens", Resource::Tokens),
    ("input-tokens", Resource::Input),
    ("output-tokens", Resource::Output),
];

/// The state of one limit, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// The limited resource.
    pub resource: Resource,
    /// How much is allowed in a window.
    pub limit: Option<u64>,
    /// The amount left.
    pub remaining: Option<u64>,
    /// Time until the whole limit is available again.
    pub reset: Option<Duration>,
}

impl From<&LimitStatus> for Figure {
    fn from(status: &LimitStatus) -> Self {
        let LimitStatus { resource, limit, remaining, reset } = *status;
        Self { resource, limit: Some(limit), remaining: Some(remaining), reset: Some(reset) }
    }
}

impl Figure {
    fn unknown(resource: Resource) -> Self {
        Self { resource, limit: None, remaining: None, reset: None }
    }

    fn is_known(&self) -> bool {
        *self != Self::unknown(self.resource)
    }

    /// The remaining fraction of the limit, from 0 to 1; 1 if unknown.
    fn share(&self) -> f64 {
        match (self.remaining, self.limit) {
            (Some(0), _) => 0.0,
            (Some(remaining), Some(limit)) => remaining as f64 / (limit as f64).max(1.0),
            _ => 1.0,
        }
    }

    /// Fills a template's placeholders; `None` if one of its values is unknown.
    fn spell(&self, template: &str) -> Option<String> {
        // Most templates are a placeholder and nothing else.
        let only = template.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(placeholder) = only.filter(|placeholder| PLACEHOLDERS.contains(placeholder)) {
            return self.value(placeholder);
        }
        let missing = std::cell::Cell::new(false);
        let text = replace_placeholders(template, |placeholder| {
            if !PLACEHOLDERS.contains(&placeholder) {
                return None;
            }
            let value = self.value(placeholder);
            missing.set(missing.get() || value.is_none());
            Some(value.unwrap_or_default())
        });
        (!missing.get()).then_some(text)
    }

    /// The value of a placeholder, if it is known.
    fn value(&self, placeholder: &str) -> Option<String> {
        match placeholder {
            "limit" => self.limit.map(|limit| limit.to_string()),
            "remaining" => self.remaining.map(|remaining| remaining.to_string()),
            "reset" => self.reset.map(spell_duration),
            "reset-at" => self.reset.map(|reset| spell_moment(SystemTime::now() + reset)),
            _ => None,
        }
    }
}

/// Sets the limits' headers in a format's spelling, with the names that [`limit_headers`] made of it. Of several token
/// limits, the one with the smallest remaining fraction is rendered.
///
/// [`limit_headers`]: weir_translate::dialect::endpoints::limit_headers
pub fn put(
    format: Option<&ErrorFormat>,
    names: &[Option<[HeaderName; 2]>],
    figures: &[Figure],
    headers: &mut HeaderMap,
) {
    let Some(format) = format.filter(|_| !figures.is_empty()) else { return };
    let requests = figures.iter().find(|figure| figure.resource == Resource::Requests);
    let is_tokens = |figure: &&Figure| matches!(figure.resource, Resource::Tokens | Resource::Input | Resource::Output);
    let tokens = figures.iter().filter(is_tokens).min_by(|a, b| a.share().total_cmp(&b.share()));
    for (template, names) in format.rate_limit_headers.iter().zip(names) {
        let Some(names) = names else { continue };
        for (name, figure) in names.iter().zip([requests, tokens]) {
            if let Some(value) = figure.and_then(|figure| figure.spell(&template.value)) {
                insert_made(headers, name, value);
            }
        }
    }
}

/// The rate-limit headers that a provider may send, compiled once from the templates of all its formats.
#[derive(Debug, Default)]
pub struct Spelling(Vec<Line>);

/// One compiled template.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    before: String,
    after: String,
    names: Vec<(Resource, HeaderName)>,
    value: Vec<Piece>,
}

/// A part of a value's template.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(String),
}

impl Spelling {
    /// The spelling of these formats together.
    pub fn of<'a>(formats: impl IntoIterator<Item = &'a ErrorFormat>) -> Self {
        let mut lines = Vec::new();
        for template in formats.into_iter().flat_map(|format| &format.rate_limit_headers) {
            let line = Line::compile(&template.name, &template.value);
            if let Some(line) = line.filter(|line| !lines.contains(line)) {
                lines.push(line);
            }
        }
        Self(lines)
    }

    /// Parses the rate limits in an answer's headers.
    pub fn read(&self, headers: &HeaderMap, now: SystemTime) -> Vec<Figure> {
        // Most answers have none, so one pass over their headers is cheaper than one lookup per name.
        let may_tell = |name: &HeaderName| self.0.iter().any(|line| name.as_str().starts_with(&line.before));
        if !headers.keys().any(may_tell) {
            return Vec::new();
        }
        let mut figures = SCOPES.map(|(_, resource)| Figure::unknown(resource));
        for line in &self.0 {
            for ((_, name), figure) in line.names.iter().zip(&mut figures) {
                if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                    line.read(value.trim(), figure, now);
                }
            }
        }
        figures.into_iter().filter(Figure::is_known).collect()
    }

    /// How long to wait after a rate-limit refusal: until all exhausted limits are reset or, if none is marked
    /// exhausted, the limit with the smallest remaining fraction. `None` if the headers name no reset.
    pub fn rest(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        let figures = self.read(headers, now);
        let empty = figures.iter().filter(|figure| figure.remaining == Some(0)).filter_map(|figure| figure.reset).max();
        let with_reset = figures.iter().filter_map(|figure| Some((figure, figure.reset?)));
        let nearest = || with_reset.min_by(|(a, _), (b, _)| a.share().total_cmp(&b.share())).map(|(_, reset)| reset);
        empty.or_else(nearest)
    }

    /// Removes all headers that state the provider's limits, of any scope.
    pub fn strip(&self, headers: &mut HeaderMap) {
        let ours = |name: &&HeaderName| self.0.iter().any(|line| line.names_one(name.as_str()));
        let names: Vec<HeaderName> = headers.keys().filter(ours).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

impl Line {
    /// Compiles a template; `None` if its name has no `{{scope}}`.
    fn compile(name: &str, value: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (before, after) = name.split_once(SCOPE)?;
        let named = |(scope, resource): &(&str, Resource)| {
            Some((*resource, HeaderName::try_from(format!("{before}{scope}{after}")).ok()?))
        };
        let names: Option<Vec<_>> = SCOPES.iter().map(named).collect();
        Some(Self { before: before.to_owned(), after: after.to_owned(), names: names?, value: pieces(value) })
    }

    /// Whether a header's name is this template's with any scope.
    fn names_one(&self, name: &str) -> bool {
        let scope = name.strip_prefix(self.before.as_str()).and_then(|rest| rest.strip_suffix(self.after.as_str()));
        // A template that is little more than its placeholder must not remove the headers that describe the body.
        scope.is_some_and(|scope| !scope.is_empty()) && !name.starts_with("content-")
    }

    /// Parses a value into `figure`; stops at the first mismatch.
    fn read(&self, value: &str, figure: &mut Figure, now: SystemTime) {
        let (mut rest, mut placeholder) = (value, None);
        for piece in self.value.iter().chain(&[Piece::Text(String::new())]) {
            match piece {
                Piece::Placeholder(name) => placeholder = Some(name.as_str()),
                Piece::Text(text) => {
                    let found = match (placeholder.take(), text.is_empty()) {
                        (None, _) => rest.strip_prefix(text.as_str()),
                        (Some(name), true) => figure.take(name, std::mem::take(&mut rest), now).then_some(""),
                        (Some(name), false) => rest
                            .split_once(text.as_str())
                            .and_then(|(text, after)| figure.take(name, text, now).then_some(after)),
                    };
                    let Some(after) = found else { return };
                    rest = after;
                }
            }
        }
    }
}

impl Figure {
    /// Stores the value of a placeholder. Returns whether the placeholder is a known one.
    fn take(&mut self, placeholder: &str, text: &str, now: SystemTime) -> bool {
        let text = text.trim();
        match placeholder {
            "limit" => self.limit = text.parse().ok().or(self.limit),
            "remaining" => self.remaining = text.parse().ok().or(self.remaining),
            "reset" => self.reset = read_duration(text).or(self.reset),
            "reset-at" => {
                let wait = read_moment(text).map(|at| at.duration_since(now).unwrap_or_default());
                self.reset = wait.filter(|wait| *wait <= MAX_RESET).or(self.reset);
            }
            _ => return false,
        }
        true
    }
}

/// Splits a value's template into its pieces.
fn pieces(template: &str) -> Vec<Piece> {
    let (mut pieces, mut rest) = (Vec::new(), template);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((placeholder, tail)) = after.split_once("}}") else { break };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Placeholder(placeholder.to_owned()));
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests;
