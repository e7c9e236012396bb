//! Reads the contract with `wit-parser`, and from its text what the parser leaves out: the file of each interface, and
//! the headings (`// ---- Messages ----`) that group its items.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wit_parser::{Interface, InterfaceId, PackageId, Resolve, TypeDef, TypeOwner, WorldId, WorldItem, WorldKey};

/// The parsed contract.
pub(super) struct Contract {
    pub(super) resolve: Resolve,
    /// The package version, `0.1.0`.
    pub(super) version: String,
    /// The files, sorted by name.
    pub(super) files: Vec<File>,
    /// The files of the package whose types it uses.
    beneath: Vec<File>,
    /// The worlds: name, and imports or exports.
    pub(super) worlds: Vec<(String, String)>,
}

/// A file of the contract.
pub(super) struct File {
    /// The name without `.wit`.
    pub(super) name: String,
    /// The interfaces in the order of the text.
    pub(super) interfaces: Vec<InterfaceId>,
    /// The heading of each item, by interface and item.
    headings: HashMap<(String, String), String>,
}

impl Contract {
    /// Reads the package in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, files) = push(&mut resolve, folder)?;
        Self::of(resolve, package, files, Vec::new())
    }

    /// Reads the package in a folder, which uses types of the package in `base`.
    pub(super) fn read_above(base: &Path, folder: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (_, beneath) = push(&mut resolve, base)?;
        let (package, files) = push(&mut resolve, folder)?;
        Self::of(resolve, package, files, beneath)
    }

    fn of(resolve: Resolve, package: PackageId, files: Vec<File>, beneath: Vec<File>) -> Result<Self> {
        let package = &resolve.packages[package];
        let version = package.name.version.as_ref().context("the package has no version")?.to_string();
        let worlds = package.worlds.iter().map(|(name, id)| (name.clone(), items(&resolve, *id))).collect();
        Ok(Self { resolve, version, files, beneath, worlds })
    }

    /// The interfaces of a file.
    pub(super) fn interfaces<'a>(&'a self, file: &'a File) -> impl Iterator<Item = &'a Interface> {
        file.interfaces.iter().map(|id| &self.resolve.interfaces[*id])
    }

    /// The file and the name of the interface that declares a type.
    pub(super) fn home(&self, def: &TypeDef) -> Option<(&str, &str)> {
        let TypeOwner::Interface(owner) = def.owner else { return None };
        let file = self.files.iter().chain(&self.beneath).find(|file| file.interfaces.contains(&owner))?;
        Some((&file.name, self.resolve.interfaces[owner].name.as_deref()?))
    }
}

impl File {
    /// The heading above an item.
    pub(super) fn heading(&self, interface: &str, item: &str) -> Option<&str> {
        self.headings.get(&(interface.to_owned(), item.to_owned())).map(String::as_str)
    }
}

/// Adds the package in a folder, and returns its files that declare interfaces.
fn push(resolve: &mut Resolve, folder: &Path) -> Result<(PackageId, Vec<File>)> {
    let (id, _) = resolve.push_dir(folder).with_context(|| format!("{} is wrong", folder.display()))?;
    let package = &resolve.packages[id];
    let mut files = Vec::new();
    for (name, text) in texts(folder)? {
        let (names, headings) = outline(&text);
        let interfaces: Vec<_> = names.iter().filter_map(|name| package.interfaces.get(name).copied()).collect();
        if !interfaces.is_empty() {
            files.push(File { name, interfaces, headings });
        }
    }
    Ok((id, files))
}

/// The files of a folder by name, without their extension.
fn texts(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_wit = path.extension().is_some_and(|extension| extension == "wit");
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| is_wit) {
            texts.push((name.to_owned(), fs::read_to_string(&path)?));
        }
    }
    texts.sort();
    Ok(texts)
}

/// The interfaces that a file declares, and the heading of each of their items.
fn outline(text: &str) -> (Vec<String>, HashMap<(String, String), String>) {
    let (mut interfaces, mut headings) = (Vec::new(), HashMap::new());
    let mut heading = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = declared(line, "interface") {
            interfaces.push(name.to_owned());
            heading = None;
        } else if let Some(title) = line.strip_prefix("// ---- ") {
            heading = Some(title.trim_end_matches('-').trim().to_owned());
        } else if let (Some(item), Some(interface), Some(heading)) = (item(line), interfaces.last(), &heading) {
            headings.insert((interface.clone(), item.to_owned()), heading.clone());
        }
    }
    (interfaces, headings)
}

fn item(line: &str) -> Option<&str> {
    let kinds = ["record", "variant", "enum", "flags", "resource", "type"];
    let function = || line.split_once(": func(").map(|(name, _)| name.trim_start_matches('%'));
    kinds.iter().find_map(|kind| declared(line, kind)).or_else(function)
}

/// The name in `KIND NAME {`.
fn declared<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(kind)?.strip_prefix(' ')?;
    rest.split([' ', '{', ';', '=']).next().map(|name| name.trim_start_matches('%'))
}

/// A world's items as text: its exports, or its imports if it has no exports.
fn items(resolve: &Resolve, id: WorldId) -> String {
    let world = &resolve.worlds[id];
    let name = |(key, item): (&WorldKey, &WorldItem)| match (key, item) {
        (WorldKey::Name(name), _) => Some(name.clone()),
        (WorldKey::Interface(_), WorldItem::Interface { id, .. }) => resolve.interfaces[*id].name.clone(),
        _ => None,
    };
    let exports: Vec<String> = world.exports.iter().filter_map(name).map(|name| format!("export {name}")).collect();
    // An export implies imports of the interfaces that its types are from: imports are listed only if there are no
    // exports.
    if !exports.is_empty() {
        return exports.join(", ");
    }
    world.imports.iter().filter_map(name).map(|name| format!("import {name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stand_under_the_heading_above_them() {
        let text = "interface a {\n  record early {}\n  // ---- Late -----\n  variant %stream { x }\n  go: func();\n}\n\
            interface b {\n  enum c { d }\n}\n";
        let (interfaces, headings) = outline(text);
        assert_eq!(interfaces, ["a", "b"]);
        let heading = |a: &str, b: &str| headings.get(&(a.to_owned(), b.to_owned())).map(String::as_str);
        assert_eq!(
            (heading("a", "early"), heading("a", "stream"), heading("a", "go")),
            (None, Some("Late"), Some("Late"))
        );
        assert_eq!(heading("b", "c"), None);
    }
}
