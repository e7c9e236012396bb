//! Loads compiled code into the engine.

use std::path::Path;

use wasmtime::component::Component;

use super::engine::Engine;

/// The same component for the current pool, as if it had been loaded from the cache.
pub(crate) fn reloaded(engine: &Engine, component: &Component) -> wasmtime::Result<Component> {
    deserialise(engine, &component.serialize()?)
}

/// Loads native code, which is `unsafe` here and in [`map`] since native code cannot be checked, only its origin can.
/// Other `unsafe` of this crate is in [`resident`](crate::resident) and in `guest/place.rs`.
#[expect(
    unsafe_code,
    reason = "the bytes come from a directory that only this user can write, and are as this program wrote them"
)]
pub fn deserialise(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by this program, either just now (here, or by a child over a pipe that no other process
    // holds, with its digest compared) or earlier (then the directory is private and the checksum right), for an engine
    // whose settings are part of its key; wasmtime compares those once more.
    unsafe { Component::deserialize(&engine.wasm(), code) }
}

/// Maps native code from a file, without copying it: only the pages that run take memory, and processes share them.
/// Bytes after the code are ignored.
#[expect(
    unsafe_code,
    reason = "the file is in a directory that only this user can write, and is as this program wrote it"
)]
pub fn map(engine: &Engine, file: &Path) -> wasmtime::Result<Component> {
    // SAFETY: as above, for code that was written earlier: the directory is private and the checksum of the file right.
    // The file stays as it is while it is mapped, because entries of the cache are replaced and removed by name and
    // never changed in place.
    unsafe { Component::deserialize_file(&engine.wasm(), file) }
}

#[cfg(test)]
mod tests;
