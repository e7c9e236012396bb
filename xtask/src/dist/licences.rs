//! The licences of all crates and libraries that are handed out, with their texts: most of them ask for that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::crates::{Crate, Known};
use super::vendored::Library;

/// How the names of files with licences begin.
const BEGINNINGS: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
const RULE: &str = "================================================================================";

/// The crates' licences and the texts that come with them, each text once.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) text: String,
    /// Crates for which no text was found: those that name a licence and hold none.
    pub(super) without_text: Vec<String>,
}

/// Collects the licences of these libraries and crates, but of this repository's own. A crate without a text gets that
/// of another one of its repository; one under Apache-2.0 without any gets `apache`, whose text is the same for all.
pub(super) fn collect(known: &Known, linked: &[Crate], held: &[Library], apache: &Path) -> Result<Collected> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::from("Weir's dashboard holds these libraries, under their licences:\n\n");
    for one in held {
        let title = format!("{} {}", one.name, one.version);
        let _ = writeln!(list, "{title}: {}", one.licence);
        texts.entry(as_listed(&one.text)).or_default().push(title);
    }
    list.push_str("\nWeir is linked of these crates, under their licences:\n\n");
    let mut without_text = Vec::new();
    for one in linked.iter().filter(|one| one.checksum.is_some()) {
        let title = format!("{} {}", one.name, one.version);
        let licence = one.licence.as_deref().unwrap_or("no licence named");
        let _ = writeln!(list, "{title}: {licence}");
        let mut files = files(&one.folder);
        if files.is_empty() {
            let sibling = known.sibling(one, |folder| !self::files(folder).is_empty());
            files = sibling.map(|one| self::files(&one.folder)).unwrap_or_default();
        }
        if files.is_empty() && licence.starts_with("Apache-2.0") {
            files.push(apache.to_owned());
        }
        if files.is_empty() {
            without_text.push(title.clone());
        }
        for file in files {
            let bytes = fs::read(&file).with_context(|| format!("could not read {}", file.display()))?;
            texts.entry(as_listed(&String::from_utf8_lossy(&bytes))).or_default().push(title.clone());
        }
    }
    // In the order of the first crate that has each, which is that of the list.
    let mut texts: Vec<(Vec<String>, String)> = texts.into_iter().map(|(text, titles)| (titles, text)).collect();
    texts.sort_unstable();
    for (mut titles, text) in texts {
        titles.dedup();
        let _ = write!(list, "\n{RULE}\n{}\n{RULE}\n\n{text}\n", titles.join(", "));
    }
    Ok(Collected { text: list, without_text })
}

/// A licence's text as it stands in the list.
fn as_listed(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end().to_owned()
}

/// The files with licences in a crate's folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let is_licence = |file: &PathBuf| {
        let name = file.file_name().map(|name| name.to_string_lossy().to_ascii_uppercase()).unwrap_or_default();
        file.is_file() && BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_licence).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::super::crates::tests::known;
    use super::super::vendored::tests::ours;
    use super::*;

    #[test]
    fn the_dashboards_libraries_stand_there_with_their_texts() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let collected = collect(&known(a.path(), b.path()), &[], &ours(), Path::new("")).unwrap().text;
        let uplot = &ours()[0];
        let title = format!("uPlot {}", uplot.version);
        assert!(collected.contains(&format!("\n{title}: MIT\n")), "{collected}");
        assert!(collected.contains(&format!("{RULE}\n{title}\n{RULE}\n\n{}\n", uplot.text.trim_end())), "{collected}");
    }

    #[test]
    fn each_text_stands_there_once_and_a_missing_one_is_that_of_a_sibling() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let known = known(a.path(), b.path());
        let mut linked = known.of_tree("a v1.0.0\n").unwrap();
        let apache = b.path().join("apache");
        let none = collect(&known, &linked, &[], &apache).unwrap();
        assert_eq!(none.without_text, ["a 1.0.0"]);
        fs::write(b.path().join("LICENSE-MIT"), "the text\r\n").unwrap();
        fs::write(b.path().join("lib.rs"), "no licence").unwrap();
        linked.push(Crate { name: "c".into(), ..linked[0].clone() });
        let collected = collect(&known, &linked, &[], &apache).unwrap();
        assert!(collected.without_text.is_empty());
        assert_eq!(collected.text.matches("the text").count(), 1, "{}", collected.text);
        assert!(collected.text.contains("a 1.0.0, c 1.0.0\n") && !collected.text.contains("no licence\n"));
        linked[0].licence = Some("Apache-2.0".into());
        fs::remove_file(b.path().join("LICENSE-MIT")).unwrap();
        fs::write(&apache, "Apache's text").unwrap();
        let collected = collect(&known, &linked, &[], &apache).unwrap();
        assert_eq!(
            (collected.without_text.as_slice(), collected.text.contains("Apache's text")),
            (&["c 1.0.0".to_owned()][..], true)
        );
    }
}
