//! Rights, limits and budgets of a key, a team, an organisation or a user.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use weir_config::{Alias, KeyHash};

use super::parsed;
use super::spender::Spender;

/// The most entries of a list of tags, and the longest tag in bytes.
const MAX_TAGS: usize = 64;
pub(super) const MAX_TAG_LEN: usize = 128;
/// The longest name of a model in bytes.
const MAX_MODEL_LEN: usize = 256;
/// So many dollars limit nothing: amounts here end a little above.
const UNLIMITED: f64 = 9e9;

/// Members of a document, and what the row has beyond them.
#[derive(Debug, Default)]
pub(super) struct AccessFields {
    members: Map<String, Json>,
    lost: Vec<&'static str>,
    /// Whether a limit allows nothing, whatever the models are.
    is_shut: bool,
}

impl AccessFields {
    /// The fields of a row. Columns that it leaves empty are taken from the budget that it refers to.
    pub(super) fn of(row: &Json, budget: Option<&Json>) -> Self {
        let mut fields = Self::default();
        let column = |name: &str| match (&row[name], budget) {
            (Json::Null, Some(budget)) => budget[name].clone(),
            (own, _) => own.clone(),
        };
        fields.models(&row["models"]);
        fields.limits(&column);
        fields.money(&column, row);
        fields.aliases(&parsed(&row["aliases"]));
        fields.metadata(&parsed(&row["metadata"]));
        fields.restrictions(row, &column);
        fields
    }

    /// Writes them into a document.
    pub(super) fn write(self, document: &mut Json) {
        if let Some(members) = document.as_object_mut() {
            members.extend(self.members);
        }
    }

    /// What has no counterpart, each as the predicate of a sentence.
    pub(super) fn lost(&self) -> &[&'static str] {
        &self.lost
    }

    pub(super) fn budgets(&self) -> impl Iterator<Item = &Json> {
        self.members.get("budgets").and_then(Json::as_array).into_iter().flatten()
    }

    pub(super) fn has_limits(&self) -> bool {
        self.members.contains_key("limits")
    }

    /// The models that may be used; `None` for all.
    pub(super) fn listed_models(&self) -> Option<Vec<String>> {
        let models = self.members.get("models")?.as_array()?;
        Some(models.iter().filter_map(Json::as_str).map(str::to_owned).collect())
    }

    /// Allows these models besides those of a list.
    pub(super) fn widen(&mut self, more: &[String]) {
        let Some(Json::Array(models)) = self.members.get_mut("models").filter(|_| !self.is_shut) else { return };
        for model in more.iter().filter(|model| (1..=MAX_MODEL_LEN).contains(&model.len())) {
            if !models.iter().any(|known| known == model) {
                models.push(json!(model));
            }
        }
    }

    /// Allows only what these models and those so far have in common: a name that a pattern of the other list fits
    /// stays.
    pub(super) fn narrow(&mut self, other: &[String]) {
        let own = self.listed_models();
        let common = match &own {
            None => other.to_vec(),
            Some(own) => {
                let fits =
                    |list: &[String], name: &String| list.iter().any(|pattern| Alias::parse(pattern).matches(name));
                let of_own = own.iter().filter(|name| fits(other, name));
                let of_other = other.iter().filter(|name| fits(own, name) && !own.contains(name));
                of_own.chain(of_other).cloned().collect()
            }
        };
        self.members.insert("models".to_owned(), json!(common));
    }

    /// Names for models, from the name that a client uses.
    pub(super) fn aliases(&mut self, aliases: &Json) {
        let fits = |text: &str| (1..=MAX_MODEL_LEN).contains(&text.len());
        let named = aliases.as_object().into_iter().flatten();
        let named = named.filter_map(|(name, model)| Some((name.clone(), model.as_str()?)));
        let named: Map<String, Json> =
            named.filter(|(name, model)| fits(name) && fits(model)).map(|(name, model)| (name, json!(model))).collect();
        if !named.is_empty() {
            self.members.insert("aliases".to_owned(), Json::Object(named));
        }
    }

    /// Whether no model may be used at all.
    pub(super) fn is_closed(&self) -> bool {
        self.members.get("models").and_then(Json::as_array).is_some_and(Vec::is_empty)
    }

    /// Allows no model.
    pub(super) fn close(&mut self, why: &'static str) {
        self.members.insert("models".to_owned(), json!([]));
        self.is_shut = true;
        self.lost.push(why);
    }

    pub(super) fn add_tag(&mut self, tag: &str) {
        let tags = self.members.entry("tags").or_insert_with(|| json!([]));
        if let Json::Array(tags) = tags
            && tags.len() < MAX_TAGS
            && !tags.iter().any(|known| known == tag)
        {
            tags.push(json!(tag));
        }
    }

    /// A list without entries allows every model, as do two names that stand for all.
    fn models(&mut self, models: &Json) {
        let names: Vec<&str> = models.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let stands_for_all = |name: &&str| ["*", "all-proxy-models", "all-team-models"].contains(name);
        if names.is_empty() || names.iter().any(stands_for_all) {
            return;
        }
        let named =
            names.into_iter().filter(|name| *name != "no-default-models" && (1..=MAX_MODEL_LEN).contains(&name.len()));
        self.members.insert("models".to_owned(), named.collect());
    }

    fn limits(&mut self, column: &impl Fn(&str) -> Json) {
        let limits = [
            ("requests_per_minute", column("rpm_limit")),
            ("tokens_per_minute", column("tpm_limit")),
            ("streams", column("max_parallel_requests")),
        ];
        if limits.iter().any(|(_, limit)| limit.as_f64() == Some(0.0)) {
            self.close("had a limit of 0, and may use no model now");
        }
        let set = limits.into_iter().filter(|(_, limit)| limit.as_u64().is_some_and(|limit| limit > 0));
        let set: Map<String, Json> = set.map(|(name, limit)| (name.to_owned(), limit)).collect();
        if set.contains_key("streams") {
            self.lost.push("had `max_parallel_requests`, which is `limits.streams` now and counts streams only");
        }
        if !set.is_empty() {
            self.members.insert("limits".to_owned(), Json::Object(set));
        }
    }

    fn money(&mut self, column: &impl Fn(&str) -> Json, row: &Json) {
        let spent = row["spend"].as_f64().filter(|spent| *spent > 0.0).unwrap_or_default();
        let mut budgets = Vec::new();
        let soft = column("soft_budget").as_f64().filter(|soft| *soft > 0.0);
        if let Some(most) = column("max_budget").as_f64() {
            let duration = column("budget_duration");
            budgets.extend(self.budget("max", Amount { most, soft, spent }, duration.as_str()));
        } else if soft.is_some() {
            self.lost.push("had an amount to warn at and no budget (`soft_budget`), and has no warning now");
        }
        for (at, window) in parsed(&row["budget_limits"]).as_array().into_iter().flatten().enumerate() {
            if let Some(most) = window["max_budget"].as_f64() {
                let name = format!("max-{}", at + 2);
                let amount = Amount { most, soft: None, spent: 0.0 };
                budgets.extend(self.budget(&name, amount, window["budget_duration"].as_str()));
            }
        }
        if let Some(tokens) = column("tpd_limit").as_u64().filter(|tokens| *tokens > 0) {
            budgets.push(json!({"name": "tokens-a-day", "tokens": tokens, "per": "day"}));
        }
        if !budgets.is_empty() {
            self.members.insert("budgets".to_owned(), Json::Array(budgets));
        }
    }

    fn budget(&mut self, name: &str, Amount { most, soft, spent }: Amount, duration: Option<&str>) -> Option<Json> {
        if !most.is_finite() || most < 0.0 {
            self.lost.push("had a budget that is no amount");
            return None;
        }
        if most >= UNLIMITED {
            self.lost.push("had a budget of so many dollars that it limits nothing, and has none now");
            return None;
        }
        let Some(left) = usd(most) else {
            // Nothing may be spent, and which requests cost nothing is not known before.
            self.close("had a budget of 0, and may use no model now");
            return None;
        };
        let (per, is_exact) = period(duration);
        if !is_exact {
            self.lost
                .push("had a budget for a time that is no whole period, and has the same amount for a longer one now");
        }
        let (left, most, soft) = match per.as_str() {
            // What was spent of it does not come back.
            "total" if spent > 0.0 => {
                let Some(left) = usd(most - spent) else {
                    self.close("had spent its budget, and may use no model now");
                    return None;
                };
                (left, most - spent, soft.map(|soft| soft - spent))
            }
            _ if spent > 0.0 => {
                self.lost.push("has its whole budget in the first period: what was spent before does not count");
                (left, most, soft)
            }
            _ => (left, most, soft),
        };
        let mut budget = json!({"name": name, "usd": left, "per": per});
        // A smaller share than can be written is none.
        if let Some(share) = soft.map(|soft| soft / most).filter(|share| (0.0001..1.0).contains(share)) {
            budget["soft"] = json!(format!("{share:.4}"));
        }
        Some(budget)
    }

    /// Tags become tags. Other metadata are kept if they are plain values: nested ones may hold credentials of loggers.
    fn metadata(&mut self, metadata: &Json) {
        let is_tag = |tag: &&str| (1..=MAX_TAG_LEN).contains(&tag.len()) && !tag.chars().any(char::is_control);
        for tag in metadata["tags"].as_array().into_iter().flatten().filter_map(Json::as_str).filter(is_tag) {
            self.add_tag(tag);
        }
        let is_plain = |value: &Json| value.is_boolean() || value.is_number() || value.is_string();
        let members = metadata.as_object().into_iter().flatten().filter(|(name, _)| *name != "tags");
        let (plain, nested): (Vec<_>, Vec<_>) = members.partition(|(_, value)| is_plain(value));
        if nested.iter().any(|(_, value)| !value.is_null()) {
            self.lost.push("has nested metadata (callbacks, guardrails, limits by model), which are not taken over");
        }
        let mut kept: Map<String, Json> =
            plain.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if Json::Object(kept.clone()).to_string().len() > 8 * 1024 {
            self.lost.push("has more metadata than fit");
            kept.clear();
        }
        kept.insert("imported_from".to_owned(), json!("litellm"));
        self.members.insert("metadata".to_owned(), Json::Object(kept));
    }

    fn restrictions(&mut self, row: &Json, column: &impl Fn(&str) -> Json) {
        let is_set = |value: &Json| match parsed(value) {
            Json::Array(items) => !items.is_empty(),
            Json::Object(members) => !members.is_empty(),
            _ => false,
        };
        for (name, text) in [
            ("model_max_budget", "had budgets by model (`model_max_budget`), which are not taken over"),
            ("policies", "had policies, which are not taken over"),
            ("router_settings", "had settings of the router, which are not taken over"),
            ("config", "had a configuration of its own (`config`), which is not taken over"),
            ("permissions", "had permissions beyond the use of models, which are not taken over"),
            ("allowed_cache_controls", "had rights to control the cache, which are not taken over"),
            ("budget_fallbacks", "had models for a spent budget: set `when_over` of its budget"),
        ] {
            if is_set(&column(name)) {
                self.lost.push(text);
            }
        }
        if row["object_permission_id"].is_string() {
            self.lost.push("had permissions for tools and vector stores, which are not taken over");
        }
        if row["agent_id"].is_string() {
            self.lost.push("belongs to an agent, whose own rights and limits are not taken over");
        }
        if row["auto_rotate"] == true {
            self.lost.push("was rotated by itself, and is not now: see `weir keys rotate`");
        }
        let raised = [column("temp_budget_increase"), parsed(&row["metadata"])["temp_budget_increase"].clone()];
        if raised.iter().any(|raise| raise.as_f64().is_some_and(|raise| raise > 0.0)) {
            self.lost.push("had a raise of its budget for some time, which is not taken over");
        }
    }
}

/// An amount of dollars, from when on it warns, and what was spent of it.
struct Amount {
    most: f64,
    soft: Option<f64>,
    spent: f64,
}

/// An amount as a decimal number, to the nano-dollar; `None` for nothing.
fn usd(amount: f64) -> Option<String> {
    let text = format!("{amount:.9}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    (amount > 0.0 && !["", "0"].contains(&text)).then(|| text.to_owned())
}

/// The period of a budget, and whether it has the same length: otherwise the next longer one.
fn period(duration: Option<&str>) -> (String, bool) {
    let exact = |text: &str| (text.to_owned(), true);
    let Some(text) = duration.map(str::trim).filter(|text| !text.is_empty()) else { return exact("total") };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().unwrap_or(0);
    let seconds = number.saturating_mul(match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "mo" if number == 1 => return exact("month"),
        "mo" => 31 * 86_400,
        _ => 0,
    });
    match seconds {
        0 => ("total".to_owned(), false),
        60 => exact("minute"),
        3_600 => exact("hour"),
        86_400 => exact("day"),
        604_800 => exact("week"),
        // It begins with a month there, and is as long.
        2_592_000 if unit == "d" => exact("month"),
        1..=59 => ("minute".to_owned(), false),
        61..=3_599 => ("hour".to_owned(), false),
        3_601..=86_399 => ("day".to_owned(), false),
        seconds if seconds > 3_650 * 86_400 => ("total".to_owned(), false),
        seconds => (format!("{}d", seconds.div_ceil(86_400)), seconds % 86_400 == 0 && unit != "mo"),
    }
}

/// A budget of a spender, as a table of the configuration.
pub(super) fn budget_table(spender: &Spender, budget: &Json) -> String {
    let text = |name: &str| budget[name].as_str().unwrap_or_default();
    let tag = spender.tag();
    let named: String = tag.chars().map(|letter| if letter == ':' { '-' } else { letter }).collect();
    let quoted = |text: &str| json!(text).to_string();
    let mut table = format!("[[budgets]]\nname = {}\n", quoted(&format!("{named}-{}", text("name"))));
    let _ = writeln!(table, "for = {{ tag = {} }}", quoted(&tag));
    let _ = match budget["tokens"].as_u64() {
        Some(tokens) => writeln!(table, "tokens = {tokens}"),
        None => writeln!(table, "usd = {}", text("usd")),
    };
    let _ = writeln!(table, "per = \"{}\"", text("per"));
    if let Some(soft) = budget["soft"].as_str() {
        let _ = writeln!(table, "soft = {soft}");
    }
    table.push('\n');
    table
}

/// The tag by which so much is counted. One that would be too long ends with its digest.
pub(super) fn fitting_tag(tag: String) -> String {
    if tag.len() <= MAX_TAG_LEN {
        return tag;
    }
    let digest = KeyHash::of(&tag).to_string();
    format!("{}-{}", tag.get(..MAX_TAG_LEN - 20).unwrap_or_default(), digest.get(7..19).unwrap_or_default())
}
