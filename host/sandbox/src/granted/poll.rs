//! Pauses of a component with grants. A pause that reaches the call's deadline ends the call, as an endless loop does.

use std::time::Instant;

use wasmtime::Trap;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::sync::io::poll;

use super::Granted;

/// The pauses of one store.
pub(crate) struct Polls<'a>(pub(crate) &'a mut Granted);

/// Names [`Polls`] to the linker.
pub(crate) struct HasPolls;

impl HasData for HasPolls {
    type Data<'a> = Polls<'a>;
}

impl Polls<'_> {
    fn in_time<T>(&self, waited: T) -> wasmtime::Result<T> {
        if Instant::now() >= self.0.until { Err(Trap::Interrupt.into()) } else { Ok(waited) }
    }
}

impl poll::Host for Polls<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let ready = poll::Host::poll(&mut self.0.table, pollables)?;
        self.in_time(ready)
    }
}

impl poll::HostPollable for Polls<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.0.table, pollable)
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::block(&mut self.0.table, pollable)?;
        self.in_time(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.0.table, pollable)
    }
}
