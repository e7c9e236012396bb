//! The life of adapters: loading, checking, swapping, judging. `weir-sandbox` runs them.
//!
//! From a component's file to a call:
//!
//! | module | does |
//! |---|---|
//! | [`watch`] | notices changed files in the plugins directory |
//! | [`compile`] | compiles components, in a child process |
//! | [`cache`] | stores compiled components on disk |
//! | [`load`] | turns bytes into an [`Adapter`](weir_sandbox::Adapter): shape, compile, `describe`, [`check`] |
//! | [`policy`], [`sign`] | check the operator's requirements of a file: a signature, a pinned digest |
//! | [`catalog`] | holds the serving adapters, swapped in one step, and their former versions |
//! | [`check`] | validates a manifest before anything is compiled from it |
//! | [`judge`] | decides trials; quarantines versions that fail too often |
//! | [`decisions`] | keeps decisions about versions over restarts |
//! | `rollout_policy` | the operator's policy for new and failing versions |
//! | [`age`], [`bench`] | compares versions of adapters; measures what one costs |
//! | [`lock`], [`inspect`], [`install`] | trusted digests; printed facts about components; atomic replacement of files
//! |
//!
//! At the start:
//!
//! ```no_run
//! # use std::{error::Error, path::Path, sync::Arc};
//! # use weir_adapters::{Cache, Catalog, Folder, Loader, Watch};
//! # use weir_sandbox::{Engine, Limits};
//! # fn f() -> Result<(), Box<dyn Error>> {
//! let engine = Engine::new(Limits::for_connections(1024))?;
//! let cache = Cache::open(Path::new("/var/cache/weir"), &engine).ok(); // without one, everything is compiled at each start
//! let catalog = Arc::new(Catalog::new(|manifests| Ok(()))); // refuses manifests that claim the same face
//! let mut watch = Watch::new(Folder::new("plugins"), Loader::new(engine, cache), Arc::clone(&catalog));
//! watch.start(); // what is there serves now
//! let watching = watch.follow()?; // and what comes, as long as this lives
//! # Ok(()) }
//! ```
//!
//! A call in the gateway:
//!
//! ```no_run
//! # async fn f(catalog: &weir_adapters::Catalog, ctx: weir_types::contract::types::Context,
//! #   request: weir_types::contract::types::HttpRequest) -> Result<(), weir_sandbox::PluginFault> {
//! # let Some(adapter) = catalog.get("name") else { return Ok(()) };
//! let mut lease = adapter.lease("tenant").await?; // Exhausted: 503 with Retry-After
//! let parsed = lease.parse_chat(&ctx, &request)?; // Err: the component failed; Ok(Err): the request is wrong
//! lease.release(); // or drop it, or keep it until the answer is there
//! # let _ = parsed; Ok(()) }
//! ```

pub mod atomic_file;
pub mod bench;
pub mod cache;
pub mod catalog;
pub mod check;
pub mod compile;
pub mod decisions;
#[cfg(test)]
mod guest;
pub mod inspect;
pub mod judge;
pub mod load;
pub mod lock;
#[cfg(test)]
mod mutants;
pub mod policy;
mod rollout_policy;
pub mod semver;
pub mod sign;
#[cfg(test)]
mod tests;
pub mod watch;

/// The log target of what concerns one of the many adapters of a start. A log for people shows the summary instead.
pub const START: &str = "weir::start";

pub use cache::Cache;
pub use catalog::{Catalog, Conflict, Refusal, RolloutPolicies, Snapshot};
pub use compile::{Bounds, Compiler};
pub use decisions::{Decisions, Keeper};
pub use judge::Judge;
pub use load::{Admission, LoadError, Loader};
pub use lock::Lock;
pub use policy::{Demand, Policy};
pub use rollout_policy::{QuarantineRule, RolloutPolicy};
pub use watch::{Folder, Granted, Watch, Watching};
