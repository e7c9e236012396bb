//! `[[clients]]` and limits.

use std::sync::Arc;

use super::super::client::{Client, KeyHash, Limits, Priority};
use super::super::{Alias, Problem, keys};
use super::Section;

const PRIORITIES: &[(&str, Priority)] =
    &[("high", Priority::High), ("normal", Priority::Normal), ("low", Priority::Low)];

/// Shorter keys are guessed.
const SHORTEST_KEY: usize = 16;

pub(super) fn client(mut section: Section<'_>) -> Option<Client> {
    let name = section.required_name("name", "a name of your choice, which stands in metrics and the log");
    let keys = key_hashes(&mut section);
    let models = section.texts("models").into_iter().map(|text| Alias::parse(&text.value)).collect();
    let has_operations = section.has("operations");
    let operations = section.texts("operations").into_iter().map(|text| Alias::parse(&text.value)).collect();
    let operations = Some(operations).filter(|_| has_operations);
    let limits = limits(&mut section);
    let priority = section.choice("priority", PRIORITIES).unwrap_or_default();
    let may_choose = section.flag("may_choose").unwrap_or(false);
    let place = section.place.clone();
    section.finish();
    Some(Client { name: Arc::from(name?.value), keys: keys?, models, operations, limits, priority, may_choose, place })
}

/// `key`, `keys` and `hashes` together; none where there is none at all.
fn key_hashes(section: &mut Section<'_>) -> Option<Vec<KeyHash>> {
    let given = ["key", "keys", "hashes"].iter().any(|name| section.has(name));
    if !given {
        section.missing("key", "such as `key = \"env:TEAM_A_KEY\"`, or `hashes = [\"sha256:...\"]` from `weir key`");
        return None;
    }
    let secrets = section.secret("key").into_iter().map(|key| vec![key.value]);
    let secrets: Vec<_> = secrets.chain(section.secrets("keys").map(|keys| keys.value)).flatten().collect();
    if secrets.iter().any(|secret| secret.expose().len() < SHORTEST_KEY) {
        let problem = Problem::warning(&section.place, format!("a key has fewer than {SHORTEST_KEY} characters"));
        section.reader.report(problem.with_help("`weir key` makes one that nobody guesses"));
    }
    let mut hashes: Vec<KeyHash> = secrets.iter().map(KeyHash::from).collect();
    for text in section.texts("hashes") {
        if let Some(hash) = KeyHash::parse(&text.value) {
            hashes.push(hash);
        } else {
            let problem = Problem::error(&text.place, "`hashes`: not the hash of a key");
            section.reader.report(problem.with_help("`sha256:` and 64 hexadecimal digits, as `weir key` prints"));
        }
    }
    Some(hashes)
}

pub(super) fn limits(section: &mut Section<'_>) -> Limits {
    let Some(table) = section.section("limits", &keys::LIMITS) else { return Limits::default() };
    limits_of(table)
}

pub(super) fn limits_of(mut table: Section<'_>) -> Limits {
    const ANY: std::ops::RangeInclusive<u64> = 1..=1_000_000_000_000;
    let limits = Limits {
        requests: table.count("requests_per_minute", &ANY),
        tokens: table.count("tokens_per_minute", &ANY),
        input_tokens: table.count("input_tokens_per_minute", &ANY),
        output_tokens: table.count("output_tokens_per_minute", &ANY),
        streams: table.count("streams", &ANY),
    };
    table.finish();
    limits
}
