//! The commands for authors and operators, run by the program itself: files, output and exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use weir_tests::plugins::{component, target, zeta_build, zeta_fixtures, zeta_with_fault};
use weir_tests::program;

/// A folder in which commands are run.
pub(crate) struct CommandFolder(TempDir);

impl CommandFolder {
    /// A folder with this component as `zeta.wasm`, its fixtures beside it, and a configuration for the folder
    /// `served`.
    pub(crate) fn with(zeta: &[u8], demands: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.at("zeta.wasm"), zeta).unwrap();
        fs::create_dir(desk.at("zeta.fixtures")).unwrap();
        for entry in fs::read_dir(zeta_fixtures()).unwrap() {
            let file = entry.unwrap().path();
            fs::copy(&file, desk.at("zeta.fixtures").join(file.file_name().unwrap())).unwrap();
        }
        let config = format!("[plugins]\ndir = \"served\"\nlock = \"plugins.lock\"\n{demands}");
        fs::write(desk.at("weir.toml"), config).unwrap();
        desk
    }

    pub(crate) fn at(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.at(file)).unwrap()
    }

    /// Runs `weir plugin …`, checks its exit code and returns its output.
    pub(crate) fn types(&self, line: &str, code: i32) -> String {
        self.types_with(&[], &format!("plugin {line}"), code)
    }

    /// Runs `weir …` with these variables set.
    pub(crate) fn types_with(&self, variables: &[(&str, &str)], line: &str, code: i32) -> String {
        let mut command = Command::new(program::file());
        command.current_dir(self.0.path()).args(line.split_whitespace()).envs(variables.iter().copied());
        command.env_remove("WEIR_CONFIG").env("WEIR_PLUGINS__CACHE_DIR", target().join("test-cache"));
        let Output { status, stdout, stderr } = command.output().unwrap();
        let output = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert_eq!(status.code(), Some(code), "weir {line}: {output}");
        output
    }
}

pub(crate) fn is_in(part: &str, output: &str) {
    assert!(output.contains(part), "{part:?} is not in {output:?}");
}

#[test]
fn a_signature_holds_for_its_bytes_and_its_key() {
    let desk = CommandFolder::with(&zeta_build(1), "");
    let output = desk.types("keygen --out ours", 0);
    is_in(desk.text("ours.pub").trim(), &output);
    is_in("not written over", &desk.types("keygen --out ours", 1));
    desk.types("keygen --out theirs", 0);
    is_in("zeta.wasm.sig is not there", &desk.types("verify zeta.wasm --key ours.pub", 1));
    is_in("no key to check against", &desk.types("verify zeta.wasm", 2));
    desk.types("sign zeta.wasm --key ours.key", 0);
    is_in("is signed by ed25519:", &desk.types("verify zeta.wasm --key ours.pub", 0));
    desk.types("verify zeta.wasm --key theirs.pub", 1);
    fs::write(desk.at("zeta.wasm"), zeta_build(2)).unwrap();
    desk.types("verify zeta.wasm --key ours.pub", 1);
}

#[test]
fn what_is_installed_is_signed_proved_and_pinned_and_what_is_not_leaves_nothing() {
    let desk = CommandFolder::with(&zeta_build(1), "require_signature = true\n");
    desk.types("keygen --out ours", 0);
    let config = desk.text("weir.toml");
    fs::write(desk.at("weir.toml"), format!("{config}trusted_keys = [\"{}\"]\n", desk.text("ours.pub").trim()))
        .unwrap();
    is_in("refused", &desk.types("install zeta.wasm", 1));
    assert!(!desk.at("served/zeta.wasm").exists() && !desk.at("plugins.lock").exists());
    desk.types("sign zeta.wasm --key ours.key", 0);
    is_in("pinned in", &desk.types("install zeta.wasm", 0));
    assert_eq!(fs::read(desk.at("served/zeta.wasm")).unwrap(), zeta_build(1));
    assert!(desk.at("served/zeta.wasm.sig").exists() && desk.at("served/zeta.fixtures/calls.json").exists());
    let listed: Value = serde_json::from_str(&desk.types("list --json", 0)).unwrap();
    assert_eq!(listed[0]["signed_by"], desk.text("ours.pub").trim());
    is_in(listed[0]["digest"].as_str().unwrap(), &desk.text("plugins.lock"));
    let before = desk.text("plugins.lock");
    fs::write(desk.at("zeta.wasm"), zeta_with_fault("border")).unwrap();
    desk.types("sign zeta.wasm --key ours.key", 0);
    is_in("frame by frame", &desk.types("install zeta.wasm", 1));
    assert_eq!(fs::read(desk.at("served/zeta.wasm")).unwrap(), zeta_build(1), "the former one stays");
    assert_eq!(desk.text("plugins.lock"), before);
}

#[test]
fn the_exit_code_of_a_test_tells_a_failure_from_a_mistake_and_the_report_goes_to_its_file() {
    let desk = CommandFolder::with(&fs::read(component("zeta")).unwrap(), "");
    let test = |file: &str, code| desk.types(&format!("test {file} --format junit --out report.xml"), code);
    test("zeta.wasm", 0);
    is_in("failures=\"0\"", &desk.text("report.xml"));
    fs::write(desk.at("zeta.wasm"), zeta_with_fault("border")).unwrap();
    is_in("stream-calls", &test("zeta.wasm", 1));
    is_in("<failure", &desk.text("report.xml"));
    is_in("nowhere.wasm", &test("nowhere.wasm", 2));
    is_in("no fixture is called `nothing`", &test("zeta.wasm --only nothing", 2));
    fs::write(desk.at("zeta.fixtures/calls.json"), "{").unwrap();
    is_in("fixture zeta.fixtures/calls.json: line 1, ", &test("zeta.wasm", 2));
    fs::write(desk.at("zeta.wasm"), "zeta").unwrap();
    test("zeta.wasm", 2);
    is_in("the name \"Bad.Name\"", &desk.types("new Bad.Name --lang rust", 2));
}

#[test]
fn an_update_writes_what_the_adapter_gives_and_only_that() {
    let desk = CommandFolder::with(&fs::read(component("zeta")).unwrap(), "");
    let calls = desk.at("zeta.fixtures/calls.json");
    let expectation = |file: &Path| {
        let mut fixture: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        fixture["expect"].take()
    };
    desk.types("test zeta.wasm --update", 0);
    let right = expectation(&calls);
    assert!(right.is_object(), "{right}");
    is_in("0 fixtures written", &desk.types("test zeta.wasm --update", 0));
    let text = fs::read_to_string(&calls).unwrap();
    let (request, expected) = text.split_at(text.find("\"expect\"").unwrap());
    let wrong = [request, &expected.replace("I look at both.", "I look at none.")].concat();
    assert_ne!(wrong, text);
    fs::write(&calls, wrong).unwrap();
    is_in("I look at none.", &desk.types("test zeta.wasm --only zeta-calls", 1));
    is_in("1 fixtures written", &desk.types("test zeta.wasm --update", 0));
    assert_eq!(fs::read_to_string(&calls).unwrap(), text);
}

#[test]
fn what_is_in_the_environment_is_written_down_without_its_secrets() {
    let desk = CommandFolder::with(&zeta_build(1), "");
    for name in ["openai", "anthropic"] {
        fs::copy(component(name), desk.at(&format!("{name}.wasm"))).unwrap();
        desk.types(&format!("install {name}.wasm"), 0);
    }
    let here = [("WEIR_PLUGINS__DIR", "served"), ("WEIR_PLUGINS__LOCK", "plugins.lock")];
    // The variables of the developer who runs this test are hidden.
    let none = [("OPENAI_API_KEY", ""), ("ANTHROPIC_API_KEY", "")];
    fs::remove_file(desk.at("weir.toml")).unwrap();
    is_in("no adapter's usual key variable is set", &desk.types_with(&[here, none].concat(), "import env", 1));
    let keys = [("OPENAI_API_KEY", "sk-seen-by-nobody"), ("WEIR_PROVIDERS_ANTHROPIC_API_KEY", "sk-nor-is-this")];
    let set = [here, [none[1], keys[0]], [keys[1], keys[1]]].concat();
    let printed = desk.types_with(&set, "import env", 0);
    is_in("weir.toml written", &desk.types_with(&set, "import env --out weir.toml", 0));
    let written = desk.text("weir.toml");
    assert_eq!(printed.trim_end(), written.trim_end());
    for line in [
        "api_key = \"env:OPENAI_API_KEY\"",
        "api_key = \"env:WEIR_PROVIDERS_ANTHROPIC_API_KEY\"",
        "url = \"https://api.openai.com/v1/\"",
        "alias = \"claude-*\"",
    ] {
        is_in(line, &written);
    }
    assert!(!written.contains("sk-"), "{written}");
    is_in("2 providers", &desk.types_with(&set, "check --config weir.toml", 0));
    is_in("weir.toml is there already", &desk.types_with(&set, "import env --out weir.toml", 1));
    assert_eq!(desk.text("weir.toml"), written, "nothing is overwritten");
}

#[test]
fn the_fixtures_of_a_project_come_along_and_what_fails_them_is_refused() {
    for (named, about) in
        [("fixtures", None), ("recordings", Some("name = \"zeta\"\nlanguage = \"rust\"\nfixtures = \"recordings\"\n"))]
    {
        let desk = CommandFolder::with(&zeta_with_fault("border"), "");
        fs::rename(desk.at("zeta.fixtures"), desk.at(named)).unwrap();
        if let Some(about) = about {
            fs::write(desk.at("adapter.toml"), about).unwrap();
        }
        is_in("1 of 4 fixtures fail: stream-calls", &desk.types("install zeta.wasm --config weir.toml", 1));
        assert_eq!(fs::read_dir(desk.at("served")).unwrap().count(), 0, "nothing is left behind");
        fs::write(desk.at("zeta.wasm"), zeta_build(1)).unwrap();
        is_in("4 fixtures passed", &desk.types("install zeta.wasm --config weir.toml", 0));
        let mut files: Vec<_> =
            fs::read_dir(desk.at("served")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["zeta.fixtures", "zeta.wasm"]);
        assert!(!desk.types("list --config weir.toml", 0).contains("unproved"));
    }
}

#[test]
fn what_comes_without_fixtures_is_called_unproved() {
    let desk = CommandFolder::with(&zeta_build(1), "");
    fs::remove_dir_all(desk.at("zeta.fixtures")).unwrap();
    is_in("unproved: it came without fixtures", &desk.types("install zeta.wasm --config weir.toml", 0));
    is_in("unproved", &desk.types("list --config weir.toml", 0));
}

/// A build of zeta with an older version.
pub(crate) fn older_zeta() -> Vec<u8> {
    let mut bytes = zeta_build(3);
    let (known, older) = (b"1.0.0+zeta-build", b"0.9.0+zeta-build");
    let places: Vec<usize> = (0..bytes.len() - known.len()).filter(|at| bytes[*at..].starts_with(known)).collect();
    assert!(!places.is_empty(), "the version stands somewhere in the component");
    for at in places {
        bytes[at..at + older.len()].copy_from_slice(older);
    }
    bytes
}

#[test]
fn a_signed_older_version_is_installed_only_where_that_is_allowed() {
    let desk = CommandFolder::with(&zeta_build(1), "require_signature = true\n");
    desk.types("keygen --out ours", 0);
    let config = desk.text("weir.toml");
    fs::write(desk.at("weir.toml"), format!("{config}trusted_keys = [\"{}\"]\n", desk.text("ours.pub").trim()))
        .unwrap();
    desk.types("sign zeta.wasm --key ours.key", 0);
    desk.types("install zeta.wasm --config weir.toml", 0);
    is_in("version = \"1.0.0+zeta-build-0001", &desk.text("plugins.lock"));
    fs::write(desk.at("zeta.wasm"), older_zeta()).unwrap();
    desk.types("sign zeta.wasm --key ours.key", 0);
    let refused =
        |desk: &CommandFolder| is_in("is older than 1.0.0", &desk.types("install zeta.wasm --config weir.toml", 1));
    refused(&desk);
    // Nor if the newer file has been removed: the lock file remembers it.
    fs::remove_file(desk.at("served/zeta.wasm")).unwrap();
    refused(&desk);
    is_in("installed zeta 0.9.0", &desk.types("install zeta.wasm --config weir.toml --allow-downgrade", 0));
}

#[cfg(unix)]
#[test]
fn a_folder_that_everybody_may_write_to_is_refused_unless_that_is_meant() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = CommandFolder::with(&zeta_build(1), "");
    desk.types("install zeta.wasm --config weir.toml", 0);
    let open = |path: &str| fs::set_permissions(desk.at(path), fs::Permissions::from_mode(0o777)).unwrap();
    let close = |path: &str| fs::set_permissions(desk.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    for path in ["served", "served/zeta.wasm"] {
        open(path);
        is_in("refused: all users may write to", &desk.types("list --config weir.toml", 0));
        close(path);
    }
    open("served");
    is_in("all users may write to served", &desk.types("install zeta.wasm --config weir.toml", 1));
    let config = desk.text("weir.toml");
    fs::write(desk.at("weir.toml"), format!("{config}allow_writable = true\n")).unwrap();
    desk.types("install zeta.wasm --config weir.toml", 0);
    assert!(!desk.types("list --config weir.toml", 0).contains("refused"));
}
