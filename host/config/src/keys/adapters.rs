//! `[plugins.NAME]`: how an adapter is run, and its life.

use std::time::Duration;

use crate::section::{Amount, Count, OrFalse, Share, Size, section};
use crate::settings::Isolation;

section! {
    /// How the adapter `NAME` is run. What is left out is taken from `[plugins]`.
    ADAPTER = "[plugins.NAME]";
    #[derive(Debug, Clone, PartialEq)]
    pub struct AdapterSettings {
        /// `fresh`: an instance for each exchange and side. `tenant`: an instance serves the exchanges of one client
        /// key. `shared`: an instance serves all.
        isolation: Option<Isolation> => "as the adapter wishes",
        /// Instances at the same time.
        max_instances: Option<usize> as Option<Amount> => "from `server.max_connections`",
        /// Instances kept ready.
        prewarm: usize as Count<usize, 0, 100_000> = 8,
        /// The most that one instance may hold.
        memory: usize as Size = 64 << 20,
        /// How long one call into it may take.
        deadline: Duration = Duration::from_secs(1),
        /// Exchanges that an instance serves before it is dropped, where it serves more than one.
        max_uses: usize as Amount = 10_000,
        /// Whether it serves only if it is proved by fixtures. Those that it has are replayed in any case; see
        /// docs/fixtures.md.
        require_fixtures: bool,
        /// When it is taken out of service for failing too often, and the last good version returns. `false` for never.
        quarantine: Option<Quarantine> as OrFalse<Quarantine> = Some(Quarantine::default()) => "as below",
        /// How a new version is tried on a share of the exchanges first. `{}` tries it as below says, `false` not at
        /// all.
        canary: Option<Canary> as OrFalse<Canary>,
        /// Whether only files are loaded that one of `trusted_keys` signed: `NAME.wasm.sig` beside `NAME.wasm`.
        require_signature: bool,
        /// Whether only files are loaded whose digest the lock file pins.
        require_lock: bool,
    }
}

section! {
    /// When an adapter is taken out of service.
    QUARANTINE = "quarantine = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Quarantine {
        /// Different requests that it fails at within the window, 64 at most. The same request sent again is not
        /// another one.
        faults: usize as Count<usize, 1, 64> = 5,
        /// The time over which they are counted.
        window: Duration = Duration::from_mins(1),
        /// The share of exchanges in that time that must have failed, above 0 and up to 1.
        share: f64 as Share = 0.1,
        /// How long it stays out of service, where no earlier version steps in, before it is tried again. Twice as long
        /// each time, a day at the most.
        pause: Duration = Duration::from_mins(1),
    }
}

section! {
    /// How a new version is tried before it serves.
    CANARY = "canary = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Canary {
        /// The share of exchanges that it gets, above 0 and up to 1.
        share: f64 as Share = 0.05,
        /// Exchanges after which it is promoted.
        requests: usize as Amount = 200,
        /// The share of them that may fail, beyond what fails on the former version. With more it is rolled back.
        max_fault_rate: f64 = 0.01,
        /// How long it is tried at most; then what it has served decides.
        max_time: Duration = Duration::from_mins(10),
    }
}
