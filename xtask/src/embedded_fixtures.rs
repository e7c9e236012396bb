//! The fixtures of a guard, within its component: it is built to another folder than its fixtures lie in, and goes
//! alone into the distribution, into images and into the folders of operators.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::value::RawValue;

use crate::workspace::{Adapter, Workspace};

/// The section in which Weir looks for fixtures.
pub(crate) const SECTION: &str = "weir:fixtures";

/// The fixtures of a guard as one JSON array; `None` for an adapter, whose fixtures stand beside its component.
pub(crate) fn fixtures(workspace: &Workspace, adapter: &Adapter) -> Result<Option<Vec<u8>>> {
    let folder = workspace.root.join(&adapter.folder).join("fixtures");
    if !adapter.folder.starts_with("guards") || !folder.is_dir() {
        return Ok(None);
    }
    array(&folder).map(Some)
}

/// The JSON files of a folder as one array, in the order of their names.
fn array(folder: &Path) -> Result<Vec<u8>> {
    let read = |file: &Path| format!("could not read {}", file.display());
    let entries = fs::read_dir(folder).with_context(|| read(folder))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort_unstable();
    let texts = files.iter().map(|file| fs::read_to_string(file).with_context(|| read(file)));
    let fixtures = texts.zip(&files).map(|(text, file)| {
        let value: Box<RawValue> =
            serde_json::from_str(&text?).with_context(|| format!("{} is no JSON", file.display()))?;
        Ok(value)
    });
    Ok(serde_json::to_vec(&fixtures.collect::<Result<Vec<_>>>()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures_are_embedded_by_name_and_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.json", "{\"n\": 1.50}\n");
        write("a.json", "{\"s\":\"\\u0041\"}");
        write("notes.txt", "no fixture");
        assert_eq!(array(folder.path()).unwrap(), br#"[{"s":"\u0041"},{"n": 1.50}]"#);
        write("c.json", "{");
        assert!(array(folder.path()).is_err());
    }
}
