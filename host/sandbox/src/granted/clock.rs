//! The monotonic clock of a component with grants: the machine's if a clock was granted, else a constant one.
//!
//! A pause blocks the thread of the call, and no epoch interrupts it. So it ends at the call's deadline at the latest,
//! and so does the call ([`super::poll`]). Without a granted clock, pauses end at once, as in the inert WASI.

use std::time::{Duration, Instant};

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostMonotonicClock, async_trait};

use super::Granted;

/// The time of the constant clock. It is not zero, because Go's runtime aborts at zero.
const STILL: u64 = 1;

/// The clock of one store.
pub(crate) struct Clock<'a>(pub(crate) &'a mut Granted);

/// Names [`Clock`] to the linker.
pub(crate) struct HasClock;

impl HasData for HasClock {
    type Data<'a> = Clock<'a>;
}

impl Clock<'_> {
    fn wait(&mut self, span: Duration) -> wasmtime::Result<Resource<DynPollable>> {
        let span = if self.0.clock.is_some() { span } else { Duration::ZERO };
        let until = Instant::now().checked_add(span);
        let until = until.map_or(self.0.until, |until| until.min(self.0.until));
        let pause = self.0.table.push(Pause(until.into()))?;
        subscribe(&mut self.0.table, pause)
    }
}

impl monotonic_clock::Host for Clock<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.0.clock.as_ref().map_or(STILL, HostMonotonicClock::now))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(self.0.clock.as_ref().map_or(0, HostMonotonicClock::resolution))
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = self.now()?;
        self.wait(Duration::from_nanos(when.saturating_sub(now)))
    }

    fn subscribe_duration(&mut self, span: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait(Duration::from_nanos(span))
    }
}

/// A pause until this time.
struct Pause(tokio::time::Instant);

#[async_trait]
impl Pollable for Pause {
    async fn ready(&mut self) {
        tokio::time::sleep_until(self.0).await;
    }
}
