//! `weir plugin install`: a checked adapter into the folder, in one step.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use clap::Args;

use crate::app;
use crate::plugin::Lock;
use crate::plugin::install::{self, Readers};
use crate::plugin::watch::signature_beside;
use crate::proof::{self, Bounds, Fixture};

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The component (`.wasm`), with `FILE.sig` beside it where one is required; `-` for standard input.
    file: PathBuf,
    /// The folder, instead of the configuration's.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The configuration that names folder, lock file and cache.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Leaves the lock file as it is: what the adapter suggests (its url, key variables) then counts for nothing.
    #[arg(long)]
    no_lock: bool,
}

impl Install {
    pub(super) fn run(&self) -> Result<String, String> {
        let mut config = crate::cli::load(self.config.as_deref()).map_err(|problems| problems.render(false))?;
        if let Some(dir) = &self.dir {
            config.plugins.dir.clone_from(dir);
        }
        let dir = config.plugins.dir.clone();
        std::fs::create_dir_all(&dir).map_err(|error| at(&dir, error))?;
        let given = Given::read(&self.file, &dir)?;
        let mut plugins = app::load_plugins(&config).map_err(|error| format!("error: {error}"))?;
        // What a running Weir would do with it; it finds the compiled code in the cache then.
        let proved_by = |name: &str| given.proved_by(dir.join(format!("{name}.wasm")));
        let adapter = plugins
            .rehearse(&given.bytes, given.signature.as_deref(), proved_by)
            .map_err(|reason| format!("error: {}: refused: {reason}", self.file.display()))?;
        let (name, digest) = (&*adapter.name, adapter.digest);
        let place = dir.join(format!("{name}.wasm"));
        let put = |path: &Path, bytes: &[u8]| install::put(path, bytes, Readers::All).map_err(|error| at(path, error));
        // The signature and the pin first, so that the file is complete when it is seen. Until then the file that is there
        // serves on.
        given.put_fixtures(&dir, name)?;
        if let Some(signature) = &given.signature {
            put(&place.with_extension("wasm.sig"), signature.as_bytes())?;
        }
        let lock = &config.plugins.lock;
        let pin = |digest| Lock::pin_in(lock, name, digest).map_err(|error| format!("error: {error}"));
        let before = if self.no_lock { None } else { pin(digest)? };
        if let Err(error) = put(&place, &given.bytes) {
            before.map(pin).transpose()?;
            return Err(error);
        }
        let pinned = if self.no_lock { String::new() } else { format!(", pinned in {}", lock.display()) };
        Ok(format!("installed {name} {} ({}) as {}{pinned}", adapter.manifest.version, digest.short(), place.display()))
    }
}

/// What is installed.
struct Given {
    bytes: Vec<u8>,
    signature: Option<String>,
    file: PathBuf,
    /// Whether the file is one of ours, for what came by standard input.
    is_ours: bool,
}

impl Given {
    fn read(file: &Path, dir: &Path) -> Result<Self, String> {
        if file != Path::new("-") {
            let bytes = std::fs::read(file).map_err(|error| at(file, error))?;
            return Ok(Self { bytes, signature: signature_beside(file), file: file.to_owned(), is_ours: false });
        }
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(|error| at(file, error))?;
        let file = dir.join(format!(".install-{}.tmp", std::process::id()));
        install::put(&file, &bytes, Readers::Owner).map_err(|error| at(&file, error))?;
        Ok(Self { bytes, signature: None, file, is_ours: true })
    }

    /// The file whose fixtures prove it: its own, also those within it, unless it brings none and some are in place.
    fn proved_by(&self, place: PathBuf) -> Result<PathBuf, String> {
        let in_place = beside(&self.file)?.is_empty() && !beside(&place)?.is_empty();
        Ok(if in_place { place } else { self.file.clone() })
    }

    /// Puts the fixtures in place as `NAME.fixtures`. They are no part of the one step: only a new file is proved by them.
    fn put_fixtures(&self, dir: &Path, name: &str) -> Result<(), String> {
        let (place, next) = (dir.join(format!("{name}.fixtures")), dir.join(format!(".{name}.fixtures.new")));
        let fixtures = beside(&self.file)?;
        if fixtures.is_empty() || self.file.with_extension("fixtures") == place {
            return Ok(());
        }
        let _left_behind = std::fs::remove_dir_all(&next);
        for fixture in &fixtures {
            let inside = PathBuf::from(format!("{}.json", fixture.name));
            if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(format!("error: the fixture {:?} lies outside its archive", fixture.name));
            }
            let file = next.join(inside);
            let folder = file.parent().unwrap_or(&next);
            let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, &fixture.text));
            written.map_err(|error| at(&file, error))?;
        }
        if place.is_dir() {
            std::fs::remove_dir_all(&place).map_err(|error| at(&place, error))?;
        }
        std::fs::rename(&next, &place).map_err(|error| at(&place, error))
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

/// The fixtures beside a component; those within it need no care.
fn beside(file: &Path) -> Result<Vec<Fixture>, String> {
    proof::beside(file, || Ok(Vec::new()), Bounds::GATE).map_err(|error| format!("error: {error}"))
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("error: {}: {error}", path.display())
}
