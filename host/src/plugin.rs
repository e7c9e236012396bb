//! Adapters: loading, checking, swapping, instances.
//!
//! The way of a component, from file to call:
//!
//! | module | does |
//! |---|---|
//! | [`watch`] | notices that a file in the plugins directory has changed |
//! | [`shape`] | reads a component without running it: imports, exports, sizes; refuses what the policy refuses |
//! | [`compile`] | makes code of a component, in a process of its own |
//! | [`cache`] | keeps compiled components on disk |
//! | [`load`] | bytes to [`Adapter`]: shape, compile, `describe`, [`check`] |
//! | [`wasi`] | the WASI with nothing behind it, for runtimes that cannot do without |
//! | [`policy`], [`sign`] | what the operator demands of a file: a signature, a pinned digest |
//! | [`catalog`] | the adapters that serve now, swapped in one step, and the versions before them |
//! | [`canary`], [`judge`] | new versions on a share of the exchanges; quarantine of what fails too often |
//! | [`decisions`] | what was decided about versions, kept over restarts |
//! | [`duty`] | whether a loaded adapter is to serve now |
//! | [`adapter`] | one loaded adapter, and the lease of an instance of it |
//! | [`pool`] | isolation: which instance serves which request |
//! | [`instance`] | a store and what was instantiated in it |
//! | [`version`] | the versions of the contract, side by side |
//! | [`call`], [`stream`] | the contract's functions, typed, with deadline and limits |
//! | [`aside`] | the threads for components that are not trusted with an async worker |
//! | [`fault`] | what a component can do wrong |
//! | [`footprint`] | how much memory its instances take |
//! | [`engine`], [`limits`], [`ticker`] | the sandbox and its bounds |
//! | [`age`] | which of two versions is the older one |
//! | [`lock`], [`inspect`], [`install`] | trusted digests; what is printed about a component; files put in place in one step |
//!
//! At the start:
//!
//! ```no_run
//! # use std::{error::Error, path::Path, sync::Arc};
//! # use weir::plugin::{Cache, Catalog, Engine, Folder, Limits, Loader, Watch};
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
//! # async fn f(catalog: &weir::plugin::Catalog, ctx: weir::contract::types::Context,
//! #   request: weir::contract::types::HttpRequest) -> Result<(), weir::plugin::PluginFault> {
//! # let Some(adapter) = catalog.get("name") else { return Ok(()) };
//! let mut lease = adapter.lease("tenant").await?; // Exhausted: 503 with Retry-After
//! let parsed = lease.parse_chat(&ctx, &request)?; // Err: the component failed; Ok(Err): it says that the request is wrong
//! lease.release(); // or drop it, or keep it until the answer is there
//! # let _ = parsed; Ok(()) }
//! ```

pub mod adapter;
pub mod age;
mod aside;
pub mod bench;
pub mod cache;
pub mod call;
pub mod canary;
pub mod catalog;
pub mod check;
pub mod compile;
pub mod decisions;
pub mod digest;
pub mod duty;
pub mod engine;
pub mod fault;
pub mod footprint;
#[cfg(test)]
mod guest;
pub mod inspect;
pub mod install;
pub mod instance;
pub mod judge;
pub mod limits;
pub mod load;
pub mod lock;
#[cfg(test)]
mod mutants;
pub mod policy;
pub mod pool;
pub mod shape;
pub mod sign;
pub mod state;
pub mod stats;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod ticker;
pub mod version;
pub mod wasi;
pub mod watch;
mod weigh;

pub use adapter::{Adapter, Lease, lease_pair};
pub use cache::Cache;
pub use canary::{CanaryRule, Chosen};
pub use catalog::{Cares, Catalog, Refusal, Snapshot};
pub use compile::{Bounds, Compiler};
pub use decisions::{Decisions, Keeper};
pub use digest::Digest;
pub use engine::Engine;
pub use fault::{Called, FaultKind, PluginFault};
pub use instance::{Interface, Interfaces};
pub use judge::{Care, Judge, QuarantineRule};
pub use limits::{Isolation, Limits, Reuse, Terms};
pub use load::{Admission, LoadError, Loader};
pub use lock::Lock;
pub use policy::{Demand, Policy};
pub use shape::Shape;
pub use stats::Stats;
pub use stream::{ChatDecoder, ChatEncoder};
pub use version::Version;
pub use watch::{Folder, Watch, Watching};
