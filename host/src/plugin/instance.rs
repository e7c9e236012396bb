//! A store and what was instantiated in it, and which of the contract's interfaces a component has.

use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Arc;
use std::time::Instant;

use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker, ResourceAny};

use super::engine::Engine;
use super::state::State;
use super::{cache, wasi};
use crate::contract;

/// Declares everything that there is once for each interface: its name, its export indices, its typed view.
macro_rules! interfaces {
    ($($variant:ident, $field:ident, $name:literal, $world:ident, $indices:ident;)+) => {
        /// An interface of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Interface {
            $(#[doc = concat!("`", $name, "`.")] $variant,)+
        }

        impl Interface {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in the contract, without package and version.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        /// Where a component's exports lie, looked up once.
        #[derive(Clone)]
        struct Indices {
            $($field: Option<contract::$field::$indices>,)+
        }

        impl Indices {
            fn new(pre: &InstancePre<State>, interfaces: Interfaces) -> wasmtime::Result<Self> {
                Ok(Self {
                    $($field: if interfaces.has(Interface::$variant) {
                        Some(contract::$field::$indices::new(pre)?)
                    } else {
                        None
                    },)+
                })
            }
        }

        /// An instance's functions, by interface, each looked up when it is first wanted.
        #[derive(Default)]
        struct Views {
            $($field: Option<contract::$field::$world>,)+
        }

        impl Instance {
            $(
                #[doc = concat!("The store and the functions of `", $name, "`.")]
                pub(super) fn $field(
                    &mut self,
                ) -> wasmtime::Result<(&mut Store<State>, &contract::$field::$world)> {
                    let view = match &mut self.views.$field {
                        Some(view) => view,
                        empty => {
                            let indices = self.template.indices.$field.as_ref().ok_or(MissingInterface($name))?;
                            empty.insert(indices.load(&mut self.store, &self.exports)?)
                        }
                    };
                    Ok((&mut self.store, view))
                }
            )+

            /// Looks up the functions of these interfaces now, which also checks their types.
            pub(super) fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
                $(if interfaces.has(Interface::$variant) { self.$field()?; })+
                Ok(())
            }

            /// The interfaces that have been used.
            pub(super) fn prepared(&self) -> Interfaces {
                let mut used = Interfaces::default();
                $(if self.views.$field.is_some() { used.insert(Interface::$variant); })+
                used
            }
        }
    };
}

interfaces! {
    About, about, "about", AboutOnly, AboutOnlyIndices;
    ProviderErrors, provider_errors, "provider-errors", ProviderErrorsOnly, ProviderErrorsOnlyIndices;
    ProviderChat, provider_chat, "provider-chat", ProviderChatOnly, ProviderChatOnlyIndices;
    DialectChat, dialect_chat, "dialect-chat", DialectChatOnly, DialectChatOnlyIndices;
    ProviderEmbeddings, provider_embeddings, "provider-embeddings", ProviderEmbeddingsOnly, ProviderEmbeddingsOnlyIndices;
    DialectEmbeddings, dialect_embeddings, "dialect-embeddings", DialectEmbeddingsOnly, DialectEmbeddingsOnlyIndices;
    ProviderModels, provider_models, "provider-models", ProviderModelsOnly, ProviderModelsOnlyIndices;
    DialectModels, dialect_models, "dialect-models", DialectModelsOnly, DialectModelsOnlyIndices;
    ProviderCountTokens, provider_count_tokens, "provider-count-tokens", ProviderCountTokensOnly, ProviderCountTokensOnlyIndices;
    DialectCountTokens, dialect_count_tokens, "dialect-count-tokens", DialectCountTokensOnly, DialectCountTokensOnlyIndices;
    ProviderRerank, provider_rerank, "provider-rerank", ProviderRerankOnly, ProviderRerankOnlyIndices;
    DialectRerank, dialect_rerank, "dialect-rerank", DialectRerankOnly, DialectRerankOnlyIndices;
}

/// The component does not have this interface.
#[derive(Debug, thiserror::Error)]
#[error("the component does not export {0}")]
pub(super) struct MissingInterface(&'static str);

impl Display for Interface {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of interfaces.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Interfaces(u16);

impl Interfaces {
    /// Whether this one is in it.
    pub const fn has(self, interface: Interface) -> bool {
        self.0 & (1 << interface as u16) != 0
    }

    /// Adds one.
    pub const fn insert(&mut self, interface: Interface) {
        self.0 |= 1 << interface as u16;
    }

    /// Those in it, in the order of the contract.
    pub fn iter(self) -> impl Iterator<Item = Interface> {
        Interface::ALL.iter().copied().filter(move |i| self.has(*i))
    }
}

impl FromIterator<Interface> for Interfaces {
    fn from_iter<T: IntoIterator<Item = Interface>>(all: T) -> Self {
        all.into_iter().fold(Self::default(), |mut set, interface| {
            set.insert(interface);
            set
        })
    }
}

impl Debug for Interfaces {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Interface::name)).finish()
    }
}

/// A compiled component with its imports resolved: what instances are made from.
pub(super) struct Template {
    engine: Engine,
    pre: InstancePre<State>,
    interfaces: Interfaces,
    indices: Indices,
    /// Whether it imports functions.
    wasi: bool,
}

impl Template {
    pub(super) fn new(
        engine: &Engine,
        component: &Component,
        interfaces: Interfaces,
        wasi: bool,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(component.engine());
        if wasi {
            wasi::link(&mut linker, component)?;
        }
        let pre = linker.instantiate_pre(component)?;
        let indices = Indices::new(&pre, interfaces)?;
        Ok(Self { engine: engine.clone(), pre, interfaces, indices, wasi })
    }

    /// The same in the engine's current pool.
    pub(super) fn twin(&self) -> wasmtime::Result<Self> {
        let component = cache::twin(&self.engine, self.pre.component())?;
        Self::new(&self.engine, &component, self.interfaces, self.wasi)
    }

    /// Makes an instance. A component without a start function does so in about five microseconds; one with a start
    /// function runs it under the deadline for starting.
    pub(super) fn instantiate(self: &Arc<Self>) -> wasmtime::Result<Instance> {
        let limits = self.engine.limits();
        let mut store = Store::new(self.pre.component().engine(), State::new(limits));
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits.output);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(self.engine.ticks(limits.start));
        let _active = self.engine.ticker().begin();
        let exports = self.pre.instantiate(&mut store)?;
        Ok(Instance {
            template: Arc::clone(self),
            views: Views::default(),
            exports,
            store,
            made: Instant::now(),
            uses: 0,
        })
    }
}

impl Drop for Template {
    /// The last one to let go of a component may be a request, which ought not to wait for the system to take back every
    /// page that its instances ever used.
    fn drop(&mut self) {
        self.engine.bury(self.pre.clone());
    }
}

impl Debug for Template {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

/// A store and the component instantiated in it.
pub(super) struct Instance {
    template: Arc<Template>,
    views: Views,
    exports: wasmtime::component::Instance,
    pub(super) store: Store<State>,
    pub(super) made: Instant,
    /// Exchanges that it has served.
    pub(super) uses: u32,
}

impl Instance {
    /// Sets the deadline of the next call. Without it the next call would trap at once.
    pub(super) fn arm(&mut self, ticks: u64) {
        self.store.set_epoch_deadline(ticks);
    }

    /// Ends a stream reader or writer.
    pub(super) fn end(&mut self, resource: ResourceAny) -> wasmtime::Result<()> {
        resource.resource_drop(&mut self.store)
    }

    /// What instances like it are made from.
    pub(super) fn template(&self) -> &Arc<Template> {
        &self.template
    }
}

impl Debug for Instance {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("uses", &self.uses).field("prepared", &self.prepared()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let set: Interfaces = [Interface::DialectRerank, Interface::About].into_iter().collect();
        assert!(set.has(Interface::About) && set.has(Interface::DialectRerank) && !set.has(Interface::DialectChat));
        assert_eq!(set.iter().map(Interface::name).collect::<Vec<_>>(), ["about", "dialect-rerank"]);
    }
}
