//! `cargo xtask plugins`: builds the crates of `plugins/` and `guards/` as components, `plugins/NAME.wasm`, and writes
//! their digests to `plugins.lock`. Those of `tests/adapters/` go to `target/test-adapters/NAME.wasm`, a folder that
//! Weir does not serve from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::process::cargo;
use crate::wasm::{self, Std};
use crate::workspace::{Adapter, Workspace};
use crate::{embedded_fixtures, path_remapping, strip};

/// A component in its final place.
pub(crate) struct Built {
    name: String,
    bytes: usize,
    /// Whether the file is new or has different contents.
    pub(crate) changed: bool,
}

/// Where the bundled adapters are put.
#[derive(Debug)]
struct Destination<'a> {
    /// The folder with `plugins.lock`, and with `plugins/` for the adapters.
    folder: &'a Path,
    /// rustc's flags. The components hold no path of this machine, so that every machine builds the same bytes.
    flags: Vec<String>,
}

/// Builds all adapters, or those that are named.
pub(crate) fn build(workspace: &Workspace, names: &[String]) -> Result<()> {
    let adapters = chosen(workspace, names)?;
    if adapters.is_empty() {
        println!("plugins: there are no crates in plugins/");
        return Ok(());
    }
    let progress = Progress::of(adapters.len(), 0);
    let mut built = put(workspace, adapters, &progress)?;
    built.sort_by(|a, b| a.name.cmp(&b.name));
    print!("{}", table(&built));
    Ok(())
}

/// Builds these adapters for a Weir in this repository. Each is put in its place and pinned as soon as it is built: a
/// running Weir serves with it while the others are being built.
pub(crate) fn put(workspace: &Workspace, adapters: Vec<Adapter>, progress: &Progress) -> Result<Vec<Built>> {
    put_into(workspace, adapters, progress, &workspace.root)
}

/// Builds these adapters for other machines: `folder/plugins/NAME.wasm` and `folder/plugins.lock`.
pub(crate) fn put_for_others(workspace: &Workspace, adapters: Vec<Adapter>, folder: &Path) -> Result<()> {
    let progress = Progress::of(adapters.len(), 0);
    put_into(workspace, adapters, &progress, folder).map(|_built| ())
}

fn put_into(workspace: &Workspace, adapters: Vec<Adapter>, progress: &Progress, folder: &Path) -> Result<Vec<Built>> {
    let std = wasm::prepare(workspace)?;
    let destination = Destination { folder, flags: path_remapping::flags(workspace)? };
    let built = compile_all(workspace, adapters, std, progress, &destination)?;
    // Even if all were built before: the lock file may be missing.
    lock(workspace, folder)?;
    Ok(built)
}

/// Counts and prints the adapters as they are built.
#[derive(Debug)]
pub(crate) struct Progress {
    all: usize,
    done: Mutex<usize>,
}

impl Progress {
    /// Progress over `all` adapters, of which `done` are built already.
    pub(crate) fn of(all: usize, done: usize) -> Self {
        Self { all, done: Mutex::new(done) }
    }

    /// Counts one more adapter. An unchanged one gets no line. The lock file is written under the same mutex, since
    /// adapters are built in parallel.
    fn step(&self, workspace: &Workspace, folder: &Path, built: &Built, took: Duration) -> Result<()> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done += 1;
        if built.changed {
            println!("adapter {done} of {}: {}, {:.0} s", self.all, built.name, took.as_secs_f64());
            lock(workspace, folder)?;
        }
        Ok(())
    }
}

fn chosen(workspace: &Workspace, names: &[String]) -> Result<Vec<Adapter>> {
    let all = || workspace.adapters.iter().chain(&workspace.test_adapters);
    for name in names {
        if !all().any(|adapter| adapter.name == *name) {
            let known: Vec<&str> = all().map(|adapter| adapter.name.as_str()).collect();
            bail!("there is no adapter {name:?} (there are: {})", known.join(", "));
        }
    }
    let is_chosen = |adapter: &&Adapter| names.is_empty() || names.contains(&adapter.name);
    Ok(all().filter(is_chosen).cloned().collect())
}

/// Builds each profile's adapters one after the other and the profiles in parallel: link-time optimisation uses one
/// thread, and cargo locks a profile's folder.
fn compile_all(
    workspace: &Workspace,
    adapters: Vec<Adapter>,
    std: Std,
    progress: &Progress,
    destination: &Destination<'_>,
) -> Result<Vec<Built>> {
    let mut by_profile: BTreeMap<String, Vec<Adapter>> = BTreeMap::new();
    for adapter in adapters {
        by_profile.entry(adapter.profile.clone()).or_default().push(adapter);
    }
    let lanes: Vec<Result<Vec<Built>>> = thread::scope(|scope| {
        let lane =
            |group: Vec<Adapter>| scope.spawn(move || compile_lane(workspace, &group, std, progress, destination));
        let lanes: Vec<_> = by_profile.into_values().map(lane).collect();
        let ended = |lane: thread::ScopedJoinHandle<'_, _>| lane.join().unwrap_or_else(|_| bail!("a build panicked"));
        lanes.into_iter().map(ended).collect()
    });
    Ok(lanes.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn compile_lane(
    workspace: &Workspace,
    adapters: &[Adapter],
    std: Std,
    progress: &Progress,
    destination: &Destination<'_>,
) -> Result<Vec<Built>> {
    let one = |adapter: &Adapter| {
        let begun = Instant::now();
        let artifact = component(&compile_one(workspace, adapter, std, destination)?, &workspace.root, adapter)?;
        let fixtures = embedded_fixtures::fixtures(workspace, adapter)?;
        let built =
            install(&place(workspace, adapter, destination.folder)?, &adapter.name, &artifact, fixtures.as_deref())?;
        progress.step(workspace, destination.folder, &built, begun.elapsed())?;
        Ok(built)
    };
    adapters.iter().map(one).collect()
}

/// The folder of an adapter's component.
fn place(workspace: &Workspace, adapter: &Adapter, folder: &Path) -> Result<PathBuf> {
    let is_bundled = workspace.adapters.iter().any(|bundled| bundled.folder == adapter.folder);
    let place = if is_bundled { folder.join("plugins") } else { workspace.target.join("test-adapters") };
    fs::create_dir_all(&place).with_context(|| format!("could not make {}", place.display()))?;
    Ok(place)
}

/// Builds one adapter with one call of cargo, as a component only, and returns cargo's messages. A crate that is also
/// built as a library loses link-time optimisation, which costs a fifth of size and speed; and a crate that builds upon
/// another adapter must find that one without its exports.
///
/// The build has its own target folder: a call from a build script or beside a running cargo would wait forever for the
/// outer folder's lock. The flags are set in the environment, so that they do not change a plain `cargo build`.
fn compile_one(workspace: &Workspace, adapter: &Adapter, std: Std, destination: &Destination<'_>) -> Result<String> {
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["rustc", "--quiet", "--lib", "--crate-type", "cdylib"]);
    // Incremental builds make other components, of more instructions, wherever a developer has asked for them.
    command.env("CARGO_INCREMENTAL", "0");
    command.args(["--profile", &adapter.profile, "--target", wasm::TARGET, "--package", &adapter.package]);
    command.arg("--message-format=json-render-diagnostics").arg("--target-dir");
    command.arg(workspace.target.join("adapters"));
    wasm::configure(&mut command, std, &destination.flags);
    let output = command.stderr(Stdio::inherit()).output().context("could not start cargo")?;
    if !output.status.success() {
        bail!("{} does not build; what cargo says stands above", adapter.folder.display());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Finds the path of one adapter's component in cargo's messages.
fn component(messages: &str, root: &Path, adapter: &Adapter) -> Result<PathBuf> {
    let manifest = root.join(&adapter.folder).join("Cargo.toml");
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["manifest_path"].as_str().map(Path::new) == Some(manifest.as_path()))
        .filter_map(|message| wasm_file(&message))
        .next_back()
        .with_context(|| format!("{}/Cargo.toml lacks crate-type = [\"cdylib\", \"rlib\"]", adapter.folder.display()))
}

fn wasm_file(message: &Value) -> Option<PathBuf> {
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from);
    files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

/// Replaces a component in one step, and only if it differs: a running Weir watches the folder.
fn install(folder: &Path, name: &str, artifact: &Path, fixtures: Option<&[u8]>) -> Result<Built> {
    let bytes = fs::read(artifact).with_context(|| format!("could not read {}", artifact.display()))?;
    check_component(name, &bytes)?;
    let mut bytes = strip::component(&bytes).with_context(|| format!("plugins/{name}: the sections are cut short"))?;
    if let Some(fixtures) = fixtures {
        strip::add_custom(&mut bytes, embedded_fixtures::SECTION, fixtures);
    }
    let place = folder.join(format!("{name}.wasm"));
    let changed = fs::read(&place).ok().is_none_or(|present| present != bytes);
    if changed {
        replace(&place, &bytes)?;
    }
    Ok(Built { name: name.to_owned(), bytes: bytes.len(), changed })
}

/// Checks the preamble: a component has layer 1 where a core module has 0.
fn check_component(name: &str, bytes: &[u8]) -> Result<()> {
    if bytes.get(..8) != Some(b"\0asm\x0d\0\x01\0") {
        bail!("plugins/{name}: the linker did not write a component; is `{}` the toolchain's own?", wasm::LINKER);
    }
    Ok(())
}

/// Writes a file beside `place` and renames it, so that no reader sees half of it.
fn replace(place: &Path, bytes: &[u8]) -> Result<()> {
    let beside = place.with_extension(format!("tmp{}", std::process::id()));
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, place));
    if written.is_err() {
        // The file may not exist.
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("could not write {}", place.display()))
}

/// Writes `plugins.lock`: the digest of every bundled adapter that is built, including those that this call did not
/// build.
fn lock(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut text =
        String::from("# Written by `cargo xtask plugins`: the digests of the adapters that were built here.\n");
    for adapter in &workspace.adapters {
        let place = folder.join("plugins").join(format!("{}.wasm", adapter.name));
        if let Ok(bytes) = fs::read(place) {
            write!(text, "\n[adapters.{}]\ndigest = \"{}\"\n", adapter.name, digest(&bytes))?;
        }
    }
    let place = folder.join("plugins.lock");
    if fs::read_to_string(&place).is_ok_and(|present| present == text) {
        return Ok(());
    }
    replace(&place, text.as_bytes())
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn table(built: &[Built]) -> String {
    let width = built.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in built {
        let state = if row.changed { "" } else { "  unchanged" };
        let kib = row.bytes.div_ceil(1024);
        let _ = writeln!(text, "{:width$}  {kib:>6} KiB{state}", format!("{}.wasm", row.name), width = width + 5);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str) -> Adapter {
        Adapter {
            name: name.into(),
            folder: format!("plugins/{name}").into(),
            package: format!("weir-{name}"),
            profile: "adapter".into(),
        }
    }

    #[test]
    fn a_digest_is_spelled_with_its_algorithm() {
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(b"abc"), expected);
    }

    #[test]
    fn a_core_module_is_no_component() {
        assert!(check_component("x", b"\0asm\x01\0\0\0").is_err());
        assert!(check_component("x", b"\0asm\x0d\0\x01\0").is_ok());
        assert!(check_component("x", b"").is_err());
    }

    #[test]
    fn an_unchanged_component_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let artifact = folder.path().join("artifact");
        fs::write(&artifact, b"\0asm\x0d\0\x01\0").unwrap();
        assert!(install(folder.path(), "zeta", &artifact, None).unwrap().changed);
        let written = fs::metadata(folder.path().join("zeta.wasm")).unwrap().modified().unwrap();
        assert!(!install(folder.path(), "zeta", &artifact, None).unwrap().changed);
        assert_eq!(fs::metadata(folder.path().join("zeta.wasm")).unwrap().modified().unwrap(), written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn the_component_is_found_among_the_messages() {
        let adapter = adapter("zeta");
        let messages = r#"
            {"reason":"compiler-artifact","manifest_path":"/r/sdk/Cargo.toml","filenames":["/t/other.wasm"]}
            {"reason":"compiler-artifact","manifest_path":"/r/plugins/zeta/Cargo.toml","filenames":["/t/zeta.rlib","/t/zeta.wasm"]}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(component(messages, Path::new("/r"), &adapter).unwrap(), Path::new("/t/zeta.wasm"));
        let other = self::adapter("eta");
        assert!(component(messages, Path::new("/r"), &other).unwrap_err().to_string().contains("crate-type"));
    }
}
