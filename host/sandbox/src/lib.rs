//! The sandbox: wasmtime and nothing else. Engine, instances, pools, limits, the inert WASI, the contract's versions.
//!
//! | module | does |
//! |---|---|
//! | [`component_file`], [`digest`] | reads a component's file; the SHA-256 that identifies it |
//! | [`shape`] | reads a component without running it: imports, exports, sizes; enforces the policy |
//! | [`wasi`] | the inert WASI, for runtimes that need one |
//! | [`grants`], [`granted_wasi`] | what an operator lets single components use, and the WASI that implements it |
//! | [`adapter`] | holds a loaded adapter and its mutable state, and leases its instances |
//! | [`canary`] | gives new versions a share of the exchanges |
//! | [`pool`] | isolates requests: decides which instance serves which |
//! | [`instance`], [`state`], `granted` | a store with an instantiated component; the data of a store; that of one with grants |
//! | [`interface`], [`version`] | the interfaces of the contract, and its versions |
//! | `guest` | the versions of the contract side by side |
//! | [`guard`], [`judging`] | guards: what they say about themselves, and their functions |
//! | [`call`], [`stream`] | the contract's functions, typed, with deadline and limits |
//! | `weigh`, `reported` | the size of a call's input; the losses that its output reports |
//! | [`untrusted`] | threads for components that are not trusted with an async worker |
//! | [`fault`] | failures of components |
//! | [`footprint`], [`stats`] | memory of an adapter's instances; its counters |
//! | `growth` | what all instances together may take beyond what they begin with |
//! | [`resident`] | gives memory back that only the start needed |
//! | [`engine`], [`limits`] | the engine and its limits |
//! | [`deadline`], [`ticker`] | deadlines of calls, and their clock |
//! | [`native`] | loads compiled code into the engine |
//! | [`contract`] | the bindings of the contract |

pub mod adapter;
pub mod call;
pub mod component_file;
pub mod contract;
mod deadline;
pub mod digest;
pub mod engine;
pub mod fault;
pub mod footprint;
mod granted;
mod granted_wasi;
pub mod grants;
mod growth;
pub mod guard;
mod guest;
pub mod instance;
pub mod interface;
pub mod judging;
pub mod limits;
pub mod native;
pub mod pool;
mod reported;
pub mod resident;
pub mod shape;
pub mod state;
pub mod stats;
pub mod stream;
mod ticker;
mod untrusted;
pub mod version;
pub mod wasi;
mod weigh;

pub use adapter::{Adapter, Lease, canary, lease_pair};
pub use canary::{CanaryRule, ChosenVersion};
pub use digest::Digest;
pub use engine::Engine;
pub use fault::{CallResult, FaultKind, PluginFault};
pub use grants::Grants;
pub use guard::GuardManifest;
pub use interface::{Interface, Interfaces};
pub use judging::AnswerJudge;
pub use limits::{AdapterLimits, Isolation, Limits, Reuse};
pub use shape::Shape;
pub use stats::Stats;
pub use stream::{ChatDecoder, ChatEncoder};
pub use version::Version;
