//! Memory that only the start needed is given back once Weir serves.

use std::sync::Arc;
use std::time::Duration;

use weir_adapters::catalog::Catalog;
use weir_sandbox::resident;

/// Until then, the first requests and the proofs beside them have run.
const SETTLED: Duration = Duration::from_secs(5);

/// Unmaps what the start has read of the program and of the adapters' code, once.
pub(crate) async fn after_start(catalog: Arc<Catalog>) {
    tokio::time::sleep(SETTLED).await;
    let adapters: Vec<_> = catalog.snapshot().adapters.values().cloned().collect();
    match tokio::task::spawn_blocking(move || resident::release(&adapters)).await {
        Ok(Ok(bytes)) => tracing::debug!(bytes, "memory of the start is given back"),
        Ok(Err(error)) => tracing::debug!(%error, "memory of the start is kept"),
        Err(error) => tracing::error!(%error, "memory of the start is kept"),
    }
}
