//! Rust: cargo, for the target without implicit imports.

use std::path::PathBuf;

use serde_json::Value;

use super::super::project::Project;
use super::{Recipe, RecipeError, Step, asked};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "adapter";

pub(super) fn recipe(project: &Project) -> Result<Recipe, RecipeError> {
    let metadata = asked("cargo", &["metadata", "--no-deps", "--format-version", "1"], &project.dir);
    let Some(target) = metadata.as_deref().and_then(target_directory) else {
        return Err(match asked("cargo", &["--version"], &project.dir) {
            None => RecipeError::NoCargo,
            Some(_) => RecipeError::CargoManifest(project.dir.join("Cargo.toml")),
        });
    };
    let file = format!("{}.wasm", project.name.replace('-', "_"));
    let step = Step::new("cargo").args(["build", "--profile", PROFILE, "--target", TARGET]);
    Ok(Recipe { steps: vec![step], product: target.join(TARGET).join(PROFILE).join(file) })
}

fn target_directory(metadata: &str) -> Option<PathBuf> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    metadata["target_directory"].as_str().map(PathBuf::from)
}

/// A hint for a toolchain without the target, whose own error is "can't find crate for `core`".
pub(super) fn hint(project: &Project) -> Option<String> {
    let sysroot = asked("rustc", &["--print", "sysroot"], &project.dir)?;
    let library = PathBuf::from(sysroot).join("lib/rustlib").join(TARGET).join("lib");
    (!library.is_dir()).then(|| format!("the toolchain lacks the target {TARGET}: rustup target add {TARGET}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_where_cargo_says() {
        assert_eq!(target_directory(r#"{"target_directory":"/t"}"#), Some("/t".into()));
        assert_eq!(target_directory("{"), None);
    }
}
