//! Python: componentize-py, which combines the interpreter and the program in one component.

use super::super::project::Project;
use super::{Recipe, RecipeError, Step, tool};

pub(super) const TOOL: &str = "componentize-py";

pub(super) fn recipe(project: &Project) -> Result<Recipe, RecipeError> {
    let Some(tool) = tool(TOOL, &project.dir.join(".venv/bin")) else {
        return Err(RecipeError::NoComponentizePy);
    };
    let step = Step::new(tool)
        .args(["-d", "wit", "-w", "adapter", "componentize", "-p", "src", "-p", "vendor/sdk/python"])
        .args(["app", "-o", "build/component.wasm"]);
    Ok(Recipe { steps: vec![step], product: project.scratch().join("component.wasm") })
}
