//! Whether the caller of a session may still have it. A session lasts longer than a request: a key that is revoked,
//! disabled or expires ends it, and so does the loss of the right to the operation or the model. Where its responses
//! are booked is decided when it begins, so that it also ends with a key that another team or organisation has now.
//!
//! The caller is looked up when something changes, and before the next message of its own after that: no message passes
//! by rights that its caller has lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::NAME;
use crate::admission::not_allowed;
use crate::auth::{Caller, CallerDenied, StoredKeys};
use crate::serving::Serving;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// Between two looks at one caller: changes that follow each other closely are seen together.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest time without a look, since the system's clock may be set.
const MAX_CHECK_INTERVAL: Duration = Duration::from_mins(10);

/// The caller of a session, and where its rights are looked up.
#[derive(Debug)]
pub(crate) struct CallerCheck {
    /// As it was when the session began, which says where its responses are booked.
    caller: Arc<Caller>,
    /// The model, as the client names it.
    asked: String,
    serving: Arc<ArcSwap<Serving>>,
    keys: Arc<StoredKeys>,
    latest: Mutex<LatestCaller>,
}

/// The caller as it was last seen.
#[derive(Debug)]
struct LatestCaller {
    caller: Arc<Caller>,
    /// When it has to be looked up again, if nothing changes before; `None` if it never has to.
    until: Option<Timestamp>,
    changes: watch::Receiver<()>,
}

impl CallerCheck {
    /// The caller of a session for the model that it names so.
    pub(crate) fn new(caller: Caller, asked: String, serving: Arc<ArcSwap<Serving>>, keys: Arc<StoredKeys>) -> Self {
        let (caller, changes) = (Arc::new(caller), keys.changes());
        // It may have lost a right since it was identified.
        let until = Some(Timestamp::UNIX_EPOCH);
        let latest = Mutex::new(LatestCaller { caller: Arc::clone(&caller), until, changes });
        Self { caller, asked, serving, keys, latest }
    }

    /// Waits until the caller may not have the session any more, and returns why.
    pub(super) async fn lost(&self) -> Fault {
        let mut changes = self.keys.changes();
        loop {
            changes.mark_unchanged();
            if let Err(fault) = self.look(&mut self.latest()) {
                return fault;
            }
            let until = self.latest().until;
            let left = until.map(|until| Duration::try_from(until.duration_since(Timestamp::now())));
            let wait = left.map_or(MAX_CHECK_INTERVAL, |left| left.unwrap_or_default().min(MAX_CHECK_INTERVAL));
            tokio::select! {
                // It never fails: the sender lives as long as the keys.
                _changed = changes.changed() => {}
                () = sleep(wait) => {}
            }
            sleep(PAUSE).await;
        }
    }

    /// The caller with the rights that it has now, or why it may not have the session any more.
    pub(super) fn now(&self) -> Result<Arc<Caller>, Fault> {
        let mut latest = self.latest();
        let is_over = latest.until.is_some_and(|until| Timestamp::now() >= until);
        // It never fails: the sender lives as long as the keys.
        if is_over || latest.changes.has_changed().unwrap_or(true) {
            self.look(&mut latest)?;
        }
        Ok(Arc::clone(&latest.caller))
    }

    fn latest(&self) -> MutexGuard<'_, LatestCaller> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks the caller up, and whether it may have the session.
    fn look(&self, latest: &mut LatestCaller) -> Result<(), Fault> {
        // What changes from here on is seen by the next look.
        latest.changes.mark_unchanged();
        let serving = self.serving.load();
        let (caller, until) = match self.caller.revalidate(&serving.config, &self.keys) {
            Ok(found) => found,
            // It may be valid: the store cannot be read at present.
            Err(CallerDenied::Unread) => {
                latest.until = Timestamp::now().checked_add(MAX_CHECK_INTERVAL).ok();
                return Ok(());
            }
            Err(denied) => return Err(denied.into()),
        };
        if caller.groups() != self.caller.groups() {
            let message =
                format!("the {} belongs to another team or organisation now: begin a new session", caller.title());
            let fault = Fault::new(Side::Client, ErrorKind::Permission, message);
            return Err(fault.with_status(403).with_code("key_moved"));
        }
        if !caller.may_do(NAME, true) {
            let message = format!("the {} may not use the operation `{NAME}` any more", caller.title());
            let fault = Fault::new(Side::Client, ErrorKind::Permission, message);
            return Err(fault.with_status(403).with_code("operation_not_allowed"));
        }
        if !caller.may_use(&self.asked) {
            return Err(not_allowed(&caller, &self.asked));
        }
        (latest.caller, latest.until) = (Arc::new(caller), until);
        Ok(())
    }
}
