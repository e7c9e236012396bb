//! `[plugins]` and `[plugins.NAME]`.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::raw::Value;
use super::super::settings::{AdapterSettings, Canary, Isolation, Plugins, Quarantine};
use super::super::{Problem, keys};
use super::{Reader, Section};

const ISOLATIONS: &[(&str, Isolation)] =
    &[("fresh", Isolation::Fresh), ("tenant", Isolation::Tenant), ("shared", Isolation::Shared)];

pub(super) fn plugins(reader: &Reader<'_>, top: &mut Section<'_>) -> Plugins {
    let mut plugins = Plugins {
        dir: PathBuf::from("plugins"),
        poll_interval: Duration::from_secs(2),
        cache_dir: usual_cache(reader),
        ..Plugins::default()
    };
    if let Some(section) = top.section("plugins", &keys::PLUGINS) {
        plugins_table(section, &mut plugins);
    }
    if plugins.lock.as_os_str().is_empty() {
        plugins.lock = usual_lock(reader, &plugins);
    }
    plugins
}

fn plugins_table(mut section: Section<'_>, plugins: &mut Plugins) {
    plugins.place = section.place.clone();
    if let Some(dir) = section.text("dir") {
        plugins.dir = dir.value.into();
        plugins.place = dir.place;
    }
    if let Some(lock) = section.text("lock") {
        plugins.lock = lock.value.into();
    }
    if let Some(interval) = section.duration("poll_interval") {
        plugins.poll_interval = interval;
    }
    if let Some(node) = section.take("cache_dir") {
        match node.value {
            Value::Text(path) => {
                plugins.cache_dir = (!path.is_empty()).then(|| path.into());
            }
            _ => section.wrong("cache_dir", &node, "a path", None),
        }
    }
    plugins.trusted_keys = trusted_keys(&mut section);
    plugins.defaults = adapter(&mut section, &AdapterSettings::default());
    for (name, mut section) in section.named_sections(&keys::ADAPTER) {
        let settings = adapter(&mut section, &plugins.defaults);
        check_signed(&section, &settings, plugins);
        plugins.adapters.insert(name, settings);
        section.finish();
    }
    check_signed(&section, &plugins.defaults, plugins);
    section.finish();
}

fn trusted_keys(section: &mut Section<'_>) -> Vec<[u8; 32]> {
    let texts = section.texts("trusted_keys").into_iter();
    let keys = texts.filter_map(|text| {
        let bytes = text.value.trim().strip_prefix("ed25519:").and_then(|key| STANDARD.decode(key).ok());
        let key = bytes.and_then(|bytes| bytes.try_into().ok());
        if key.is_none() {
            // Without its words: somebody may have taken the private key for it.
            let problem = Problem::error(&text.place, "`trusted_keys` holds what is no public key");
            section
                .reader
                .report(problem.with_help("`ed25519:` and 32 bytes in base64, as `weir plugin keygen` writes"));
        }
        key
    });
    keys.collect()
}

fn check_signed(section: &Section<'_>, settings: &AdapterSettings, plugins: &Plugins) {
    if settings.require_signature && plugins.trusted_keys.is_empty() {
        let problem = Problem::error(&section.place, "`require_signature` needs `trusted_keys` in `[plugins]`");
        section.reader.report(problem.with_help("without one, no file could be loaded"));
    }
}

fn adapter(section: &mut Section<'_>, default: &AdapterSettings) -> AdapterSettings {
    AdapterSettings {
        isolation: section.choice("isolation", ISOLATIONS).or(default.isolation),
        max_instances: section.amount("max_instances").or(default.max_instances),
        prewarm: section.count("prewarm", &(0..=100_000)).map_or(default.prewarm, |count| count as usize),
        memory: section.size("memory").unwrap_or(default.memory),
        deadline: section.duration("deadline").unwrap_or(default.deadline),
        max_uses: section.amount("max_uses").unwrap_or(default.max_uses),
        quarantine: unless_off(section, "quarantine", &keys::QUARANTINE, quarantine).unwrap_or(default.quarantine),
        canary: unless_off(section, "canary", &keys::CANARY, canary).unwrap_or(default.canary),
        require_signature: section.flag("require_signature").unwrap_or(default.require_signature),
        require_lock: section.flag("require_lock").unwrap_or(default.require_lock),
    }
}

/// A table, or `false` for none of it; nothing where the key is left out.
fn unless_off<'r, T>(
    section: &mut Section<'r>,
    name: &'static str,
    keys: &'static keys::Keys,
    read: impl Fn(&mut Section<'r>) -> T,
) -> Option<Option<T>> {
    let node = section.take(name)?;
    if matches!(node.value, Value::Flag(false)) || node.variable_text() == Some("false") {
        return Some(None);
    }
    let mut table = Section::new(section.reader, node, keys)?;
    let read = read(&mut table);
    table.finish();
    Some(Some(read))
}

fn quarantine(table: &mut Section<'_>) -> Quarantine {
    let default = Quarantine::default();
    Quarantine {
        faults: table.count("faults", &(1..=64)).map_or(default.faults, |faults| faults as usize),
        window: table.duration("window").unwrap_or(default.window),
        share: share(table).unwrap_or(default.share),
    }
}

fn canary(table: &mut Section<'_>) -> Canary {
    let default = Canary::default();
    Canary {
        share: share(table).unwrap_or(default.share),
        requests: table.amount("requests").unwrap_or(default.requests),
        max_fault_rate: table.number("max_fault_rate").unwrap_or(default.max_fault_rate),
        max_time: table.duration("max_time").unwrap_or(default.max_time),
    }
}

fn share(table: &mut Section<'_>) -> Option<f64> {
    let share = table.number("share")?;
    if share <= 0.0 || share > 1.0 {
        let problem = Problem::error(&table.place, "`share` must be above 0 and at most 1");
        table.reader.report(problem.with_help("0.1 is a tenth of the exchanges"));
    }
    Some(share)
}

/// The user's cache folder, by the usual variables.
fn usual_cache(reader: &Reader<'_>) -> Option<PathBuf> {
    let variable = |name: &str| reader.environment.get(name).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    base.or_else(|| Some(variable("HOME")?.join(".cache"))).map(|base| base.join("weir"))
}

/// Beside the configuration, where there is one; else beside the folder of adapters.
fn usual_lock(reader: &Reader<'_>, plugins: &Plugins) -> PathBuf {
    let beside_configuration = reader.folder.join("plugins.lock");
    if beside_configuration.is_file() {
        return beside_configuration;
    }
    plugins.dir.with_file_name("plugins.lock")
}
