//! `weir plugin push`: pushes an adapter to a registry.

use std::path::PathBuf;

use clap::Args;

use super::attest;
use super::registry::{Access, runtime};
use weir_adapters::inspect;
use weir_adapters::watch::signature_beside;
use weir_fixtures::proof;
use weir_fixtures::proof::{Bounds, Depth, Fixture};
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

impl Push {
    pub(super) fn run(&self) -> Result<String, String> {
        let reference: Reference = self.reference.parse().map_err(|error| format!("error: {error}"))?;
        let package = self.package()?;
        let registry = self.access.registry(&reference)?;
        let digest = runtime()?.block_on(registry.push(&reference, &package));
        let digest = digest.map_err(|error| format!("error: {reference}: {error}"))?;
        let signed = if package.signature.is_some() { "signed" } else { "not signed" };
        Ok(format!("pushed {reference} ({digest}): {signed}, {} fixtures", package.fixtures.len()))
    }

    /// The component with what describes it and what lies beside it.
    fn package(&self) -> Result<Package, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("error: {}: {error}", self.file.display());
        let bytes = component_file::read(&self.file).map_err(|error| wrong(&error))?;
        let inspected = inspect::inspect(&super::loader()?, &bytes).map_err(|error| wrong(&error))?;
        // Fixtures within the component are pushed with it anyway.
        let fixtures = proof::beside(&self.file, || Ok(Vec::new()), Bounds::GATE).map_err(|error| wrong(&error))?;
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

    /// The statement that the component reproduces its fixtures. One that does not is not pushed: nowhere would it serve.
    fn prove(&self, name: &str, bytes: &[u8], fixtures: &[Fixture]) -> Result<String, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("error: {}: {error}", self.file.display());
        let adapter = super::loader()?.load(name, bytes, &super::admission(name)).map_err(|error| wrong(&error))?;
        let report = proof::prove_to(&adapter, fixtures, Depth::COMMAND);
        match report.first_failure() {
            Some(failure) => Err(wrong(&format!("it fails {} of its fixtures: {failure}", report.failed))),
            None => Ok(attest::statement(name, bytes, fixtures, &report).to_string()),
        }
    }
}
