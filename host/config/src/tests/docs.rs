//! The example and the reference list the keys that the reader accepts.

use std::collections::BTreeMap;

use super::*;
use crate::keys::Keys;

const EXAMPLE: &str = include_str!("../../../../config.example.toml");
const MARK: &str = "UPDATE_DOCS=1 cargo test -p weir-config. -->\n\n";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The example with every key in use.
fn in_full() -> String {
    let setting = |line: &str| {
        let inner = line.strip_prefix('#')?;
        inner.starts_with(|c: char| c.is_ascii_lowercase() || c == '[').then(|| inner.to_owned())
    };
    EXAMPLE.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

fn example(text: &str, variables: &[(&str, &str)]) -> Config {
    Config::parse("config.example.toml", text, root(), environment(variables)).unwrap_or_else(|found| panic!("{found}"))
}

#[test]
fn the_example_serves_recordings_without_any_key() {
    let config = example(EXAMPLE, &[]);
    let leads_to = |name: &str| {
        let target = target(&config, name);
        let place = target.provider.address.as_ref().unwrap().to_string();
        place.rsplit('/').next().unwrap().to_owned()
    };
    for (name, expected) in [
        ("gpt-4o-mini", "openai"),
        ("gpt-5", "openai"),
        ("text-embedding-3-small", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("small", "openai"),
        ("smart", "anthropic"),
    ] {
        assert_eq!(leads_to(name), expected, "{name}");
    }
    assert!(config.providers.iter().all(|provider| provider.keys.is_empty()));
}

#[test]
fn the_example_holds_with_every_key_in_use() {
    let names = [
        "OPENAI_API_KEY",
        "GUARD_SECRET",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_API_KEY_2",
        "WEIR_ADMIN_TOKEN",
        "WEIR_ADMIN_READ_TOKEN",
        "WEIR_LOGIN_SECRET",
        "TEAM_A_KEY",
        "TEAM_A_KEY_2",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "EVENTS_HEADERS",
        "BUCKET_KEY",
        "KEY",
    ];
    let sealing = ("SEALING_KEY", "0123456789abcdef0123456789abcdef");
    let shared = names.into_iter().map(|name| (name, "k=a-value-that-is-long-enough-to-seal-with"));
    let variables: Vec<_> = shared.chain([sealing]).collect();
    let config = example(&in_full(), &variables);
    assert!(config.admin.token.is_some() && config.models.lookup("something else").is_some());
    // Where a default is shown as a key, it is the default.
    let bare = example(EXAMPLE, &[]);
    let (address_limits, max_concurrency, keep_alive_interval) = (Limits::default(), None, None);
    let adjusted = Server { max_concurrency, keep_alive_interval, address_limits, ..config.server.clone() };
    let adjusted = Server { workers: None, max_connections_per_address: None, public_url: None, tls: None, ..adjusted };
    let adjusted = Server { trusted_proxies: Vec::new(), allowed_origins: Vec::new(), ..adjusted };
    assert_eq!(adjusted, Server { place: adjusted.place.clone(), ..bare.server.clone() });
    let adjusted =
        AdapterSettings { isolation: None, max_instances: None, canary: None, ..config.plugins.defaults.clone() };
    assert_eq!(config.plugins.defaults.canary, Some(Canary::default()));
    assert_eq!(adjusted, bare.plugins.defaults);
    let (full, bare) = (config.provider("openai").unwrap(), bare.provider("openai").unwrap());
    assert_eq!(Timeouts { total: None, ..full.timeouts }, bare.timeouts);
    assert_eq!((full.retry, full.breaker, full.metering), (bare.retry, bare.breaker, bare.metering));
}

/// Every key of each table is in the example, and none is explained twice: a key that is commented out is shown once,
/// and is not in use elsewhere.
#[test]
fn the_example_names_every_key_once() {
    let full = in_full();
    let counts = lines_by_key();
    for (table, key) in keys::ALL.iter().flat_map(|table| table.list.iter().map(move |key| (*table, key.name))) {
        let at = (table.title.to_owned(), key.to_owned());
        if is_table_or_list_of_tables(table, key) {
            continue;
        }
        if !table.title.starts_with('[') && table.path.is_none() {
            assert!(inline(&full, table, key), "{at:?} is not in the example");
            continue;
        }
        let (used, shown) = counts.get(&at).copied().unwrap_or_default();
        assert!(used + shown > 0, "the example's {} lacks the line `#{}`", table.title, example_line(table, key));
        let once = if used == 0 { shown == 1 } else { shown == 0 };
        assert!(once, "{at:?} is in use {used} times and shown out of use {shown} times");
    }
}

/// A key as the example shows it: with its default, or another accepted value.
fn example_line(table: &Keys, name: &str) -> String {
    let key = table.find(name).unwrap();
    let default = key.default();
    let is_value = toml::de::DeValue::parse(&default).is_ok();
    format!("{name} = {}", if is_value { default } else { (key.example)() })
}

/// A key that is commented out is shown with its default, if that is a value. Tables and empty lists show more.
#[test]
fn the_example_shows_the_defaults() {
    let mut table = Some(&keys::TOP);
    for line in EXAMPLE.lines() {
        let inner = line.strip_prefix('#').unwrap_or(line);
        if inner.starts_with('[') {
            let title = if inner.starts_with("[plugins.") { keys::ADAPTER.title } else { inner };
            table = keys::ALL.iter().copied().find(|table| table.title == title);
        }
        let Some((key, value)) = inner.split_once(" = ").filter(|_| inner != line) else { continue };
        let Some(key) = table.and_then(|table| table.find(key)) else { continue };
        let default = key.default();
        let is_shown = default != "[]" && !key.takes.contains("table") && toml::de::DeValue::parse(&default).is_ok();
        assert!(!is_shown || value == default, "`{line}` is not the default, {default}");
    }
}

fn is_table_or_list_of_tables(table: &Keys, key: &str) -> bool {
    table.path == Some("")
        && [
            "server",
            "admin",
            "media",
            "realtime",
            "traces",
            "metrics",
            "outbound",
            "store",
            "shared",
            "cache",
            "plugins",
            "clients",
            "issuers",
            "budgets",
            "guards",
            "sinks",
            "bodies",
            "providers",
            "models",
        ]
        .contains(&key)
}

/// How often a key of each kind of table is in use, and how often commented out. Whole `#[[...]]` are further examples.
fn lines_by_key() -> BTreeMap<(String, String), (usize, usize)> {
    let mut title = Some(keys::TOP.title);
    let mut counts: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for line in EXAMPLE.lines() {
        let inner = line.strip_prefix('#').unwrap_or(line);
        if inner.starts_with('[') {
            title = match inner {
                // Without clients every local caller is served, so the only example is commented out.
                _ if matches!(
                    line,
                    "#[[clients]]" | "#[[issuers]]" | "#[[budgets]]" | "#[[guards]]" | "#[[sinks]]" | "#[[bodies]]"
                ) =>
                {
                    Some(inner)
                }
                _ if line.starts_with("#[[") => None,
                _ if inner.starts_with("[plugins.") => Some(keys::ADAPTER.title),
                _ => Some(inner),
            };
        }
        let Some((key, title)) = inner.split_once(" = ").map(|(key, _)| key).zip(title) else { continue };
        if key.starts_with(|c: char| c.is_ascii_lowercase()) && !key.contains(' ') {
            let count = counts.entry((title.to_owned(), key.to_owned())).or_default();
            if inner == line { count.0 += 1 } else { count.1 += 1 }
        }
    }
    counts
}

/// Whether a key is in some inline table of a kind.
fn inline(text: &str, table: &Keys, key: &str) -> bool {
    let name = table.title.split(' ').next().unwrap();
    let prefixes = [format!("{name} = {{"), format!("{name} = ["), "  {".to_owned()];
    let mut lines = text.lines().filter(|line| prefixes.iter().any(|prefix| line.starts_with(prefix.as_str())));
    lines.any(|line| line.contains(&format!("{{ {key} = ")) || line.contains(&format!(", {key} = ")))
}

#[test]
fn the_reference_is_made_from_the_list_of_keys() {
    let path = root().join("docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (prose, found) = text.split_once(MARK).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{prose}{MARK}{}", reference())).unwrap();
        return;
    }
    assert!(found == reference(), "docs/configuration.md is out of date: run UPDATE_DOCS=1 cargo test -p weir-config");
}

/// The defaults in the reference are those of an empty file.
#[test]
fn the_defaults_of_the_reference_are_true() {
    let written: String = [&keys::SERVER, &keys::PLUGINS, &keys::ADAPTER].map(with_defaults).concat();
    let config = read(&written.replace("[plugins.NAME]", "[plugins.x]"));
    let bare = read("");
    assert_eq!(Server { place: Place::Unset, ..config.server }, bare.server);
    assert_eq!(Plugins { place: Place::Unset, adapters: BTreeMap::new(), ..config.plugins.clone() }, bare.plugins);
    assert_eq!(config.plugins.adapter("x"), bare.plugins.adapter("x"));
    let provider = "[[providers]]\nname = 'p'\nadapter = 'x'\n";
    let model = "[[models]]\nalias = '*'\nprovider = 'p'\n";
    let inline = [("timeouts", &keys::TIMEOUTS), ("retry", &keys::RETRY), ("breaker", &keys::BREAKER)]
        .map(|(name, table)| format!("{name} = {{ {} }}\n", settings(table).join(", ")));
    let config = read(&format!("{provider}{}{model}", inline.concat()));
    let (full, bare) = (config.provider("p").unwrap(), Provider::new("p".to_owned(), "x".to_owned()));
    assert_eq!((full.timeouts, full.retry, full.breaker), (bare.timeouts, bare.retry, bare.breaker));
}

fn with_defaults(table: &Keys) -> String {
    format!("{}\n{}\n", table.title, settings(table).join("\n"))
}

/// The keys whose default is a value and not a sentence.
fn settings(table: &Keys) -> Vec<String> {
    let is_value = |text: &str| toml::de::DeValue::parse(text).is_ok();
    let keys = table.list.iter().map(|key| (key.name, key.default()));
    let keys = keys.filter(|(_, default)| !default.is_empty() && is_value(default));
    keys.map(|(name, default)| format!("{name} = {default}")).collect()
}
