//! The targets of a request that did not answer, with their reasons, in order and bounded.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The most steps kept.
const MAX_STEPS: usize = 16;
/// The most letters of a target's name.
const MAX_NAME: usize = 64;

/// The targets that did not answer, with their reasons.
#[derive(Debug, Default)]
pub struct Trail {
    steps: Vec<Step>,
    /// The number of steps that are not kept.
    more: usize,
}

/// The outcome of one target.
#[derive(Debug, Clone)]
pub struct Step {
    /// The target's id: provider and model.
    pub target: Arc<str>,
    /// Whether the target failed or was skipped.
    pub end: End,
    /// When its request was sent; `None` if none was.
    pub time: Option<AttemptTime>,
}

/// The time that an attempt took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptTime {
    /// From the head of the client's request until the attempt's request was sent.
    pub began: Duration,
    /// From then until the head of its answer, or until it failed.
    pub took: Duration,
}

/// Why a target did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The target was tried and failed, for this reason.
    Failed(&'static str),
    /// The target was not tried, for this reason.
    Skipped(&'static str),
}

impl Trail {
    /// Adds a step.
    pub fn add(&mut self, target: &Arc<str>, end: End, time: Option<AttemptTime>) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push(Step { target: Arc::clone(target), end, time });
        } else {
            self.more += 1;
        }
    }

    /// Appends the steps of a concurrent attempt.
    pub(super) fn adopt(&mut self, branch: &Self) {
        branch.steps.iter().for_each(|step| self.add(&step.target, step.end, step.time));
        self.more += branch.more;
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The trail in one line, for a header or a log: the number of attempts and, unless the first target answered,
    /// the outcome of each (`2; first/a=rate_limited, second/b=skipped:vision, third/c=ok`).
    pub fn text(&self, attempts: u32, answered: Option<&str>) -> Cow<'static, str> {
        match self.list(answered) {
            Some(list) => format!("{attempts}; {list}").into(),
            // Most requests.
            None if attempts == 1 => "1".into(),
            None => attempts.to_string().into(),
        }
    }

    /// The targets that did not answer with their reasons, in one line; `None` if there are none.
    pub fn others(&self) -> Option<String> {
        self.list(None)
    }

    fn list(&self, answered: Option<&str>) -> Option<String> {
        if self.steps.is_empty() {
            return None;
        }
        let step = |step: &Step| match step.end {
            End::Failed(reason) => format!("{}={reason}", plain(&step.target)),
            End::Skipped(reason) => format!("{}=skipped:{reason}", plain(&step.target)),
        };
        let answered = answered.map(|name| format!("{}=ok", plain(name)));
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        let all: Vec<String> = self.steps.iter().map(step).chain(answered).chain(more).collect();
        Some(all.join(", "))
    }
}

/// A name of bounded length, with separators and non-graphic characters replaced by `_`.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ';' | '=' | '"');
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_lists_failed_and_skipped_targets_and_is_bounded() {
        let mut trail = Trail::default();
        assert_eq!(trail.text(1, Some("a/m")), "1");
        trail.add(&Arc::from("a/m"), End::Skipped("vision"), None);
        trail.add(&Arc::from("b, c=/\u{1f980}\n"), End::Failed("timeout"), None);
        assert_eq!(trail.text(2, Some("d/m")), "2; a/m=skipped:vision, b__c_/__=timeout, d/m=ok");
        for _ in 0..100 {
            trail.add(&Arc::from("x".repeat(1000)), End::Failed("upstream"), None);
        }
        let text = trail.text(103, None);
        assert!(text.ends_with(", and 86 more") && text.len() < 2000, "{text}");
    }
}
