//! A store with an instantiated component.

use std::fmt::{self, Debug, Formatter};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, InstancePre, Linker, ResourceAny};
use wasmtime::{Store, UpdateDeadline};

use super::engine::Engine;
use super::footprint::Footprint;
use super::granted::Granted;
use super::granted_wasi;
use super::grants::Grants;
use super::guest::{Indices, Parts, VersionedGuest, Views, hook, v0_1_0, v0_2_0};
use super::interface::Interfaces;
use super::state::State;
use super::version::Version;
use super::wasi;
use crate::native;

/// Input of a call in bytes from which its instance counts as large. Reading takes about three times as much of its
/// memory.
pub(super) const LARGE: usize = 16 * 1024;
/// How much an instance's memory may grow in bytes before it counts as large.
const GROWN: usize = 128 * 1024;
/// More instructions than any instance executes.
const ALL_FUEL: u64 = u64::MAX >> 1;

/// A compiled component with its imports resolved, from which instances are created.
pub struct Template {
    engine: Engine,
    pre: InstancePre<State>,
    version: Version,
    interfaces: Interfaces,
    indices: Indices,
    /// Whether it imports functions of WASI.
    wasi: bool,
    grants: Grants,
    footprint: Arc<Footprint>,
}

impl Template {
    /// Links a component once for all of its instances. A component with grants needs the engine of
    /// [`Engine::for_grants`].
    pub fn new(
        engine: &Engine,
        component: &Component,
        version: Version,
        interfaces: Interfaces,
        wasi: bool,
        grants: &Grants,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(component.engine());
        match engine.is_for_grants() {
            true => granted_wasi::link(&mut linker, component, grants)?,
            false if wasi => wasi::link(&mut linker, component, |_| true)?,
            false => {}
        }
        let pre = linker.instantiate_pre(component)?;
        let indices = Indices::new(&pre, version, interfaces)?;
        let footprint = Arc::new(Footprint::within(Arc::clone(engine.growth())));
        let (engine, grants) = (engine.clone(), grants.clone());
        Ok(Self { engine, pre, version, interfaces, indices, wasi, grants, footprint })
    }

    /// The same template in the engine's current pool.
    pub(super) fn reloaded(&self) -> wasmtime::Result<Self> {
        let component = native::reloaded(&self.engine, self.pre.component())?;
        let mut reloaded = Self::new(&self.engine, &component, self.version, self.interfaces, self.wasi, &self.grants)?;
        reloaded.footprint = Arc::clone(&self.footprint);
        Ok(reloaded)
    }

    /// Resource use of the instances of this template and its twins.
    pub(super) fn footprint(&self) -> &Arc<Footprint> {
        &self.footprint
    }

    /// The addresses of the compiled code with its constants.
    pub(super) fn code(&self) -> Range<usize> {
        let image = self.pre.component().image_range();
        image.start.expose_provenance()..image.end.expose_provenance()
    }

    pub(super) fn indices(&self) -> &Indices {
        &self.indices
    }

    /// Creates an instance. That takes about five microseconds without a start function; a start function runs under
    /// its own deadline.
    pub fn instantiate(self: &Arc<Self>) -> wasmtime::Result<Instance> {
        self.engine.apart(|| self.instantiate_here())?
    }

    fn instantiate_here(self: &Arc<Self>) -> wasmtime::Result<Instance> {
        let limits = self.engine.limits();
        let mut state = State::new(limits, Arc::clone(&self.footprint));
        if self.engine.is_for_grants() {
            state.grant(Granted::new(&self.grants, limits.stderr)?);
        }
        state.begin_call(limits.start);
        let mut store = Store::new(self.pre.component().engine(), state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits.output);
        store.set_max_component_handles(limits.handles);
        store.epoch_deadline_callback(|mut store| Ok(at_tick(store.data_mut())));
        store.set_epoch_deadline(1);
        if limits.counts_instructions {
            store.set_fuel(ALL_FUEL)?;
        }
        let _active = self.engine.ticker().begin();
        let exports = self.pre.instantiate(&mut store)?;
        store.data_mut().note_made();
        Ok(Instance {
            template: Arc::clone(self),
            views: Views::default(),
            exports,
            store,
            made: Instant::now(),
            had_large_input: false,
            tenant: None,
            uses: 0,
        })
    }
}

/// What happens at each tick of the engine's clock during a call.
fn at_tick(state: &mut State) -> UpdateDeadline {
    if state.is_over() { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) }
}

impl Drop for Template {
    /// Defers the actual drop. The last user of a component may be a request, which should not wait while the system
    /// reclaims every page that the instances ever used.
    fn drop(&mut self) {
        self.engine.defer_drop(self.pre.clone());
    }
}

impl Debug for Template {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

/// A store and the component instantiated in it.
pub struct Instance {
    pub(super) template: Arc<Template>,
    pub(super) views: Views,
    pub(super) exports: wasmtime::component::Instance,
    /// Memory, tables and limits of the instance.
    pub store: Store<State>,
    pub(super) made: Instant,
    /// Whether a call had a large input.
    had_large_input: bool,
    /// The only tenant that it may serve; `None` until its first exchange, and if instances do not belong to tenants.
    pub(super) tenant: Option<Arc<str>>,
    /// Number of exchanges that it has served.
    pub(super) uses: u32,
}

impl Instance {
    /// Sets the deadline and the maximum output in bytes of the next call. Without this, the next call traps at the
    /// first tick.
    pub fn arm(&mut self, deadline: Duration, output: usize) {
        self.store.set_epoch_deadline(1);
        self.store.set_hostcall_fuel(output);
        self.store.data_mut().begin_call(deadline);
    }

    /// Notes the length of the next call's input.
    pub(super) fn takes(&mut self, bytes: usize) {
        self.had_large_input |= bytes >= LARGE;
    }

    /// Whether it holds so much memory that it should serve large requests rather than wait for an answer. No memory is
    /// given back before an instance is dropped.
    pub(super) fn is_large(&self) -> bool {
        self.had_large_input || self.store.data().grown() > GROWN
    }

    /// The number of instructions that it has executed; `None` if they are not counted.
    pub(super) fn instructions(&self) -> Option<u64> {
        self.store.get_fuel().ok().map(|left| ALL_FUEL.saturating_sub(left))
    }

    /// Drops a stream decoder or encoder of the component.
    pub(super) fn end(&mut self, resource: ResourceAny) -> wasmtime::Result<()> {
        resource.resource_drop(&mut self.store)
    }

    /// Calls its functions, in the types of the newest version of the contract.
    pub fn with_guest<R>(&mut self, call: impl FnOnce(&mut dyn VersionedGuest) -> R) -> R {
        let Self { template, views, exports, store, .. } = self;
        let parts = Parts { store, exports, indices: template.indices(), views };
        match template.version {
            Version::V0_2_0 => call(&mut v0_2_0::Guest(parts)),
            Version::V0_1_0 => call(&mut v0_1_0::Guest(parts)),
            Version::HookV0_1_0 => call(&mut hook::Guest(parts)),
        }
    }

    /// Looks up the functions of these interfaces now, which also checks their types.
    pub fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        self.with_guest(|guest| guest.prepare(interfaces))
    }

    /// Looks up now what the first calls of these interfaces would look up in the instance.
    pub(super) fn look_up_ahead(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        self.with_guest(|guest| guest.look_up_ahead(interfaces))
    }

    /// The interfaces used so far.
    pub(super) fn prepared(&self) -> Interfaces {
        self.views.prepared()
    }

    /// The template that the instance was created from.
    pub(super) fn template(&self) -> &Arc<Template> {
        &self.template
    }
}

impl Debug for Instance {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("uses", &self.uses).field("prepared", &self.prepared()).finish_non_exhaustive()
    }
}
