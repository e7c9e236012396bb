//! Which keys at the top of the file differ between two configurations, found by digests: no value is kept or shown.

use std::collections::BTreeMap;
use std::fmt;

use super::raw::{self, Node, Value};
use super::{Config, keys};

/// A digest of what each key at the top of the file holds, with what variables set in its place.
#[derive(Clone, Default)]
pub(crate) struct KeyDigests(BTreeMap<&'static str, [u8; 32]>);

/// The digests are not printed: a short secret could be found by one.
impl fmt::Debug for KeyDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl KeyDigests {
    /// Those of a whole configuration. A key that is not known has no name that may be shown.
    pub(crate) fn of(root: &Node) -> Self {
        let Value::Table(table) = &root.value else { return Self::default() };
        let digest = |(name, member): (&String, &raw::Member)| {
            Some((keys::TOP.find(name)?.name, raw::digest(&member.node, &[])))
        };
        Self(table.iter().filter_map(digest).collect())
    }
}

impl Config {
    /// The keys at the top of the file that are not as they were before, also if only a secret in one is another.
    pub fn changed_since(&self, before: &Self) -> Vec<&'static str> {
        let (old, new) = (&before.key_digests.0, &self.key_digests.0);
        let names = keys::TOP.list.iter().map(|key| key.name);
        names.filter(|name| old.get(name) != new.get(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Environment;
    use super::*;

    #[test]
    fn what_changed_is_named_and_what_only_moved_is_not() {
        let config = |text: &str| Config::parse("weir.toml", text, Path::new(""), Environment::default()).unwrap();
        let client = |key: &str| format!("[[clients]]\nname = \"a\"\nkey = \"{key}\"\n");
        let before =
            config(&format!("log_level = \"debug\"\n[server]\nport = 1\n{}", client("first-key-of-the-client")));
        let moved =
            format!("# moved\n\nlog_level = \"debug\"\n{}[server]\nport = 0x1\n", client("first-key-of-the-client"));
        assert!(config(&moved).changed_since(&before).is_empty());
        let other =
            config(&format!("[server]\nport = 1\n{}[media]\nfetch = true\n", client("other-key-of-the-client")));
        let mut changed = other.changed_since(&before);
        changed.sort_unstable();
        assert_eq!(changed, ["clients", "log_level", "media"]);
        assert_eq!(other.changed_since(&before).len(), before.changed_since(&other).len());
        assert!(!format!("{:?}", other.key_digests).contains(|letter: char| letter.is_ascii_digit()));
    }
}
