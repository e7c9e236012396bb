//! Go: the stock toolchain, whose modules import WASI preview 1.

use super::super::project::Project;
use super::{Recipe, RecipeError, Step, asked, is_there};

/// The first minor version of Go 1 that supports the bindings' module.
pub(super) const MINOR: u32 = 25;

pub(super) fn recipe(project: &Project) -> Result<Recipe, RecipeError> {
    if !is_there("go") {
        return Err(RecipeError::NoGo);
    }
    let core = project.scratch().join("core.wasm");
    let step = Step::new("go")
        .args(["build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", "build/core.wasm", "."])
        .var("GOOS", "wasip1")
        .var("GOARCH", "wasm");
    Ok(Recipe { steps: vec![step], product: core })
}

pub(super) fn hint(project: &Project) -> Option<String> {
    let version = asked("go", &["env", "GOVERSION"], &project.dir)?;
    let is_old = minor(&version).is_some_and(|minor| minor < MINOR);
    is_old.then(|| format!("this is {version}, and the project wants go 1.{MINOR} or later; https://go.dev/dl has it"))
}

/// The minor version in `go1.26.1`.
fn minor(version: &str) -> Option<u32> {
    let digits = version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(minor("go1.26.8"), Some(26));
        assert_eq!(minor("go1.24rc1"), Some(24));
        assert_eq!(minor("devel go1.27"), None);
    }
}
