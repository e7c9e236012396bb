//! The lease of an instance for one exchange.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::Adapter;
use crate::fault::{CallResult, Failure, FaultKind, PluginFault, clean, head};
use crate::guest::GuestResult;
use crate::instance::Instance;
use crate::interface::Interfaces;
use crate::limits::Isolation;
use crate::reported::Reported;
use crate::stats::{RecentFailure, Step};
use weir_types::contract::types::ErrorKind;

/// Maximum length of a component's own error message in the log, in bytes.
const EXCEPTION: usize = 1024;

/// An instance, leased for one exchange. The contract's functions are its methods ([`crate::call`]).
///
/// Calls run on the calling thread, because they take microseconds, less than a hand-over to another thread. A call
/// with more input than [`Limits::blocking_above`](crate::Limits::blocking_above) bytes first makes the runtime move
/// the worker's other tasks elsewhere (`block_in_place`; on a current-thread runtime it just runs). A call of a
/// component that is new, or missed a deadline lately, runs on one of a few separate threads; if too many of these
/// calls run already, it fails with [`FaultKind::Exhausted`] and leaves the instance unchanged. Callers need not decide
/// anything.
///
/// After any other fault the instance is dropped, and every further call fails with [`FaultKind::Host`].
///
/// The instance is taken at the first call, which decides by the length of its input whether that is a large one
/// ([`Instance::is_large`]). [`Lease::rest`] gives a large one back before the exchange is over.
#[derive(Debug)]
pub struct Lease {
    // The order matters: the instance must be dropped before its slot.
    /// `None` before the first call, while it rests, and once a call has failed.
    pub(super) instance: Option<Box<Instance>>,
    /// Whether a call has failed.
    pub(super) is_spent: bool,
    /// Whose exchange it is: with the isolation `tenant`, the only tenant whose instances it takes.
    pub(super) tenant: Arc<str>,
    /// The pool's isolation when the lease began. That of a component changes once it is proved, and an instance that
    /// was taken as a fresh one has no tenant and must not be kept.
    pub(super) isolation: Isolation,
    /// The caller, as one bit of 64.
    pub(super) caller: u64,
    /// Deadline of a call without input.
    pub(crate) call: Duration,
    pub(super) adapter: Arc<Adapter>,
    /// Whether it serves no client: a proof's calls and what they lose are not counted.
    pub(super) is_proof: bool,
    /// Input of all calls so far, in bytes.
    pub(super) taken: usize,
    /// Size of the request that its exchange is about, where no call of the lease gets it.
    pub(crate) about: usize,
    pub(super) _turn: Option<OwnedSemaphorePermit>,
    pub(super) _slot: OwnedSemaphorePermit,
}

impl Lease {
    /// The adapter of the instance.
    pub fn adapter(&self) -> &Arc<Adapter> {
        &self.adapter
    }

    /// Which exchanges the instance serves.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Whether a call has failed, so that the instance is gone.
    pub fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// The number of instructions that the instance has executed, in all exchanges; `None` if they are not counted
    /// ([`Limits::counts_instructions`](crate::Limits::counts_instructions)) or there is no instance: before the first
    /// call, while it rests, and once a call has failed.
    pub fn instructions(&self) -> Option<u64> {
        self.instance.as_deref().and_then(Instance::instructions)
    }

    /// Returns the instance: it is reused if the isolation allows that; otherwise a fresh one is made in advance in its
    /// place. Best called after the answer has been sent. Dropping the lease drops the instance.
    pub fn release(mut self) {
        self.give_back();
    }

    /// Gives the instance back until the next call, if it is large: a provider may take minutes to answer, and the
    /// answer hardly ever needs as much memory as a large request did. The contract lets each call run on another
    /// instance. One that is slow to start stays.
    pub fn rest(&mut self) {
        if self.instance.as_deref().is_some_and(Instance::is_large) && !self.adapter.pool.starts_slowly() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        let pool = &self.adapter.pool;
        if self.isolation != Isolation::Fresh {
            pool.keep(instance);
            return;
        }
        let used = instance.prepared();
        drop(instance);
        if !pool.wants_more() || self.adapter.state.rests() {
            return;
        }
        let ahead = Ahead::begin(&self.adapter);
        match Handle::try_current() {
            Ok(runtime) if pool.starts_slowly() => drop(runtime.spawn_blocking(move || ahead.make(used))),
            _ => ahead.make(used),
        }
    }

    /// Calls a function that returns a result. An error of the kind `internal` counts as a failure of the component,
    /// like a trap: the SDKs of languages with exceptions report them so.
    pub(crate) fn ask<R>(
        &mut self,
        function: &'static str,
        bytes: usize,
        call: impl FnOnce(&mut Instance) -> GuestResult<R> + Send,
    ) -> CallResult<R>
    where
        R: Send + Reported,
    {
        match self.run(function, bytes, call)? {
            Err(error) if error.kind == ErrorKind::Internal => {
                let detail = clean(head(&error.message, EXCEPTION));
                let fault = self.adapter.fault(function, Failure::new(FaultKind::Exception, detail));
                self.adapter.stats.record_failure(self.failure(fault.kind, function));
                (self.instance, self.is_spent) = (None, true);
                Err(fault)
            }
            Ok(output) => {
                if !self.is_proof {
                    self.adapter.stats.lost(Step::of(function), output.losses());
                }
                Ok(Ok(output))
            }
            refused @ Err(_) => Ok(refused),
        }
    }

    /// Calls into the instance under a deadline. `bytes` is the approximate size of the input.
    pub(crate) fn run<R>(
        &mut self,
        function: &'static str,
        bytes: usize,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<R> + Send,
    ) -> Result<R, PluginFault>
    where
        R: Send,
    {
        let adapter = &self.adapter;
        if self.is_spent {
            let failure = Failure::new(FaultKind::Host, "an earlier call on this instance failed");
            return Err(adapter.fault(function, failure));
        }
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => none.insert(adapter.take(&self.tenant, self.isolation, bytes)?),
        };
        self.taken = self.taken.saturating_add(bytes);
        let call_limit = self.call;
        let begun = Instant::now();
        let result = adapter.in_its_place(bytes, || {
            let _active = adapter.engine.ticker().begin();
            instance.takes(bytes);
            instance.arm(adapter.deadline(call_limit, bytes), adapter.output(bytes));
            call(instance)
        });
        let Some(result) = result else {
            return Err(adapter.fault(function, Failure::new(FaultKind::Exhausted, "too many calls of its kind run")));
        };
        if self.is_proof {
            adapter.stats.called_by_proof();
        } else {
            adapter.stats.called(begun.elapsed());
        }
        let stderr = instance.store.data_mut().take_stderr();
        match result {
            Ok(value) => {
                if !stderr.is_empty() {
                    let output = clean(&String::from_utf8_lossy(&stderr));
                    tracing::debug!(adapter = %adapter.name, function, stderr = output, "adapter wrote to standard error");
                }
                Ok(value)
            }
            Err(error) => {
                let failure = Failure::of(&error, &stderr).at_input_of(bytes, self.taken);
                let fault = adapter.fault(function, failure);
                // A proof decides itself about an adapter that lacked processor time on a busy machine.
                if !(self.is_proof && fault.lacked_time()) {
                    adapter.stats.record_failure(self.failure(fault.kind, function));
                }
                (self.instance, self.is_spent) = (None, true);
                Err(fault)
            }
        }
    }

    /// A failure of this moment. What the exchange had as input so far tells its request from others: some calls have
    /// no input of their own, such as the one that ends a stream.
    fn failure(&self, kind: FaultKind, function: &str) -> RecentFailure {
        RecentFailure::new(kind, self.caller, function, self.taken.saturating_add(self.about))
    }
}

/// An instance that is to be made in advance. It counts as one that is ready meanwhile: of many requests that end at
/// once, each would have one made otherwise.
struct Ahead(Arc<Adapter>);

impl Ahead {
    fn begin(adapter: &Arc<Adapter>) -> Self {
        adapter.pool.begin_ahead();
        Self(Arc::clone(adapter))
    }

    fn make(self, interfaces: Interfaces) {
        self.0.make_ahead(interfaces);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.pool.end_ahead();
    }
}
