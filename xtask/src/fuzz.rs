//! `cargo xtask fuzz`: runs the targets of `fuzz/` on the stable toolchain and without cargo-fuzz.
//!
//! `libfuzzer-sys` brings the engine; cargo-fuzz adds only a handful of compiler flags. The address sanitizer is not
//! among them: it needs a nightly compiler, and the targets link little unsafe code of ours. `cargo fuzz` works too.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::check::Outcome;
use crate::process::{self, cargo};
use crate::workspace::Workspace;

/// Coverage counters at every edge, and comparisons, for libFuzzer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions";
/// The profile of dependencies. Most are only linked.
const PROFILE: &str = "profile.release.package";
const OPTIMISED: [&str; 8] =
    ["weir-config", "weir-types", "weir-wire", "bytes", "memchr", "serde", "serde_core", "serde_json"];
/// Default seconds for each target.
const SECONDS: u64 = 60;
/// Longest input; longer ones find nothing new in parsers of frames.
const MAX_LENGTH: usize = 16 * 1024;

/// `cargo xtask fuzz [TARGET] [SECONDS]`.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let seconds = words.last().and_then(|word| word.parse().ok());
    let named = &words[..words.len() - usize::from(seconds.is_some())];
    let targets = targets(workspace)?;
    for name in named {
        if !targets.contains(name) {
            bail!("there is no fuzz target {name:?} (there are: {})", targets.join(", "));
        }
    }
    build(workspace)?;
    let chosen = if named.is_empty() { &targets } else { named };
    chosen.iter().try_for_each(|target| fuzz(workspace, target, seconds.unwrap_or(SECONDS)))
}

/// The step of `cargo xtask test`: all targets, briefly.
pub(crate) fn run_all(workspace: &Workspace, seconds: u64) -> Result<Outcome> {
    if !workspace.root.join("fuzz/Cargo.toml").is_file() {
        return Ok(Outcome::Skipped("there is no fuzz/Cargo.toml".to_owned()));
    }
    if ["c++", "g++", "clang++"].into_iter().find_map(process::find).is_none() {
        return Ok(Outcome::Skipped("libFuzzer needs a C++ compiler (Debian: apt install g++)".to_owned()));
    }
    let targets = targets(workspace)?;
    build(workspace)?;
    targets.iter().try_for_each(|target| fuzz(workspace, target, seconds))?;
    Ok(Outcome::Passed)
}

/// The names of the binaries of `fuzz/`.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("fuzz");
    let mut command = cargo();
    command.current_dir(&folder).args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value =
        serde_json::from_str(&process::read(&mut command).context("could not read fuzz/Cargo.toml")?)?;
    let targets = metadata["packages"][0]["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let binaries = targets.iter().filter(|target| target["kind"][0] == "bin");
    Ok(binaries.filter_map(|target| target["name"].as_str()).map(str::to_owned).collect())
}

/// Builds the targets for this machine as a named target, so that build scripts and macros are compiled without the
/// flags.
fn build(workspace: &Workspace) -> Result<()> {
    let mut command = cargo();
    command.current_dir(workspace.root.join("fuzz")).args(["build", "--release", "--bins", "--target", &host()?]);
    command.arg("--target-dir").arg(workspace.target.join("fuzz"));
    command.args(["--config", &format!("{PROFILE}.'*'.opt-level=0")]);
    for package in OPTIMISED {
        command.args(["--config", &format!("{PROFILE}.{package}.opt-level=3")]);
    }
    command.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", FLAGS);
    process::run(&mut command)
}

/// Fuzzes one target from its seeds (`fuzz/seeds/TARGET`, tracked); new inputs are kept in `fuzz/corpus/TARGET`.
fn fuzz(workspace: &Workspace, target: &str, seconds: u64) -> Result<()> {
    let folder = workspace.root.join("fuzz");
    let corpus = folder.join("corpus").join(target);
    let seeds = folder.join("seeds").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for place in [&corpus, &artifacts] {
        std::fs::create_dir_all(place).with_context(|| format!("could not make {}", place.display()))?;
    }
    println!("fuzz {target}: {seconds} s");
    let binary = workspace.target.join("fuzz").join(host()?).join("release").join(target);
    let mut command = Command::new(binary);
    command.current_dir(&folder).arg(&corpus).args(Some(&seeds).filter(|seeds| seeds.is_dir()));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={MAX_LENGTH}"));
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"]);
    process::run(&mut command)
        .with_context(|| format!("fuzz target {target} found an input, kept in {}", artifacts.display()))
}

fn host() -> Result<String> {
    let version = process::read(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}
