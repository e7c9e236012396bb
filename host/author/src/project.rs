//! Reads `adapter.toml`, the settings of a project for these tools. `sdk/templates/README.md` describes it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::language::Language;
use weir_adapters::check;

/// Name of the file.
pub const FILE: &str = "adapter.toml";

/// Why a project cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The folder has no such file.
    #[error("{0} is not an adapter's project: it has no {FILE} (`weir plugin new` makes one)")]
    None(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file's syntax is invalid.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's error, with its position.
        source: Box<toml::de::Error>,
    },
    /// Weir would refuse the name.
    #[error("{}: the name {name:?} {}", path.display(), check::NAME_RULE)]
    Name {
        /// The file.
        path: PathBuf,
        /// The refused name.
        name: String,
    },
}

/// The settings of a project.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project's folder.
    pub dir: PathBuf,
    /// The adapter's name.
    pub name: String,
    /// The language of its sources.
    pub language: Language,
    /// The paths to watch; `None` means the whole folder.
    pub watch: Option<Vec<PathBuf>>,
    /// The folder with its fixtures.
    pub fixtures: PathBuf,
    /// The project's own build commands, if any.
    pub build: Option<OwnBuild>,
}

/// A build other than the language's default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnBuild {
    /// Commands in order, each a program with its arguments.
    pub run: Vec<Vec<String>>,
    /// The file that they produce, relative to the project's folder.
    pub product: PathBuf,
}

/// The file's contents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    language: Language,
    watch: Option<Vec<PathBuf>>,
    fixtures: Option<PathBuf>,
    build: Option<OwnBuild>,
}

impl Project {
    /// Reads the project in a folder.
    pub fn read(dir: &Path) -> Result<Self, ProjectError> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ProjectError::None(dir.to_owned()));
            }
            Err(source) => return Err(ProjectError::Io { path, source }),
        };
        Self::parse(dir, &text)
    }

    fn parse(dir: &Path, text: &str) -> Result<Self, ProjectError> {
        let path = dir.join(FILE);
        let raw: Raw = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(source) => return Err(ProjectError::Syntax { path, source: Box::new(source) }),
        };
        if !check::is_name(&raw.name) {
            return Err(ProjectError::Name { path, name: raw.name });
        }
        Ok(Self {
            fixtures: dir.join(raw.fixtures.unwrap_or_else(|| "fixtures".into())),
            dir: dir.to_owned(),
            name: raw.name,
            language: raw.language,
            watch: raw.watch,
            build: raw.build,
        })
    }

    /// Path of the finished component.
    pub fn output(&self) -> PathBuf {
        self.dir.join(format!("{}.wasm", self.name))
    }

    /// The folder for intermediate files of a build.
    pub fn scratch(&self) -> PathBuf {
        self.dir.join("build")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Project, String> {
        Project::parse(Path::new("here"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn name_and_language_are_enough() {
        let project = read("name = \"zeta-2\"\nlanguage = \"js\"").unwrap();
        assert_eq!(project.language, Language::Javascript);
        assert_eq!(project.output(), Path::new("here/zeta-2.wasm"));
        assert_eq!(project.fixtures, Path::new("here/fixtures"));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let error = read("name = \"zeta\"\nlanguage = \"cobol\"").unwrap_err();
        assert!(error.starts_with("here/adapter.toml: TOML parse error at line 2"), "{error}");
        assert!(read("name = \"Zeta\"\nlanguage = \"c\"").unwrap_err().contains("lower-case"));
        assert!(read("name = \"zeta\"\nlanguage = \"c\"\nbuilt = 1").unwrap_err().contains("unknown field `built`"));
    }

    #[test]
    fn a_folder_without_the_file_is_no_project() {
        let error = Project::read(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(error.contains("weir plugin new"), "{error}");
    }
}
