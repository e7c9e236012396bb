//! Which build of the program this is.

use std::sync::LazyLock;

use weir_sandbox::Version as Contract;

/// The version of the program.
pub(crate) const NUMBER: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, if the build set it (`WEIR_COMMIT`), as `cargo xtask dist` does.
pub(crate) const COMMIT: Option<&str> = known(option_env!("WEIR_COMMIT"));

/// What `weir --version` prints after the name: `0.1.0 (contract weir:adapter@0.2.0 and 0.1.0, commit 0123abcd)`.
pub(crate) static TEXT: LazyLock<String> = LazyLock::new(|| text(COMMIT));

/// A commit that is named: the image's build sets an empty one where it was given none.
const fn known(commit: Option<&str>) -> Option<&str> {
    match commit {
        Some(commit) if commit.is_empty() => None,
        commit => commit,
    }
}

fn text(commit: Option<&str>) -> String {
    let commit = commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
    format!("{NUMBER} (contract weir:adapter@{}{commit})", Contract::supported())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_named_unless_it_is_empty() {
        let without = text(known(None));
        assert_eq!(text(known(Some(""))), without);
        let with = without.trim_end_matches(')').to_owned() + ", commit 0123abcd)";
        assert_eq!(text(known(Some("0123abcd"))), with);
    }
}
