//! `[plugins]`: where adapters are found, who vouches for them, and the settings of all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::AdapterSettings;
use super::adapters::ADAPTER;
use crate::Place;
use crate::key::with_text;
use crate::raw::{Node, Value};
use crate::section::{Entry, Located, Reader, Section, Size, Take, joined, part, section, take_table};

part! {
    /// The paths, as far as they were given.
    #[derive(Debug)]
    struct Paths {
        /// The folder with `NAME.wasm`. It is watched. Where this key is left out and the working directory has no such
        /// folder, the folder `plugins` beside the program is taken, if there is one.
        dir: Option<Located<PathBuf>> => "\"plugins\"",
        /// The digests of components whose suggestions (url, key variables) are taken without asking. It need not
        /// exist.
        lock: Option<PathBuf> => "\"plugins.lock\" beside the configuration, else beside the folder",
        /// Where compiled components are kept, and what was decided about them: quarantines, rollbacks. Empty for
        /// nowhere.
        cache_dir: Option<FolderOrNone> => "`weir` in the user's cache folder",
    }
}

part! {
    /// Where adapters are found and how they are run.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Plugins {
        /// Whether Weir starts while the folder holds no adapter, and serves as soon as one is there. Without it that
        /// is an error: most often the folder is another one.
        allow_empty: bool,
        /// How often the folder is looked at, besides the system's own hints.
        poll_interval: Duration = Duration::from_secs(2),
        /// Whether files are loaded that everybody on this machine may write, or that lie in a folder where everybody
        /// may. What is mounted for reading only is never meant.
        allow_writable: bool,
        /// Public keys, `"ed25519:BASE64"`, whose signatures count. `weir plugin keygen` makes a pair.
        trusted_keys: Vec<[u8; 32]> as Vec<PublicKey>,
        /// What compiling one component may take.
        compile: Compile,
    } beside {
        /// The folder with `NAME.wasm`.
        dir: PathBuf = PathBuf::new(),
        /// The file with the digests of trusted components. It need not exist.
        lock: PathBuf = PathBuf::new(),
        /// Where compiled components are kept; nowhere if none.
        cache_dir: Option<PathBuf> = None,
        /// The program `weir`, which compiles in processes of its own; without one it is done in this process. Not a
        /// key: the command line names itself.
        compiler: Option<PathBuf> = None,
        /// For adapters without a table of their own.
        defaults: AdapterSettings = AdapterSettings::default(),
        /// `[plugins.NAME]`, completed from the defaults.
        adapters: BTreeMap<String, AdapterSettings> = BTreeMap::new(),
        /// Where `dir` was set.
        place: Place = Place::Unset,
    }
}

joined! {
    /// Where adapters are found, and how those without a table of their own are run. Paths are taken from the working
    /// directory.
    PLUGINS = "[plugins]" at "plugins":
        Paths::KEYS,
        Plugins::KEYS,
        &with_text::<{ AdapterSettings::KEYS.len() }>(AdapterSettings::KEYS, "As in `[plugins.NAME]`, for all.");
}

section! {
    /// What compiling one component may take. It is done in a process of its own, which is ended when it takes more;
    /// the component is then refused.
    COMPILE = "compile = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Compile {
        /// Address space. CPython needs 400 MiB.
        memory: usize as Size = 1 << 30,
        /// Time on the wall. CPython takes 10 seconds of one core.
        time: Duration = Duration::from_mins(1),
    }
}

impl Plugins {
    /// Whether these are the same settings, wherever they stand and whoever compiles.
    pub fn is_as(&self, other: &Self) -> bool {
        let bare = |plugins: &Self| Self { place: Place::Unset, compiler: None, ..plugins.clone() };
        bare(self) == bare(other)
    }

    /// How the adapter of this name is run.
    pub fn adapter(&self, name: &str) -> &AdapterSettings {
        self.adapters.get(name).unwrap_or(&self.defaults)
    }

    /// The settings where the file has no such table.
    pub(crate) fn usual(reader: &Reader<'_>) -> Self {
        Self::default().found_at(Paths::default(), reader)
    }

    fn found_at(mut self, paths: Paths, reader: &Reader<'_>) -> Self {
        if let Some(dir) = paths.dir {
            (self.dir, self.place) = (dir.value, dir.place);
        } else {
            self.dir = usual_dir(reader);
        }
        self.cache_dir = paths.cache_dir.map_or_else(|| usual_cache(reader), |FolderOrNone(folder)| folder);
        self.lock = paths.lock.unwrap_or_else(|| usual_lock(reader, &self.dir));
        self
    }

    fn check_signed(&self, section: &Section<'_>, settings: &AdapterSettings) {
        if settings.require_signature && self.trusted_keys.is_empty() {
            let message = "`require_signature` needs `trusted_keys` in `[plugins]`";
            section.error(&section.place, message, "without one, no file could be loaded");
        }
    }
}

take_table!(Plugins, PLUGINS, by Plugins::of_table);

impl Plugins {
    fn of_table(section: &mut Section<'_>) -> Self {
        let paths = Paths::read(section, Paths::default());
        let before = Self { place: section.place.clone(), ..Self::default() };
        let mut plugins = Self::read(section, before).found_at(paths, section.reader);
        plugins.defaults = AdapterSettings::read(section, AdapterSettings::default());
        for (name, mut table) in section.named_sections(&ADAPTER) {
            let settings = AdapterSettings::read(&mut table, plugins.defaults.clone());
            plugins.check_signed(&table, &settings);
            plugins.adapters.insert(name, settings);
            table.finish();
        }
        plugins.check_signed(section, &plugins.defaults);
        plugins
    }
}

/// `plugins` in the working directory; where there is none, the one beside the program, as a release has it.
fn usual_dir(reader: &Reader<'_>) -> PathBuf {
    let here = PathBuf::from("plugins");
    let beside = reader.environment.program_folder().map(|folder| folder.join(&here));
    beside.filter(|beside| !here.exists() && beside.is_dir()).unwrap_or(here)
}

/// The user's cache folder, by the usual variables.
fn usual_cache(reader: &Reader<'_>) -> Option<PathBuf> {
    let variable = |name: &str| reader.environment.get(name).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    base.or_else(|| Some(variable("HOME")?.join(".cache"))).map(|base| base.join("weir"))
}

/// Beside the configuration, where there is one; else beside the folder of adapters.
fn usual_lock(reader: &Reader<'_>, dir: &Path) -> PathBuf {
    let beside_configuration = reader.folder.join("plugins.lock");
    if beside_configuration.is_file() {
        return beside_configuration;
    }
    dir.with_file_name("plugins.lock")
}

/// A folder; empty for none.
#[derive(Debug)]
struct FolderOrNone(Option<PathBuf>);

impl Take for FolderOrNone {
    type Value = Self;
    const TAKES: &'static str = PathBuf::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let Value::Text(path) = node.value else {
            entry.wrong(&node, "a path");
            return None;
        };
        Some(Self((!path.is_empty()).then(|| path.into())))
    }

    fn example() -> String {
        PathBuf::example()
    }
}

/// A public key of Ed25519.
#[derive(Debug)]
struct PublicKey;

impl Take for PublicKey {
    type Value = [u8; 32];
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<[u8; 32]> {
        let text = Located::<String>::take(entry, node)?;
        let bytes = text.value.trim().strip_prefix("ed25519:").and_then(|key| STANDARD.decode(key).ok());
        let key = bytes.and_then(|bytes| bytes.try_into().ok());
        if key.is_none() {
            // Without its words: it may be the private key by mistake.
            let message = format!("`{}` holds what is no public key", entry.name);
            let help = "`ed25519:` and 32 bytes in base64, as `weir plugin keygen` writes";
            entry.error_with(&text.place, message, help);
        }
        key
    }

    fn example() -> String {
        format!("\"ed25519:{}\"", STANDARD.encode([1; 32]))
    }
}
