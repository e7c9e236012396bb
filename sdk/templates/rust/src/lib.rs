//! acme: chat completions and models, compatible with OpenAI's.
//!
//! The SDK's `compat` knows the format and how compatible providers deviate from it; the table below has this
//! provider's deviations. `vendor/sdk/rust/src/compat/quirks.rs` lists everything that the table can hold.
//!
//! A provider with its own format implements the traits of `weir_sdk::adapter` instead (`About`, `ProviderErrors`,
//! `ProviderChat`, ...). Any of them can also be implemented beside the table; it can call the functions of `compat`
//! for the usual behaviour.

use weir_sdk::compat::quirks::Paths;
use weir_sdk::compat::{Provider, Quirks};

/// Holds no state: each request gets its own decoder and encoder.
#[derive(Debug)]
pub struct Adapter;

impl Provider for Adapter {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "acme",
        description: "acme: chat completions and models",
        // Defaults that an operator need not configure, if the lock file has the component's digest:
        // url: Some("https://api.example.com/v1/"), key_variables: &["API_KEY"], models: &["acme-*"],
        paths: Paths { embeddings: "", ..Quirks::COMPATIBLE.paths },
        ..Quirks::COMPATIBLE
    };
}

// The exported interfaces: one that is not named here does not exist in the component.
weir_sdk::export!(Adapter: about, provider_errors, provider_chat, provider_models);
