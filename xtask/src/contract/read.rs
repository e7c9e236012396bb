//! The contract as `wit-parser` understands it, with what only its text tells: which file an interface stands in, and the
//! headings (`// ---- Messages ----`) that group its items.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wit_parser::{Docs, Interface, InterfaceId, Resolve, TypeDef, TypeDefKind, TypeOwner};

/// A contract.
pub(super) struct Contract {
    pub(super) resolve: Resolve,
    /// `0.1.0`.
    pub(super) version: String,
    /// The interfaces of each file, both in the order of their names and of the text.
    pub(super) files: BTreeMap<String, Vec<InterfaceId>>,
    /// Worlds: name and what it imports or exports.
    pub(super) worlds: Vec<(String, String)>,
    /// The heading above an item, by interface and item.
    headings: HashMap<(String, String), String>,
}

impl Contract {
    /// Reads the package in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder).with_context(|| format!("{} is wrong", folder.display()))?;
        let package = &resolve.packages[package];
        let version = package.name.version.as_ref().context("the package has no version")?.to_string();
        let (mut files, mut headings) = (BTreeMap::new(), HashMap::new());
        for (file, text) in texts(folder)? {
            let names = outline(&text, &mut headings);
            let ids: Vec<_> = names.iter().filter_map(|name| package.interfaces.get(name).copied()).collect();
            if !ids.is_empty() {
                files.insert(file, ids);
            }
        }
        let worlds = package.worlds.iter().map(|(name, id)| (name.clone(), items(&resolve, *id))).collect();
        Ok(Self { version, files, worlds, headings, resolve })
    }

    /// The interfaces in the order of files.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = (&str, &Interface)> {
        let of = |(file, ids): (&'static str, InterfaceId)| (file, ids);
        let _ = of;
        self.files.iter().flatten_pairs(&self.resolve)
    }

    /// The file and the name of the interface that a type stands in.
    pub(super) fn home(&self, def: &TypeDef) -> Option<(&str, &str)> {
        let TypeOwner::Interface(owner) = def.owner else { return None };
        let file = self.files.iter().find(|(_, ids)| ids.contains(&owner)).map(|(file, _)| file.as_str())?;
        Some((file, self.resolve.interfaces[owner].name.as_deref()?))
    }

    /// The heading above an item.
    pub(super) fn heading(&self, interface: &str, item: &str) -> Option<&str> {
        self.headings.get(&(interface.to_owned(), item.to_owned())).map(String::as_str)
    }
}
