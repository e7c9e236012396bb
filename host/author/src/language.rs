//! The languages for adapters.

use std::fmt::{self, Display, Formatter};

use clap::ValueEnum;
use serde::Deserialize;

/// A language with a template and a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// With `sdk/rust`.
    Rust,
    /// By componentize-py.
    Python,
    /// By componentize-qjs.
    #[value(alias = "js")]
    #[serde(alias = "js")]
    Javascript,
    /// The stock toolchain.
    Go,
    /// By clang, or the clang in zig.
    C,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 5] = [Self::Rust, Self::Python, Self::Javascript, Self::Go, Self::C];

    /// The name in `adapter.toml`, which is also that of the template's folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Javascript => "javascript",
            Self::Go => "go",
            Self::C => "c",
        }
    }
}

impl Display for Language {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
