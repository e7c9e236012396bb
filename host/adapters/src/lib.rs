//! The life of adapters: loading, checking, swapping, judging. What runs them is `weir-sandbox`.
//!
//! The way of a component, from file to call:
//!
//! | module | does |
//! |---|---|
//! | [`watch`] | notices that a file in the plugins directory has changed |
//! | [`compile`] | makes code of a component, in a process of its own |
//! | [`cache`] | keeps compiled components on disk |
//! | [`load`] | bytes to [`Adapter`](weir_sandbox::Adapter): shape, compile, `describe`, [`check`] |
//! | [`policy`], [`sign`] | what the operator demands of a file: a signature, a pinned digest |
//! | [`catalog`] | the adapters that serve now, swapped in one step, and the versions before them |
//! | [`judge`] | verdicts on versions that are tried; quarantine of what fails too often |
//! | [`decisions`] | what was decided about versions, kept over restarts |
//! | [`age`] | which of two versions is the older one |
//! | [`lock`], [`inspect`], [`install`] | trusted digests; what is printed about a component; files put in place in one step |
//!
//! At the start:
//!
//! ```no_run
//! # use std::{error::Error, path::Path, sync::Arc};
//! # use weir_adapters::{Cache, Catalog, Folder, Loader, Watch};
//! # use weir_sandbox::{Engine, Limits};
//! # fn f() -> Result<(), Box<dyn Error>> {
//! let engine = Engine::new(Limits::for_connections(1024))?;
//! let cache = Cache::open(Path::new("/var/cache/weir"), &engine).ok(); // without one, everything is compiled anew
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
//! let parsed = lease.parse_chat(&ctx, &request)?; // Err: the component failed; Ok(Err): it says that the request is wrong
//! lease.release(); // or drop it, or keep it until the answer is there
//! # let _ = parsed; Ok(()) }
//! ```

pub mod age;
pub mod bench;
pub mod cache;
pub mod catalog;
pub mod check;
pub mod compile;
pub mod decisions;
#[cfg(test)]
mod guest;
pub mod inspect;
pub mod install;
pub mod judge;
pub mod load;
pub mod lock;
#[cfg(test)]
mod mutants;
pub mod policy;
pub mod sign;
#[cfg(test)]
mod tests;
pub mod watch;

pub use cache::Cache;
pub use catalog::{Cares, Catalog, Refusal, Snapshot};
pub use compile::{Bounds, Compiler};
pub use decisions::{Decisions, Keeper};
pub use judge::{Care, Judge, QuarantineRule};
pub use load::{Admission, LoadError, Loader};
pub use lock::Lock;
pub use policy::{Demand, Policy};
pub use watch::{Folder, Watch, Watching};
