//! An installation is a folder with the program and its adapters: it serves from any working directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use weir_tests::plugins::{component, target};
use weir_tests::program;

use crate::commands::is_in;

/// A folder as `cargo xtask dist` makes it, and another one to work in.
struct Installed {
    place: TempDir,
    desk: TempDir,
}

impl Installed {
    /// An installation with this adapter beside the program.
    fn with(adapter: &str) -> Self {
        // On cargo's file system, so that the program can be linked instead of copied.
        let place = tempfile::tempdir_in(target()).unwrap();
        fs::hard_link(program::file(), place.path().join("weir")).unwrap();
        put(&place.path().join("plugins"), adapter);
        Self { place, desk: tempfile::tempdir().unwrap() }
    }

    fn program(&self) -> PathBuf {
        self.place.path().join("weir")
    }

    /// The output of `weir LINE` in the working folder, and whether it succeeded; the program is its own path or a link
    /// to it.
    fn output_of(&self, program: &Path, line: &str, variables: &[(&str, &str)]) -> (bool, String) {
        let mut command = Command::new(program);
        command.current_dir(self.desk.path()).args(line.split_whitespace()).stdin(Stdio::null());
        for name in ["WEIR_CONFIG", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"] {
            command.env_remove(name);
        }
        command.env("WEIR_PLUGINS__CACHE_DIR", target().join("test-cache")).envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.success(), [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat())
    }

    fn lists(&self, program: &Path, variables: &[(&str, &str)]) -> String {
        let (is_well, output) = self.output_of(program, "plugin list", variables);
        assert!(is_well, "{output}");
        output
    }
}

fn put(folder: &Path, adapter: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::copy(component(adapter), folder.join(format!("{adapter}.wasm"))).unwrap();
}

#[test]
fn the_adapters_beside_the_program_are_found_from_anywhere_and_through_a_link() {
    let installed = Installed::with("openai");
    is_in("openai", &installed.lists(&installed.program(), &[]));
    let link = installed.desk.path().join("linked");
    std::os::unix::fs::symlink(installed.program(), &link).unwrap();
    is_in("openai", &installed.lists(&link, &[]));
}

#[test]
fn a_program_that_was_installed_into_a_prefix_finds_the_adapters_there() {
    let (prefix, desk) = (tempfile::tempdir_in(target()).unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(prefix.path().join("bin")).unwrap();
    fs::hard_link(program::file(), prefix.path().join("bin/weir")).unwrap();
    put(&prefix.path().join("lib/weir/plugins"), "openai");
    let installed = Installed { place: prefix, desk };
    is_in("openai", &installed.lists(&installed.place.path().join("bin/weir"), &[]));
}

#[test]
fn a_folder_that_is_here_or_named_comes_before_the_one_beside_the_program() {
    let installed = Installed::with("openai");
    let other = tempfile::tempdir().unwrap();
    put(other.path(), "gemini");
    let named = installed.lists(&installed.program(), &[("WEIR_PLUGINS__DIR", other.path().to_str().unwrap())]);
    assert!(named.contains("gemini") && !named.contains("openai"), "{named}");
    put(&installed.desk.path().join("plugins"), "anthropic");
    let here = installed.lists(&installed.program(), &[]);
    assert!(here.contains("anthropic") && !here.contains("openai"), "{here}");
}

#[test]
fn what_is_pinned_beside_the_program_is_trusted() {
    let installed = Installed::with("openai");
    let init = || installed.output_of(&installed.program(), "init --yes", &[("OPENAI_API_KEY", "sk-seen-by-nobody")]);
    let (is_well, output) = init();
    assert!(!is_well, "{output}");
    is_in("nothing pins its adapter", &output);
    let check = || installed.output_of(&installed.program(), "check", &[("OPENAI_API_KEY", "sk-seen-by-nobody")]).1;
    let unpinned = "OPENAI_API_KEY: warning: `openai` is not served: nothing pins its adapter in the lock file";
    let told = check();
    is_in(unpinned, &told);
    is_in("openai.wasm` pins it", &told);
    let (_, listed) = installed.output_of(&installed.program(), "plugin list --json", &[]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let pin = format!("[adapters.openai]\ndigest = {}\n", listed[0]["digest"]);
    fs::write(installed.place.path().join("plugins.lock"), pin).unwrap();
    let (is_well, output) = init();
    assert!(is_well, "{output}");
    let told = check();
    assert!(told.contains("1 provider") && !told.contains(unpinned), "{told}");
}
