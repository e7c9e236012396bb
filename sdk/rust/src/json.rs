//! Reads and writes JSON without building trees.
//!
//! Reading borrows from the body: [`wire!`](crate::wire) declares an object's members, and keeps all others as raw text
//! in `rest`, so that nothing is lost by accident. Writing appends to one string.

mod error;
mod float;
mod plain;
mod read;
mod reader;
mod scan;
mod write;

pub use read::{Count, Either, Number, Rest, Seq, Str, list, parse, text};
#[doc(hidden)]
pub use read::{in_element, in_member, member, rest};
pub use write::{Array, Object, array, escape, item, number, object, quote, raw_item};

pub use error::Error;
/// The text of a value as it is in the body.
pub use serde_json::value::RawValue;
