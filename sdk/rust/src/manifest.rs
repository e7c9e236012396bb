//! The manifest's types, as `wit/about.wit` describes them, and short ways to make them.

mod short;

pub use crate::bindings::about::exports::weir::adapter::about::*;
pub use short::{features, strings};
