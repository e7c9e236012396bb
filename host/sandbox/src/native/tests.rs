//! Code of one processor on another: engines that pretend to be on a machine with AVX2 and on one without.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use wasmtime::component::Component;

use crate::engine::{config::config, fingerprint};
use crate::limits::Limits;

/// A component without anything in it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
const TARGET: &str = if cfg!(target_env = "musl") { "x86_64-unknown-linux-musl" } else { "x86_64-unknown-linux-gnu" };
/// What code for a processor with AVX2 is compiled with, by wasmtime's names.
const AVX2: [&str; 7] = ["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt", "has_avx", "has_avx2"];

/// An engine with the sandbox's settings, for a processor with these features, on one with AVX2 or without.
#[expect(unsafe_code, reason = "no code of these engines runs")]
fn engine(features: &[&str], detects: fn(&str) -> Option<bool>) -> wasmtime::Engine {
    let mut config = config(&Limits::for_connections(2), false);
    config.target(TARGET).unwrap();
    // SAFETY: what the processor has matters to code that runs.
    unsafe {
        config.detect_host_feature(detects);
        for feature in features {
            config.cranelift_flag_enable(feature);
        }
    }
    wasmtime::Engine::new(&config).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "as wasmtime asks")]
fn with_avx2(_: &str) -> Option<bool> {
    Some(true)
}

#[expect(clippy::unnecessary_wraps, reason = "as wasmtime asks")]
fn without_avx2(feature: &str) -> Option<bool> {
    Some(!feature.starts_with("avx"))
}

#[expect(unsafe_code, reason = "the code was made by the test, and does not run")]
fn loaded(engine: &wasmtime::Engine, code: &[u8]) -> Result<(), String> {
    // SAFETY: the code was made by an engine of this test.
    unsafe { Component::deserialize(engine, code) }.map(drop).map_err(|error| format!("{error:#}"))
}

#[test]
fn code_for_a_processor_with_avx2_is_not_found_and_not_loaded_on_one_without() {
    let (newer, older) = (engine(&AVX2, with_avx2), engine(&[], without_avx2));
    assert_ne!(fingerprint(&newer), fingerprint(&older), "entries of the cache have other names");
    let code = newer.precompile_component(EMPTY).unwrap();
    assert_eq!(loaded(&newer, &code), Ok(()));
    let refused = loaded(&older, &code).unwrap_err();
    assert!(refused.contains("has_avx") && refused.contains("not available on the host"), "{refused}");
    // What it compiles itself serves, there and on the newer one.
    let own = older.precompile_component(EMPTY).unwrap();
    assert_eq!([loaded(&older, &own), loaded(&newer, &own)], [Ok(()), Ok(())]);
}

#[test]
fn an_engine_for_features_that_the_processor_lacks_runs_nothing() {
    let impossible = engine(&AVX2, without_avx2);
    let code = impossible.precompile_component(EMPTY);
    let refused = code.map_err(|error| error.to_string()).and_then(|code| loaded(&impossible, &code));
    assert!(refused.is_err());
}
