//! What `[plugins]` says of the life of adapters: who vouches for them, how they are tried, when they are taken back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::raw::Value;
use super::super::settings::{AdapterSettings, Canary, Plugins, Quarantine};
use super::super::{Problem, keys};
use super::Section;

/// When an adapter is taken out of service; none for never.
pub(super) fn quarantine(section: &mut Section<'_>, default: Option<Quarantine>) -> Option<Quarantine> {
    unless_off(section, "quarantine", &keys::QUARANTINE, default, quarantine_table)
}

/// How new versions are tried; none for not at all.
pub(super) fn canary(section: &mut Section<'_>, default: Option<Canary>) -> Option<Canary> {
    unless_off(section, "canary", &keys::CANARY, default, canary_table)
}

pub(super) fn trusted_keys(section: &mut Section<'_>) -> Vec<[u8; 32]> {
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

pub(super) fn check_signed(section: &Section<'_>, settings: &AdapterSettings, plugins: &Plugins) {
    if settings.require_signature && plugins.trusted_keys.is_empty() {
        let problem = Problem::error(&section.place, "`require_signature` needs `trusted_keys` in `[plugins]`");
        section.reader.report(problem.with_help("without one, no file could be loaded"));
    }
}

/// A table, or `false` for none of it; the default where the key is left out.
fn unless_off<'r, T>(
    section: &mut Section<'r>,
    name: &'static str,
    keys: &'static keys::Keys,
    default: Option<T>,
    read: impl Fn(&mut Section<'r>) -> T,
) -> Option<T> {
    let Some(node) = section.take(name) else { return default };
    if matches!(node.value, Value::Flag(false)) || node.variable_text() == Some("false") {
        return None;
    }
    let mut table = Section::new(section.reader, node, keys)?;
    let read = read(&mut table);
    table.finish();
    Some(read)
}

fn quarantine_table(table: &mut Section<'_>) -> Quarantine {
    let default = Quarantine::default();
    Quarantine {
        faults: table.count("faults", &(1..=64)).map_or(default.faults, |faults| faults as usize),
        window: table.duration("window").unwrap_or(default.window),
        share: share(table).unwrap_or(default.share),
        pause: table.duration("pause").unwrap_or(default.pause),
    }
}

fn canary_table(table: &mut Section<'_>) -> Canary {
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
