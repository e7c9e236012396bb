//! The messages of `weir.v1`, as `proto/weir/v1/inference.proto` has and describes them.

#![allow(missing_docs, reason = "generated; the documentation is in the .proto file")]
#![allow(clippy::all, clippy::pedantic, reason = "generated")]

include!(concat!(env!("OUT_DIR"), "/inference.rs"));
