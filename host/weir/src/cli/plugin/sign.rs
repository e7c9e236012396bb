//! `weir plugin keygen`, `sign` and `verify`: signatures of adapters.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::failure::{Failure, read_named};
use weir_adapters::install;
use weir_adapters::install::Readers;
use weir_adapters::sign::{PublicKey, SigningKey, verify};
use weir_adapters::watch::signature_beside;
use weir_sandbox::Digest;

#[derive(Debug, Args)]
pub(in crate::cli) struct Keygen {
    /// Prefix of the files to write: `OUT.key`, which must stay secret, and `OUT.pub`.
    #[arg(long, value_name = "OUT", default_value = "weir")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The component (`.wasm`). Its signature is written next to it, as `FILE.sig`.
    file: PathBuf,
    /// The private key, as `weir plugin keygen` wrote it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The component (`.wasm`), with `FILE.sig` next to it.
    file: PathBuf,
    /// A public key (`ed25519:…`), or a file that holds it. By default the keys of the configuration are used.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// The configuration with `plugins.trusted_keys`.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
}

impl Keygen {
    pub(super) fn run(&self) -> Result<String, String> {
        let (private, public) = (self.out.with_extension("key"), self.out.with_extension("pub"));
        for path in [&private, &public] {
            if path.exists() {
                return Err(format!("error: {} is there already; keys are not written over", path.display()));
            }
        }
        let (key, text) = SigningKey::generate().map_err(|error| format!("error: {error}"))?;
        let shown = key.public().map_err(|error| format!("error: {error}"))?;
        let put = |path: &Path, text: &str, readers| {
            install::put(path, text.as_bytes(), readers).map_err(|error| at(path, error))
        };
        put(&private, &text, Readers::Owner)?;
        put(&public, &format!("{shown}\n"), Readers::All)?;
        let (private, public) = (private.display(), public.display());
        Ok(format!("wrote {private} (keep it secret) and {public}\n\n[plugins]\ntrusted_keys = [\"{shown}\"]"))
    }
}

impl Sign {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let key = SigningKey::read(&text_of(&self.key)?).map_err(|error| at(&self.key, error))?;
        let digest = digest_of(&self.file)?;
        let path = signature_path(&self.file);
        install::put(&path, key.sign(digest).as_bytes(), Readers::All).map_err(|error| at(&path, error))?;
        Ok(format!("signed {digest}: {}", path.display()))
    }
}

impl Verify {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let keys = if self.key.is_empty() {
            let config = crate::cli::load_without_secrets(self.config.as_deref())?;
            config.plugins.trusted_keys.iter().copied().map(PublicKey::from).collect()
        } else {
            self.key.iter().map(|key| public(key)).collect::<Result<Vec<_>, _>>()?
        };
        if keys.is_empty() {
            let message = "no key to check against: give --key, or set `plugins.trusted_keys`";
            return Err(Failure::Usage(message.to_owned()));
        }
        let digest = digest_of(&self.file)?;
        let none = || format!("error: {} is not there", signature_path(&self.file).display());
        let signature = signature_beside(&self.file).ok_or_else(none)?;
        let key = verify(&signature, digest, &keys).map_err(|error| at(&self.file, error))?;
        Ok(format!("{digest} is signed by {key}"))
    }
}

/// Parses a key given as text, or reads the file of that name.
fn public(key: &str) -> Result<PublicKey, String> {
    let text = if key.starts_with("ed25519:") { key.to_owned() } else { text_of(Path::new(key))? };
    text.parse().map_err(|error| format!("error: {key}: {error}"))
}

fn signature_path(file: &Path) -> PathBuf {
    file.with_extension("wasm.sig")
}

fn digest_of(file: &Path) -> Result<Digest, Failure> {
    read_named(file).map(|bytes| Digest::of(&bytes))
}

fn text_of(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| at(file, error))
}

fn at(file: &Path, error: impl std::fmt::Display) -> String {
    format!("error: {}: {error}", file.display())
}
