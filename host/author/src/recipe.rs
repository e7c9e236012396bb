//! The commands that build a project in each language, and hints for when they fail.

mod c;
mod go;
mod javascript;
mod python;
mod rust;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::language::Language;
use super::project::Project;

/// One command, which runs in the project's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The program, searched for on the path.
    pub program: OsString,
    /// What the program is called with.
    pub arguments: Vec<OsString>,
    /// Environment variables to set.
    pub variables: Vec<(&'static str, &'static str)>,
}

impl Step {
    fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: vec![], variables: vec![] }
    }

    fn args<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    fn var(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The command, ready to run in a folder.
    pub fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(dir).args(&self.arguments).envs(self.variables.iter().copied());
        command
    }

    /// The command line as a person would type it.
    pub fn line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        let words =
            std::iter::once(&self.program).chain(&self.arguments).map(|word| word.to_string_lossy().into_owned());
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// The commands of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The commands in order.
    pub steps: Vec<Step>,
    /// The file that they produce.
    pub product: PathBuf,
}

/// Why a project has no recipe. Where a tool is missing, the words say how to install it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// There is no cargo.
    #[error("Rust projects are built with cargo, which isn't there; https://rustup.rs says how to install it")]
    NoCargo,
    /// Cargo does not understand the project's own file.
    #[error("cargo cannot read {}", .0.display())]
    CargoManifest(PathBuf),
    /// There is no go.
    #[error("Go projects are built with go 1.{minor} or later, which isn't there; https://go.dev/dl has it", minor = go::MINOR)]
    NoGo,
    /// There is no clang for WASI.
    #[error("{}", c::NO_COMPILER)]
    NoClang,
    /// There is no componentize-py.
    #[error("Python projects are built with {tool}, which isn't there: pip install {tool}", tool = python::TOOL)]
    NoComponentizePy,
    /// There is no componentize-qjs.
    #[error("JavaScript projects are built with {tool}, which isn't there: npm install (in the project)", tool = javascript::TOOL)]
    NoComponentizeQjs,
}

/// The recipe of a project: its own, or that of its language.
pub fn of(project: &Project) -> Result<Recipe, RecipeError> {
    if let Some(own) = &project.build {
        let step = |words: &Vec<String>| {
            let (program, arguments) = words.split_first()?;
            Some(Step::new(program).args(arguments))
        };
        return Ok(Recipe {
            steps: own.run.iter().filter_map(step).collect(),
            product: project.dir.join(&own.product),
        });
    }
    match project.language {
        Language::Rust => rust::recipe(project),
        Language::Python => python::recipe(project),
        Language::Javascript => javascript::recipe(project),
        Language::Go => go::recipe(project),
        Language::C => c::recipe(project),
    }
}

/// The likely cause when a language's commands have failed.
pub fn hint(project: &Project) -> Option<String> {
    match (&project.build, project.language) {
        (None, Language::Rust) => rust::hint(project),
        (None, Language::Go) => go::hint(project),
        _ => None,
    }
}

/// The standard output of a program; `None` if it is missing or fails.
fn asked(program: &str, arguments: &[&str], dir: &Path) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(dir).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A tool installed in the project, or else one on the path.
fn tool(name: &str, own: &Path) -> Option<OsString> {
    let file = own.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    // Commands run in the project's folder, so the path of its own tools must be absolute.
    let file = file.is_file().then(|| file.canonicalize().ok()).flatten();
    file.map(PathBuf::into_os_string).or_else(|| is_there(name).then(|| name.into()))
}

/// Whether a program is on the path.
fn is_there(program: &str) -> bool {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(&file).is_file())
}

#[cfg(test)]
mod tests {
    use super::super::project::OwnBuild;
    use super::*;

    #[test]
    fn a_projects_own_commands_replace_the_languages() {
        let own = OwnBuild { run: vec![vec!["make".into(), "all".into()], vec![]], product: "out/core.wasm".into() };
        let project = Project {
            dir: "here".into(),
            name: "zeta".into(),
            language: Language::C,
            watch: None,
            fixtures: "here/fixtures".into(),
            build: Some(own),
        };
        let recipe = of(&project).unwrap();
        assert_eq!(recipe.product, Path::new("here/out/core.wasm"));
        assert_eq!(recipe.steps.iter().map(Step::line).collect::<Vec<_>>(), ["make all"]);
    }

    #[test]
    fn a_command_line_can_be_typed() {
        let step = Step::new("go").args(["build", "."]).var("GOOS", "wasip1");
        assert_eq!(step.line(), "GOOS=wasip1 go build .");
    }
}
