//! Tests of the inert WASI: a guest sees nothing of the world, and survives it.

use std::fmt::Write as _;

use crate::guest::{Guest, ZEROS, call, guest};
use weir_sandbox::{FaultKind, PluginFault};

const PACKAGES: &str = r"
package wasi:io@0.2.6 {
  interface error { resource error; }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream {
      check-write: func() -> result<u64, stream-error>;
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
    resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
  }
}
package wasi:cli@0.2.6 {
  interface stderr { use wasi:io/streams@0.2.6.{output-stream}; get-stderr: func() -> output-stream; }
  interface stdin { use wasi:io/streams@0.2.6.{input-stream}; get-stdin: func() -> input-stream; }
  interface environment { get-environment: func() -> list<tuple<string, string>>; }
  interface exit { exit: func(status: result); }
}
package wasi:clocks@0.2.6 { interface monotonic-clock { now: func() -> u64; } }
package wasi:random@0.2.6 {
  interface random { get-random-bytes: func(len: u64) -> list<u8>; }
  interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }
}
package wasi:sockets@0.2.6 {
  interface tcp { enum error-code { unknown, access-denied } resource tcp-socket { start-listen: func() -> result<_, error-code>; } }
  interface tcp-create-socket { use tcp.{tcp-socket, error-code}; create-tcp-socket: func() -> result<tcp-socket, error-code>; }
}
";

/// A guest with these imports and this body.
pub(super) fn wasi(imports: &[(&str, &str, &str)], does: &str) -> Guest {
    let mut guest = guest("zeta");
    guest.packages = PACKAGES.into();
    for (interface, function, signature) in imports {
        let _ = writeln!(guest.world, "import {interface}@0.2.6;");
        let _ = writeln!(guest.more, "(import \"{interface}@0.2.6\" \"{function}\" (func {signature}))");
    }
    guest.parse_error = does.into();
    guest
}

pub(super) const STDERR: (&str, &str, &str) = ("wasi:cli/stderr", "get-stderr", "$stderr (result i32)");
pub(super) const WRITE: (&str, &str, &str) =
    ("wasi:io/streams", "[method]output-stream.blocking-write-and-flush", "$write (param i32 i32 i32 i32)");

fn fault(guest: &Guest) -> PluginFault {
    call(&guest.load()).unwrap_err()
}

#[test]
fn output_before_a_trap_is_part_of_the_fault() {
    let imports = [STDERR, WRITE];
    // 32768: "boom".
    let does = "(i32.store (i32.const 32768) (i32.const 0x6d6f6f62))
        (call $write (call $stderr) (i32.const 32768) (i32.const 4) (i32.const 33000))
        (call $write (call $stderr) (i32.const 32768) (i32.const 4) (i32.const 33000))
        unreachable";
    let fault = fault(&wasi(&imports, does));
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.detail.ends_with("stderr: boomboom"), "{fault}");
}

#[test]
fn the_clock_stands_still_but_not_at_zero_and_the_seed_does_not_change() {
    let imports = [
        ("wasi:clocks/monotonic-clock", "now", "$now (result i64)"),
        ("wasi:random/insecure-seed", "insecure-seed", "$seed (param i32)"),
        ("wasi:random/random", "get-random-bytes", "$random (param i64 i32)"),
    ];
    let does = format!(
        "(if (i64.ne (call $now) (i64.const 1)) (then unreachable))
         (call $seed (i32.const 33000))
         (if (i64.ne (i64.load (i32.const 33000)) (i64.const 0)) (then unreachable))
         (call $random (i64.const 8) (i32.const 33000))
         (if (i32.ne (i32.load (i32.const 33004)) (i32.const 8)) (then unreachable))
         (if (i64.ne (i64.load (i32.load (i32.const 33000))) (i64.const 0x0706050403020100)) (then unreachable))
         (i32.const {ZEROS})"
    );
    assert!(call(&wasi(&imports, &does).load()).is_ok());
}

#[test]
fn the_environment_is_empty_and_input_is_at_its_end() {
    let imports = [
        ("wasi:cli/environment", "get-environment", "$env (param i32)"),
        ("wasi:cli/stdin", "get-stdin", "$stdin (result i32)"),
        ("wasi:io/streams", "[method]input-stream.blocking-read", "$read (param i32 i64 i32)"),
    ];
    // Layout of a result: 0 ok, 1 error; then, at offset 4, the variant: 0 last-operation-failed, 1 closed.
    let does = format!(
        "(i32.store (i32.const 33004) (i32.const 9))
         (call $env (i32.const 33000))
         (if (i32.load (i32.const 33004)) (then unreachable))
         (call $read (call $stdin) (i64.const 10) (i32.const 33000))
         (if (i32.ne (i32.load8_u (i32.const 33000)) (i32.const 1)) (then unreachable))
         (if (i32.ne (i32.load8_u (i32.const 33004)) (i32.const 1)) (then unreachable))
         (i32.const {ZEROS})"
    );
    assert!(call(&wasi(&imports, &does).load()).is_ok());
}

#[test]
fn no_socket_can_be_opened() {
    let imports = [("wasi:sockets/tcp-create-socket", "create-tcp-socket", "$socket (param i32)")];
    let does = format!(
        "(call $socket (i32.const 33000))
         (if (i32.ne (i32.load8_u (i32.const 33000)) (i32.const 1)) (then unreachable))
         (i32.const {ZEROS})"
    );
    assert!(call(&wasi(&imports, &does).load()).is_ok());
}

#[test]
fn exit_ends_the_call_only() {
    let imports = [("wasi:cli/exit", "exit", "$exit (param i32)")];
    let fault = fault(&wasi(&imports, "(call $exit (i32.const 0)) unreachable"));
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.detail.contains("called exit"), "{fault}");
}
