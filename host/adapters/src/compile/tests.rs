//! Tests of a compiling process's answers and exits.

use std::os::unix::process::ExitStatusExt as _;

use super::*;
use crate::guest::{guest, small};

const ONE: [u8; 32] = [1; 32];
const TWO: [u8; 32] = [2; 32];

fn answer(fingerprint: [u8; 32], digest: [u8; 32], code: &[u8]) -> Vec<u8> {
    [&MAGIC[..], &fingerprint, &digest, Digest::of(code).bytes(), code].concat()
}

fn read(answer: Vec<u8>) -> Result<Vec<u8>, CompileError> {
    code_of(answer, ONE.into(), TWO.into())
}

#[test]
fn code_is_taken_only_with_both_digests_and_for_these_settings() {
    let whole = answer(ONE, TWO, b"code");
    assert_eq!(read(whole.clone()).unwrap(), b"code");
    for cut in 0..whole.len() {
        assert!(read(whole[..cut].to_vec()).is_err(), "{cut}");
        let mut bent = whole.clone();
        bent[cut] ^= 1;
        assert!(read(bent).is_err(), "{cut}");
    }
    assert!(read(answer(TWO, TWO, b"code")).unwrap_err().to_string().contains("another Weir"));
    assert!(read(answer(ONE, ONE, b"code")).unwrap_err().to_string().contains("another component"));
}

/// A program that runs this instead of compiling.
fn program(dir: &Path, does: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = dir.join("program");
    std::fs::write(&file, format!("#!/bin/sh\n{does}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

fn compiled_by(does: &str, time: Duration) -> CompileError {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(small()).unwrap();
    let bytes = guest("zeta").build();
    let compiler = Compiler::Child { program: program(dir.path(), does), bounds: Bounds { memory: 1 << 20, time } };
    loop {
        match compiler.compile(&engine, Digest::of(&bytes), &bytes).unwrap_err() {
            // A child of another test, just forked, may still hold the file open for writing.
            CompileError::Start(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
            error => return error,
        }
    }
}

#[test]
fn every_end_of_the_process_has_a_reason() {
    let failure = |does| compiled_by(does, Duration::from_mins(1)).to_string();
    assert!(failure("exit 0").contains("half an answer"));
    assert!(failure("echo no such instruction >&2; exit 65").contains("no such instruction"));
    assert!(
        failure("echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$").contains("more memory than 1 MiB")
    );
    assert!(failure("kill -SEGV $$").contains("crashed over it"));
    assert!(failure("kill -XCPU $$").contains("longer than 60 s"));
    assert!(failure("echo \"thread 'main' panicked at x.rs\" >&2; exit 101").contains("panicked at x.rs"));
    assert!(failure("head -c 3000000 /dev/zero").contains("crashed over it"));
}

#[test]
fn a_complaint_is_cut_and_cleaned() {
    let failure =
        compiled_by("head -c 100000 /dev/zero | tr '\\0' '\\033' >&2; exit 65", Duration::from_mins(1)).to_string();
    assert!(failure.len() <= 1000 && !failure.contains('\u{1b}'), "{failure}");
}

#[test]
fn a_process_that_does_not_end_is_killed() {
    let begun = Instant::now();
    // The second one closes its output and keeps running.
    for does in ["exec sleep 600", "exec >&- 2>&-; exec sleep 600"] {
        assert!(matches!(compiled_by(does, Duration::from_millis(100)), CompileError::TooLong(_)));
    }
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn the_process_finds_no_secrets_in_its_environment() {
    let failure = compiled_by("env >&2; exit 65", Duration::from_mins(1)).to_string();
    assert!(failure.contains("RAYON_NUM_THREADS") && !failure.contains("CARGO"), "{failure}");
}

#[test]
fn without_a_program_nothing_is_compiled() {
    let engine = Engine::new(small()).unwrap();
    let compiler = Compiler::Child { program: "/nonexistent/weir".into(), bounds: Bounds::default() };
    let error = compiler.compile(&engine, Digest::of(b""), b"").unwrap_err();
    assert!(matches!(error, CompileError::Start(_)));
}

#[test]
fn a_signal_is_attributed_to_its_cause() {
    let failure = |status, stderr| failure(ExitStatus::from_raw(status), stderr, Bounds::default());
    assert!(matches!(failure(24, ""), CompileError::TooLong(_)));
    assert!(matches!(failure(6, "memory allocation of 8 bytes failed"), CompileError::TooLarge(_)));
    assert!(matches!(failure(9, ""), CompileError::Killed));
    assert!(matches!(failure(11, ""), CompileError::Crashed(_)));
}

#[test]
fn a_process_that_the_system_ends_is_tried_once_more_with_one_thread() {
    let dir = tempfile::tempdir().unwrap();
    let tried = dir.path().join("tried").display().to_string();
    let minute = Duration::from_mins(1);
    let error = compiled_by(&format!("echo $RAYON_NUM_THREADS >> {tried}; kill -KILL $$"), minute);
    assert!(matches!(error, CompileError::Killed), "{error}");
    let threads = std::fs::read_to_string(&tried).unwrap();
    assert_eq!(threads.lines().count(), 2, "not for ever: {threads}");
    assert!(threads.ends_with("1\n"), "{threads}");
    let once = format!("[ -e {tried}.2 ] && {{ echo compiled again >&2; exit 65; }}; touch {tried}.2; kill -KILL $$");
    assert!(compiled_by(&once, minute).to_string().contains("compiled again"));
}
