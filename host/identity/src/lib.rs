//! x
pub mod document;
mod hash_text;
pub mod key_text;
pub use hash_text::imported_hash;
