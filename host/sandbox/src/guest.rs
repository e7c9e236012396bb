//! The contract's functions of an instance, for each supported version of the contract.
//!
//! Each version is a module below this one. It finds its exports in a component, and implements [`VersionedGuest`] in the
//! types of the newest version. The names of a component's exports show which version it was built for
//! (`weir:adapter/about@0.2.0`).

mod calls;
mod functions;
pub(super) mod v0_1_0;
pub(super) mod v0_2_0;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, ResourceAny};

use super::fault::MissingFunction;
use super::interface::Interfaces;
use super::state::State;
use super::version::Version;
pub(super) use calls::Calls;
pub(super) use functions::functions;
use weir_types::contract::about::Manifest;
use weir_types::contract::types::{
    ChatEvent, Context, Decoded, Encoded, Error, Frame, HttpResponse, RenderedResponse, TokenCount,
};

/// The result of a call: `Err` is a failure of the component, `Ok(Err)` an error that it returned.
pub(super) type GuestResult<T> = wasmtime::Result<Result<T, Error>>;

/// The functions of an instance in the newest version's types, whatever version it was built for.
pub trait VersionedGuest: Calls {
    /// Looks up the functions of these interfaces now, which also checks their types.
    fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()>;
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
    fn decoder(&mut self, ctx: &Context) -> wasmtime::Result<ResourceAny>;
    /// `provider-chat.chat-decoder.push`.
    fn decoder_push(&mut self, decoder: ResourceAny, frames: &[Frame]) -> GuestResult<Decoded>;
    /// `provider-chat.chat-decoder.finish`.
    fn decoder_finish(&mut self, decoder: ResourceAny) -> GuestResult<Decoded>;
    /// The constructor of `dialect-chat.chat-encoder`.
    fn encoder(&mut self, ctx: &Context) -> wasmtime::Result<ResourceAny>;
    /// `dialect-chat.chat-encoder.push`.
    fn encoder_push(&mut self, encoder: ResourceAny, events: &[ChatEvent]) -> GuestResult<Encoded>;
    /// `dialect-chat.chat-encoder.finish`.
    fn encoder_finish(&mut self, encoder: ResourceAny) -> GuestResult<Encoded>;
}

/// The exports of a component, looked up once; those of versions that it was not built for are empty.
pub(super) struct Indices {
    v0_2_0: v0_2_0::Indices,
    v0_1_0: v0_1_0::Indices,
}

impl Indices {
    pub(super) fn new(pre: &InstancePre<State>, version: Version, interfaces: Interfaces) -> wasmtime::Result<Self> {
        let of = |own: Version| if own == version { interfaces } else { Interfaces::default() };
        Ok(Self {
            v0_2_0: v0_2_0::Indices::new(pre, of(Version::V0_2_0))?,
            v0_1_0: v0_1_0::Indices::new(pre, of(Version::V0_1_0))?,
        })
    }
}

/// The functions of an instance, by version and interface, each looked up when it is first used.
#[derive(Default)]
pub(super) struct Views {
    v0_2_0: v0_2_0::Views,
    v0_1_0: v0_1_0::Views,
}

impl Views {
    /// The interfaces that have been used.
    pub(super) fn prepared(&self) -> Interfaces {
        self.v0_2_0.prepared().iter().chain(self.v0_1_0.prepared().iter()).collect()
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
