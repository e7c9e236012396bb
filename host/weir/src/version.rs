//! Which build of the program this is.

use std::sync::LazyLock;

use weir_sandbox::Version as Contract;

/// The version of the program.
pub(crate) const NUMBER: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, if the build set it (`WEIR_COMMIT`), as `cargo xtask dist` does.
pub(crate) const COMMIT: Option<&str> = option_env!("WEIR_COMMIT");

/// What `weir --version` prints after the name: `0.1.0 (contract weir:adapter@0.2.0 and 0.1.0, commit 0123abcd)`.
pub(crate) static TEXT: LazyLock<String> = LazyLock::new(|| {
    let commit = COMMIT.map(|commit| format!(", commit {commit}")).unwrap_or_default();
    format!("{NUMBER} (contract weir:adapter@{}{commit})", Contract::supported())
});
