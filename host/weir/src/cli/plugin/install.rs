//! `weir plugin install`: checks an adapter and installs it in the folder, in one step.

use std::cell::OnceCell;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use clap::Args;

use super::registry::{Access, ResolvedReference};
use crate::app;
use crate::cli::failure::{CommandError, Failure, FileError, read_named};
use weir_adapters::Lock;
use weir_adapters::atomic_file::{self, Readers};
use weir_adapters::semver::is_older;
use weir_adapters::sign::{PublicKey, SignError, verify};
use weir_adapters::watch::{RehearsalError, signature_beside};
use weir_author::project::{Project, ProjectError};
use weir_config::Config;
use weir_fixtures::proof::{self, Bounds, Fixture, GatherError};
use weir_registry::Reference;
use weir_sandbox::digest::Digest;
use weir_sandbox::{Adapter, component_file};

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The component (`.wasm`), with `FILE.sig` next to it if one is required; `-` for standard input; or an adapter in
    /// a registry: `oci://REGISTRY/NAME:TAG` or `oci://REGISTRY/NAME@sha256:...`.
    file: PathBuf,
    /// The folder to install in, instead of the one in the configuration.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The configuration that names folder, lock file and cache.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// The fixtures that prove the adapter and are installed with it: a folder, an archive (`.tar`) or a file. By
    /// default those next to the component, or those of its project.
    #[arg(long, value_name = "PLACE")]
    fixtures: Option<PathBuf>,
    /// Accepts a signed file of an older version than the present one, or than the one pinned last.
    #[arg(long)]
    allow_downgrade: bool,
    /// Leaves the lock file unchanged: the adapter's suggestions (its url, key variables) are then ignored.
    #[arg(long)]
    no_lock: bool,
    #[command(flatten)]
    from: FromRegistry,
}

/// What counts for an adapter in a registry.
#[derive(Debug, Args)]
struct FromRegistry {
    /// Installs an adapter from a registry although no trusted key signed it.
    #[arg(long)]
    unsigned: bool,
    /// Installs what the registry's tag names now, although it named another adapter at the last installation.
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    access: Access,
}

/// Why an adapter is not installed.
#[derive(Debug, thiserror::Error)]
enum InstallError {
    /// A tag means another adapter than before.
    #[error("{reference} has moved: it was {before} when {name} was installed, and is {now} now; --update takes it")]
    Moved { reference: String, name: String, before: Digest, now: Digest },
    /// Weir would not serve it.
    #[error("{}: refused: {source}", path.display())]
    Refused { path: PathBuf, source: RehearsalError },
    /// The registry has no signature of it.
    #[error("it is not signed; --unsigned takes it all the same")]
    Unsigned,
    /// Nothing says which keys are trusted.
    #[error("there is no key to check its signature against: set `plugins.trusted_keys`, or take it with --unsigned")]
    NoKeys,
    /// No trusted key signed it.
    #[error("its signature: {0}; --unsigned takes it all the same")]
    Signature(#[source] SignError),
    /// An old signature stays valid although the version has defects.
    #[error(
        "{name} {version} is older than {newer}, which was installed before; --allow-downgrade takes it all the same"
    )]
    Older { name: String, version: String, newer: String },
}

impl CommandError for InstallError {}

/// Why the fixtures of an adapter cannot be used.
#[derive(Debug, thiserror::Error)]
enum FixturesError {
    /// They cannot be read.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// They cannot be written into the folder.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name of a fixture leads out of the folder.
    #[error("the fixture {0:?} lies outside its archive")]
    Outside(String),
}

impl CommandError for FixturesError {}

/// An adapter that was installed.
struct Installed {
    name: String,
    report: String,
}

impl Install {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let mut config = crate::cli::load_without_secrets(self.config.as_deref())?;
        if let Some(dir) = &self.dir {
            config.plugins.move_to(dir);
        }
        let dir = &config.plugins.dir;
        std::fs::create_dir_all(dir).map_err(FileError::at(dir))?;
        match self.file.to_str().filter(|text| Reference::is_meant(text)) {
            Some(text) => self.install_from_registry(&config, text),
            None => self.install(&config, &self.file).map(|installed| installed.report),
        }
    }

    /// Installs what a reference means, unless it is there already. The tag, the contract and the signature are checked
    /// before the component is fetched.
    fn install_from_registry(&self, config: &Config, text: &str) -> Result<String, Failure> {
        let lock = Lock::read(&config.plugins.lock)?;
        let known = lock.sourced(text);
        let is_there = known.is_some_and(|known| {
            let file = config.plugins.dir.join(format!("{}.wasm", known.name));
            component_file::read(&file).is_ok_and(|bytes| Digest::of(&bytes) == known.digest)
        });
        let there = |name: &str| format!("{text} is installed already, as {name}");
        if let Some(known) = known.filter(|_| is_there && text.contains('@')) {
            // A digest means the same for ever, so the registry need not be asked.
            return Ok(there(known.name));
        }
        let found = ResolvedReference::at(text, &self.from.access)?;
        let manifest = found.adapter.manifest;
        match known {
            Some(known) if known.manifest == manifest && is_there => return Ok(there(known.name)),
            Some(known) if known.manifest != manifest && !self.from.update => {
                let (reference, name, before) = (text.to_owned(), known.name.to_owned(), known.manifest);
                return Err(InstallError::Moved { reference, name, before, now: manifest }.into());
            }
            _ => {}
        }
        found.check_contract()?;
        let signature = found.signature()?;
        if !self.from.unsigned {
            check_signature(config, signature.as_deref(), found.adapter.component())?;
        }
        let fetched = found.fetch(&config.plugins.dir, signature)?;
        let installed = self.install(config, &fetched.file)?;
        if !self.no_lock {
            Lock::note_source_in(&config.plugins.lock, &installed.name, text, manifest)?;
        }
        Ok(installed.report)
    }

    /// Installs a component.
    fn install(&self, config: &Config, file: &Path) -> Result<Installed, Failure> {
        let dir = config.plugins.dir.clone();
        let given = ComponentToInstall::read(file, &dir, self.fixtures.as_deref())?;
        let mut plugins = app::load_plugins(config)?;
        let before = plugins.snapshot();
        // The checks of a running Weir, which then finds the compiled code in the cache.
        let adapter = plugins
            .rehearse(&given.bytes, given.signature.as_deref(), |name| Ok(given.proved_by(&dir, name)?))
            .map_err(|source| InstallError::Refused { path: file.to_owned(), source })?;
        let lock = &config.plugins.lock;
        if !self.allow_downgrade && adapter.signer.is_some() {
            let serves = before.adapters.get(&adapter.name).map(|serves| serves.manifest.version.clone());
            let pinned = Lock::read(lock)?;
            let known = serves.into_iter().chain(pinned.version(&adapter.name).map(str::to_owned));
            refuse_older(&adapter, known)?;
        }
        let (name, digest, version) = (&*adapter.name, adapter.digest, &adapter.manifest.version);
        let place = dir.join(format!("{name}.wasm"));
        let put = |path: &Path, bytes: &[u8]| atomic_file::put(path, bytes, Readers::All).map_err(FileError::at(path));
        // Signature and pin come first, so that the file is complete when it is noticed. Until then the present file
        // serves on.
        given.put_fixtures(&dir, name)?;
        if let Some(signature) = &given.signature {
            put(&place.with_extension("wasm.sig"), signature.as_bytes())?;
        }
        let pin = |digest, version: Option<&str>| Lock::pin_version_in(lock, name, digest, version);
        let before = if self.no_lock { None } else { pin(digest, Some(version))? };
        if let Err(error) = put(&place, &given.bytes) {
            before.map(|(digest, version)| pin(digest, version.as_deref())).transpose()?;
            return Err(error.into());
        }
        let pinned = if self.no_lock { String::new() } else { format!(", pinned in {}", lock.display()) };
        let proved = match adapter.proved.get() {
            Some(0) | None => "; unproved: it came without fixtures".to_owned(),
            Some(passed) => format!("; {passed} fixtures passed"),
        };
        let impurity = adapter.grants.impurity().map(|impurity| format!("; {impurity}")).unwrap_or_default();
        let report =
            format!("installed {name} {version} ({}) as {}{pinned}{proved}{impurity}", digest.short(), place.display());
        Ok(Installed { name: name.to_owned(), report })
    }
}

/// Checks that a trusted key signed the component of a registry's adapter.
fn check_signature(config: &Config, signature: Option<&str>, component: Digest) -> Result<(), InstallError> {
    let keys: Vec<PublicKey> = config.plugins.trusted_keys.iter().copied().map(PublicKey::from).collect();
    let Some(signature) = signature else { return Err(InstallError::Unsigned) };
    if keys.is_empty() {
        return Err(InstallError::NoKeys);
    }
    verify(signature, component, &keys).map(drop).map_err(InstallError::Signature)
}

/// Refuses a signed file that is older than a known version: an old signature stays valid although the version has
/// defects.
fn refuse_older(adapter: &Adapter, known: impl Iterator<Item = String>) -> Result<(), InstallError> {
    let version = &adapter.manifest.version;
    match known.into_iter().find(|known| is_older(version, known)) {
        None => Ok(()),
        Some(newer) => {
            let (name, version) = (adapter.name.to_string(), version.clone());
            Err(InstallError::Older { name, version, newer })
        }
    }
}

/// The folder for fixtures that are being installed.
fn staged(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!(".{name}.install.fixtures"))
}

struct ComponentToInstall {
    bytes: Vec<u8>,
    signature: Option<String>,
    file: PathBuf,
    /// The fixtures to prove it with, except those within the component.
    fixtures: Vec<Fixture>,
    /// Whether the fixtures are elsewhere than next to the file.
    are_apart: bool,
    /// A temporary folder with these fixtures.
    staged: OnceCell<PathBuf>,
    /// Whether the file is a temporary one, for a component from standard input.
    is_ours: bool,
}

impl ComponentToInstall {
    fn read(file: &Path, dir: &Path, fixtures: Option<&Path>) -> Result<Self, Failure> {
        let named = fixtures.map(gathered).transpose()?;
        if file != Path::new("-") {
            let bytes = read_named(file)?;
            let (signature, file) = (signature_beside(file), file.to_owned());
            let (fixtures, are_apart) = match (named, beside(&file)?) {
                (Some(named), _) => (named, true),
                (None, beside) if !beside.is_empty() => (beside, false),
                (None, _) => (of_project(&file)?, true),
            };
            return Ok(Self { bytes, signature, file, fixtures, are_apart, staged: OnceCell::new(), is_ours: false });
        }
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(FileError::at(file))?;
        let file = dir.join(format!(".install-{}.tmp", std::process::id()));
        atomic_file::put(&file, &bytes, Readers::Owner).map_err(FileError::at(&file))?;
        let fixtures = named.unwrap_or_default();
        Ok(Self { bytes, signature: None, file, fixtures, are_apart: true, staged: OnceCell::new(), is_ours: true })
    }

    /// The file whose fixtures prove it: its own, including those within it, unless it has none and some are installed.
    fn proved_by(&self, dir: &Path, name: &str) -> Result<PathBuf, FixturesError> {
        let place = dir.join(format!("{name}.wasm"));
        if self.fixtures.is_empty() {
            return Ok(if beside(&place)?.is_empty() { self.file.clone() } else { place });
        }
        if !self.are_apart {
            return Ok(self.file.clone());
        }
        let staged = self.staged.get_or_init(|| staged(dir, name));
        write(&self.fixtures, staged)?;
        Ok(staged.with_extension("wasm"))
    }

    /// Installs the fixtures as `NAME.fixtures`. This is not part of the atomic step: they only matter for a new file.
    fn put_fixtures(&self, dir: &Path, name: &str) -> Result<(), FixturesError> {
        let (place, next) = (dir.join(format!("{name}.fixtures")), staged(dir, name));
        if self.fixtures.is_empty() || (!self.are_apart && self.file.with_extension("fixtures") == place) {
            return Ok(());
        }
        write(&self.fixtures, &next)?;
        if place.is_dir() {
            std::fs::remove_dir_all(&place).map_err(FileError::at(&place))?;
        }
        Ok(std::fs::rename(&next, &place).map_err(FileError::at(&place))?)
    }
}

/// Writes fixtures into an empty folder.
fn write(fixtures: &[Fixture], folder: &Path) -> Result<(), FixturesError> {
    let _left_behind = std::fs::remove_dir_all(folder);
    for fixture in fixtures {
        let inside = PathBuf::from(format!("{}.json", fixture.name));
        if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(FixturesError::Outside(fixture.name.clone()));
        }
        let file = folder.join(inside);
        let parent = file.parent().unwrap_or(folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&file, &fixture.text));
        written.map_err(FileError::at(&file))?;
    }
    Ok(())
}

/// The fixtures of the project that a component was built in: those named in its `adapter.toml`, or the folder
/// `fixtures` next to a component that is the only one there.
fn of_project(file: &Path) -> Result<Vec<Fixture>, Failure> {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let place = match Project::read(folder) {
        Ok(project) => project.fixtures,
        Err(ProjectError::None(_)) if is_alone(folder) => folder.join("fixtures"),
        Err(ProjectError::None(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    if place.is_dir() { Ok(gathered(&place)?) } else { Ok(Vec::new()) }
}

/// Whether a folder has only one component, so that the other files in it belong to it.
fn is_alone(folder: &Path) -> bool {
    let is_component = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|is| is == "wasm");
    std::fs::read_dir(folder).is_ok_and(|files| files.flatten().filter(is_component).count() == 1)
}

fn gathered(place: &Path) -> Result<Vec<Fixture>, FixturesError> {
    Ok(proof::at(place, Bounds::GATE)?)
}

impl Drop for ComponentToInstall {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_file(&self.file);
        }
        if let Some(staged) = self.staged.get() {
            let _ = std::fs::remove_dir_all(staged);
        }
    }
}

/// The fixtures next to a component; those within it are installed with it anyway.
fn beside(file: &Path) -> Result<Vec<Fixture>, FixturesError> {
    Ok(proof::beside(file, || Ok(Vec::new()), Bounds::GATE)?)
}
