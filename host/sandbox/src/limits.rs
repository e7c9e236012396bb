//! The bounds of the sandbox: how many instances, how much of everything each.

use std::time::Duration;

use weir_types::contract::about as manifest;

const MIB: usize = 1 << 20;

/// Bounds of the engine and of every adapter in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Instances that may be leased at once; one that is heavy (see [`crate::shape`]) counts as several.
    pub instances: u32,
    /// Instances that may lie ready or idle beside those, over all adapters.
    pub idle_instances: u32,
    /// How long a request waits for an instance before it is told that there is none.
    pub lease_wait: Duration,
    /// Bytes of linear memory an instance may grow to, all of its memories together.
    pub memory: usize,
    /// Bytes of a used memory that stay in place for the next instance; the pages are cleared, not given back.
    pub keep_resident: usize,
    /// Bytes that used memories may hold while next to nobody uses one; beyond it they are given back.
    pub idle_memory: usize,
    /// Elements of one table.
    pub table_elements: usize,
    /// Bytes that one call may hand to the host.
    pub output: usize,
    /// Handles (of resources) that an instance may hold.
    pub handles: usize,
    /// Bytes of standard error that are kept of an instance, the last ones.
    pub stderr: usize,
    /// How finely deadlines are measured.
    pub tick: Duration,
    /// Deadline of a call. Generous, since it is the time on the wall: on a crowded machine a call of microseconds may
    /// stand still for a tenth of a second.
    pub call: Duration,
    /// Added to it for each MiB that the call takes in.
    pub call_per_mib: Duration,
    /// Deadline of a call that makes an instance or reads the manifest.
    pub start: Duration,
    /// A call that takes in more bytes than this leaves the async worker to others ([`crate::Lease`] says how).
    pub blocking_above: usize,
    /// Whether one compilation may use every core. It never runs beside another one in any case.
    pub parallel_compilation: bool,
    /// Bounds on what a component may be made of.
    pub structure: Structure,
}

/// Bounds on what a component may be made of. They keep compilation short: its cost grows with a function's size and
/// locals, and the compiler does not promise to be quick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Bytes of the file.
    pub bytes: usize,
    /// Functions in all modules.
    pub functions: u32,
    /// Bytes of one function's body.
    pub body: usize,
    /// Locals of one function.
    pub locals: u32,
    /// Core modules.
    pub modules: u32,
    /// Nested components.
    pub components: u32,
    /// Linear memories.
    pub memories: u32,
    /// Elements of one table at the start.
    pub table_elements: u64,
    /// Bytes of data segments.
    pub data: usize,
}

impl Default for Structure {
    /// Wide enough for interpreters (`CPython` has functions of 427 KB, 271 locals, 38 modules), which Rust-built adapters
    /// stay far below.
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
    /// Sizes the pool for so many connections: each may hold an instance on either side.
    pub fn for_connections(connections: u32) -> Self {
        Self {
            // 4 GiB of address space each: 12,000 stay well inside the 47 bits that there are.
            instances: connections.saturating_mul(2).clamp(4, 12_000),
            idle_instances: 256,
            lease_wait: Duration::from_secs(2),
            memory: 64 * MIB,
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
            structure: Structure::default(),
        }
    }
}

/// Who may meet in one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Nobody: an instance serves one exchange.
    Fresh,
    /// Exchanges of one tenant, one after the other.
    Tenant,
    /// Everybody's exchanges, one after the other.
    Shared,
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

/// Bounds on an instance that serves more than one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// Exchanges that it serves.
    pub uses: u32,
    /// How old it gets.
    pub age: Duration,
    /// How many lie idle for one adapter, over all tenants.
    pub idle: u32,
    /// Bytes of memory beyond which it is not kept.
    pub memory: usize,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { uses: 1000, idle: 128, age: Duration::from_mins(1), memory: 32 * MIB }
    }
}

/// The operator's terms for one adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// None: what the manifest wishes, if the lock file vouches for the component, else `Fresh`. It is the tenants' data
    /// that meets, so a file that was merely dropped in has no say.
    pub isolation: Option<Isolation>,
    /// For `Tenant` and `Shared`.
    pub reuse: Reuse,
    /// Instances that lie ready, where one serves one exchange (`Fresh`).
    pub ready: u32,
    /// Deadline of a call, instead of [`Limits::call`].
    pub call: Option<Duration>,
    /// Leases at once, instead of whatever the engine has left.
    pub concurrency: Option<u32>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { isolation: None, reuse: Reuse::default(), ready: 4, call: None, concurrency: None }
    }
}
