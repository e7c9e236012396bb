//! Tests of the whole runtime, with well-behaved components and others.

mod grants;
mod pool;
mod wasi;

use weir_sandbox::limits;
use weir_sandbox::{Adapter, AdapterLimits, FaultKind, Interface, Isolation, Limits, PluginFault, Shape};

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::guest::{ZEROS, call, context, guest, loader, response, small};
use weir_sandbox::shape::ShapeError;
use weir_types::contract::types::ErrorKind;

fn kind(fault: Result<(), PluginFault>) -> FaultKind {
    fault.unwrap_err().kind
}

/// A guest whose `parse-error` has this body.
fn that(does: &str) -> Arc<Adapter> {
    let mut guest = guest("zeta");
    guest.parse_error = does.into();
    guest.load()
}

#[test]
fn a_component_is_described_and_called() {
    let adapter = guest("zeta").load();
    assert_eq!((&*adapter.name, &*adapter.manifest.version), ("zeta", "1.0.0"));
    let interfaces: Vec<_> = adapter.interfaces.iter().map(Interface::name).collect();
    assert_eq!(interfaces, ["about", "provider-errors"]);
    let mut lease = adapter.try_lease("").unwrap();
    let error = lease.parse_error(&context(), &response()).unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert_eq!(adapter.stats.calls(), 1);
}

#[test]
fn an_endless_loop_ends_at_the_deadline_of_every_call() {
    let mut guest = guest("zeta");
    // The second call of an instance loops, the first does not.
    guest.parse_error =
        format!("(if (global.get $calls) (then (loop (br 0)))) (global.set $calls (i32.const 1)) (i32.const {ZEROS})");
    let limits = Limits { call: Duration::from_millis(20), ..small() };
    let adapter = loader(limits).load("zeta", &guest.build(), &Admission::default()).unwrap();
    let mut lease = adapter.try_lease("").unwrap();
    assert!(lease.parse_error(&context(), &response()).is_ok());
    let fault = lease.parse_error(&context(), &response()).unwrap_err();
    assert_eq!((fault.kind, fault.function), (FaultKind::Deadline, "provider-errors.parse-error"));
    assert!(adapter.stats.is_suspect());
    assert!(lease.is_spent());
    assert_eq!(lease.parse_error(&context(), &response()).unwrap_err().kind, FaultKind::Host);
    assert!(call(&adapter).is_ok(), "the next instance is sound");
}

#[test]
fn a_trap_costs_one_call_and_its_instance() {
    let adapter = that("unreachable");
    let fault = call(&adapter).unwrap_err();
    assert_eq!((fault.kind, &*fault.adapter, fault.digest), (FaultKind::Trap, "zeta", adapter.digest));
    assert!(fault.to_string().contains("unreachable"), "{fault}");
    assert_eq!(adapter.stats.faults(FaultKind::Trap), 1);
}

#[test]
fn unbounded_recursion_is_a_trap() {
    let mut guest = guest("zeta");
    guest.more = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))".into();
    guest.parse_error = "(call $deep (i32.const 0))".into();
    assert_eq!(kind(call(&guest.load())), FaultKind::Trap);
}

#[test]
fn a_memory_bomb_meets_the_limit() {
    let adapter = that("(loop (drop (memory.grow (i32.const 16))) (br 0)) unreachable");
    assert_eq!(kind(call(&adapter)), FaultKind::Memory);
}

#[test]
fn a_table_bomb_meets_the_limit() {
    let mut guest = guest("zeta");
    guest.more = "(table $t 1 funcref)".into();
    guest.parse_error = "(loop (drop (table.grow $t (ref.null func) (i32.const 4096))) (br 0)) unreachable".into();
    assert_eq!(kind(call(&guest.load())), FaultKind::Memory);
}

#[test]
fn handles_are_bounded() {
    let mut guest = guest("zeta");
    guest.push = Some(format!(
        "(local $n i32) (loop (drop (call $new (i32.const 7))) (local.set $n (i32.add (local.get $n) (i32.const 1)))
         (br_if 0 (i32.lt_u (local.get $n) (i32.const 1000)))) (i32.const {ZEROS})"
    ));
    let mut encoder = guest.load().try_lease("").unwrap().encoder(&context()).unwrap();
    let fault = encoder.push(&[]).unwrap_err();
    assert!(fault.kind.is_the_adapters(), "{fault}");
    guest.push = Some(format!("(drop (call $new (i32.const 7))) (i32.const {ZEROS})"));
    let mut encoder = guest.load().try_lease("").unwrap().encoder(&context()).unwrap();
    assert!(encoder.push(&[]).is_ok());
}

#[test]
fn a_giant_answer_meets_the_limit() {
    // The message claims 200 MB, in a memory large enough for them.
    let mut guest = guest("zeta");
    guest.parse_error = "(drop (memory.grow (i32.const 3200)))
        (i32.store (i32.const 16388) (i32.const 65536)) (i32.store (i32.const 16392) (i32.const 200000000))
        (i32.const 16384)"
        .into();
    let limits = Limits { memory: 256 << 20, ..small() };
    let adapter = loader(limits).load("zeta", &guest.build(), &Admission::default()).unwrap();
    assert_eq!(kind(call(&adapter)), FaultKind::Output);
}

#[test]
fn an_answer_outside_of_memory_or_with_invalid_text_is_invalid() {
    assert_eq!(kind(call(&that("i32.const -8"))), FaultKind::Invalid);
    let no_kind = that("(i32.store8 (i32.const 16384) (i32.const 99)) (i32.const 16384)");
    assert_eq!(kind(call(&no_kind)), FaultKind::Invalid);
    let no_text = that(
        "(i32.store (i32.const 16388) (i32.const 16400)) (i32.store (i32.const 16392) (i32.const 1))
         (i32.store8 (i32.const 16400) (i32.const 255)) (i32.const 16384)",
    );
    assert_eq!(kind(call(&no_text)), FaultKind::Invalid);
}

#[test]
fn a_function_that_is_not_there_is_missing() {
    let adapter = guest("zeta").load();
    let fault = adapter.try_lease("").unwrap().render_chat_response(&context(), &empty_answer()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Missing);
}

fn empty_answer() -> weir_types::contract::types::ChatResponse {
    weir_types::contract::types::ChatResponse {
        id: String::new(),
        model: None,
        created_ms: None,
        candidates: vec![],
        usage: None,
        service_tier: None,
        extensions: vec![],
    }
}

#[test]
fn a_component_with_a_stream_takes_one_slot() {
    let mut guest = guest("zeta");
    guest.push = Some(format!("(i32.const {ZEROS})"));
    let adapter = guest.load();
    assert_eq!((adapter.pool().weight(), adapter.shape.memories), (1, 1));
    let all: Vec<_> = (0..8).map(|_| adapter.try_lease("").unwrap()).collect();
    assert_eq!(all.len(), 8);
}

#[test]
fn a_stream_writes_until_it_is_ended_and_gives_its_instance_back() {
    let mut guest = guest("zeta");
    guest.push = Some(format!("(i32.const {ZEROS})"));
    let adapter = guest.load();
    let mut encoder = adapter.try_lease("").unwrap().encoder(&context()).unwrap();
    assert!(encoder.push(&[]).unwrap().unwrap().frames.is_empty());
    assert!(encoder.finish().unwrap().is_ok());
    let mut lease = encoder.into_lease().unwrap();
    assert!(lease.parse_error(&context(), &response()).is_ok());
    let second = lease.encoder(&context()).unwrap();
    second.release();
}

#[test]
fn a_stream_that_traps_is_spent() {
    let mut guest = guest("zeta");
    guest.push = Some("unreachable".into());
    let mut encoder = guest.load().try_lease("").unwrap().encoder(&context()).unwrap();
    assert_eq!(encoder.push(&[]).unwrap_err().kind, FaultKind::Trap);
    assert_eq!(encoder.finish().unwrap_err().kind, FaultKind::Host);
    encoder.release();
}

#[test]
fn other_files_are_refused_with_the_reason() {
    let loader = loader(small());
    let refused = |bytes: &[u8]| loader.load("zeta", bytes, &Admission::default()).unwrap_err();
    let good = guest("zeta").build();
    assert!(matches!(refused(b"\0asm\x01\0\0\0"), LoadError::Shape(ShapeError::NotAComponent)));
    let other = refused(b"<!doctype html>\n<title>404</title>").to_string();
    assert!(other.contains("no WebAssembly file, but a page of HTML or XML"), "{other}");
    for length in [9, 100, good.len() / 2, good.len() - 1] {
        let error = refused(&good[..length]);
        assert!(error.may_pass(), "{length}: {error}");
    }
    assert!(refused(b"").may_pass());
    let bare = wat::parse_str("(component)").unwrap();
    assert!(matches!(refused(&bare), LoadError::Shape(ShapeError::NoManifest)));
}

#[test]
fn a_file_that_grew_too_large_in_some_way_is_refused_before_it_is_compiled() {
    let bytes = guest("zeta").build();
    let with = |structure| Shape::read(&bytes, &structure).unwrap_err().to_string();
    let normal = limits::Structure::default();
    assert!(with(limits::Structure { bytes: 10, ..normal.clone() }).contains("the file"));
    assert!(with(limits::Structure { functions: 2, ..normal.clone() }).contains("functions"));
    assert!(with(limits::Structure { body: 3, ..normal.clone() }).contains("a function"));
    assert!(with(limits::Structure { memories: 0, ..normal.clone() }).contains("memories"));
    assert!(with(limits::Structure { modules: 0, ..normal }).contains("core modules"));
}

#[test]
fn an_import_is_refused_by_name() {
    let mut guest = guest("zeta");
    guest.packages = "package bad:net { interface socket { connect: func(); } }".into();
    guest.world = "import bad:net/socket;".into();
    guest.more = r#"(import "bad:net/socket" "connect" (func $connect))"#.into();
    guest.parse_error = format!("(call $connect) (i32.const {ZEROS})");
    let error = loader(small()).load("zeta", &guest.build(), &Admission::default()).unwrap_err();
    assert!(error.to_string().contains("bad:net/socket#connect"), "{error}");
}

/// Why a component with these empty exports is refused.
fn refusal(exports: &[&str]) -> String {
    let export = |name: &&str| format!("(export \"{name}\" (instance $i))");
    let exports = exports.iter().map(export).collect::<Vec<_>>().concat();
    let component = wat::parse_str(format!("(component (instance $i) {exports})")).unwrap();
    loader(small()).load("zeta", &component, &Admission::default()).unwrap_err().to_string()
}

#[test]
fn another_version_of_the_contract_is_refused_naming_both() {
    for (exports, found, advice) in [
        (["weir:adapter/about@0.3.0", "weir:adapter/dialect-chat@0.3.0"], "0.3.0", "update Weir"),
        (["weir:adapter/provider-chat@0.10.0", "weir:adapter/about@0.10.0"], "0.10.0", "update Weir"),
        (["weir:adapter/about@0.0.8", "weir:adapter/dialect-chat@0.0.8"], "0.0.8", "build it anew"),
        // It lacks only an `about`.
        (["weir:adapter/provider-chat@0.3.0", "some:other/thing@0.1.0"], "0.3.0", "update Weir"),
    ] {
        let error = refusal(&exports);
        assert!(error.starts_with(&format!("built for contract {found} (it exports weir:adapter/")), "{error}");
        assert!(error.contains("this Weir supports 0.2.0 and 0.1.0") && error.contains(advice), "{error}");
    }
}

#[test]
fn a_mixture_of_versions_is_refused_naming_both() {
    let error = refusal(&["weir:adapter/about@0.1.0", "weir:adapter/provider-chat@0.3.0"]);
    for expected in ["weir:adapter/about@0.1.0", "weir:adapter/provider-chat@0.3.0", "this Weir supports 0.2.0"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // A component with two complete versions is for two hosts: this one uses its own, whose interface has no functions
    // here.
    let error = refusal(&["weir:adapter/about@0.2.0", "weir:adapter/about@0.1.0"]);
    assert!(error.starts_with("does not fit the contract"), "{error}");
}

#[test]
fn a_component_without_the_contracts_interfaces_is_no_adapter() {
    for exports in [&["wasi:cli/run@0.2.0"][..], &["weir:adapter/provider-chat@0.1.0"], &[]] {
        let error = refusal(exports);
        assert!(error.contains("no weir:adapter/about") && error.contains("0.2.0 and 0.1.0"), "{error}");
    }
}

#[test]
fn a_manifest_that_is_wrong_is_refused() {
    let mut zeta = guest("zeta");
    zeta.contract = "0.1.0".into();
    zeta.version = String::new();
    let error = loader(small()).load("zeta", &zeta.build(), &Admission::default()).unwrap_err();
    let LoadError::Manifest(problems) = error else { panic!("{error}") };
    assert_eq!(problems.lines().len(), 2, "{problems}");
    let error = loader(small()).load("eta", &guest("zeta").build(), &Admission::default()).unwrap_err();
    assert!(matches!(error, LoadError::Name { .. }), "{error}");
}

#[test]
fn only_trusted_bytes_may_request_less_isolation() {
    let mut zeta = guest("zeta");
    zeta.isolation = 2;
    let isolation = |adapter_limits: AdapterLimits, trusted| {
        let adapter =
            loader(small()).load("zeta", &zeta.build(), &Admission { adapter_limits, trusted, signer: None }).unwrap();
        adapter.pool().isolation()
    };
    assert_eq!(isolation(AdapterLimits::default(), false), Isolation::Fresh);
    assert_eq!(isolation(AdapterLimits::default(), true), Isolation::Shared);
    let tenant = AdapterLimits { isolation: Some(Isolation::Tenant), ..AdapterLimits::default() };
    assert_eq!(isolation(tenant, true), Isolation::Tenant);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn arbitrary_bytes_do_not_break_the_reader(changes in proptest::collection::vec((0.0..1.0, 0_u8..), 1..8)) {
        static GOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| guest("zeta").build());
        let mut bytes = GOOD.clone();
        for (at, byte) in changes {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        let _ = Shape::read(&bytes, &limits::Structure::default());
    }
}

#[test]
fn a_component_that_fails_to_describe_itself_is_refused() {
    let mut zeta = guest("zeta");
    zeta.describe = "unreachable".into();
    let error = loader(small()).load("zeta", &zeta.build(), &Admission::default()).unwrap_err();
    assert!(matches!(error, LoadError::Describe { kind: "trap", .. }), "{error}");
    zeta.describe = "(loop (br 0)) unreachable".into();
    let limits = Limits { start: Duration::from_millis(20), ..small() };
    let error = loader(limits).load("zeta", &zeta.build(), &Admission::default()).unwrap_err();
    assert!(matches!(error, LoadError::Describe { kind: "deadline", .. }), "{error}");
}
