//! Converts `model_list`: each entry is a deployment, and those with the same name are targets of one model.

use std::path::Path;

use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use super::super::{Draft, Entry};
use super::prefixes::{PrefixedModel, Prefixes};
use super::{members, variable_of};
use weir_config::{Address, BaseUrl};

/// A converted entry of the list.
#[derive(Debug)]
pub(super) struct Deployment {
    /// The model's name for clients.
    pub(super) alias: String,
    /// `{ provider, model }`.
    pub(super) target: Table,
    /// Relative weight, if the entry has one.
    pub(super) weight: Option<u64>,
    /// Position in the order of preference, if the entry has one.
    pub(super) order: Option<i64>,
    /// Members of the whole model; the first deployment that has a member decides its value.
    pub(super) model: Vec<(&'static str, Value)>,
}

/// Maximum length of a provider's name, in bytes.
const MAX_NAME_LEN: usize = 60;
/// The note about a separate timeout for streams.
pub(super) const STREAM_TIMEOUT: &str = "`stream_timeout` bounds the pauses of an answer here (`idle`); the wait for its \
                                         beginning (`first_byte`) is the same for streams and whole answers.";

/// Members that are converted, or noted elsewhere.
const KNOWN: &[&str] = &[
    "model",
    "custom_llm_provider",
    "api_key",
    "api_base",
    "base_url",
    "api_version",
    "timeout",
    "stream_timeout",
    "max_retries",
    "num_retries",
    "weight",
    "order",
    "rpm",
    "tpm",
    "aws_region_name",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "vertex_project",
    "vertex_location",
    "vertex_credentials",
    "litellm_credential_name",
    "drop_params",
    "max_parallel_requests",
];

/// Converts the list. Members that cannot be converted are noted.
pub(super) fn deployments(
    list: &[Json],
    credentials: &Map<String, Json>,
    prefixes: &Prefixes,
    draft: &mut Draft,
) -> Vec<Deployment> {
    let read = |(at, entry): (usize, &Json)| {
        let place = format!("model_list[{at}]");
        let Some(alias) = entry.get("model_name").and_then(Json::as_str) else {
            draft.note(format!("`{place}` has no `model_name` and is left out."));
            return None;
        };
        let mut params = entry.get("litellm_params").and_then(Json::as_object).cloned().unwrap_or_default();
        let credential =
            params.get("litellm_credential_name").and_then(Json::as_str).and_then(|name| credentials.get(name));
        for (name, value) in members(credential) {
            params.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let reading = ModelReader { alias, params: &params, info: entry.get("model_info"), prefixes };
        reading.deployment(draft)
    };
    list.iter().enumerate().filter_map(read).collect()
}

struct ModelReader<'a> {
    alias: &'a str,
    params: &'a Map<String, Json>,
    info: Option<&'a Json>,
    prefixes: &'a Prefixes,
}

impl ModelReader<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Json::as_str)
    }

    fn whole(&self, name: &str) -> Option<u64> {
        self.params.get(name).and_then(Json::as_u64)
    }

    fn deployment(&self, draft: &mut Draft) -> Option<Deployment> {
        let full = self.text("model").unwrap_or(self.alias);
        let Some(mut named) = self.prefixes.named(full, self.text("custom_llm_provider")) else {
            draft.note(format!("`{}`: no adapter is known for `{full}`; it is left out.", self.alias));
            return None;
        };
        let mut entry = Entry::default();
        entry.set("adapter", named.prefix.adapter.as_str());
        self.place(&mut named, &mut entry, draft);
        self.key(&named, &mut entry, draft);
        let is_usual = entry.get("url").and_then(Value::as_str) == named.prefix.url.as_deref();
        let by_host = if is_usual { None } else { host_name(&entry, named.label) };
        let name = by_host.unwrap_or_else(|| named.label.to_owned());
        let provider = draft.provider(&name, entry);
        let mut target = Table::new();
        target.insert("provider".into(), provider.into());
        target.insert("model".into(), named.model.into());
        self.note_rest(draft);
        Some(Deployment {
            alias: self.alias.to_owned(),
            target,
            weight: self.whole("weight").or(self.whole("rpm")).or(self.whole("tpm")).filter(|weight| *weight > 0),
            order: self.params.get("order").and_then(Json::as_i64),
            model: self.model(draft),
        })
    }

    /// Sets the provider's url, region and options.
    fn place(&self, named: &mut PrefixedModel<'_>, entry: &mut Entry, draft: &mut Draft) {
        let prefix = named.prefix;
        let mut options: Table =
            prefix.options.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        let usual = [("api_version", "api_version"), ("vertex_project", "project"), ("vertex_location", "location")];
        for (theirs, ours) in usual {
            if let Some(value) = self.text(theirs) {
                if let Some(variable) = variable_of(value) {
                    draft.note(format!("`{}`: write the value of {variable} as the option `{ours}`.", self.alias));
                } else {
                    options.insert(ours.into(), value.into());
                }
            }
        }
        // A region may precede the model: `bedrock/us-west-2/…`.
        let region = named.model.split_once('/').filter(|(first, _)| is_region(first));
        let region = region.map(|(first, rest)| (first.to_owned(), rest.to_owned()));
        if let Some((_, rest)) = &region {
            named.model.clone_from(rest);
        }
        let region = self.text("aws_region_name").map(str::to_owned).or(region.map(|(first, _)| first));
        match self.text("api_base").or(self.text("base_url")) {
            Some(base) => entry.set("url", url(base, prefix.path.as_deref())),
            None => {
                if let Some(url) = &prefix.url {
                    entry.set("url", url.as_str());
                } else if let Some(base) = prefix.base.as_ref().filter(|_| prefix.needs_base) {
                    entry.set("url", format!("env:{base}"));
                }
            }
        }
        if let Some(region) = region {
            match variable_of(&region) {
                // The default variable, which is read without being named.
                Some("AWS_REGION") => {}
                Some(variable) => draft.note(format!("`{}`: write the value of {variable} as `region`.", self.alias)),
                None => entry.set("region", region),
            }
        }
        if !options.is_empty() {
            entry.set("options", options);
        }
    }

    fn key(&self, named: &PrefixedModel<'_>, entry: &mut Entry, draft: &mut Draft) {
        if let Some(path) = self.text("vertex_credentials") {
            let key = variable_of(path).map_or_else(|| format!("file:{path}"), |variable| format!("env:{variable}"));
            return entry.set("api_key", key);
        }
        if let Some(variable) = &named.prefix.own_key {
            entry.comments.extend(named.prefix.key_note.clone());
            return entry.set("api_key", format!("env:{variable}"));
        }
        let usual = named.prefix.key.as_deref();
        match self.text("api_key") {
            Some(key) if self.prefixes.is_no_key(key) => entry.set("auth", "none"),
            Some(key) => {
                let named = variable_of(key).map(str::to_owned);
                if named.is_none() {
                    let variable = own_variable(self.alias);
                    draft.note(format!("The key of `{}` stands in LiteLLM's file: set {variable} to it.", self.alias));
                }
                let variable = named.unwrap_or_else(|| own_variable(self.alias));
                entry.set("api_key", format!("env:{variable}"));
            }
            None => {
                let Some(usual) = usual else { return };
                // A local server must not receive the service's key.
                let is_local = base(entry).is_some_and(|base| base.is_local());
                if named.prefix.optional_key || is_local {
                    let alias = self.alias;
                    return draft.note(format!(
                        "`{alias}`: no key is sent; write `api_key = \"env:{usual}\"` at its provider if the server wants one."
                    ));
                }
                entry.set("api_key", format!("env:{usual}"));
            }
        }
    }

    /// The members of the model.
    fn model(&self, draft: &mut Draft) -> Vec<(&'static str, Value)> {
        let mut model = Vec::new();
        let timeout = |name: &str| self.params.get(name).and_then(seconds);
        if timeout("stream_timeout").is_some() {
            draft.note(STREAM_TIMEOUT);
        }
        if let Some(timeouts) = timeouts(timeout("timeout"), timeout("stream_timeout")) {
            model.push(("timeouts", Value::Table(timeouts)));
        }
        if let Some(retries) = self.whole("max_retries").or(self.whole("num_retries")) {
            model.push(("retry", retry(retries)));
        }
        let capabilities: Table = members(self.info)
            .filter_map(|(name, value)| Some((self.prefixes.capabilities.get(name)?.clone(), capability(value)?)))
            .collect();
        if !capabilities.is_empty() {
            model.push(("capabilities", capabilities.into()));
        }
        let priced = members(self.info).chain(self.params);
        let price: Table = priced.filter_map(|(name, value)| self.price(name, value)).collect();
        if !price.is_empty() {
            model.push(("price", price.into()));
        }
        if self.whole("max_parallel_requests").is_some() {
            let alias = self.alias;
            draft.note(format!(
                "`{alias}`: `max_parallel_requests` is `max_concurrency` of its provider or model here."
            ));
        }
        model
    }

    /// Converts a price per token to one per million tokens.
    fn price(&self, name: &str, value: &Json) -> Option<(String, Value)> {
        let ours = self.prefixes.prices.get(name)?;
        let million = value.as_f64()? * 1e6;
        // Rounded, because binary fractions would show: 0.00000015 is 0.15 per million, not 0.14999999999999999.
        Some((ours.clone(), Value::Float((million * 1e6).round() / 1e6)))
    }

    fn note_rest(&self, draft: &mut Draft) {
        for name in self.params.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
            if !self.prefixes.prices.contains_key(name) {
                draft.note(format!("`{}`: `litellm_params.{name}` has no counterpart here.", self.alias));
            }
        }
        if self.whole("rpm").or(self.whole("tpm")).is_some() {
            let line = "`rpm` and `tpm` became weights; limits are keys of `[[clients]]` and `[[models]]` here.";
            draft.note(line);
        }
    }
}

fn is_region(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    parts.len() >= 3 && parts.last().is_some_and(|last| last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit()))
}

/// Converts a base url: adds a final slash, and the path that the adapter's paths are relative to.
fn url(base: &str, path: Option<&str>) -> String {
    if let Some(variable) = variable_of(base) {
        return format!("env:{variable}");
    }
    let base = base.trim().trim_end_matches('/');
    let host_end = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| at + 3 + slash));
    match (path, host_end) {
        (Some(""), Some(end)) => format!("{}/", &base[..end]),
        (Some(path), None) => format!("{base}/{path}"),
        (None, _) | (Some(_), Some(_)) => format!("{base}/"),
    }
}

fn own_variable(alias: &str) -> String {
    let name: String =
        alias.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("{}_API_KEY", name.trim_matches('_'))
}

fn capability(value: &Json) -> Option<Value> {
    match value {
        Json::Bool(flag) => Some(Value::Boolean(*flag)),
        Json::Number(number) => number.as_i64().map(Value::Integer),
        _ => None,
    }
}

/// The provider's url, if it is one and not a variable.
fn base(entry: &Entry) -> Option<BaseUrl> {
    match Address::parse(entry.get("url")?.as_str()?, Path::new("")) {
        Ok(Address::Http(base)) => Some(base),
        _ => None,
    }
}

/// A provider's name after its host, which distinguishes several providers of one kind. `None` if the host says no more
/// than the kind.
fn host_name(entry: &Entry, label: &str) -> Option<String> {
    let base = base(entry)?;
    let host = base.authority().host().to_ascii_lowercase();
    let host = host.strip_prefix("api.").or_else(|| host.strip_prefix("www.")).unwrap_or(&host);
    if host.split('.').next() == Some(label) {
        return None;
    }
    let port = base.authority().port_u16().map(|port| format!("-{port}")).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    let name: String = host.trim_matches(['[', ']']).chars().map(plain).chain(port.chars()).collect();
    (name.len() <= MAX_NAME_LEN).then_some(name)
}

/// Parses seconds, given as a number or as text.
pub(super) fn seconds(value: &Json) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.is_finite() && number > 0.0).then_some(number)
}

/// Converts LiteLLM's timeouts, which are those of its HTTP client: they apply to the wait for an answer and to each
/// pause in it, not to the whole answer, which would cut streams off.
pub(super) fn timeouts(whole: Option<f64>, stream: Option<f64>) -> Option<Table> {
    let pairs = [("first_byte", whole), ("idle", stream.or(whole))];
    let table: Table =
        pairs.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), duration(limit?)))).collect();
    (!table.is_empty()).then_some(table)
}

/// Formats seconds as a duration of Weir's configuration.
pub(super) fn duration(seconds: f64) -> Value {
    let millis = (seconds * 1000.0).round().max(1.0);
    if millis % 1000.0 == 0.0 { format!("{}s", millis / 1000.0).into() } else { format!("{millis}ms").into() }
}

/// Builds `{ max_retries = N }`.
pub(super) fn retry(retries: u64) -> Value {
    let retries = i64::try_from(retries.min(100)).unwrap_or(100);
    Value::Table(Table::from_iter([("max_retries".to_owned(), Value::Integer(retries))]))
}
