//! The sandbox: wasmtime and nothing but. Engine, instances, pools, limits, the inert WASI, the contract's versions.
//!
//! | module | does |
//! |---|---|
//! | [`shape`] | reads a component without running it: imports, exports, sizes; refuses what the policy refuses |
//! | [`wasi`] | the WASI with nothing behind it, for runtimes that cannot do without |
//! | [`canary`] | new versions on a share of the exchanges |
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
//! | [`native`] | compiled code, taken back into the engine |
//! | [`contract`] | the bindings of the contract |

pub mod adapter;
mod aside;
pub mod call;
pub mod canary;
pub mod contract;
pub mod digest;
pub mod duty;
pub mod engine;
pub mod fault;
pub mod footprint;
pub mod instance;
pub mod limits;
pub mod native;
pub mod pool;
pub mod shape;
pub mod state;
pub mod stats;
pub mod stream;
mod ticker;
pub mod version;
pub mod wasi;
mod weigh;

pub use adapter::{Adapter, Lease, lease_pair};
pub use canary::{CanaryRule, Chosen};
pub use digest::Digest;
pub use engine::Engine;
pub use fault::{Called, FaultKind, PluginFault};
pub use instance::{Interface, Interfaces};
pub use limits::{Isolation, Limits, Reuse, Terms};
pub use shape::Shape;
pub use stats::Stats;
pub use stream::{ChatDecoder, ChatEncoder};
pub use version::Version;
