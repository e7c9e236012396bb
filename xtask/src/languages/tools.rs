//! The languages' tools: an installed tool is used; otherwise it is installed from the package registries below
//! `target`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::python;
use crate::wasm::{self, Std};
use crate::workspace::Workspace;

/// The environment of a language's commands.
#[derive(Debug, Default)]
pub(super) struct Tool {
    /// Folders in front of the path.
    pub(super) path: Vec<PathBuf>,
    pub(super) variables: Vec<(&'static str, String)>,
    /// Whether the project uses this repository's versions of crates, which are downloaded and tested.
    locks: bool,
}

impl Tool {
    /// A command for one of the tool's programs, or for the machine's program of that name.
    pub(super) fn command(&self, program: &str) -> Command {
        let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let own = self.path.iter().map(|folder| folder.join(&file)).find(|place| place.is_file());
        Command::new(own.unwrap_or_else(|| program.into()))
    }

    /// Prepares a new project.
    pub(super) fn prepare(&self, project: &Path, workspace: &Workspace) -> Result<()> {
        if self.locks {
            fs::copy(workspace.root.join("Cargo.lock"), project.join("Cargo.lock"))?;
        }
        Ok(())
    }
}

/// The tool of a language; the error names the reason why there is none.
pub(super) fn of(language: &str, workspace: &Workspace) -> Result<Tool> {
    let templates = workspace.root.join("sdk/templates");
    match language {
        "rust" => rust(workspace),
        "go" => go(),
        "c" => c(workspace),
        "python" => python_with(workspace, "python", &templates.join("python/requirements.txt")),
        "javascript" => javascript(workspace, &templates.join("javascript")),
        _ => bail!("its tool is unknown"),
    }
}

fn rust(workspace: &Workspace) -> Result<Tool> {
    let mut tool = Tool { locks: true, ..Tool::default() };
    // The target folder of the bundled adapters: it has the compiled dependencies, and is kept between runs.
    let target = workspace.target.join("adapters");
    tool.variables.push(("CARGO_TARGET_DIR", target.to_string_lossy().into_owned()));
    if wasm::prepare(workspace)? == Std::Built {
        tool.variables.push(("RUSTC_BOOTSTRAP", "1".to_owned()));
        tool.variables.push(("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".to_owned()));
    }
    Ok(tool)
}

fn go() -> Result<Tool> {
    process::find("go").context("go is not installed")?;
    Ok(Tool::default())
}

/// The installed C compiler, or zig from Python's package index.
fn c(workspace: &Workspace) -> Result<Tool> {
    let clang = process::find("clang").is_some() && Path::new("/usr/include/wasm32-wasi").is_dir();
    if clang || process::find("zig").is_some() || std::env::var_os("WASI_SDK_PATH").is_some() {
        return Ok(Tool::default());
    }
    python_with(workspace, "c", &workspace.root.join("tests/authors/ziglang.txt"))
}

fn python_with(workspace: &Workspace, name: &str, requirements: &Path) -> Result<Tool> {
    let python = python::find().context("python3 is not installed")?;
    let place = workspace.target.join("authors-tools").join(name);
    fs::create_dir_all(&place)?;
    let inside = python::environment(&python, &place, requirements)?;
    Ok(Tool { path: inside.parent().map(Path::to_owned).into_iter().collect(), ..Tool::default() })
}

/// The packages of the template's lock file.
fn javascript(workspace: &Workspace, template: &Path) -> Result<Tool> {
    let npm = process::find("npm").context("npm is not installed")?;
    let place = workspace.target.join("authors-tools/javascript");
    fs::create_dir_all(&place)?;
    let (lock, stamp) = (fs::read_to_string(template.join("package-lock.json"))?, place.join("installed.txt"));
    if !fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(template.join(file), place.join(file))?;
        }
        // Not `ci`: it fails on packages that are not published for every platform. The lock is followed all the same.
        let install =
            ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error"];
        process::run(Command::new(npm).current_dir(&place).args(install))
            .context("npm could not install the template's tools")?;
        fs::write(stamp, lock)?;
    }
    Ok(Tool { path: vec![place.join("node_modules/.bin")], ..Tool::default() })
}
