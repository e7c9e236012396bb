//! Grants: what the operator lets one component use beyond its input. A clock, random numbers, folders to read, but
//! never the network. [`crate::granted_wasi`] implements them.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The folder in the guest that holds the granted folders.
const MOUNT: &str = "/read";

/// What one component may use beyond its input; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// The wall clock and the monotonic clock of the machine.
    pub clock: bool,
    /// Random numbers of the system.
    pub random: bool,
    /// Folders that it may read, with everything below them.
    pub read: Vec<PathBuf>,
}

impl Grants {
    /// Whether nothing is granted.
    pub fn is_none(&self) -> bool {
        !self.clock && !self.random && self.read.is_empty()
    }

    /// Whether these grants include something that the others lack.
    pub fn exceed(&self, others: &Self) -> bool {
        (self.clock && !others.clock)
            || (self.random && !others.random)
            || self.read.iter().any(|folder| !others.read.contains(folder))
    }

    /// Returns why fixtures cannot prove the component pure; `None` without grants.
    pub fn impurity(&self) -> Option<String> {
        (!self.is_none()).then(|| format!("not proved pure: may read {self}"))
    }
}

impl Display for Grants {
    /// Writes a list such as `a clock, random numbers, /srv/prices`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let clock = self.clock.then(|| "a clock".to_owned());
        let random = self.random.then(|| "random numbers".to_owned());
        let folders = self.read.iter().map(|folder| folder.display().to_string());
        let all: Vec<String> = clock.into_iter().chain(random).chain(folders).collect();
        f.write_str(&all.join(", "))
    }
}

/// Returns the path of a granted folder in the guest: `/read/` and the folder's own name. `None` for a folder without a
/// name, such as the root.
pub(crate) fn guest_path(folder: &Path) -> Option<String> {
    folder.file_name()?.to_str().map(|name| format!("{MOUNT}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_shown_in_words_and_no_grants_are_not_shown() {
        let all = Grants { clock: true, random: true, read: vec!["/srv/prices".into()] };
        assert_eq!(all.impurity().unwrap(), "not proved pure: may read a clock, random numbers, /srv/prices");
        assert!(Grants::default().is_none() && Grants::default().impurity().is_none());
    }

    #[test]
    fn less_or_the_same_does_not_exceed() {
        let clock = Grants { clock: true, ..Grants::default() };
        let folder = |name: &str| Grants { read: vec![name.into()], ..clock.clone() };
        assert!(!clock.exceed(&clock) && !Grants::default().exceed(&clock) && !clock.exceed(&folder("/a")));
        assert!(clock.exceed(&Grants::default()) && folder("/a").exceed(&folder("/b")) && folder("/a").exceed(&clock));
    }

    #[test]
    fn a_folder_lies_at_its_own_name() {
        assert_eq!(guest_path(Path::new("/srv/prices/")).unwrap(), "/read/prices");
        assert_eq!(guest_path(Path::new("/")), None);
    }
}
