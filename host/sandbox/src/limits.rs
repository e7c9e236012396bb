//! Limits of the sandbox: the number of instances, and the resources of each.

use std::time::Duration;

use super::grants::Grants;
use weir_types::contract::about as manifest;

const MIB: usize = 1 << 20;

/// Limits of the engine and of every adapter in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of leased instances; a heavy one (see [`crate::shape`]) counts as several.
    pub instances: u32,
    /// Maximum number of ready or idle instances besides those, over all adapters.
    pub idle_instances: u32,
    /// How long a request waits for an instance before it fails.
    pub lease_wait: Duration,
    /// Maximum linear memory of an instance in bytes, summed over its memories.
    pub memory: usize,
    /// Maximum by which the memories of all instances may grow together beyond what each was made with, in bytes. One
    /// adapter may have three quarters of it.
    pub total_growth: usize,
    /// Bytes of a used memory that stay resident for the next instance; its pages are cleared, not freed.
    pub keep_resident: usize,
    /// Maximum resident size of unused memories while few are in use, in bytes; beyond it, they are freed.
    pub idle_memory: usize,
    /// Maximum number of elements in a table.
    pub table_elements: usize,
    /// Maximum output of one call, in bytes.
    pub output: usize,
    /// Maximum number of resource handles of an instance.
    pub handles: usize,
    /// How many last bytes of an instance's standard error are kept.
    pub stderr: usize,
    /// Resolution of deadlines.
    pub tick: Duration,
    /// Deadline of a call, in processor time of its thread; by the clock, a call may take ten times as long, unless
    /// its component is not trusted with an async worker.
    pub call: Duration,
    /// Additional time for each MiB of the call's input.
    pub call_per_mib: Duration,
    /// Deadline for creating an instance or reading the manifest.
    pub start: Duration,
    /// Input size in bytes from which a call makes the runtime move other tasks off its worker (see [`crate::Lease`]).
    pub blocking_above: usize,
    /// Whether one compilation may use all cores. Compilations never run concurrently.
    pub parallel_compilation: bool,
    /// Whether instances count the instructions that they execute ([`crate::Lease::instructions`]): for tests, since
    /// the counting itself takes time.
    pub counts_instructions: bool,
    /// Limits of a component's structure.
    pub structure: Structure,
}

/// Limits of a component's structure. They keep compilation short: its cost grows with a function's size and locals,
/// and the compiler gives no guarantee about its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Size of the file, in bytes.
    pub bytes: usize,
    /// Number of functions in all modules.
    pub functions: u32,
    /// Size of one function's body, in bytes.
    pub body: usize,
    /// Number of locals of one function.
    pub locals: u32,
    /// Number of core modules.
    pub modules: u32,
    /// Number of nested components.
    pub components: u32,
    /// Number of linear memories.
    pub memories: u32,
    /// Initial number of elements in one table.
    pub table_elements: u64,
    /// Size of all data segments, in bytes.
    pub data: usize,
}

impl Default for Structure {
    /// Wide enough for interpreters (`CPython` has functions of 427 KB, 271 locals, 38 modules); adapters in Rust stay
    /// far below.
    fn default() -> Self {
        Self {
            bytes: 32 * MIB,
            functions: 60_000,
            body: 512 * 1024,
            locals: 512,
            modules: 64,
            components: 64,
            memories: 4,
            table_elements: 20_000,
            data: 24 * MIB,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::for_connections(1024)
    }
}

impl Limits {
    /// Sizes the pool for this many connections, each of which may hold an instance on either side.
    pub fn for_connections(connections: u32) -> Self {
        Self {
            // Each takes 4 GiB of address space: 12,000 stay well within the available 47 bits.
            instances: connections.saturating_mul(2).clamp(4, 12_000),
            idle_instances: 256,
            lease_wait: Duration::from_secs(2),
            memory: 64 * MIB,
            total_growth: 4096 * MIB,
            keep_resident: 256 * 1024,
            idle_memory: 8 * MIB,
            table_elements: 20_000,
            output: 32 * MIB,
            handles: 64,
            stderr: 4096,
            tick: Duration::from_millis(5),
            call: Duration::from_millis(500),
            call_per_mib: Duration::from_millis(100),
            start: Duration::from_secs(5),
            blocking_above: 256 * 1024,
            parallel_compilation: false,
            counts_instructions: false,
            structure: Structure::default(),
        }
    }
}

/// Which exchanges may share an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// None: an instance serves one exchange.
    Fresh,
    /// Exchanges of one tenant, one after the other.
    Tenant,
    /// All exchanges, one after the other.
    Shared,
}

impl Isolation {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Tenant => "tenant",
            Self::Shared => "shared",
        }
    }
}

impl From<manifest::Isolation> for Isolation {
    fn from(wish: manifest::Isolation) -> Self {
        match wish {
            manifest::Isolation::Fresh => Self::Fresh,
            manifest::Isolation::Tenant => Self::Tenant,
            manifest::Isolation::Shared => Self::Shared,
        }
    }
}

/// Limits of an instance that serves more than one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// Maximum number of exchanges.
    pub uses: u32,
    /// Maximum age.
    pub age: Duration,
    /// Maximum number of idle instances of one adapter, over all tenants.
    pub idle: u32,
    /// Memory size in bytes beyond which an instance is not kept.
    pub memory: usize,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { uses: 1000, idle: 128, age: Duration::from_mins(1), memory: 32 * MIB }
    }
}

/// The operator's settings for one adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterLimits {
    /// The isolation. `None` means the one that the manifest requests if the lock file pins the component, and `Fresh`
    /// otherwise: an untrusted file must not decide whether tenants' data meet in one instance.
    pub isolation: Option<Isolation>,
    /// Reuse with `Tenant` and `Shared`.
    pub reuse: Reuse,
    /// Number of instances kept ready with `Fresh`.
    pub ready: u32,
    /// Deadline of a call, overriding [`Limits::call`].
    pub call: Option<Duration>,
    /// Maximum number of concurrent leases; `None` means only the engine's limit.
    pub concurrency: Option<u32>,
    /// What it may use beyond its input.
    pub grants: Grants,
}

impl Default for AdapterLimits {
    fn default() -> Self {
        Self {
            isolation: None,
            reuse: Reuse::default(),
            ready: 4,
            call: None,
            concurrency: None,
            grants: Grants::default(),
        }
    }
}
