//! The libraries of the dashboard, which are files of this repository and part of the program: `NAME.LICENSE` beside
//! `NAME.….js`, whose first line has the library's address and version.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::sums;

/// Where they are.
pub(super) const FOLDER: &str = "host/weir/ui/vendor";
/// How files with licences end.
const LICENCE: &str = ".LICENSE";
/// How the texts of licences that a library may have begin, and their names in SPDX.
const LICENCES: [(&str, &str); 1] = [("The MIT License (MIT)", "MIT")];

/// A library of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) name: String,
    pub(super) version: String,
    /// Its repository's address.
    pub(super) repository: String,
    /// An SPDX expression.
    pub(super) licence: &'static str,
    /// The licence's text.
    pub(super) text: String,
    /// The SHA-256 of its script, in hexadecimal digits.
    pub(super) sum: String,
}

impl Library {
    /// Its address as a package of npm, by which lists of vulnerabilities name it.
    pub(super) fn reference(&self) -> String {
        format!("pkg:npm/{}@{}", self.name.to_ascii_lowercase(), self.version)
    }
}

/// The libraries of a folder, by name. Each script has to be one that a licence is there for.
pub(super) fn read(folder: &Path) -> Result<Vec<Library>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    let scripts = names.iter().filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "js"));
    scripts.map(|script| library(folder, script)).collect()
}

fn library(folder: &Path, script: &str) -> Result<Library> {
    let name = script.split('.').next().unwrap_or(script).to_owned();
    let read = |file: &str| fs::read_to_string(folder.join(file)).with_context(|| format!("could not read {file}"));
    let text = read(&format!("{name}{LICENCE}"))?;
    let licence = LICENCES.iter().find(|(beginning, _)| text.starts_with(beginning));
    let (_, licence) = licence.with_context(|| format!("{name}{LICENCE} is of no licence that is known here"))?;
    let source = read(script)?;
    let (repository, version) =
        head(&source).with_context(|| format!("{script} does not begin with /*! ADDRESS (vVERSION) */"))?;
    ensure!(repository.starts_with("https://"), "{script} names no address of its library");
    let sum = sums::of_file(&folder.join(script))?;
    Ok(Library { name, version: version.to_owned(), repository: repository.to_owned(), licence, text, sum })
}

/// The address and the version in a script's first line.
fn head(source: &str) -> Option<(&str, &str)> {
    let line = source.lines().next()?.strip_prefix("/*! ")?;
    line.strip_suffix(") */")?.split_once(" (v")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The libraries of this repository.
    pub(in crate::dist) fn ours() -> Vec<Library> {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FOLDER)).unwrap()
    }

    #[test]
    fn the_dashboards_library_has_its_version_its_licence_and_its_digest() {
        let [uplot] = &ours()[..] else { panic!("{:?}", ours()) };
        assert_eq!(uplot.reference(), format!("pkg:npm/uplot@{}", uplot.version));
        assert!(uplot.version.split('.').all(|part| part.parse::<u32>().is_ok()), "{}", uplot.version);
        assert_eq!((uplot.licence, &*uplot.repository), ("MIT", "https://github.com/leeoniya/uPlot"));
        assert!(uplot.text.contains("Copyright (c)"), "{}", uplot.text);
        let sums = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FOLDER).join("SHA256SUMS"));
        assert!(sums.unwrap().contains(&uplot.sum));
    }

    #[test]
    fn a_script_without_a_known_licence_or_a_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        let refusal = || format!("{:#}", read(folder.path()).unwrap_err());
        write("a.min.js", "/*! https://code.example/a (v1.2.3) */\nx()");
        assert!(refusal().contains("a.LICENSE"), "{}", refusal());
        write("a.LICENSE", "All rights reserved");
        assert!(refusal().contains("no licence that is known"), "{}", refusal());
        write("a.LICENSE", "The MIT License (MIT)\n");
        assert_eq!(read(folder.path()).unwrap()[0].version, "1.2.3");
        write("a.min.js", "x()");
        assert!(refusal().contains("does not begin"), "{}", refusal());
    }
}
