//! Records in the audit log which configurations were taken, at a start too, and which refused, by whom and why: the
//! digest of the file before and after, and the names of what changed. No value of a configuration is in it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AppliedConfig, Origin, Reload, ReloadError, Version};
use crate::store::OpenStore;
use crate::store::redaction::Redaction;
use weir_config::Config;
use weir_identity::change::Actor;
use weir_store::{AuditEntry, AuditEvent, Store, StoreError};

/// The most characters of why a configuration was refused.
const MAX_REASON: usize = 300;
/// How many entries are read at a time for the last configuration, and at most: most of them are of keys.
const PAGE: usize = 1_000;
const PAGES: usize = 20;

/// When a start is recorded again that could not be.
const RECORD_AGAIN: Duration = Duration::from_secs(30);

impl Reload {
    /// Records in the audit log of this store what is taken and refused from now on, and with which configuration the
    /// process began. The start does not wait for that; if the store cannot be used now, it is recorded later.
    pub(crate) fn record_in(self: &Arc<Self>, store: &OpenStore) {
        // The first one stays, which is that of the process.
        _ = self.audit.set(ReloadAudit::new(store, self.current()));
        let reload = Arc::clone(self);
        tokio::spawn(async move {
            let mut is_reported = false;
            while let Err(error) = reload.record_start().await {
                if !std::mem::replace(&mut is_reported, true) {
                    tracing::warn!(%error, "the audit log lacks this start: it is recorded once the store can be used");
                }
                tokio::time::sleep(RECORD_AGAIN).await;
            }
        });
    }

    /// Records with which configuration the process began.
    async fn record_start(self: &Arc<Self>) -> Result<(), StoreError> {
        let reload = Arc::clone(self);
        let record = move || reload.audit.get().map_or(Ok(()), ReloadAudit::record_start);
        // A panic there would come again.
        tokio::task::spawn_blocking(record).await.unwrap_or(Ok(()))
    }
}

/// A change of the file. Who made it is not known.
pub(super) fn file_watch(path: &Path) -> Actor {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Actor { kind: "file".to_owned(), id: name.unwrap_or_default() }
}

/// A signal of this name to the process.
pub(crate) fn signal(name: &str) -> Actor {
    Actor { kind: "signal".to_owned(), id: name.to_owned() }
}

/// A start of this program.
fn start() -> Actor {
    Actor { kind: "start".to_owned(), id: format!("weir/{}", env!("CARGO_PKG_VERSION")) }
}

/// The audit log, for changes of the configuration.
#[derive(Debug)]
pub(super) struct ReloadAudit {
    store: Arc<dyn Store>,
    redaction: Arc<Redaction>,
    /// The configuration that was loaded at the start, until that is recorded.
    first: Mutex<Option<Arc<Version>>>,
}

impl ReloadAudit {
    fn new(store: &OpenStore, first: Arc<Version>) -> Self {
        Self { store: store.store(), redaction: store.redaction(), first: Mutex::new(Some(first)) }
    }

    /// Records the configuration that was loaded at the start, once, unless it is the one of the last entry. Blocks.
    ///
    /// # Errors
    ///
    /// The store cannot be read or written now.
    fn record_start(&self) -> Result<(), StoreError> {
        // What is recorded meanwhile waits: it comes behind the start.
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(version) = &*first else { return Ok(()) };
        let (before, now) = (self.last()?, shown(version));
        if before["digest"] != now["digest"] {
            self.write(&start(), version.origin.as_str(), version, json!({"before": before, "after": now}))?;
        }
        *first = None;
        Ok(())
    }

    /// The configuration that was in force by the last entry about one; null if there is none.
    fn last(&self) -> Result<Value, StoreError> {
        let mut before = None;
        for _ in 0..PAGES {
            let page = self.store.audit_page(before, PAGE)?;
            if let Some(found) = page.iter().find_map(in_force) {
                return Ok(found);
            }
            let Some(last) = page.last().filter(|last| last.sequence > 1) else { break };
            before = Some(last.sequence);
        }
        Ok(Value::Null)
    }

    /// Records that a configuration was taken. It is in force already, so a store that fails is only reported. Blocks.
    pub(super) fn taken(&self, by: &Actor, applied: &AppliedConfig) {
        let AppliedConfig { version, before, .. } = applied;
        self.record(by, version.origin.as_str(), version, taken(before, version));
    }

    /// Records that a configuration was refused, of which this is the digest if it could be read. Blocks.
    pub(super) fn refused(
        &self,
        by: &Actor,
        origin: Origin,
        current: &Version,
        digest: Option<[u8; 32]>,
        error: &ReloadError,
    ) {
        // What cannot be cleaned is not kept.
        let why = self.redaction.cleaned(&in_short(error)).unwrap_or_default();
        let action = format!("refuse-{}", origin.as_str());
        let refused = json!({"digest": digest.map(hex), "why": why});
        self.record(by, &action, current, json!({"before": shown(current), "refused": refused}));
    }

    /// Records an action, after which this version is in force.
    fn record(&self, by: &Actor, action: &str, now_in_force: &Version, details: Value) {
        let written = self.record_start().and_then(|()| self.write(by, action, now_in_force, details));
        if let Err(error) = written {
            tracing::error!(%error, action, kind = "config", "the audit log lacks a change");
        }
    }

    fn write(&self, by: &Actor, action: &str, now_in_force: &Version, details: Value) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let mut event = json!({
            "at": now,
            "actor": by,
            "action": action,
            "kind": "config",
            "id": now_in_force.number.to_string(),
        });
        if let (Some(event), Value::Object(details)) = (event.as_object_mut(), details) {
            event.extend(details);
        }
        let time_ms = u64::try_from(now.as_millisecond()).unwrap_or_default();
        self.store.audit(&AuditEvent { time_ms, event: event.to_string() }).map(|_| ())
    }
}

/// The configuration that is in force after an entry, if that is about one: what was refused left the one before.
fn in_force(entry: &AuditEntry) -> Option<Value> {
    let mut event: Value = serde_json::from_str(&entry.event).ok().filter(|event: &Value| event["kind"] == "config")?;
    let name = if event["after"].is_object() { "after" } else { "before" };
    Some(event[name].take())
}

/// What an entry has of a configuration that replaces another one.
fn taken(before: &Version, after: &Version) -> Value {
    let (old, new): (&Config, &Config) = (&before.config, &after.config);
    json!({
        "before": shown(before),
        "after": shown(after),
        "changed": new.changed_since(old),
        "secret_files_changed": new.secret_files != old.secret_files,
    })
}

/// A version without anything that stands in it. The digest of a file with secrets is that of the file with stars in
/// their places: a short secret could be found by that of the file itself.
fn shown(version: &Version) -> Value {
    let Config { revision, source, .. } = &*version.config;
    json!({"version": version.number, "revision": revision, "digest": hex(source.digest())})
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// Why a configuration was refused: the first mistake, and how many others there are.
fn in_short(error: &ReloadError) -> String {
    let text = error.to_string();
    let mut mistakes = text.lines().filter(|line| line.contains("error: "));
    let first = mistakes.next().or_else(|| text.lines().next()).unwrap_or_default();
    let first: String = first.chars().take(MAX_REASON).collect();
    match mistakes.count() {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::time::SystemTime;
    use weir_config::Environment;

    fn version(number: u64, text: &str) -> Version {
        let config = Config::parse("weir.toml", text, Path::new(""), Environment::default()).unwrap();
        Version { number, since: SystemTime::UNIX_EPOCH, origin: Origin::Reload, config: Arc::new(config) }
    }

    #[test]
    fn an_entry_tells_what_changed_and_shows_no_value() {
        let client = |key: &str| format!("[[clients]]\nname = \"a\"\nkey = \"{key}\"\n");
        let (before, after) =
            (version(1, &client("first-key-of-the-client")), version(2, &client("other-key-of-the-client")));
        let entry = taken(&before, &after);
        assert_eq!((&entry["before"]["version"], &entry["after"]["version"]), (&json!(1), &json!(2)));
        assert_eq!((&entry["changed"], &entry["secret_files_changed"]), (&json!(["clients"]), &json!(false)));
        // Nothing can be found by the digests: they are those of the files with stars.
        assert_eq!(entry["before"]["digest"], entry["after"]["digest"]);
        assert!(!entry.to_string().contains("key-of-the-client"), "{entry}");
        let plain = "log_level = \"debug\"\n";
        assert_eq!(shown(&version(1, plain))["digest"], hex(Sha256::digest(plain).into()));
    }

    #[test]
    fn a_reason_is_short() {
        let problems = |text: &str| in_short(&ReloadError::Problems(text.to_owned()));
        let text = "weir.toml:1:1: warning: odd\nweir.toml:2:1: error: first\nweir.toml:3:1: error: second";
        assert_eq!(problems(text), "weir.toml:2:1: error: first (and 1 more)");
        assert_eq!(problems("the adapters conflict with each other"), "the adapters conflict with each other");
        assert_eq!(problems(&"long ".repeat(1_000)).chars().count(), MAX_REASON);
        assert!(in_short(&ReloadError::NotAFile).starts_with("the configuration is no regular file"));
    }
}
