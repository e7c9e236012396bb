//! Adapters in OCI registries: references (`oci://REGISTRY/NAME:TAG`), the artifact's layout, and a client.
//!
//! An adapter is an artifact as the CNCF's Wasm working group lays it out: a manifest with one layer, the component.
//! What belongs to it refers to its manifest: the signature, and the fixtures. Nothing that a registry says is believed
//! that a digest can show, and no answer is read beyond its bound.
//!
//! The client is Weir's own HTTP client (`weir_upstream::http_client`): a library's would read manifests and tokens of
//! any size, and bring roots of its own.

mod artifact;
mod challenge;
mod client;
mod error;
mod manifest;
mod reference;

pub use artifact::{Adapter, Package};
pub use client::{Login, Registry};
pub use error::RegistryError;
pub use reference::{Reference, ReferenceError, Target};
