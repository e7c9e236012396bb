//! Budgets: how much a key, a team or a model may use in a window of time.
//!
//! A request asks for a reservation of what it may use at most, from all budgets of its chain at once: either all grant
//! it or none is changed. What its attempts really used is booked into the windows that reserved, whenever the answer
//! ends; the rest is returned. More than was reserved is booked as well, so that the excess is owed in that window.
//!
//! Nothing here reads a clock, waits or does input and output. [`BudgetSet`] is the whole of it behind one mutex for
//! each budget: requests of different keys meet only at budgets that they share, and hold a mutex for some comparisons.
//! Mutexes of a chain are taken in the order of their budgets' numbers, so that no two requests wait for each other.
//!
//! Several nodes may share budgets: then each has a lease of every window, and reports what it used
//! ([`BudgetSet::reports`]).

mod cell;
mod definition;
mod error;
mod lent;
mod listed;
mod owed;
mod page;
mod refusal;
mod reports;
mod reservation;
mod resumed;
mod rows;
mod set;
mod spend;
mod window;

pub use definition::{Budget, Limit, Scope, ScopeKind, Share, Unpriced, WhenOver, former_shapes, is_shape};
pub use error::BudgetError;
pub use lent::BudgetSharing;
pub use page::BudgetPage;
pub use refusal::{Notice, NoticeKind, Refusal, RefusalReason};
pub use reports::{PoolReport, PoolShare};
pub use reservation::{Abort, Reservation};
pub use resumed::KeptHold;
pub use rows::{Correction, CountsId, Row, StoredRows};
pub use set::{BudgetSet, Granted, Owner, Request};
pub use spend::{Price, Spend};
pub use window::{Period, Window};

#[cfg(test)]
mod tests;
