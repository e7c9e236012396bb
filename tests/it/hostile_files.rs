//! Files that cost the compiler far more than their size suggests. The compiler is a separate process; files that it
//! cannot compile are refused, and requests are served in the meantime.

use std::fmt::Write as _;

use weir_tests::{Answer, Folder, Program, Request, Upstream, program};

use crate::wire_format::{TEXT, ZETA, config};

/// A component with an adapter's exports and these functions.
fn component(functions: &str) -> Vec<u8> {
    let text = format!(
        "(component (core module $m {functions}) (core instance $i (instantiate $m)) (instance $about) \
         (export \"weir:adapter/about@0.1.0\" (instance $about)))"
    );
    wat::parse_str(text).unwrap()
}

fn nested() -> Vec<u8> {
    component(&format!("(func {} {})", "block ".repeat(100_000), "end ".repeat(100_000)))
}

/// Hundreds of locals that are live across thousands of branches.
fn entangled() -> Vec<u8> {
    let mut body = String::new();
    for n in 0..18_000 {
        let (from, to) = (n % 500, (n * 7 + 1) % 500);
        let _ =
            write!(body, "block local.get {from} br_if 0 local.get {to} local.get {from} i32.add local.set {to} end ");
    }
    component(&format!("(func (param {}) loop {body} br 0 end)", "i32 ".repeat(500)))
}

fn crowded() -> Vec<u8> {
    component(&format!("(func (local {}))", "i64 ".repeat(5000)))
}

fn huge() -> Vec<u8> {
    component(&format!("(func {})", "nop ".repeat(600_000)))
}

fn swarming() -> Vec<u8> {
    component(&"(func)".repeat(60_001))
}

fn table() -> Vec<u8> {
    component("(table 4000000000 funcref)")
}

#[tokio::test(flavor = "multi_thread")]
async fn compile_bombs_are_refused_while_others_are_served() {
    let upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let (folder, cache) = (Folder::with(&["zeta"]), tempfile::tempdir().unwrap());
    // What is good is compiled without these limits, which it would exceed on a busy machine.
    Program::start(&folder, cache.path(), &config(&upstream)).address();
    let settings = format!("[plugins]\ncompile = {{ memory = \"512MiB\", time = \"5s\" }}\n{}", config(&upstream));
    let program = Program::start(&folder, cache.path(), &settings);
    let address = program.address();
    let bombs = [
        ("nested", nested()),
        ("entangled", entangled()),
        ("crowded", crowded()),
        ("huge", huge()),
        ("swarming", swarming()),
        ("table", table()),
    ];
    for (name, bytes) in &bombs {
        folder.put(name, bytes);
    }
    let mut refusals = String::new();
    let waiting = |refusals: &str| bombs.iter().any(|(name, _)| !refusals.contains(&format!("\"{name}\",\"")));
    let refused = async {
        while waiting(&refusals) {
            let reply = program::ask(address, &ZETA.request("zeta", false)).await;
            assert_eq!(ZETA.parsed(&reply, false).text, TEXT, "{}", reply.text());
            let all = program::ask(address, &Request::get("/admin/plugins")).await.json();
            refusals = String::new();
            for one in all["plugins"].as_array().unwrap().iter().filter(|one| one["status"] == "refused") {
                let _ = writeln!(refusals, "{},{}", one["name"], one["reason"]);
            }
        }
    };
    assert!(tokio::time::timeout(weir_tests::TIMEOUT * 2, refused).await.is_ok(), "{refusals}");
    for (name, reason) in [("crowded", "locals"), ("huge", "a function"), ("swarming", "functions"), ("table", "table")]
    {
        let line = refusals.lines().find(|line| line.starts_with(&format!("\"{name}\""))).unwrap();
        assert!(line.contains("too large") && line.contains(reason), "{line}");
    }
    println!("{refusals}");
}
