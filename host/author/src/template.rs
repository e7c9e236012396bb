//! Writes new projects, of adapters and of guards, from the templates embedded in the program.
//! `sdk/templates/README.md` describes them.

mod standalone;

use std::fs;
use std::path::{Path, PathBuf};

use super::language::Language;
use weir_adapters::check;

pub use standalone::StandaloneError;

/// The files that `build.rs` found: paths from the repository's root, and their bytes.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
/// Name of the templates' adapters and guards, which is replaced.
const PLACEHOLDER: &str = "acme";
/// The SDK's manifest, which refers to the workspace's versions.
const SDK: &str = "sdk/rust/Cargo.toml";
const WORKSPACE: &str = "Cargo.toml";

/// The contract's folder.
const CONTRACT: &str = "wit/";

/// What a project makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It knows a wire format.
    Adapter,
    /// It judges requests and answers.
    Guard,
}

impl Kind {
    /// The folder of its templates.
    const fn folder(self) -> &'static str {
        match self {
            Self::Adapter => "sdk/templates/",
            Self::Guard => "sdk/templates/guards/",
        }
    }
}

/// A folder that is copied verbatim into projects of some kinds and languages.
struct Copy {
    kinds: &'static [Kind],
    languages: &'static [Language],
    from: &'static str,
    to: &'static str,
}

use Kind::{Adapter, Guard};
use Language::{C, Go, Javascript, Python, Rust};
const BOTH: &[Kind] = &[Adapter, Guard];
const COPIES: &[Copy] = &[
    Copy { kinds: BOTH, languages: &[Python, Javascript, Go, C], from: CONTRACT, to: "wit/deps/weir/" },
    Copy { kinds: &[Guard], languages: &[Python, Javascript, Go, C], from: "wit/hook/", to: "wit/deps/hook/" },
    Copy { kinds: BOTH, languages: &[Rust], from: CONTRACT, to: "vendor/wit/" },
    // The SDK is for both.
    Copy { kinds: BOTH, languages: &[Rust], from: "wit/hook/", to: "vendor/wit/hook/" },
    Copy { kinds: BOTH, languages: &[Rust], from: "sdk/rust/", to: "vendor/sdk/rust/" },
    Copy { kinds: &[Adapter], languages: &[Python], from: "sdk/python/", to: "vendor/sdk/python/" },
    Copy { kinds: &[Adapter], languages: &[Javascript], from: "sdk/javascript/", to: "vendor/sdk/javascript/" },
    Copy { kinds: &[Guard], languages: &[Go], from: "sdk/templates/go/runtime/", to: "runtime/" },
];

/// Why a project cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Weir would refuse the name.
    #[error("the name {name:?} {}", check::NAME_RULE)]
    Name {
        /// The refused name.
        name: String,
    },
    /// The folder exists and is not empty.
    #[error("{0} is there already, and not empty")]
    Occupied(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// An embedded file is invalid.
    #[error("the embedded {0} cannot be read: {1}")]
    Embedded(&'static str, #[source] StandaloneError),
}

/// Settings of a new project.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// What it makes.
    pub kind: Kind,
    /// The adapter's or guard's name.
    pub name: &'a str,
    /// The language of its sources.
    pub language: Language,
    /// The project's folder, which must be empty or missing.
    pub dir: &'a Path,
}

/// Writes a project, and returns its number of files.
pub fn write(new: &New<'_>) -> Result<usize, TemplateError> {
    if !check::is_name(new.name) {
        return Err(TemplateError::Name { name: new.name.to_owned() });
    }
    if fs::read_dir(new.dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(TemplateError::Occupied(new.dir.to_owned()));
    }
    let files = files(new)?;
    for (path, bytes) in &files {
        put(&new.dir.join(path), bytes)?;
    }
    Ok(files.len())
}

/// All files of a project: relative paths and contents.
fn files(new: &New<'_>) -> Result<Vec<(String, Vec<u8>)>, TemplateError> {
    let own = format!("{}{}/", new.kind.folder(), new.language);
    let mut files: Vec<(String, Vec<u8>)> = below(&own).map(|(path, bytes)| named(path, bytes, new.name)).collect();
    let fixtures = format!("{}fixtures/", new.kind.folder());
    let fixtures = below(&fixtures).map(|(path, bytes)| (format!("fixtures/{path}"), bytes));
    files.extend(fixtures.map(|(path, bytes)| named(&path, bytes, new.name)));
    let is_for = |copy: &&Copy| copy.kinds.contains(&new.kind) && copy.languages.contains(&new.language);
    for copy in COPIES.iter().filter(is_for) {
        // Only the contract's current files: the folders below it hold former releases.
        let wanted = |path: &str| copy.from != CONTRACT || !path.contains('/');
        for (path, bytes) in below(copy.from).filter(|(path, _)| wanted(path)) {
            let bytes = if format!("{}{path}", copy.from) == SDK { sdk_manifest(bytes)? } else { bytes.to_vec() };
            files.push((format!("{}{path}", copy.to), bytes));
        }
    }
    Ok(files)
}

/// The embedded files below a folder, with paths relative to it.
fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    EMBEDDED.iter().filter_map(move |(path, bytes)| Some((path.strip_prefix(folder)?, *bytes)))
}

/// A template's file with the project's name inserted. Binary files are kept unchanged.
fn named(path: &str, bytes: &[u8], name: &str) -> (String, Vec<u8>) {
    let bytes = match std::str::from_utf8(bytes) {
        Ok(text) => text.replace(PLACEHOLDER, name).into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    (path.replace(PLACEHOLDER, name), bytes)
}

fn sdk_manifest(bytes: &[u8]) -> Result<Vec<u8>, TemplateError> {
    let workspace = EMBEDDED.iter().find(|(path, _)| *path == WORKSPACE).map_or(&[][..], |(_, bytes)| bytes);
    let text = standalone::manifest(&String::from_utf8_lossy(bytes), &String::from_utf8_lossy(workspace));
    text.map(String::into_bytes).map_err(|error| TemplateError::Embedded(SDK, error))
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), TemplateError> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    written.map_err(|source| TemplateError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::super::project::Project;
    use super::*;

    fn new<'a>(name: &'a str, language: Language, dir: &'a Path) -> New<'a> {
        New { kind: Adapter, name, language, dir }
    }

    fn all() -> impl Iterator<Item = (Kind, Language)> {
        BOTH.iter().flat_map(|kind| Language::ALL.map(|language| (*kind, language)))
    }

    #[test]
    fn every_template_is_a_project_with_fixtures_and_a_readme() {
        for (kind, language) in all() {
            let dir = tempfile::tempdir().unwrap();
            let place = dir.path().join("my-zeta");
            let count = write(&New { kind, ..new("my-zeta", language, &place) }).unwrap();
            let project = Project::read(&place).unwrap();
            assert_eq!((project.name.as_str(), project.language), ("my-zeta", language));
            let what = format!("{kind:?} {language}");
            assert!(fs::read_dir(project.fixtures).unwrap().count() >= 4, "{what}");
            assert!(fs::read_to_string(place.join("README.md")).unwrap().contains("my-zeta"), "{what}");
            // The contract's files and the SDK's are most of them.
            assert!(count < 200, "{what}: {count} files");
            let hooks = ["wit/deps/hook/hook.wit", "vendor/wit/hook/hook.wit"].map(|path| place.join(path).exists());
            assert!(kind == Adapter || hooks.contains(&true), "{what}");
        }
    }

    #[test]
    fn nothing_of_the_placeholder_is_left() {
        for (kind, language) in all() {
            for (path, bytes) in files(&New { kind, ..new("zeta", language, Path::new(".")) }).unwrap() {
                let holds = bytes.windows(PLACEHOLDER.len()).any(|window| window == PLACEHOLDER.as_bytes());
                assert!(!holds && !path.contains(PLACEHOLDER), "{kind:?} {language}: {path}");
            }
        }
    }

    #[test]
    fn existing_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "").unwrap();
        assert!(matches!(write(&new("zeta", C, dir.path())), Err(TemplateError::Occupied(_))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_that_weir_would_refuse_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "Zeta", "../zeta", "-zeta", "zeta adapter"] {
            assert!(matches!(write(&new(name, C, dir.path())), Err(TemplateError::Name { .. })), "{name}");
        }
    }
}
