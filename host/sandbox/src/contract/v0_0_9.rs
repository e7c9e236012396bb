//! Version 0.0.9 of the contract, which was made up for the tests: text only, one format, one face.
//!
//! What comes from a component is converted upward with `From` ([`upward`]). What goes to one may hold more than it can
//! take, so the way [`downward`] says what is lost, and refuses what must not be lost.

pub mod downward;
pub mod upward;

mod shared {
    wasmtime::component::bindgen!({
        path: "../../tests/contracts/0.0.9",
        world: "types-only",
    });
}
pub use shared::weir::adapter::types;

macro_rules! interface {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wasmtime::component::bindgen!({
                path: "../../tests/contracts/0.0.9",
                world: $world,
                with: { "weir:adapter/types@0.0.9": crate::contract::v0_0_9::types },
            });
        }
    };
}
interface!(about, "about-only");
interface!(provider_chat, "provider-chat-only");
interface!(dialect_chat, "dialect-chat-only");
