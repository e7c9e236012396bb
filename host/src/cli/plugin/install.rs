//! `weir plugin install`: a checked adapter into the folder, in one step.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::app;
use crate::plugin::Lock;
use crate::plugin::install::{self, Readers};
use crate::plugin::watch::signature_beside;

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
        let (bytes, signature) = self.read()?;
        let dir = config.plugins.dir.clone();
        std::fs::create_dir_all(&dir).map_err(|error| at(&dir, error))?;
        let mut plugins = app::load_plugins(&config).map_err(|error| format!("error: {error}"))?;
        // What a running Weir would do with it; it finds the compiled code in the cache then.
        let adapter = plugins
            .rehearse(&bytes, signature.as_deref())
            .map_err(|reason| format!("error: {}: refused: {reason}", self.file.display()))?;
        let (name, digest) = (&*adapter.name, adapter.digest);
        let place = dir.join(format!("{name}.wasm"));
        let put = |path: &Path, bytes: &[u8]| install::put(path, bytes, Readers::All).map_err(|error| at(path, error));
        // The signature and the pin first, so that the file is complete when it is seen. Until then the file that is there
        // serves on.
        if let Some(signature) = &signature {
            put(&place.with_extension("wasm.sig"), signature.as_bytes())?;
        }
        let lock = &config.plugins.lock;
        let pin = |digest| Lock::pin_in(lock, name, digest).map_err(|error| format!("error: {error}"));
        let before = if self.no_lock { None } else { pin(digest)? };
        if let Err(error) = put(&place, &bytes) {
            before.map(pin).transpose()?;
            return Err(error);
        }
        let pinned = if self.no_lock { String::new() } else { format!(", pinned in {}", lock.display()) };
        Ok(format!("installed {name} {} ({}) as {}{pinned}", adapter.manifest.version, digest.short(), place.display()))
    }

    /// The component, and its signature.
    fn read(&self) -> Result<(Vec<u8>, Option<String>), String> {
        if self.file == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(|error| at(&self.file, error))?;
            return Ok((bytes, None));
        }
        let bytes = std::fs::read(&self.file).map_err(|error| at(&self.file, error))?;
        Ok((bytes, signature_beside(&self.file)))
    }
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("error: {}: {error}", path.display())
}
