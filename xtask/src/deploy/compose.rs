//! `compose.yml`: it is YAML, the files that it mounts and the volumes and services that it names are there, its ports
//! are published to this machine only, and Weir knows the variables that it sets.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::check::Outcome;
use crate::process;
use crate::workspace::Workspace;

/// Prints a file of YAML as JSON.
const AS_JSON: &str =
    "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1], encoding='utf-8')), sys.stdout)";
/// The reference of variables, which is made from the declarations of all keys.
const REFERENCE: &str = "docs/configuration.md";

pub(super) fn check(workspace: &Workspace) -> Result<Outcome> {
    let python = match super::python(workspace) {
        Ok(python) => python,
        Err(error) => return Ok(Outcome::Skipped(format!("COMPOSE NOT CHECKED: {error:#}"))),
    };
    let folder = workspace.root.join("deploy");
    let text = process::read(Command::new(python).args(["-c", AS_JSON]).arg(folder.join("compose.yml")))?;
    let file = serde_json::from_str(&text).context("compose.yml is no YAML that has a form in JSON")?;
    let reference = fs::read_to_string(workspace.root.join(REFERENCE)).context(REFERENCE)?;
    holds(&file, &folder, &reference).context("in deploy/compose.yml")?;
    Ok(Outcome::Passed)
}

/// Checks all services of a file in this folder.
fn holds(file: &Value, folder: &Path, reference: &str) -> Result<()> {
    let services = table(file, "services").context("there are no services")?;
    for (name, service) in services {
        service_holds(service, file, folder, reference).with_context(|| format!("in the service {name}"))?;
    }
    Ok(())
}

fn service_holds(service: &Value, file: &Value, folder: &Path, reference: &str) -> Result<()> {
    if let Some(build) = table(service, "build") {
        let text = |key: &str| build.get(key).and_then(Value::as_str).unwrap_or_default();
        let dockerfile = folder.join(text("context")).join(text("dockerfile"));
        ensure!(dockerfile.is_file(), "there is no {}", dockerfile.display());
    }
    for volume in list(service, "volumes") {
        let source = volume.split(':').next().unwrap_or_default();
        let is_there = if source.starts_with('.') {
            folder.join(source).exists()
        } else {
            table(file, "volumes").is_some_and(|volumes| volumes.contains_key(source))
        };
        ensure!(is_there, "there is no {source} for the volume {volume}");
    }
    for port in list(service, "ports") {
        ensure!(port.starts_with("127.0.0.1:"), "the port {port} is published to other machines");
    }
    for other in table(service, "depends_on").into_iter().flat_map(Map::keys) {
        ensure!(file["services"].get(other).is_some(), "there is no service {other}");
    }
    for name in table(service, "environment").into_iter().flat_map(Map::keys) {
        is_known(name, reference)?;
    }
    Ok(())
}

/// Whether the reference has a variable. There it has its short name, with single underscores.
fn is_known(name: &str, reference: &str) -> Result<()> {
    if !name.starts_with("WEIR_") || reference.contains(&format!("- `{}`: ", name.replace("__", "_"))) {
        return Ok(());
    }
    bail!("Weir knows no variable {name}")
}

fn table<'a>(value: &'a Value, key: &str) -> Option<&'a Map<String, Value>> {
    value.get(key)?.as_object()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(change: impl Fn(&mut Value)) -> String {
        let folder = tempfile::tempdir().unwrap();
        for file in ["Dockerfile", "weir.toml"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let mut file = json!({
            "services": {
                "weir": {
                    "build": {"context": ".", "dockerfile": "Dockerfile"},
                    "environment": {"WEIR_STORE__URL": "x", "OTHER": "y"},
                    "volumes": ["./weir.toml:/etc/weir/weir.toml:ro", "data:/data"],
                    "ports": ["127.0.0.1:8080:8080"],
                    "depends_on": {"db": {"condition": "service_started"}},
                },
                "db": {"image": "postgres"},
            },
            "volumes": {"data": null},
        });
        change(&mut file["services"]["weir"]);
        let verdict = holds(&file, folder.path(), "- `WEIR_STORE_URL`: `store.url`\n");
        verdict.map_or_else(|error| format!("{error:#}"), |()| "it holds".to_owned())
    }

    #[test]
    fn what_a_service_names_has_to_be_there() {
        assert_eq!(verdict(|_| {}), "it holds");
        for (key, value, what) in [
            ("build", json!({"context": "..", "dockerfile": "Nofile"}), "there is no "),
            ("volumes", json!(["./gone.toml:/etc/weir/weir.toml:ro"]), "there is no ./gone.toml"),
            ("volumes", json!(["gone:/data"]), "there is no gone"),
            ("ports", json!(["9090:9090"]), "the port 9090:9090 is published"),
            ("depends_on", json!({"cache": {}}), "there is no service cache"),
            ("environment", json!({"WEIR_STORE__ADDRESS": "x"}), "Weir knows no variable WEIR_STORE__ADDRESS"),
        ] {
            let found = verdict(|service| service[key] = value.clone());
            assert!(found.starts_with("in the service weir: ") && found.contains(what), "{found}");
        }
    }
}
