//! The tasks that run in the background, beside the requests, until the program ends.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::reload;
use crate::reload::Reload;
use weir_adapters::Judge;
use weir_adapters::catalog::Catalog;
use weir_adapters::judge;
use weir_gateway::gateway::Gateway;
use weir_gateway::probes;

/// Starts all of them.
pub(super) fn spawn(
    gateway: &Arc<Gateway>,
    catalog: &Arc<Catalog>,
    reload: Arc<Reload>,
    changed: watch::Receiver<u64>,
    stop: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(judge(Arc::clone(catalog)));
    tasks.spawn(follow_adapters(Arc::clone(&reload), changed, stop.clone()));
    tasks.spawn(probes::follow(Arc::clone(gateway), stop.clone()));
    tasks.spawn(reload::follow(reload, stop.clone()));
    tasks
}

/// Derives the served state again whenever the adapters change.
async fn follow_adapters(reload: Arc<Reload>, mut changed: watch::Receiver<u64>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            change = changed.changed() => if change.is_err() { break },
        }
        let reload = Arc::clone(&reload);
        if let Err(error) = tokio::task::spawn_blocking(move || reload.adapters_changed()).await {
            tracing::error!(%error, "changed adapters are not served until the next change");
        }
    }
}

/// Runs the judge. Its decisions may take a while (instances are created), so it runs on a blocking thread.
async fn judge(catalog: Arc<Catalog>) {
    let mut judge = Judge::new(Arc::clone(&catalog));
    loop {
        tokio::time::sleep(judge::INTERVAL).await;
        let looked = tokio::task::spawn_blocking(move || {
            judge.look();
            judge
        });
        match looked.await {
            Ok(back) => judge = back,
            Err(error) => {
                tracing::error!(%error, "adapters were not judged once");
                judge = Judge::new(Arc::clone(&catalog));
            }
        }
    }
}
