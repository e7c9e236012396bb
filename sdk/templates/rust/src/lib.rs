//! acme: chat completions and models, compatible with OpenAI's.
//!
//! The SDK's `compat` knows the format and how compatible providers differ from it; what sets this one apart is the
//! table below. `vendor/sdk/rust/src/compat/quirks.rs` has everything that can stand in it.
//!
//! A provider with a format of its own implements the traits of `weir_sdk::adapter` instead (`About`, `ProviderErrors`,
//! `ProviderChat`, ...); any of them can also be implemented beside the table, and calls the functions of `compat` for
//! what is as usual.

use weir_sdk::compat::quirks::Paths;
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct Adapter;

impl Provider for Adapter {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "acme",
        description: "acme: chat completions and models",
        // What an operator need not write then, once the component's digest is in the lock file:
        // url: Some("https://api.example.com/v1/"), key_variables: &["API_KEY"], models: &["acme-*"],
        paths: Paths { embeddings: "", ..Quirks::COMPATIBLE.paths },
        ..Quirks::COMPATIBLE
    };
}

// What the component exports: an interface that isn't named here isn't there.
weir_sdk::export!(Adapter: about, provider_errors, provider_chat, provider_models);
