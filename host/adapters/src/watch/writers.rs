//! Other writers of the plugins folder: a file put there processes everyone's requests.

use std::path::Path;

/// Users who may write to a file or folder, besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// No other user that matters.
    Owner,
    /// A group other than this program's own.
    Group,
    /// Every user of this machine.
    Everybody,
}

/// Who may write to a path. On a read-only file system (of a `ConfigMap`, for instance) no user can change it, whatever
/// its mode is.
#[cfg(unix)]
pub fn writers(path: &Path) -> Writers {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(about) = std::fs::metadata(path) else { return Writers::Owner };
    let writers = match about.mode() & 0o022 {
        0 => return Writers::Owner,
        0o020 if about.gid() == rustix::process::getegid().as_raw() => return Writers::Owner,
        0o020 => Writers::Group,
        _ => Writers::Everybody,
    };
    let is_fixed = rustix::fs::statvfs(path).is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    if is_fixed { Writers::Owner } else { writers }
}

/// Always the owner: other systems have no such modes.
#[cfg(not(unix))]
pub fn writers(_: &Path) -> Writers {
    Writers::Owner
}

/// Why files of these places are refused: every user of this machine could have put them there.
pub fn exposed<'a>(places: impl IntoIterator<Item = &'a Path>) -> Option<String> {
    let shown = places.into_iter().find(|place| writers(place) == Writers::Everybody)?.display();
    Some(format!("all users may write to {shown}: `chmod o-w {shown}`, or set `allow_writable = true` in `[plugins]`"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_mode_determines_who_may_write() {
        let dir = tempfile::tempdir().unwrap();
        let set = |mode| std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        for (mode, expected) in [
            (0o755, Writers::Owner),
            (0o775, Writers::Owner),
            (0o777, Writers::Everybody),
            (0o1777, Writers::Everybody),
            (0o702, Writers::Everybody),
        ] {
            set(mode);
            assert_eq!(writers(dir.path()), expected, "{mode:o}");
        }
        assert_eq!(writers(&dir.path().join("nothing")), Writers::Owner);
    }
}
