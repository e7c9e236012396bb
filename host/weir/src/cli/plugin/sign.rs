//! `weir plugin keygen`, `sign` and `verify`: signatures of adapters.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::failure::{CommandError, Failure, FileError, NamedFileError, read_named};
use weir_adapters::atomic_file;
use weir_adapters::atomic_file::Readers;
use weir_adapters::sign::{PublicKey, SignError, SigningKey, verify};
use weir_adapters::watch::signature_beside;
use weir_sandbox::Digest;

#[derive(Debug, Args)]
pub(in crate::cli) struct Keygen {
    /// Prefix of the files to write: `PREFIX.key`, which must stay secret, and `PREFIX.pub`.
    #[arg(long, value_name = "PREFIX", default_value = "weir")]
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

/// Why nothing is signed, or no signature found good.
#[derive(Debug, thiserror::Error)]
enum SignatureError {
    /// A key would be lost.
    #[error("{} is there already; keys are not written over", .0.display())]
    Exists(PathBuf),
    /// No key can be made.
    #[error(transparent)]
    NoKey(SignError),
    /// A key or a signature in a file.
    #[error("{}: {source}", path.display())]
    InFile { path: PathBuf, source: SignError },
    /// A key on the command line, or in the file that stands for it there.
    #[error("{text}: {source}")]
    Given { text: String, source: SignError },
    /// Nothing says which keys are trusted.
    #[error("no key to check against: give --key, or set `plugins.trusted_keys`")]
    NoneTrusted,
    /// There is no signature.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
}

impl CommandError for SignatureError {
    fn is_of_usage(&self) -> bool {
        matches!(self, Self::NoneTrusted)
    }
}

impl Keygen {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let (private, public) = (self.out.with_extension("key"), self.out.with_extension("pub"));
        for path in [&private, &public] {
            if path.exists() {
                return Err(SignatureError::Exists(path.clone()).into());
            }
        }
        let (key, text) = SigningKey::generate().map_err(SignatureError::NoKey)?;
        let shown = key.public().map_err(SignatureError::NoKey)?;
        let put = |path: &Path, text: &str, readers| {
            atomic_file::put(path, text.as_bytes(), readers).map_err(FileError::at(path))
        };
        put(&private, &text, Readers::Owner)?;
        put(&public, &format!("{shown}\n"), Readers::All)?;
        let (private, public) = (private.display(), public.display());
        Ok(format!("wrote {private} (keep it secret) and {public}\n\n[plugins]\ntrusted_keys = [\"{shown}\"]"))
    }
}

impl Sign {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let key = SigningKey::read(&text_of(&self.key)?).map_err(in_file(&self.key))?;
        let digest = digest_of(&self.file)?;
        let path = signature_path(&self.file);
        atomic_file::put(&path, key.sign(digest).as_bytes(), Readers::All).map_err(FileError::at(&path))?;
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
            return Err(SignatureError::NoneTrusted.into());
        }
        let digest = digest_of(&self.file)?;
        let none = || SignatureError::Missing(signature_path(&self.file));
        let signature = signature_beside(&self.file).ok_or_else(none)?;
        let key = verify(&signature, digest, &keys).map_err(in_file(&self.file))?;
        Ok(format!("{digest} is signed by {key}"))
    }
}

/// Parses a key given as text, or reads the file of that name.
fn public(key: &str) -> Result<PublicKey, Failure> {
    let text = if key.starts_with("ed25519:") { key.to_owned() } else { text_of(Path::new(key))? };
    Ok(text.parse().map_err(|source| SignatureError::Given { text: key.to_owned(), source })?)
}

fn signature_path(file: &Path) -> PathBuf {
    file.with_extension("wasm.sig")
}

fn digest_of(file: &Path) -> Result<Digest, NamedFileError> {
    read_named(file).map(|bytes| Digest::of(&bytes))
}

fn text_of(file: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(file).map_err(FileError::at(file))
}

fn in_file(path: &Path) -> impl Fn(SignError) -> SignatureError + '_ {
    move |source| SignatureError::InFile { path: path.to_owned(), source }
}
