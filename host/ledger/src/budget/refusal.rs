//! The effects of budgets on a request: refusals, and notices that go with its answer.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::definition::Limit;
use super::window::Window;

/// Why a budget refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The window has no room left for it.
    Exhausted,
    /// It needs more than the whole limit, so that it never fits.
    TooLarge,
    /// It has no price, and the budget admits priced requests only.
    Unpriced,
}

/// A refused request. No budget was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The budget's name.
    pub budget: Arc<str>,
    /// Why the budget does not allow the request.
    pub reason: RefusalReason,
    /// The limit of a window.
    pub limit: Limit,
    /// What is used and reserved in the window, in the limit's unit.
    pub used: u64,
    /// What the request needs at least.
    pub needed: u64,
    /// The time that the budget counts in.
    pub window: Window,
    /// The model to use in its place, if the budget names one: the caller asks again with that as
    /// [`super::Request::model`].
    pub downgrade: Option<Arc<str>>,
    /// Whether it is only this node's share that has no room: once more of it was asked for, the caller asks again.
    pub may_ask: bool,
    /// What the share lacks, if it may be asked for.
    pub(super) lacks: u64,
}

impl Refusal {
    /// Seconds until the window ends, for `retry-after`. None where waiting does not help.
    pub fn retry_after(&self, now: Timestamp) -> Option<u64> {
        match self.reason {
            RefusalReason::Exhausted => self.window.remaining(now),
            RefusalReason::TooLarge | RefusalReason::Unpriced => None,
        }
    }

    /// Whether it is reported rather than another one of the chain: first one that refuses outright, then one that asks
    /// for more of a share, which may be none, then one that names another model.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        let rank = |refusal: &Self| match (refusal.may_ask, &refusal.downgrade) {
            (false, None) => 2,
            (true, _) => 1,
            (false, Some(_)) => 0,
        };
        rank(self) > rank(other)
    }

    fn reset(&self) -> Option<String> {
        Some(Timestamp::from_second(self.window.end?).ok()?.to_string())
    }
}

/// The message for the client: budget, amount, window and reset.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, limit, used, needed, .. } = self;
        let (used, all, needed) = (limit.show(*used), limit.show(limit.amount()), limit.show(*needed));
        match self.reason {
            RefusalReason::Exhausted => write!(f, "budget {budget:?} is used up: {used} of {all}")?,
            RefusalReason::TooLarge => write!(f, "budget {budget:?} allows {all}, and the request may need {needed}")?,
            RefusalReason::Unpriced => return write!(f, "budget {budget:?} admits only models with a price"),
        }
        match self.reset() {
            Some(reset) => write!(f, "; it is reset at {reset}"),
            None => f.write_str("; it is never reset"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// The soft limit is reached.
    Soft,
    /// The limit is exceeded, and the budget only notifies.
    Over,
}

/// A warning that goes with a granted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The budget's name.
    pub budget: Arc<str>,
    /// What it is about.
    pub kind: NoticeKind,
    /// The limit of a window.
    pub limit: Limit,
    /// What is used and reserved in the window, in the limit's unit.
    pub used: u64,
    /// The time that the budget counts in.
    pub window: Window,
    /// Whether it is the first of its kind in the window: the one that is an event.
    pub is_first: bool,
}
