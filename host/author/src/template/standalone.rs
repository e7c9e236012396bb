//! Makes a crate's manifest independent of its workspace: replaces each `x.workspace = true` by the workspace's value
//! of x.

use toml::{Table, Value};

/// Why a manifest cannot be made independent.
#[derive(Debug, thiserror::Error)]
pub enum StandaloneError {
    /// One of the two manifests is not TOML.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// The workspace shares nothing.
    #[error("there are no shared dependencies")]
    NoShared,
    /// The result cannot be written.
    #[error(transparent)]
    Write(#[from] toml::ser::Error),
}

/// Converts the manifest of a crate that is copied out of its workspace. Its tests are not copied, so their
/// dependencies are removed.
pub(super) fn manifest(krate: &str, workspace: &str) -> Result<String, StandaloneError> {
    let (mut krate, workspace) = (krate.parse::<Table>()?, workspace.parse::<Table>()?);
    let of_workspace = |path: &[&str]| {
        let steps = path.iter().try_fold(workspace.get("workspace")?, |value, step| value.get(step));
        steps.and_then(Value::as_table)
    };
    krate.remove("dev-dependencies");
    krate.remove("lints");
    if let (Some(package), Some(shared)) = (table(&mut krate, "package"), of_workspace(&["package"])) {
        resolve(package, shared);
    }
    let Some(shared) = of_workspace(&["dependencies"]) else { return Err(StandaloneError::NoShared) };
    if let Some(dependencies) = table(&mut krate, "dependencies") {
        resolve(dependencies, shared);
    }
    for (_, target) in table(&mut krate, "target").into_iter().flatten() {
        if let Some(dependencies) = target.get_mut("dependencies").and_then(Value::as_table_mut) {
            resolve(dependencies, shared);
        }
    }
    Ok(toml::to_string(&krate)?)
}

fn table<'a>(of: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    of.get_mut(name)?.as_table_mut()
}

fn resolve(table: &mut Table, shared: &Table) {
    for (name, value) in table.iter_mut() {
        let is_shared = value.get("workspace").and_then(Value::as_bool) == Some(true);
        if let Some(own) = shared.get(name).filter(|_| is_shared) {
            *value = own.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_workspace_are_written_out() {
        let krate = "[package]\nname = \"a\"\nversion.workspace = true\n[dependencies]\nx.workspace = true\ny = \"1\"\n\
            [target.'cfg(any)'.dependencies]\nx.workspace = true\n[dev-dependencies]\nz.workspace = true\n\
            [lints]\nworkspace = true\n";
        let workspace = "[workspace.package]\nversion = \"2.0.0\"\n[workspace.dependencies]\n\
            x = { version = \"3\", features = [\"f\"] }\n";
        let manifest: Table = manifest(krate, workspace).unwrap().parse().unwrap();
        assert_eq!(manifest["package"]["version"].as_str(), Some("2.0.0"));
        assert_eq!(manifest["dependencies"]["x"]["version"].as_str(), Some("3"));
        assert_eq!(manifest["dependencies"]["y"].as_str(), Some("1"));
        assert_eq!(manifest["target"]["cfg(any)"]["dependencies"]["x"]["features"][0].as_str(), Some("f"));
        assert!(!manifest.contains_key("dev-dependencies") && !manifest.contains_key("lints"));
    }
}
