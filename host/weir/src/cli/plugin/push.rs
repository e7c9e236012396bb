//! `weir plugin push`: pushes an adapter to a registry.

use std::path::PathBuf;

use clap::Args;

use super::registry::{Access, ReferenceFailure, runtime};
use super::{Unloadable, attest};
use crate::cli::failure::{CommandError, Failure, FileError};
use weir_adapters::inspect;
use weir_adapters::watch::signature_beside;
use weir_fixtures::proof::{self, Bounds, Depth, Fixture, GatherError};
use weir_registry::{Package, Reference};
use weir_sandbox::component_file;

#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The component (`.wasm`). Its signature (`FILE.sig`) and its fixtures (`NAME.fixtures`) beside it are pushed too.
    file: PathBuf,
    /// Where to: `oci://REGISTRY/NAME:TAG`.
    reference: String,
    #[command(flatten)]
    access: Access,
}

/// Why an adapter is not pushed.
#[derive(Debug, thiserror::Error)]
enum PushError {
    /// Its fixtures cannot be read.
    #[error("{}: {source}", path.display())]
    Fixtures { path: PathBuf, source: GatherError },
    /// It does not reproduce them.
    #[error("{}: it fails {failed} of its fixtures: {first}", path.display())]
    Unproved { path: PathBuf, failed: usize, first: String },
}

impl CommandError for PushError {}

impl Push {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let reference: Reference = self.reference.parse().map_err(ReferenceFailure::Reference)?;
        let package = self.package()?;
        let registry = self.access.registry(&reference)?;
        let digest = runtime()?.block_on(registry.push(&reference, &package));
        let digest = digest.map_err(ReferenceFailure::of(&reference))?;
        let signed = if package.signature.is_some() { "signed" } else { "not signed" };
        Ok(format!("pushed {reference} ({digest}): {signed}, {} fixtures", package.fixtures.len()))
    }

    /// The component with what describes it and what lies beside it.
    fn package(&self) -> Result<Package, Failure> {
        let path = &self.file;
        let bytes = component_file::read(path).map_err(FileError::at(path))?;
        let inspected = inspect::inspect(&super::loader()?, &bytes).map_err(Unloadable::at(path))?;
        // Fixtures within the component are pushed with it anyway.
        let fixtures = proof::beside(path, || Ok(Vec::new()), Bounds::GATE);
        let fixtures = fixtures.map_err(|source| PushError::Fixtures { path: path.clone(), source })?;
        let proof =
            if fixtures.is_empty() { None } else { Some(self.prove(&inspected.manifest.name, &bytes, &fixtures)?) };
        Ok(Package {
            proof,
            component: bytes.into(),
            name: inspected.manifest.name,
            version: inspected.manifest.version,
            contract: inspected.contract.to_owned(),
            exports: inspected.shape.exports,
            imports: inspected.shape.imports.into_iter().map(|import| import.name).collect(),
            signature: signature_beside(&self.file),
            fixtures: fixtures.into_iter().map(|it| (format!("{}.json", it.name), it.text)).collect(),
        })
    }

    /// The statement that the component reproduces its fixtures. One that does not is not pushed: nowhere would it
    /// serve.
    fn prove(&self, name: &str, bytes: &[u8], fixtures: &[Fixture]) -> Result<String, Failure> {
        let path = &self.file;
        let adapter = super::loader()?.load(name, bytes, &super::admission(name)).map_err(Unloadable::at(path))?;
        let report = proof::prove_to(&adapter, fixtures, Depth::COMMAND);
        match report.first_failure() {
            Some(first) => Err(PushError::Unproved { path: path.clone(), failed: report.failed, first }.into()),
            None => Ok(attest::statement(name, bytes, fixtures, &report).to_string()),
        }
    }
}
