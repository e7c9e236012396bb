//! The chart: helm checks and renders it, as it is and with everything switched on, and the result is validated against
//! Kubernetes's schemas.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::check::Outcome;
use crate::process;
use crate::workspace::Workspace;

/// The versions of Kubernetes that the chart is validated for.
const VERSIONS: [&str; 2] = ["1.31", "1.37"];
/// helm as a Go module, for machines that have Go.
const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.19.0";

pub(super) fn check(workspace: &Workspace) -> Result<Outcome> {
    let Some(helm) = helm(workspace) else {
        return Ok(Outcome::Skipped("CHART NOT RENDERED: helm is not installed".to_owned()));
    };
    let folder = workspace.root.join("deploy/helm");
    let chart = folder.join("weir");
    process::run(Command::new(&helm).arg("lint").arg("--strict").arg(&chart))?;
    let place = workspace.target.join("deploy/chart");
    super::empty(&place)?;
    let validator = validator(workspace);
    for version in VERSIONS {
        for values in [None, Some(folder.join("all.yaml"))] {
            let mut template = Command::new(&helm);
            template.args(["template", "weir", "--kube-version", version]).arg(&chart);
            template.args(values.iter().flat_map(|file| ["--values".into(), file.clone().into_os_string()]));
            let file = place.join(format!("{}-{version}.yaml", if values.is_some() { "all" } else { "plain" }));
            fs::write(&file, process::read(&mut template)?)?;
            if let Ok(validator) = &validator {
                process::run(Command::new(validator).args(["-k", version, "--strict", "--quiet"]).arg(file))?;
            }
        }
    }
    for wrong in ["replicas=-1", "nonsense=1", "secrets[0]=../up"] {
        let mut template = Command::new(&helm);
        template.arg("template").arg(&chart).args(["--kube-version", VERSIONS[0], "--set", wrong]);
        ensure!(!template.output()?.status.success(), "the chart takes {wrong}");
    }
    Ok(match validator {
        Ok(_) => Outcome::Passed,
        Err(error) => Outcome::Skipped(format!("CHART NOT VALIDATED: {error:#}")),
    })
}

/// helm, or one that Go builds once, from its module.
fn helm(workspace: &Workspace) -> Option<PathBuf> {
    let folder = workspace.target.join("tools");
    let own = folder.join("helm");
    if own.is_file() {
        return Some(own);
    }
    if let Some(helm) = process::find("helm") {
        return Some(helm);
    }
    let go = process::find("go")?;
    println!("building helm with Go; this takes some minutes, once");
    match process::run(Command::new(go).env("GOBIN", &folder).args(["install", HELM])) {
        Ok(()) => Some(own),
        Err(error) => {
            println!("helm cannot be built: {error:#}");
            None
        }
    }
}

/// The program that knows Kubernetes's schemas.
fn validator(workspace: &Workspace) -> Result<PathBuf> {
    Ok(super::python(workspace)?.with_file_name("kubernetes-validate"))
}
