//! Connections that stop being HTTP: the answer to a request announces that (101), and the session takes over the
//! connection's bytes, within the connection's slot and on its worker.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What goes on with a connection.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Request extension of requests that ask for an upgrade: lets the handler go on with the connection after its answer.
#[derive(Clone)]
pub struct Upgrade(Arc<Inner>);

struct Inner {
    task: Mutex<Option<Task>>,
    leaving: watch::Sender<bool>,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self(Arc::new(Inner { task: Mutex::default(), leaving: watch::Sender::new(false) }))
    }
}

impl Upgrade {
    /// Runs this once the answer has been sent, if that upgrades the connection; dropped otherwise. The future is
    /// dropped too if it still runs when the listener's time to drain is over.
    pub fn go_on(&self, task: impl Future<Output = ()> + Send + 'static) {
        *self.0.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(task));
    }

    /// Set when the connection is to end, since the listener stops.
    pub fn leaving(&self) -> Leaving {
        Leaving(self.0.leaving.subscribe())
    }

    pub(super) fn take(&self) -> Option<Task> {
        self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn leave(&self) {
        self.0.leaving.send_replace(true);
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}

/// When a connection is to end.
#[derive(Debug, Clone)]
pub struct Leaving(watch::Receiver<bool>);

impl Leaving {
    /// Waits until the connection is to end; forever if it may stay.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|leaving| *leaving).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
