//! `[store]`: where the request log, keys and the audit log are kept, and for how long.

use std::path::PathBuf;

use super::KeepBodies;
use crate::raw::{Node, Value};
use crate::section::{Amount, Entry, InFolder, Located, Size, Take, section};
use crate::{Place, Problem, Secret};

section! {
    /// What is kept: the log of requests, keys and teams made over the admin API, and the audit log. Requests never
    /// wait for it; see `docs/request-log.md`.
    STORE = "[store]" at "store";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StoreSettings {
        /// Where: `"sqlite://PATH"` (a path in the configuration's folder; the files of days are beside it),
        /// `"postgres://USER@HOST/DATABASE"`, which several Weirs may share, or `"none"`. An address with a password is
        /// best written as `"env:NAME"` or `"file:PATH"`. Without a configuration file or in a folder that cannot be
        /// written, the default is `"none"`.
        url: StoreUrl => "\"sqlite://weir.db\" beside the configuration",
        /// Where this node keeps what is its own, so that a restart continues it: the counts of budgets, and which
        /// changes of a database it has seen. Beside a file of `url`, if that names one; else in this folder, which is
        /// made, or beside the configuration. A path in the configuration's folder.
        state_dir: Option<PathBuf> as Option<InFolder>,
        /// How long facts and bodies of requests are kept, in days. Whole days end.
        retention: u32 as Days = 30,
        /// How many bytes of facts and bodies are kept; beyond them, the oldest days end before their time,
        /// and of a day that alone is so large the older part.
        max_bytes: usize as Size = 2 << 30,
        /// Facts and bodies that wait to be written. Further ones are dropped and counted.
        max_queue_rows: usize as Amount = 65_536,
        /// Memory for those that wait.
        max_queue_bytes: usize as Size = 64 << 20,
        /// The requests whose contents are kept: `"off"`, `"on-request"` (those with the header `x-weir-log: full`),
        /// `"errors"` (failed ones too), a share such as `"5%"` besides those, or `"all"`. `[[bodies]]` has exceptions.
        bodies: KeepBodies,
        /// The largest exchange whose contents are kept: what a client sent and got, and what a provider was sent and
        /// answered, together.
        max_exchange_bytes: usize as Size = 32 << 20,
        /// A file of further rules for what is removed from contents; docs/recording.md says which format. A path in
        /// the configuration's folder.
        redaction_rules: Option<PathBuf> as Option<InFolder>,
        /// Whether clients may keep a request out of the log with the header `x-weir-log: none`. Its use is booked
        /// nevertheless.
        allow_unlogged: bool,
    }
}

impl StoreSettings {
    /// Whether these settings are others only in what takes effect at once.
    pub fn is_as(&self, other: &Self) -> bool {
        let Self { bodies, max_exchange_bytes, allow_unlogged, .. } = *other;
        Self { bodies, max_exchange_bytes, allow_unlogged, ..self.clone() } == *other
    }
}

/// Where what is kept is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreUrl {
    /// In SQLite files beside the configuration, if there is one and its folder can be written.
    #[default]
    Beside,
    /// In this SQLite file and files of days beside it.
    Sqlite(PathBuf),
    /// In a PostgreSQL database with this address.
    Postgres(Secret),
    /// Nowhere.
    Off,
}

/// The forms of an address, for messages.
const FORMS: &str = "\"sqlite://PATH\", \"postgres://USER@HOST/DATABASE\" or \"none\"";

impl Take for StoreUrl {
    type Value = Self;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let written = text.value.trim();
        if written.starts_with("env:") || written.starts_with("file:") {
            let place = text.place.clone();
            let node = Node { value: Value::Text(text.value), place: text.place };
            let secret = Secret::take(entry, node)?;
            return parsed(entry, &place, secret.expose());
        }
        warn_of_password(entry, &text);
        parsed(entry, &text.place, written)
    }

    fn example() -> String {
        "\"sqlite://weir.db\"".to_owned()
    }
}

/// Reads an address. The message omits it: it may hold a password.
fn parsed(entry: &Entry<'_, '_>, place: &Place, text: &str) -> Option<StoreUrl> {
    if text == "none" {
        return Some(StoreUrl::Off);
    }
    if let Some(path) = text.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.ends_with('/')) {
        return Some(StoreUrl::Sqlite(entry.reader().folder.join(path)));
    }
    let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Some(StoreUrl::Postgres(Secret::new(text)));
    }
    entry.error_with(place, format!("`{}` is not an address of a store", entry.name), format!("write {FORMS}"));
    None
}

/// Warns of a password in the file itself. One that is a parameter of the address would be shown with it.
fn warn_of_password(entry: &Entry<'_, '_>, text: &Located<String>) {
    const HELP: &str = "write \"env:NAME\" or \"file:PATH\" to keep it out";
    if text.value.contains("password=") {
        entry.error_with(&text.place, format!("`{}` holds a password as a parameter", entry.name), HELP);
        return;
    }
    let authority = text.value.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') && matches!(text.place, Place::File(_)) {
        let problem =
            Problem::warning(&text.place, format!("the password in `{}` stands in the file itself", entry.name));
        entry.reader().report(problem.with_help(HELP));
    }
}

/// A number of days: `"30d"`.
#[derive(Debug)]
struct Days;

/// Ten years: no log is kept for longer.
const MAX_DAYS: u32 = 3_650;

impl Take for Days {
    type Value = u32;
    const TAKES: &'static str = "days";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<u32> {
        let text = Located::<String>::take(entry, node)?;
        let days = text.value.trim().strip_suffix('d').and_then(|days| days.parse().ok());
        let days = days.filter(|days| (1..=MAX_DAYS).contains(days));
        if days.is_none() {
            let message = format!("`{}` must be a number of days, from \"1d\" to \"{MAX_DAYS}d\"", entry.name);
            entry.error(&text.place, message);
        }
        days
    }

    fn show(default: &u32) -> String {
        format!("\"{default}d\"")
    }

    fn example() -> String {
        "\"30d\"".to_owned()
    }
}
