//! Version 0.1.0 of the contract of guards.

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::calls::Calls;
use super::{Parts, VersionedGuest, exports};
use crate::contract::hook as contract;
use crate::contract::hook::guard::exports::weir::hook::about::Access as GuestAccess;
use crate::contract::hook::guard::exports::weir::hook::about::Phase as GuestPhase;
use crate::fault::MissingFunction;
use crate::guard::{
    Access, Annotation, Asked, EventAnswer, Facts, GuardManifest, Outcome, Phase, RequestAnswer, ScreenWords,
};
use crate::interface::{Interface, Interfaces};
use crate::state::State;
use weir_types::contract::about::{Capabilities, Isolation, Manifest, Suggestions};
use weir_types::contract::types::{ChatEvent, Setting};

exports! {
    hook:
    Guard, guard, Hook, HookIndices;
    Screen, screen, ScreenOnly, ScreenOnlyIndices;
}

impl Calls for Guest<'_> {}

impl VersionedGuest for Guest<'_> {
    fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        self.look_up(interfaces)
    }

    /// The part of the manifest that adapters have too. A guard has no format and no endpoint, and its instances may
    /// serve the exchanges of one tenant.
    fn describe(&mut self) -> wasmtime::Result<Manifest> {
        let (store, view) = self.guard()?;
        let own = view.weir_hook_about().call_describe(store)?;
        Ok(Manifest {
            name: own.name,
            version: own.version,
            contract: own.contract,
            description: own.description,
            family: "guard".to_owned(),
            settings: own.settings,
            isolation: Isolation::Tenant,
            takes_blobs: true,
            suggests: Suggestions { url: None, key_variables: Vec::new(), models: Vec::new(), origins: Vec::new() },
            formats: Vec::new(),
            faces: Vec::new(),
            accepts: Vec::new(),
            auth: Vec::new(),
            capabilities: Capabilities {
                operations: Vec::new(),
                media: Vec::new(),
                tools: false,
                counts_tokens: false,
            },
        })
    }

    fn describe_guard(&mut self) -> wasmtime::Result<GuardManifest> {
        let (store, view) = self.guard()?;
        let own = view.weir_hook_about().call_describe(store)?;
        Ok(GuardManifest {
            phases: own.phases.into_iter().map(phase).collect(),
            prompt: access(own.grants.prompt),
            answer: access(own.grants.answer),
            metadata: own.grants.metadata,
            hold_back: own.hold_back,
        })
    }

    fn screen_words(&mut self, options: &[Setting]) -> wasmtime::Result<Option<ScreenWords>> {
        let (store, view) = self.screen()?;
        view.weir_hook_screen().call_words(store, options)
    }

    fn on_request(&mut self, facts: &Facts, asked: &Asked) -> wasmtime::Result<RequestAnswer> {
        let (store, view) = self.guard()?;
        view.weir_hook_guard().call_on_request(store, facts, asked)
    }

    fn answer(&mut self, facts: &Facts) -> wasmtime::Result<ResourceAny> {
        let (store, view) = self.guard()?;
        view.weir_hook_guard().answer().call_constructor(store, facts)
    }

    fn answer_push(&mut self, answer: ResourceAny, events: &[ChatEvent]) -> wasmtime::Result<EventAnswer> {
        let (store, view) = self.guard()?;
        view.weir_hook_guard().answer().call_push(store, answer, events)
    }

    fn answer_finish(&mut self, answer: ResourceAny) -> wasmtime::Result<EventAnswer> {
        let (store, view) = self.guard()?;
        view.weir_hook_guard().answer().call_finish(store, answer)
    }

    fn on_end(&mut self, facts: &Facts, outcome: &Outcome) -> wasmtime::Result<Vec<Annotation>> {
        let (store, view) = self.guard()?;
        view.weir_hook_guard().call_on_end(store, facts, outcome)
    }
}

fn phase(phase: GuestPhase) -> Phase {
    match phase {
        GuestPhase::Request => Phase::Request,
        GuestPhase::Event => Phase::Event,
        GuestPhase::End => Phase::End,
    }
}

fn access(access: GuestAccess) -> Access {
    match access {
        GuestAccess::None => Access::None,
        GuestAccess::Read => Access::Read,
        GuestAccess::Write => Access::Write,
    }
}
