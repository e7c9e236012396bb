//! What the behaviour tests of the gateway are written with: a [`House`] (the gateway, in process), an [`Upstream`] that
//! does exactly what it is told, and a [`Client`] that sees every byte.
//!
//! Nothing here waits for time to pass: tests wait for what happens, and [`soon`] fails those that wait for what does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what fails here fails a test"
)]

pub mod client;
pub mod code;
pub mod heard;
pub mod house;
pub mod log;
pub mod plugins;
pub mod program;
pub mod upstream;

use std::time::Duration;

pub use client::{Client, Reply, Request};
pub use house::House;
pub use plugins::Folder;
pub use program::Program;
pub use upstream::{Answer, Gate, Received, Upstream};

/// How long anything may take that should happen at once; slow machines need some of it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what should happen at once.
///
/// # Panics
///
/// When it does not happen.
#[track_caller]
pub fn soon<F: Future>(what: &'static str, future: F) -> impl Future<Output = F::Output> {
    let from = std::panic::Location::caller();
    async move {
        let output = tokio::time::timeout(PATIENCE, future).await;
        output.unwrap_or_else(|_| panic!("waited in vain for {what} (from {from})"))
    }
}
