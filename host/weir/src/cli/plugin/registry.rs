//! Adapters in registries, for the commands that fetch them, and `weir plugin pull`.

use std::path::{Path, PathBuf};

use clap::Args;
use tokio::runtime::Runtime;

use crate::cli::failure::{CommandError, Failure, FileError, NoRuntime};
use weir_adapters::atomic_file;
use weir_adapters::atomic_file::Readers;
use weir_config::Secret;
use weir_registry::{Adapter, Login, Reference, ReferenceError, Registry, RegistryError};
use weir_sandbox::Version;

/// How a registry is reached.
#[derive(Debug, Args)]
pub(super) struct Access {
    /// A host that is asked in place of the reference's registry, and has the same repositories.
    #[arg(long, value_name = "HOST")]
    mirror: Option<String>,
    /// The url of a proxy on the way to the registry; `NO_PROXY` names hosts that need none.
    #[arg(long, value_name = "URL", env = "WEIR_REGISTRY_PROXY")]
    proxy: Option<String>,
    /// The name to log in to the registry with.
    #[arg(long = "registry-user", value_name = "NAME", env = "WEIR_REGISTRY_USER", requires = "password")]
    user: Option<String>,
    /// The password, or a token in its place. Other users of the machine can read command lines: set
    /// `WEIR_REGISTRY_PASSWORD` instead.
    #[arg(
        long = "registry-password",
        value_name = "PASSWORD",
        id = "password",
        env = "WEIR_REGISTRY_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,
}

/// Why an adapter cannot be fetched from a registry.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReferenceFailure {
    /// The text is not a reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The registry fails, or has something else.
    #[error("{reference}: {source}")]
    Registry {
        /// What was asked for.
        reference: Reference,
        /// The failure.
        source: Box<RegistryError>,
    },
    /// It is built for a contract that this Weir does not have.
    #[error("{reference}: it is built for the contract {contract}, and this Weir has {}", Version::supported())]
    Contract {
        /// What was asked for.
        reference: Reference,
        /// The one that its manifest names.
        contract: String,
    },
}

impl CommandError for ReferenceFailure {}

impl ReferenceFailure {
    /// Says of what a registry's failure is.
    pub(super) fn of(reference: &Reference) -> impl Fn(RegistryError) -> Self + '_ {
        move |source| Self::Registry { reference: reference.clone(), source: Box::new(source) }
    }
}

impl Access {
    /// The repository of a reference.
    pub(super) fn registry(&self, reference: &Reference) -> Result<Registry, ReferenceFailure> {
        let login = self.user.clone().zip(self.password.as_deref().map(Secret::new));
        let login = login.map(|(user, password)| Login { user, password });
        Registry::new(reference, self.mirror.as_deref(), self.proxy.as_deref(), login)
            .map_err(ReferenceFailure::of(reference))
    }
}

/// A runtime for the requests of one command.
pub(super) fn runtime() -> Result<Runtime, NoRuntime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// What a reference means now.
pub(super) struct ResolvedReference {
    pub(super) adapter: Adapter,
    reference: Reference,
    registry: Registry,
    runtime: Runtime,
}

/// A component that was fetched into a temporary folder, with its signature and its fixtures beside it.
pub(super) struct Fetched {
    pub(super) file: PathBuf,
    folder: PathBuf,
}

impl ResolvedReference {
    /// Asks the registry.
    pub(super) fn at(text: &str, access: &Access) -> Result<Self, Failure> {
        let reference: Reference = text.parse().map_err(ReferenceFailure::Reference)?;
        let registry = access.registry(&reference)?;
        let runtime = runtime()?;
        let found = runtime.block_on(registry.find(&reference));
        let adapter = found.map_err(ReferenceFailure::of(&reference))?;
        Ok(Self { adapter, reference, registry, runtime })
    }

    /// Checks that this Weir has the contract that the adapter is built for, if that is known.
    pub(super) fn check_contract(&self) -> Result<(), ReferenceFailure> {
        match self.adapter.contract.as_deref().filter(|contract| Version::named(contract).is_none()) {
            None => Ok(()),
            Some(other) => {
                Err(ReferenceFailure::Contract { reference: self.reference.clone(), contract: other.to_owned() })
            }
        }
    }

    /// Fetches the signatures; `None` if there are none.
    pub(super) fn signature(&self) -> Result<Option<String>, ReferenceFailure> {
        self.wait(self.registry.signatures(&self.adapter))
    }

    /// Fetches the report of its fixtures; `None` if there is none.
    fn proof(&self) -> Result<Option<String>, ReferenceFailure> {
        self.wait(self.registry.proof(&self.adapter))
    }

    /// Fetches all parts into a temporary folder in `dir`.
    pub(super) fn fetch(&self, dir: &Path, signature: Option<String>) -> Result<Fetched, Failure> {
        let folder = dir.join(format!(".fetched-{}.tmp", std::process::id()));
        let fetched = Fetched { file: folder.join(format!("{}.wasm", self.name())), folder };
        self.write(&fetched.folder, signature)?;
        Ok(fetched)
    }

    /// The name of its file.
    fn name(&self) -> &str {
        let last = || self.reference.name.rsplit('/').next().unwrap_or("adapter");
        self.adapter.name.as_deref().unwrap_or_else(last)
    }

    fn write(&self, folder: &Path, signature: Option<String>) -> Result<PathBuf, Failure> {
        let component = self.wait(self.registry.component(&self.adapter))?;
        let fixtures = self.wait(self.registry.fixtures(&self.adapter))?;
        let file = folder.join(format!("{}.wasm", self.name()));
        for (name, text) in &fixtures {
            put(&file.with_extension("fixtures").join(name), text.as_bytes())?;
        }
        if let Some(signature) = signature {
            put(&file.with_extension("wasm.sig"), signature.as_bytes())?;
        }
        put(&file, &component)?;
        Ok(file)
    }

    /// Waits for what the registry answers.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, RegistryError>>) -> Result<T, ReferenceFailure> {
        self.runtime.block_on(answer).map_err(ReferenceFailure::of(&self.reference))
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn put(file: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = written.and_then(|()| atomic_file::put(file, bytes, Readers::All));
    written.map_err(FileError::at(file))
}

/// `weir plugin pull`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Pull {
    /// The adapter: `oci://REGISTRY/NAME:TAG` or `oci://REGISTRY/NAME@sha256:...`.
    reference: String,
    /// The folder for its files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[command(flatten)]
    access: Access,
}

impl Pull {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let found = ResolvedReference::at(&self.reference, &self.access)?;
        let signature = found.signature()?;
        let file = found.write(&self.out, signature)?;
        if let Some(proof) = found.proof()? {
            put(&file.with_extension("proof.json"), proof.as_bytes())?;
        }
        Ok(format!("fetched {} ({}) as {}", found.reference, found.adapter.manifest, file.display()))
    }
}
