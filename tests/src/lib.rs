//! Tools for tests of the gateway's behaviour: a [`Gateway`] (the gateway, in process), an [`Upstream`] that follows a
//! script, and a [`Client`] that sees every byte.
//!
//! Nothing here waits for time to pass: tests wait for events, and [`soon`] fails those whose event does not happen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what fails here fails a test"
)]

pub mod client;
pub mod clients;
pub mod code;
pub mod gateway;
pub mod http2;
pub mod log;
pub mod metrics;
pub mod parsed_answer;
pub mod plugins;
pub mod program;
pub mod redis;
pub mod registry;
pub mod rpc;
pub mod trouble;
pub mod tunnel;
pub mod upstream;
pub mod websocket;

use std::time::Duration;

pub use client::{Client, Reply, Request};
pub use gateway::Gateway;
pub use plugins::Folder;
pub use program::Program;
pub use redis::Redis;
pub use registry::Registry;
pub use rpc::{RpcAnswer, RpcCall, RpcServer};
pub use trouble::{Disk, Trouble};
pub use upstream::{Answer, Gate, Received, Upstream};
pub use websocket::{SessionProvider, WebSocket};

/// The timeout of events that should happen at once. A machine that does much else at the same time needs some of it.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// Waits for an event that should happen at once.
///
/// # Panics
///
/// If it does not happen.
#[track_caller]
pub fn soon<F: Future>(what: &'static str, future: F) -> impl Future<Output = F::Output> {
    let from = std::panic::Location::caller();
    async move {
        let output = tokio::time::timeout(TIMEOUT, future).await;
        output.unwrap_or_else(|_| panic!("waited in vain for {what} (from {from})"))
    }
}
