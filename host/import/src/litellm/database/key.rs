//! Keys: their hashes stay, so that clients go on with the keys that they have.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use weir_config::KeyHash;

use super::{Converter, fitting_id, name};

/// The operations by route. A route that is missing here gives no right.
static ROUTES: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| toml::from_str(include_str!("../../../data/litellm_routes.toml")).unwrap_or_default());

/// The team of the keys that the dashboard made for its own logins.
const DASHBOARD: &str = "litellm-dashboard";

impl Converter {
    pub(super) fn key(&mut self, token: &str, row: &Json) -> Option<Json> {
        let team = row["team_id"].as_str();
        if team == Some(DASHBOARD) {
            return None;
        }
        let hash = self.hash(token)?;
        let short = hash.get(7..15).unwrap_or_default().to_owned();
        let expires = time(&row["expires"]);
        if expires.is_some_and(|expires| expires <= self.now) {
            self.notes.add("key", &short, "has expired, and is left out");
            return None;
        }
        let mut document = json!({"hash": hash});
        let owner = self.owner(row);
        let name = self.unique_name(&name(&row["key_alias"], &format!("key {short}")), &owner, &short);
        document["name"] = json!(name);
        if let Some(expires) = expires {
            document["expires"] = json!(expires.to_string());
        }
        let is_orphan = team.is_some() && owner["team"].is_null();
        if is_orphan {
            self.notes.add("key", &name, "belongs to a team that is not there, and is disabled");
        }
        let is_apart = row["organization_id"].is_string() && owner["team"].is_null() && !is_orphan;
        if is_apart {
            let text = "belongs to an organisation and no team, and is disabled: move it to a team, then enable it";
            self.notes.add("key", &name, text);
        }
        let mut fields = self.access_fields("key", &name, row);
        let is_free = self.hold_to_spenders(&owner, row, &mut fields);
        if !is_free {
            self.notes.add("key", &name, "belongs to a project that is blocked, and is disabled");
        }
        if row["blocked"] == true || is_orphan || is_apart || !is_free {
            document["disabled"] = json!(true);
        }
        fields.write(&mut document);
        if let Some(operations) = self.operations(&name, &row["allowed_routes"]) {
            document["operations"] = json!(operations);
        }
        document["owner"] = owner;
        self.keys.insert(token.to_owned(), document.clone());
        Some(document)
    }

    /// The text before a rotation, as a key of its own that ends with the grace.
    pub(super) fn replaced_key(&mut self, token: &str, row: &Json) -> Option<Json> {
        let hash = self.hash(token)?;
        let until = time(&row["revoke_at"]).filter(|until| *until > self.now)?;
        let mut document = self.keys.get(row["active_token_id"].as_str()?)?.clone();
        let short = hash.get(7..15).unwrap_or_default().to_owned();
        let called = document["name"].as_str().unwrap_or_default();
        document["name"] = json!(format!("{called} before its rotation ({short})"));
        document["hash"] = json!(hash);
        let ends = document["expires"].as_str().and_then(|text| text.parse().ok()).map_or(until, |end| until.min(end));
        document["expires"] = json!(ends.to_string());
        Some(document)
    }

    /// Keys are stored as SHA-256 in hexadecimal digits; very old versions stored their texts.
    fn hash(&mut self, token: &str) -> Option<String> {
        let hash = KeyHash::parse(&format!("sha256:{token}"));
        let hash = hash.or_else(|| token.starts_with("sk-").then(|| KeyHash::of(token)));
        if hash.is_none() {
            let start: String = token.chars().take(8).collect();
            self.notes.add("key", &start, "is stored in a form that is not known, and is left out");
        }
        hash.map(|hash| hash.to_string())
    }

    fn owner(&self, row: &Json) -> Json {
        let known = |column: &str, known: &std::collections::BTreeSet<String>| {
            row[column].as_str().map(fitting_id).filter(|id| known.contains(id))
        };
        let mut owner = json!({});
        if let Some(team) = known("team_id", &self.teams) {
            owner["team"] = json!(team);
        }
        if let Some(user) = known("user_id", &self.users) {
            owner["user"] = json!(user);
        }
        owner
    }

    fn unique_name(&mut self, name: &str, owner: &Json, short: &str) -> String {
        let team = owner["team"].as_str().map(str::to_owned);
        if self.names.insert((team.clone(), name.to_owned())) {
            return name.to_owned();
        }
        let name = format!("{name} ({short})");
        self.names.insert((team, name.clone()));
        name
    }

    /// The operations that the allowed routes are. Without a list, all; routes that have no counterpart are left out,
    /// so that a key may never do more than before.
    fn operations(&mut self, key: &str, routes: &Json) -> Option<Vec<&'static str>> {
        let routes: Vec<&str> = routes.as_array()?.iter().filter_map(Json::as_str).collect();
        if routes.is_empty() || routes.iter().any(|route| operation(route) == Some("all")) {
            return None;
        }
        let mut operations = Vec::new();
        for route in routes {
            match operation(route) {
                Some(operation) if !operations.contains(&operation) => operations.push(operation),
                Some(_) => {}
                None => {
                    let text = format!("was allowed `{route}`, which is not an operation here, and may not use it");
                    self.notes.add("key", key, &text);
                }
            }
        }
        Some(operations)
    }
}

/// The operation of a route.
fn operation(route: &str) -> Option<&'static str> {
    let bare = route.trim_start_matches('/');
    let bare = bare.strip_prefix("v1/").unwrap_or(bare);
    ROUTES.get(route).or_else(|| ROUTES.get(bare)).map(String::as_str)
}

/// A time without a zone is UTC.
fn time(column: &Json) -> Option<Timestamp> {
    let text = column.as_str()?;
    text.parse().ok().or_else(|| {
        let time: DateTime = text.parse().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}
