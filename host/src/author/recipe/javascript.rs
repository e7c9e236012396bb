//! JavaScript: componentize-qjs, which puts QuickJS and the program into one component.

use super::super::project::Project;
use super::{Recipe, Step, is_there};

const TOOL: &str = "componentize-qjs";

pub(super) fn recipe(project: &Project) -> Result<Recipe, String> {
    if !is_there(TOOL) {
        return Err(format!("JavaScript projects are built with {TOOL}, which isn't there: npm install -g {TOOL}"));
    }
    // Without `--sync` the component holds asynchronous built-ins, which Weir's engine refuses.
    let step = Step::new(TOOL).args([
        "--wit",
        "wit",
        "-n",
        "adapter",
        "--js",
        "src/adapter.js",
        "--sync",
        "-o",
        "build/component.wasm",
    ]);
    Ok(Recipe { steps: vec![step], product: project.scratch().join("component.wasm") })
}
