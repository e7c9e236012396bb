//! The contract's interfaces, and sets of them.

use std::fmt::{self, Debug, Display, Formatter};

/// Declares the interfaces.
macro_rules! interfaces {
    ($($variant:ident, $name:literal;)+) => {
        /// An interface of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Interface {
            $(#[doc = concat!("`", $name, "`.")] $variant,)+
        }

        impl Interface {
            /// All interfaces, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in the contract, without package and version.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

interfaces! {
    About, "about";
    ProviderErrors, "provider-errors";
    ProviderChat, "provider-chat";
    DialectChat, "dialect-chat";
    ProviderEmbeddings, "provider-embeddings";
    DialectEmbeddings, "dialect-embeddings";
    ProviderModels, "provider-models";
    DialectModels, "dialect-models";
    ProviderCountTokens, "provider-count-tokens";
    DialectCountTokens, "dialect-count-tokens";
    ProviderRerank, "provider-rerank";
    DialectRerank, "dialect-rerank";
    Guard, "guard";
    Screen, "screen";
}

impl Display for Interface {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of interfaces.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Interfaces(u16);

impl Interfaces {
    /// Whether the set contains this interface.
    pub const fn has(self, interface: Interface) -> bool {
        self.0 & (1 << interface as u16) != 0
    }

    /// Adds an interface.
    pub const fn insert(&mut self, interface: Interface) {
        self.0 |= 1 << interface as u16;
    }

    /// The interfaces of the set, in the order of the contract.
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
