//! JavaScript: componentize-qjs, which combines `QuickJS` and the program in one component.

use super::super::project::Project;
use super::{Recipe, RecipeError, Step, tool};

pub(super) const TOOL: &str = "componentize-qjs";

pub(super) fn recipe(project: &Project) -> Result<Recipe, RecipeError> {
    let Some(tool) = tool(TOOL, &project.dir.join("node_modules/.bin")) else {
        return Err(RecipeError::NoComponentizeQjs);
    };
    // Without `--sync` the component contains asynchronous built-ins, which Weir's engine refuses.
    let step = Step::new(tool).args(["--wit", "wit", "-n", "adapter", "--js", "src/adapter.js"]).args([
        "--sync",
        "-o",
        "build/component.wasm",
    ]);
    Ok(Recipe { steps: vec![step], product: project.scratch().join("component.wasm") })
}
