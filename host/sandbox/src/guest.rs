//! The contract's functions of an instance, for each supported version of the contract.
//!
//! Each version is a module below this one. It finds its exports in a component, and implements [`VersionedGuest`] in
//! the types of the newest version. The names of a component's exports show which version it was built for
//! (`weir:adapter/about@0.2.0`).

mod calls;
mod functions;
pub(super) mod hook;
mod place;
pub(super) mod v0_1_0;
pub(super) mod v0_2_0;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, ResourceAny};

use super::fault::MissingFunction;
use super::guard::{Annotation, Asked, EventAnswer, Facts, GuardManifest, Outcome, RequestAnswer, ScreenWords};
use super::interface::Interfaces;
use super::state::State;
use super::version::Version;
pub(super) use calls::Calls;
use calls::Functions;
pub(super) use functions::functions;
use weir_types::contract::about::Manifest;
use weir_types::contract::types::{
    ChatEvent, Context, Decoded, Encoded, Error, Frame, HttpResponse, RenderedResponse, Setting, TokenCount,
};

/// The result of a call: `Err` is a failure of the component, `Ok(Err)` an error that it returned.
pub(super) type GuestResult<T> = wasmtime::Result<Result<T, Error>>;

/// The functions of an instance in the newest version's types, whatever version it was built for.
pub trait VersionedGuest: Calls {
    /// Looks up the functions of these interfaces now, which also checks their types.
    fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()>;
    /// Looks up now what calls of these interfaces would look up in this instance.
    fn look_up_ahead(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        self.prepare(interfaces)
    }
    /// `about.describe`.
    fn describe(&mut self) -> wasmtime::Result<Manifest>;
    /// `provider-errors.parse-error`.
    fn parse_error(&mut self, _: &Context, _: &HttpResponse) -> wasmtime::Result<Error> {
        Err(MissingFunction("provider-errors.parse-error").into())
    }
    /// `dialect-count-tokens.render-response`.
    fn render_count_response(&mut self, _: &Context, _: TokenCount) -> GuestResult<RenderedResponse> {
        Err(MissingFunction("dialect-count-tokens.render-response").into())
    }
    /// The constructor of `provider-chat.chat-decoder`.
    fn decoder(&mut self, _: &Context) -> wasmtime::Result<ResourceAny> {
        Err(MissingFunction("provider-chat.chat-decoder").into())
    }
    /// `provider-chat.chat-decoder.push`.
    fn decoder_push(&mut self, _: ResourceAny, _: &[Frame]) -> GuestResult<Decoded> {
        Err(MissingFunction("provider-chat.chat-decoder.push").into())
    }
    /// `provider-chat.chat-decoder.finish`.
    fn decoder_finish(&mut self, _: ResourceAny) -> GuestResult<Decoded> {
        Err(MissingFunction("provider-chat.chat-decoder.finish").into())
    }
    /// The constructor of `dialect-chat.chat-encoder`.
    fn encoder(&mut self, _: &Context) -> wasmtime::Result<ResourceAny> {
        Err(MissingFunction("dialect-chat.chat-encoder").into())
    }
    /// `dialect-chat.chat-encoder.push`.
    fn encoder_push(&mut self, _: ResourceAny, _: &[ChatEvent]) -> GuestResult<Encoded> {
        Err(MissingFunction("dialect-chat.chat-encoder.push").into())
    }
    /// `dialect-chat.chat-encoder.finish`.
    fn encoder_finish(&mut self, _: ResourceAny) -> GuestResult<Encoded> {
        Err(MissingFunction("dialect-chat.chat-encoder.finish").into())
    }
    /// What a guard says about itself beyond the manifest of an adapter.
    fn describe_guard(&mut self) -> wasmtime::Result<GuardManifest> {
        Err(MissingFunction("guard").into())
    }
    /// `screen.words`, which guards have that say what they look for.
    fn screen_words(&mut self, _: &[Setting]) -> wasmtime::Result<Option<ScreenWords>> {
        Err(MissingFunction("screen.words").into())
    }
    /// `guard.on-request`.
    fn on_request(&mut self, _: &Facts, _: &Asked) -> wasmtime::Result<RequestAnswer> {
        Err(MissingFunction("guard.on-request").into())
    }
    /// The constructor of `guard.answer`.
    fn answer(&mut self, _: &Facts) -> wasmtime::Result<ResourceAny> {
        Err(MissingFunction("guard.answer").into())
    }
    /// `guard.answer.push`.
    fn answer_push(&mut self, _: ResourceAny, _: &[ChatEvent]) -> wasmtime::Result<EventAnswer> {
        Err(MissingFunction("guard.answer.push").into())
    }
    /// `guard.answer.finish`.
    fn answer_finish(&mut self, _: ResourceAny) -> wasmtime::Result<EventAnswer> {
        Err(MissingFunction("guard.answer.finish").into())
    }
    /// `guard.on-end`.
    fn on_end(&mut self, _: &Facts, _: &Outcome) -> wasmtime::Result<Vec<Annotation>> {
        Err(MissingFunction("guard.on-end").into())
    }
}

/// The exports of a component, looked up once; those of versions that it was not built for are empty.
pub(super) struct Indices {
    functions: Functions,
    v0_2_0: v0_2_0::Indices,
    v0_1_0: v0_1_0::Indices,
    hook: hook::Indices,
}

impl Indices {
    pub(super) fn new(pre: &InstancePre<State>, version: Version, interfaces: Interfaces) -> wasmtime::Result<Self> {
        let of = |own: Version| if own == version { interfaces } else { Interfaces::default() };
        Ok(Self {
            functions: Functions::of(pre.component()),
            v0_2_0: v0_2_0::Indices::new(pre, of(Version::V0_2_0))?,
            v0_1_0: v0_1_0::Indices::new(pre, of(Version::V0_1_0))?,
            hook: hook::Indices::new(pre, of(Version::HookV0_1_0))?,
        })
    }
}

/// The functions of an instance, by version and interface, each looked up when it is first used.
#[derive(Default)]
pub(super) struct Views {
    v0_2_0: v0_2_0::Views,
    v0_1_0: v0_1_0::Views,
    hook: hook::Views,
}

impl Views {
    /// The interfaces that have been used.
    pub(super) fn prepared(&self) -> Interfaces {
        let adapters = self.v0_2_0.prepared().iter().chain(self.v0_1_0.prepared().iter());
        adapters.chain(self.hook.prepared().iter()).collect()
    }
}

/// The parts of an instance that a call needs.
pub(super) struct Parts<'a> {
    pub(super) store: &'a mut Store<State>,
    pub(super) exports: &'a Instance,
    /// The exports of its component.
    pub(super) indices: &'a Indices,
    /// Its functions that were looked up before.
    pub(super) views: &'a mut Views,
}

/// Declares for each interface of a version its export indices and its typed view. The module that uses this macro
/// names the version's bindings `contract`.
macro_rules! exports {
    ($slot:ident: $($variant:ident, $field:ident, $world:ident, $indices:ident;)+) => {
        pub(super) struct Indices {
            $($field: Option<contract::$field::$indices>,)+
        }

        impl Indices {
            pub(super) fn new(
                pre: &wasmtime::component::InstancePre<State>,
                interfaces: Interfaces,
            ) -> wasmtime::Result<Self> {
                Ok(Self {
                    $($field: if interfaces.has(Interface::$variant) {
                        Some(contract::$field::$indices::new(pre)?)
                    } else {
                        None
                    },)+
                })
            }
        }

        #[derive(Default)]
        pub(super) struct Views {
            $($field: Option<contract::$field::$world>,)+
        }

        impl Views {
            pub(super) fn prepared(&self) -> Interfaces {
                let mut used = Interfaces::default();
                $(if self.$field.is_some() { used.insert(Interface::$variant); })+
                used
            }
        }

        /// An instance of a component that was built for this version.
        pub(crate) struct Guest<'a>(pub(crate) Parts<'a>);

        impl Guest<'_> {
            $(
                pub(crate) fn $field(
                    &mut self,
                ) -> wasmtime::Result<(&mut Store<State>, &contract::$field::$world)> {
                    let Parts { store, exports, indices, views } = &mut self.0;
                    let view = match &mut views.$slot.$field {
                        Some(view) => view,
                        empty => {
                            let missing = MissingFunction(Interface::$variant.name());
                            let indices = indices.$slot.$field.as_ref().ok_or(missing)?;
                            empty.insert(indices.load(&mut *store, exports)?)
                        }
                    };
                    Ok((store, view))
                }
            )+

            fn look_up(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
                $(if interfaces.has(Interface::$variant) { self.$field()?; })+
                Ok(())
            }
        }
    };
}
use exports;
