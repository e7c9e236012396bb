//! The messages of `weir.types.v1`, made from the contract, and their conversions from and to the contract's types. A
//! client's message is checked on its way.

#![allow(missing_docs, missing_debug_implementations, reason = "generated; the documentation is in the .proto file")]
#![allow(clippy::all, clippy::pedantic, reason = "generated")]

use crate::check::{self, Invalid};
use weir_types::contract::types as model;

include!(concat!(env!("OUT_DIR"), "/types.rs"));
include!(concat!(env!("OUT_DIR"), "/conversions.rs"));
