//! `[plugins.NAME]`: the settings of one adapter: isolation, limits, quarantine, canary.

use std::time::Duration;

use super::Grants;
use crate::section::{Amount, Count, OrFalse, Share, Size, joined, part, section};
use crate::settings::Isolation;

part! {
    /// How instances of an adapter are made, bounded and kept.
    #[derive(Debug, Clone, PartialEq)]
    pub struct AdapterSettings {
        /// `fresh`: a new instance for each exchange and side. `tenant`: an instance serves the exchanges of a single
        /// client key. `shared`: an instance serves all clients. Without this key: `tenant` if the adapter has passed
        /// its fixtures, on used instances as on fresh ones, and its manifest does not ask for `fresh`; the manifest's
        /// wish if the lock file pins the bytes; otherwise `fresh`.
        isolation: Option<Isolation> => "as proved",
        /// The most instances at the same time.
        max_instances: Option<usize> as Option<Amount> => "from `server.max_connections`",
        /// Instances kept ready for use.
        prewarm: usize as Count<usize, 0, 100_000> = 8,
        /// The most memory that one instance may use.
        memory: usize as Size = 64 << 20,
        /// Processor time that one call into the adapter may take. By the clock, it may take ten times as
        /// long, or just as long while the adapter is new or has missed a deadline lately.
        deadline: Duration = Duration::from_secs(1),
        /// The number of exchanges after which an instance is dropped. It has no effect on `fresh` instances.
        max_uses: usize as Amount = 10_000,
        /// Whether the adapter serves only if it has fixtures and they pass. It is then proved before it serves, also
        /// at a start with a pinned digest. Existing fixtures are replayed in any case; see docs/fixtures.md.
        require_fixtures: bool,
        /// When the adapter is taken out of service for failing too often; the last good version then returns. `false`
        /// turns quarantine off.
        quarantine: Option<Quarantine> as OrFalse<Quarantine> = Some(Quarantine::default()) => "as below",
        /// How a new version is tried on a share of the exchanges first. `{}` uses the defaults below, `false` turns
        /// the trial off.
        canary: Option<Canary> as OrFalse<Canary>,
        /// Whether a file is loaded only if one of `trusted_keys` signed it: `NAME.wasm.sig` beside `NAME.wasm`.
        require_signature: bool,
        /// Whether a file is loaded only if the lock file pins its digest.
        require_lock: bool,
    } beside {
        /// What the adapter may use beyond its input.
        grants: Grants = Grants::default(),
    }
}

part! {
    /// The keys that only `[plugins.NAME]` has.
    #[derive(Debug)]
    pub(super) struct OwnSettings {
        /// What the adapter may use beyond its input: clocks, random numbers, folders. An adapter with grants cannot be
        /// proved pure. A reload applies changes.
        grants: Grants,
    }
}

joined! {
    /// Settings of the adapter `NAME`. Keys left out are taken from `[plugins]`.
    ADAPTER = "[plugins.NAME]": AdapterSettings::KEYS, OwnSettings::KEYS;
}

section! {
    /// When an adapter is taken out of service.
    QUARANTINE = "quarantine = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Quarantine {
        /// The number of different requests, at most 64, that must fail within the window. The same request sent again
        /// is not counted again.
        faults: usize as Count<usize, 1, 64> = 5,
        /// The time over which failures are counted.
        window: Duration = Duration::from_mins(1),
        /// The share of exchanges in that time that must have failed, above 0 and up to 1.
        share: f64 as Share = 0.1,
        /// How long the adapter stays out of service before it is tried again, if no earlier version replaces it. The
        /// time doubles with each quarantine, up to a day.
        pause: Duration = Duration::from_mins(1),
    }
}

section! {
    /// How a new version is tried before it serves all exchanges.
    CANARY = "canary = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Canary {
        /// The share of exchanges that the new version gets, above 0 and up to 1.
        share: f64 as Share = 0.05,
        /// The number of exchanges after which the new version is promoted.
        requests: usize as Amount = 200,
        /// The share of these exchanges that may fail, beyond the share that fails on the former version. Above it, the
        /// new version is rolled back.
        max_fault_rate: f64 = 0.01,
        /// The longest trial. When it ends, the exchanges served so far decide.
        max_time: Duration = Duration::from_mins(10),
    }
}
