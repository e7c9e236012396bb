//! The versions of the contract that this host supports.

/// A version of the contract that this host supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `0.2.0`.
    V0_2_0,
    /// `0.1.0`.
    V0_1_0,
    /// `0.1.0` of the contract of guards.
    HookV0_1_0,
}

impl Version {
    /// All versions of the contract of adapters, the newest first.
    pub const ALL: &[Self] = &[Self::V0_2_0, Self::V0_1_0];

    /// The version in the names of exports and in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V0_2_0 => "0.2.0",
            Self::V0_1_0 | Self::HookV0_1_0 => "0.1.0",
        }
    }

    /// The version of the contract of adapters with this name, if this host supports it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|version| version.name() == name)
    }

    /// The supported versions as a text: `0.2.0 and 0.1.0`.
    pub fn supported() -> String {
        Self::ALL.iter().map(|version| version.name()).collect::<Vec<_>>().join(" and ")
    }
}
