//! Checks of the SDKs for Python and JavaScript: their tests on this machine's Python and Node; the JavaScript types,
//! which are generated from the contract; and the second engine for JavaScript.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::tools::Tool;
use crate::process;
use crate::workspace::Workspace;

const WORLD: [&str; 4] = ["-d", "wit", "-w", "adapter"];
/// The folder of `StarlingMonkey`, with the lock of its packages.
const ENGINE: &str = "tests/sdk/starling";

/// Checks of a script language besides the transcript; `project` is the result of the transcript.
pub(super) fn check(language: &str, project: &Path, tool: &Tool, workspace: &Workspace) -> Result<()> {
    match language {
        "python" => python(project, tool, workspace),
        "javascript" => javascript(project, tool, workspace),
        _ => Ok(()),
    }
}

/// Runs the SDK's tests, with the classes that the author's editor would see.
fn python(project: &Path, tool: &Tool, workspace: &Workspace) -> Result<()> {
    let typings = project.join("build/typings");
    if typings.exists() {
        std::fs::remove_dir_all(&typings)?;
    }
    let bindings =
        tool.command("componentize-py").current_dir(project).args(WORLD).args(["bindings", "build/typings"]).status();
    anyhow::ensure!(bindings.is_ok_and(|status| status.success()), "componentize-py writes no bindings");
    let path = std::env::join_paths([typings, project.join("vendor/sdk/python"), project.join("src")])?;
    let tests = workspace.root.join("tests/sdk/test_sdk.py");
    process::run(tool.command("python").arg("-B").arg(tests).env("PYTHONPATH", path)).context("the SDK for Python")
}

/// Checks that the types agree with the contract, runs the SDK's tests, and checks the project's own types.
fn javascript(project: &Path, tool: &Tool, workspace: &Workspace) -> Result<()> {
    let node = || {
        let mut command = tool.command("node");
        command.current_dir(&workspace.root);
        command
    };
    process::run(node().args(["sdk/javascript/tools/contract.mjs", "--check"]))?;
    process::run(node().args(["--test", "tests/sdk/sdk.test.mjs"])).context("the SDK for JavaScript")?;
    process::run(tool.command("tsc").current_dir(project).args(["--project", "jsconfig.json"])).context("its types")
}

/// Builds the same JavaScript for `StarlingMonkey`. This takes long, so it runs only on request.
pub(super) fn starling(project: &Path, weir: &mut Command, workspace: &Workspace) -> Result<()> {
    let npm = process::find("npm").context("npm is not installed")?;
    let place = workspace.target.join("authors-tools/starling");
    std::fs::create_dir_all(&place)?;
    for file in ["package.json", "package-lock.json", "build.mjs"] {
        std::fs::copy(workspace.root.join(ENGINE).join(file), place.join(file))?;
    }
    // Not `ci`: it fails on packages that are not published for every platform.
    let install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    process::run(Command::new(npm).current_dir(&place).args(install))?;
    // The component has the same name as the first one, because its manifest has it.
    let product = project.join("build/starling");
    std::fs::create_dir_all(&product)?;
    let name = project.file_name().context("a project has a name")?;
    let product = product.join(name).with_extension("wasm");
    process::run(Command::new("node").current_dir(project).arg(place.join("build.mjs")).arg(&product))?;
    process::run(weir.current_dir(project).args(["plugin", "test"]).arg(&product).arg("fixtures"))
        .context("on StarlingMonkey")
}
