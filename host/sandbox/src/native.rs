//! Loads compiled code into the engine.

use wasmtime::component::Component;

use super::engine::Engine;

/// The same component for the current pool, as if it had been loaded from the cache.
pub(crate) fn twin(engine: &Engine, component: &Component) -> wasmtime::Result<Component> {
    deserialise(engine, &component.serialize()?)
}

/// Loads native code. The only `unsafe` in the project: native code cannot be checked, only its origin can.
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
