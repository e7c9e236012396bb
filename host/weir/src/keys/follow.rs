//! Follows the store's log of changes, so that what another node changes counts here within a moment.

use std::sync::Weak;
use std::time::Duration;

use super::Registry;

/// How often the store is asked for changes.
const EVERY: Duration = Duration::from_millis(250);
/// The longest wait after failures of the store.
const LONGEST: Duration = Duration::from_secs(5);

/// Follows until the registry is dropped. A failure of the store is logged once, and what is known goes on to count.
pub(super) async fn follow(registry: Weak<Registry>) {
    let (mut pause, mut is_well) = (EVERY, true);
    loop {
        tokio::time::sleep(pause).await;
        let Some(registry) = registry.upgrade() else { return };
        let caught_up = tokio::task::spawn_blocking(move || registry.catch_up()).await;
        match caught_up {
            Ok(Ok(())) if is_well => {}
            Ok(Ok(())) => {
                tracing::info!("changes of keys are followed again");
                (pause, is_well) = (EVERY, true);
            }
            Ok(Err(error)) => {
                if is_well {
                    tracing::error!(%error, "changes of keys are not followed, those that are known stay in force");
                }
                (pause, is_well) = ((pause * 2).min(LONGEST), false);
            }
            Err(error) => return tracing::error!(%error, "changes of keys are not followed any more"),
        }
    }
}
