//! One level of a JSON Schema with its local references and `allOf` merged into it.

use std::borrow::Cow;

use weir_sdk::json::{RawValue, Str, parse};

use crate::wire::Unnamed;

/// Most references that are followed within one another.
const REFERENCES: usize = 64;

/// The members of one level.
#[derive(Debug, Default)]
pub(super) struct Flat<'a> {
    /// All members but those below; the last one of a name counts.
    pub(super) members: Vec<(Str<'a>, &'a RawValue)>,
    pub(super) properties: Vec<(Str<'a>, &'a RawValue)>,
    pub(super) required: Vec<Str<'a>>,
    /// Whether a reference leads back to itself.
    pub(super) circle: bool,
    /// Whether a reference leads nowhere.
    pub(super) dangling: bool,
}

impl<'a> Flat<'a> {
    /// Removes a member and returns its value.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let at = self.members.iter().position(|(name, _)| &**name == key)?;
        Some(self.members.remove(at).1)
    }

    /// Merges a schema; `open` are the references that are being followed, to which those of this schema are added.
    pub(super) fn add(&mut self, root: &'a RawValue, raw: &'a RawValue, open: &mut Vec<String>) {
        let Ok(Unnamed { rest }) = parse::<Unnamed<'a>>(raw.get()) else { return };
        let (first, then): (Vec<_>, Vec<_>) =
            rest.0.into_iter().partition(|(key, _)| matches!(&**key, "$ref" | "allOf"));
        for (key, raw) in first {
            if &*key == "$ref" {
                self.follow(root, raw, open);
            } else {
                let branches: Vec<&RawValue> = parse(raw.get()).unwrap_or_default();
                for branch in branches {
                    self.add(root, branch, open);
                }
            }
        }
        for (key, raw) in then {
            match &*key {
                "properties" => {
                    let properties = parse::<Unnamed<'a>>(raw.get()).unwrap_or_default().rest.0;
                    for (name, raw) in properties {
                        set(&mut self.properties, name, raw);
                    }
                }
                "required" => self.required.extend(parse::<Vec<Str<'a>>>(raw.get()).unwrap_or_default()),
                _ => set(&mut self.members, key, raw),
            }
        }
    }

    fn follow(&mut self, root: &'a RawValue, reference: &RawValue, open: &mut Vec<String>) {
        let path: Str<'_> = parse(reference.get()).unwrap_or_default();
        if open.len() >= REFERENCES || open.iter().any(|known| *known == *path) {
            self.circle = true;
            return;
        }
        match resolve(root, &path) {
            Some(target) => {
                open.push(path.into_string());
                self.add(root, target, open);
            }
            None => self.dangling = true,
        }
    }
}

fn set<'a>(members: &mut Vec<(Str<'a>, &'a RawValue)>, key: Str<'a>, raw: &'a RawValue) {
    match members.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = raw,
        None => members.push((key, raw)),
    }
}

/// Follows a local reference: `#/$defs/Name`.
fn resolve<'a>(root: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    let mut at = root;
    for segment in path.strip_prefix('#')?.split('/').skip(1) {
        let name: Cow<'_, str> =
            if segment.contains('~') { segment.replace("~1", "/").replace("~0", "~").into() } else { segment.into() };
        at = parse::<Unnamed<'a>>(at.get()).ok()?.rest.take(&name)?;
    }
    Some(at)
}
