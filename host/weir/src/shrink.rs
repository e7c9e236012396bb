//! Memory that only the start needed is given back once Weir serves.

use std::sync::Arc;
use std::time::Duration;

use weir_adapters::catalog::Catalog;
use weir_sandbox::resident;

/// How long the first requests take.
const SETTLED: Duration = Duration::from_secs(5);

/// Unmaps what the start and the proofs beside it have read of the program and of the adapters' code, once.
pub(crate) async fn after_start(catalog: Arc<Catalog>) {
    let adapters = loop {
        tokio::time::sleep(SETTLED).await;
        let adapters: Vec<_> = catalog.snapshot().adapters.values().cloned().collect();
        if !adapters.iter().any(|adapter| adapter.pool().awaits_proof()) {
            break adapters;
        }
    };
    match tokio::task::spawn_blocking(move || resident::release(&adapters)).await {
        Ok(Ok(bytes)) => tracing::debug!(bytes, "memory of the start is given back"),
        Ok(Err(error)) => tracing::debug!(%error, "memory of the start is kept"),
        Err(error) => tracing::error!(%error, "memory of the start is kept"),
    }
}
