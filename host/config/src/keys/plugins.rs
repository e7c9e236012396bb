//! `[plugins]`: the folder of adapters, the keys that sign them, and the default settings of all adapters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::AdapterSettings;
use super::adapters::{ADAPTER, OwnSettings};
use crate::Place;
use crate::key::with_text;
use crate::raw::{Node, Value};
use crate::section::{Entry, Located, Reader, Section, Size, Take, joined, part, section, take_table};

/// The usual name of the lock file.
const LOCK: &str = "plugins.lock";

part! {
    /// The paths that were given.
    #[derive(Debug)]
    struct Paths {
        /// The folder with the files `NAME.wasm`, which Weir watches. If this key is unset and the working directory
        /// has no such folder, the folder `plugins` beside the program is used, or `../lib/weir/plugins` from a program
        /// in `bin`, if it exists.
        dir: Option<Located<PathBuf>> => "\"plugins\"",
        /// The file with the digests of components whose suggestions (url, key variables) are accepted without
        /// confirmation. It need not exist.
        lock: Option<PathBuf> => "\"plugins.lock\" beside the configuration, else beside the folder",
        /// The folder for compiled components and the decisions about them: quarantines, rollbacks. If empty, nothing
        /// is kept.
        cache_dir: Option<FolderOrNone> => "`weir` in the user's cache folder",
    }
}

part! {
    /// Where adapters are found, and their settings.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Plugins {
        /// Whether Weir starts with an empty folder, and serves as soon as it holds an adapter. Otherwise an empty
        /// folder is an error, because most often the path is wrong.
        allow_empty: bool,
        /// How often Weir scans the folder, in addition to the system's notifications.
        poll_interval: Duration = Duration::from_secs(2),
        /// Whether Weir loads files that every user of this machine may write, or that lie in a folder that every user
        /// may write. Read-only mounts are always accepted.
        allow_writable: bool,
        /// Public keys, `"ed25519:BASE64"`, whose signatures are accepted. `weir plugin keygen` makes a key pair.
        trusted_keys: Vec<[u8; 32]> as Vec<PublicKey>,
        /// The most memory that the instances of all adapters may take together beyond what each begins with. One
        /// adapter may take three quarters of it. A request that finds none left gets a 503, one that alone needs more
        /// a 413; `memory` limits one instance. A quarter of a container's memory at most.
        total_memory: usize as Size = 4 << 30,
        /// Limits for the compilation of one component.
        compile: Compile,
    } beside {
        /// The folder with the files `NAME.wasm`.
        dir: PathBuf = PathBuf::new(),
        /// The file with the digests of trusted components. It need not exist.
        lock: PathBuf = PathBuf::new(),
        /// The folder for compiled components; if `None`, none are kept.
        cache_dir: Option<PathBuf> = None,
        /// The program `weir`, which compiles components in separate processes; without it, this process compiles. Not
        /// a key: the command line sets it.
        compiler: Option<PathBuf> = None,
        /// The settings of adapters without their own table.
        defaults: AdapterSettings = AdapterSettings::default(),
        /// `[plugins.NAME]`, completed from the defaults.
        adapters: BTreeMap<String, AdapterSettings> = BTreeMap::new(),
        /// Where `dir` was set.
        place: Place = Place::Unset,
    }
}

joined! {
    /// Where adapters are found, and the settings of adapters without their own table. Paths are relative to the
    /// working directory.
    PLUGINS = "[plugins]" at "plugins":
        Paths::KEYS,
        Plugins::KEYS,
        &with_text::<{ AdapterSettings::KEYS.len() }>(AdapterSettings::KEYS, "As in `[plugins.NAME]`, for all.");
}

section! {
    /// Limits for the compilation of one component. It runs in a separate process, which is ended if it exceeds them;
    /// the component is then refused.
    COMPILE = "compile = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Compile {
        /// Address space. CPython needs 400 MiB.
        memory: usize as Size = 1 << 30,
        /// Wall-clock time. CPython takes 10 seconds on one core.
        time: Duration = Duration::from_mins(1),
    }
}

impl Plugins {
    /// The settings of the adapter with this name.
    pub fn adapter(&self, name: &str) -> &AdapterSettings {
        self.adapters.get(name).unwrap_or(&self.defaults)
    }

    /// The settings for a file without this table.
    pub(crate) fn usual(reader: &Reader<'_>) -> Self {
        Self::default().found_at(Paths::default(), reader)
    }

    /// Takes another folder, with the lock file beside it if the present one is beside the present folder.
    pub fn move_to(&mut self, dir: &Path) {
        if self.lock == self.dir.with_file_name(LOCK) {
            self.lock = dir.with_file_name(LOCK);
        }
        dir.clone_into(&mut self.dir);
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
            let OwnSettings { grants } = OwnSettings::read(&mut table, OwnSettings::default());
            let settings = AdapterSettings { grants, ..AdapterSettings::read(&mut table, plugins.defaults.clone()) };
            plugins.check_signed(&table, &settings);
            plugins.adapters.insert(name, settings);
            table.finish();
        }
        plugins.check_signed(section, &plugins.defaults);
        plugins
    }
}

/// `plugins` in the working directory; if it is missing there, the one beside the program, where a release has it, or
/// the one of the prefix into which the program was installed.
fn usual_dir(reader: &Reader<'_>) -> PathBuf {
    let here = PathBuf::from("plugins");
    if here.exists() {
        return here;
    }
    let program = reader.environment.program_folder();
    let prefix = program.filter(|folder| folder.ends_with("bin")).and_then(Path::parent);
    let known = program.map(|folder| folder.join("plugins")).into_iter();
    let mut known = known.chain(prefix.map(|prefix| prefix.join("lib/weir/plugins")));
    known.find(|folder| folder.is_dir()).unwrap_or(here)
}

/// `weir` in the user's cache folder: `XDG_CACHE_HOME`, or `.cache` in `HOME`.
fn usual_cache(reader: &Reader<'_>) -> Option<PathBuf> {
    let variable = |name: &str| reader.environment.get(name).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    base.or_else(|| Some(variable("HOME")?.join(".cache"))).map(|base| base.join("weir"))
}

/// `plugins.lock` beside the configuration if that file exists, else beside the folder of adapters.
fn usual_lock(reader: &Reader<'_>, dir: &Path) -> PathBuf {
    let beside_configuration = reader.folder.join(LOCK);
    if beside_configuration.is_file() {
        return beside_configuration;
    }
    dir.with_file_name(LOCK)
}

/// A folder, or an empty string for none.
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

/// An Ed25519 public key.
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
            // The message omits the value: it may be a private key given by mistake.
            let message = format!("`{}` holds something that is not a public key", entry.name);
            let help = "`ed25519:` and 32 bytes in base64, as `weir plugin keygen` writes";
            entry.error_with(&text.place, message, help);
        }
        key
    }

    fn example() -> String {
        format!("\"ed25519:{}\"", STANDARD.encode([1; 32]))
    }
}
