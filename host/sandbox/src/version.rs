//! The versions of the contract that this host speaks, side by side.
//!
//! A version is a module below this one: where its exports lie in a component, and [`VersionedGuest`] in the types of the newest
//! version. Which version a component was built for is told by the names of its exports (`weir:adapter/about@0.2.0`).

mod v0_1_0;
pub(super) mod v0_2_0;

use wasmtime::component::{InstancePre, ResourceAny};

use super::call::Calls;
use super::instance::{Instance, Interfaces};
use super::state::State;
use weir_types::contract::about::Manifest;
use weir_types::contract::types::{
    ChatEvent, Context, Decoded, Encoded, Error, Frame, HttpResponse, RenderedResponse, TokenCount,
};

/// A version of the contract that this host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `0.2.0`.
    V0_2_0,
    /// `0.1.0`.
    V0_1_0,
}

impl Version {
    /// All of them, the newest first.
    pub const ALL: &[Self] = &[Self::V0_2_0, Self::V0_1_0];

    /// As the names of exports and the manifest have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V0_2_0 => "0.2.0",
            Self::V0_1_0 => "0.1.0",
        }
    }

    /// The version of this name, if this host speaks it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|version| version.name() == name)
    }

    /// What this host speaks, for people: `0.2.0 and 0.1.0`.
    pub fn spoken() -> String {
        Self::ALL.iter().map(|version| version.name()).collect::<Vec<_>>().join(" and ")
    }
}

/// What a call comes to: the component's failure outside, its answer that it cannot inside.
pub(super) type GuestResult<T> = wasmtime::Result<Result<T, Error>>;

/// What an instance can be asked, in the newest version's types, whatever version it was built for.
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

impl Instance {
    /// Speaks with it in its own version.
    pub fn with_guest<R>(&mut self, say: impl FnOnce(&mut dyn VersionedGuest) -> R) -> R {
        match self.version() {
            Version::V0_2_0 => say(&mut v0_2_0::Guest(self)),
            Version::V0_1_0 => say(&mut v0_1_0::Guest(self)),
        }
    }
}

/// Where a component's exports lie, looked up once; those of the versions that it does not speak are empty.
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

/// An instance's functions, by version and interface, each looked up when it is first wanted.
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

/// The component does not have this function, or the version that it was built for does not.
#[derive(Debug, thiserror::Error)]
#[error("the component does not export {0}")]
pub(super) struct MissingFunction(pub(super) &'static str);

/// Declares what a version has once for each interface: its export indices, its typed view. Where it stands, `contract`
/// is the module with the version's bindings.
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

        /// An instance that speaks this version.
        pub(crate) struct Guest<'a>(pub(super) &'a mut Instance);

        impl Guest<'_> {
            $(
                pub(crate) fn $field(
                    &mut self,
                ) -> wasmtime::Result<(&mut Store<State>, &contract::$field::$world)> {
                    let Instance { template, views, exports, store, .. } = &mut *self.0;
                    let view = match &mut views.$slot.$field {
                        Some(view) => view,
                        empty => {
                            let missing = MissingFunction(Interface::$variant.name());
                            let indices = template.indices().$slot.$field.as_ref().ok_or(missing)?;
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
