//! Whether the caller of a session may still have it. A session lasts longer than a request: a key that is revoked,
//! disabled or expires ends it, and so does the loss of the right to the operation or the model. Where its responses
//! are booked is decided when it begins, so that it also ends with a key that another team or organisation has now.

use std::sync::Arc;
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
    caller: Caller,
    /// The model, as the client names it.
    asked: String,
    serving: Arc<ArcSwap<Serving>>,
    keys: Arc<StoredKeys>,
    changes: watch::Receiver<()>,
}

impl CallerCheck {
    /// The caller of a session for the model that it names so.
    pub(crate) fn new(caller: Caller, asked: String, serving: Arc<ArcSwap<Serving>>, keys: Arc<StoredKeys>) -> Self {
        let changes = keys.changes();
        Self { caller, asked, serving, keys, changes }
    }

    /// Waits until the caller may not have the session any more, and returns why.
    pub(super) async fn lost(&mut self) -> Fault {
        loop {
            self.changes.mark_unchanged();
            let wait = match self.look() {
                Ok(wait) => wait,
                Err(fault) => return fault,
            };
            tokio::select! {
                // It never fails: the sender lives as long as the keys.
                _changed = self.changes.changed() => {}
                () = sleep(wait) => {}
            }
            sleep(PAUSE).await;
        }
    }

    /// Looks whether the caller may have the session, and when to look again if nothing changes before.
    fn look(&self) -> Result<Duration, Fault> {
        let serving = self.serving.load();
        let (caller, until) = match self.caller.revalidate(&serving.config, &self.keys) {
            Ok(found) => found,
            // It may be valid: the store cannot be read at present.
            Err(CallerDenied::Unread) => return Ok(MAX_CHECK_INTERVAL),
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
        let left = until.map(|until| Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default());
        Ok(left.map_or(MAX_CHECK_INTERVAL, |left| left.min(MAX_CHECK_INTERVAL)))
    }
}
