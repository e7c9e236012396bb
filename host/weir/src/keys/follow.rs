//! Follows the store's log of changes, so that what another node changes counts here within a moment.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinError;
use weir_store::StoreError;

use super::Registry;

/// How often the store is asked for changes.
const INTERVAL: Duration = Duration::from_millis(250);
/// The longest wait after failures of the store.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How changes are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Following {
    /// The wait before the next question.
    pause: Duration,
    is_well: bool,
}

impl Default for Following {
    fn default() -> Self {
        Self { pause: INTERVAL, is_well: true }
    }
}

impl Following {
    /// After a question that was answered, or failed with this reason. What changes is logged once.
    fn after(self, failure: Option<String>) -> Self {
        match failure {
            None => {
                if !self.is_well {
                    tracing::info!("changes of keys are followed again");
                }
                Self::default()
            }
            Some(error) => {
                if self.is_well {
                    tracing::error!(error, "changes of keys are not followed, those that are known stay in force");
                }
                Self { pause: (self.pause * 2).min(MAX_WAIT), is_well: false }
            }
        }
    }
}

/// Follows until the registry is dropped. A failure of the store is logged once, and what is known goes on to count.
pub(super) async fn follow(registry: Weak<Registry>) {
    let mut following = Following::default();
    loop {
        tokio::time::sleep(following.pause).await;
        let Some(registry) = registry.upgrade() else { return };
        let asking = Arc::clone(&registry);
        let asked = tokio::task::spawn_blocking(move || asking.catch_up()).await;
        following = following.after(failure(asked));
        registry.is_followed.store(following.is_well, Ordering::Relaxed);
    }
}

/// Why a question failed. A panic ends one question, not the following.
fn failure(asked: Result<Result<(), StoreError>, JoinError>) -> Option<String> {
    match asked {
        Ok(answer) => answer.err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

impl Registry {
    /// Whether this node follows what other nodes change.
    pub(crate) fn is_followed(&self) -> bool {
        self.is_followed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_failure_and_following_goes_on() {
        let panicked = tokio::task::spawn_blocking(|| panic!("an adapter of the store has a defect")).await;
        let mut following = Following::default().after(failure(panicked));
        assert_eq!((following.pause, following.is_well), (INTERVAL * 2, false));
        for _ in 0..10 {
            following = following.after(failure(Ok(Err(StoreError::Unreadable("gone".to_owned())))));
        }
        assert_eq!((following.pause, following.is_well), (MAX_WAIT, false));
        assert_eq!(following.after(failure(Ok(Ok(())))), Following::default());
    }
}
