//! Released contracts. `wit/vX.Y.Z/` is a contract as it was released, and the working contract must not contradict it.
//!
//! Comments may change, items may not. A later patch version may only add interfaces and worlds; any other change
//! raises the minor version (before 1.0) or the major one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::WIT;
use super::read::Contract;

type Items = BTreeMap<String, String>;

/// Copies the working contract to the released ones.
pub(super) fn freeze(root: &Path) -> Result<()> {
    let wit = root.join(WIT);
    let version = Contract::read(&wit)?.version;
    let place = wit.join(format!("v{version}"));
    if place.exists() {
        bail!(
            "contract {version} is frozen already, in {WIT}/v{version}; raise the version in {WIT}/*.wit for another"
        );
    }
    fs::create_dir_all(&place)?;
    for entry in fs::read_dir(&wit)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, place.join(name))?;
        }
    }
    println!("contract: {version} is frozen in {WIT}/v{version}");
    Ok(())
}

/// The incompatible changes of the working contract against the released ones.
pub(crate) fn problems(root: &Path) -> Result<Vec<String>> {
    let wit = root.join(WIT);
    let working = Contract::read(&wit)?;
    let items: Items = working.items().into_iter().collect();
    let mut problems = Vec::new();
    for name in released(&wit)? {
        let frozen = Contract::read(&wit.join(&name))?;
        if name != format!("v{}", frozen.version) {
            problems.push(format!("{WIT}/{name}: holds contract {}", frozen.version));
        }
        if frozen.version == working.version || track(&frozen.version) == track(&working.version) {
            let broken = broken(&items, &frozen.items().into_iter().collect(), frozen.version == working.version);
            problems.extend(broken.into_iter().map(|what| message(&what, &frozen.version, &working.version)));
        }
    }
    Ok(problems)
}

fn message(what: &str, frozen: &str, working: &str) -> String {
    let way = if frozen == working { "raise the version in" } else { "raise more than the patch version in" };
    format!("{WIT}: {what} since contract {frozen} was released ({WIT}/v{frozen}): {way} {WIT}/*.wit, or take it back")
}

/// The names of the folders of released contracts.
fn released(wit: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(wit)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if entry.path().is_dir() && name.starts_with('v') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The part of a version that compatible versions share: `0.1` of `0.1.3`, `2` of `2.1.0`.
fn track(version: &str) -> &str {
    let end = usize::from(version.starts_with("0."));
    let dot = version.match_indices('.').nth(end).map_or(version.len(), |(at, _)| at);
    &version[..dot]
}

/// The incompatible changes, item by item. With `same`, additions are incompatible too; without it, whole interfaces
/// and worlds may be added.
fn broken(working: &Items, frozen: &Items, same: bool) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, was) in frozen {
        match working.get(name) {
            None => broken.push(format!("{name} is gone")),
            Some(is) if is != was => broken.push(format!("{name} has changed from `{was}` to `{is}`")),
            Some(_) => {}
        }
    }
    let known = |name: &str| {
        let interface = |name: &str| name.split_once('.').map(|(interface, _)| interface.to_owned());
        interface(name).is_some_and(|own| frozen.keys().any(|key| interface(key).as_ref() == Some(&own)))
    };
    for name in working.keys().filter(|name| !frozen.contains_key(*name)) {
        if same || known(name) {
            broken.push(format!("{name} is new"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: &str = "package weir:adapter@0.1.0;\ninterface a {\n  /// One.\n  record r { x: u32 }\n  f: func(r: r) -> string;\n}\nworld w { export a; }\n";

    fn found(change: impl Fn(&str) -> String) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(WIT)).unwrap();
        let file = folder.path().join(WIT).join("a.wit");
        fs::write(&file, WORK).unwrap();
        freeze(folder.path()).unwrap();
        assert!(freeze(folder.path()).unwrap_err().to_string().contains("frozen already"));
        fs::write(&file, change(WORK)).unwrap();
        problems(folder.path()).unwrap()
    }

    #[test]
    fn comments_may_change() {
        assert_eq!(found(|work| work.replace("/// One.", "/// One of them.")), [""; 0]);
    }

    #[test]
    fn a_released_item_that_changes_asks_for_a_version() {
        let messages = found(|work| work.replace("x: u32", "x: u32, y: u32"));
        assert_eq!(messages.len(), 1, "{messages:?}");
        for word in ["a.r has changed", "record { x: u32 }", "0.1.0", "raise the version"] {
            assert!(messages[0].contains(word), "{word}: {messages:?}");
        }
        assert_eq!(found(|work| work.replace("r: r)", "s: r)")).len(), 1);
        assert_eq!(found(|work| work.replace("world w { export a; }", "")).len(), 1);
        assert_eq!(found(|work| format!("{work}interface b {{ g: func(); }}")).len(), 1);
    }

    #[test]
    fn a_patch_may_add_interfaces_and_nothing_else() {
        let patch = |work: &str| work.replace("0.1.0", "0.1.1");
        assert_eq!(found(|work| format!("{}interface b {{ g: func(); }}", patch(work))), [""; 0]);
        let messages = found(|work| patch(work).replace("f: func", "g: func();\n  f: func"));
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains("a.g is new") && messages[0].contains("more than the patch"), "{messages:?}");
        assert_eq!(found(|work| work.replace("0.1.0", "0.2.0").replace("u32", "string")), [""; 0]);
    }

    #[test]
    fn versions_of_one_track_stand_for_each_other() {
        assert_eq!(["0.1.3", "0.2.0", "1.2.0", "10.0.1"].map(track), ["0.1", "0.2", "1", "10"]);
    }
}
