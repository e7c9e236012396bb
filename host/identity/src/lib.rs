//! x
pub mod change;
pub mod directory;
pub mod document;
mod hash_text;
pub mod jwt;
pub mod key_text;
pub mod oidc;
pub use hash_text::imported_hash;
