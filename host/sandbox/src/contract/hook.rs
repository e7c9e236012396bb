//! Version 0.1.0 of the contract of guards: its bindings. It uses the types of version 0.2.0 of the contract of
//! adapters.

pub mod screen {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/hook"],
        world: "weir:hook/screen-only",
        additional_derives: [PartialEq],
        with: { "weir:adapter/types@0.2.0": crate::contract::types },
    });
}

pub mod guard {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../wit/hook"],
        world: "weir:hook/hook",
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: { "weir:adapter/types@0.2.0": crate::contract::types },
    });
}
