//! From a program's description to the configuration that the gateway's own file would give: one reader checks both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use super::{BuildError, Client, Provider};
use weir_config::{Config, Environment};

/// How many calls may run at the same time, by default.
const CONCURRENCY: i64 = 256;
/// The variables in which keys reach the reader of the configuration: they stand in no text that a message could show.
const KEY: &str = "EMBEDDED_PROVIDER_KEY";
/// What messages call the description.
const NAME: &str = "Client::builder";

/// Describes a [`Client`]. Everything is checked in [`Builder::build`], and all mistakes are reported together.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    plugins: Option<PathBuf>,
    cache: Option<PathBuf>,
    compiler: Option<PathBuf>,
    providers: Vec<(String, Provider)>,
    routes: Vec<(String, Vec<String>)>,
    settings: String,
}

impl Builder {
    /// Sets the folder with the adapters; `plugins` in the working directory without it.
    #[must_use]
    pub fn plugins(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plugins = Some(folder.into());
        self
    }

    /// Sets the folder that keeps compiled adapters; the user's cache folder without it.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Has adapters compiled in processes of their own by this program, which is `weir`. Without it they are compiled
    /// in this process, so a file that breaks the compiler breaks this process.
    #[must_use]
    pub fn compiler(mut self, weir: impl Into<PathBuf>) -> Self {
        self.compiler = Some(weir.into());
        self
    }

    /// Adds a provider under a name of the program's choice. Its models may be called as `NAME/MODEL` at once.
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>, provider: Provider) -> Self {
        self.providers.push((name.into(), provider));
        self
    }

    /// Adds a name for calls, and the targets `PROVIDER/MODEL` that are tried in this order.
    #[must_use]
    pub fn route<T: Into<String>>(mut self, name: impl Into<String>, targets: impl IntoIterator<Item = T>) -> Self {
        self.routes.push((name.into(), targets.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds keys and tables of the gateway's configuration as TOML: further `[[models]]`, `[server]`, `[plugins.NAME]`.
    #[must_use]
    pub fn settings(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self.settings.push('\n');
        self
    }

    /// Loads the adapters and makes the client. Compiling adapters that no cache knows takes seconds.
    ///
    /// # Errors
    ///
    /// The description has mistakes, or there is no adapter that it needs. It must be called within a runtime of tokio.
    pub async fn build(self) -> Result<Client, BuildError> {
        Client::open(self.config()?).await
    }

    fn config(self) -> Result<Config, BuildError> {
        if self.providers.is_empty() {
            return Err(BuildError::NoProvider);
        }
        let mut root = table(&self.settings, "the settings")?;
        let mut variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            // The gateway's own variables are not meant for this program.
            .filter(|(name, _)| !name.starts_with("WEIR_"))
            .collect();
        section(&mut root, "server")?.entry("max_connections").or_insert(Value::Integer(CONCURRENCY));
        let plugins = section(&mut root, "plugins")?;
        for (key, folder) in [("dir", &self.plugins), ("cache_dir", &self.cache)] {
            if let Some(folder) = folder {
                plugins.insert(key.to_owned(), Value::String(text(folder)?));
            }
        }
        for (number, (name, provider)) in self.providers.iter().enumerate() {
            let keys = provider.keys.iter().enumerate().map(|(key, _)| format!("{KEY}_{number}_{key}"));
            let keys: Vec<String> = keys.collect();
            let texts = provider.keys.iter().map(|key| key.expose().to_owned());
            let described = described(name, provider, &keys)?;
            variables.extend(keys.into_iter().zip(texts));
            list(&mut root, "providers")?.push(Value::Table(described));
        }
        for (name, targets) in &self.routes {
            list(&mut root, "models")?.push(Value::Table(route(name, targets)?));
        }
        for (name, _) in &self.providers {
            list(&mut root, "models")?.push(Value::Table(all_of(name)));
        }
        let environment: Environment = variables.into_iter().collect();
        let mut config = Config::parse(NAME, &root.to_string(), Path::new(""), environment)?;
        config.plugins.compiler = self.compiler;
        Ok(config)
    }
}

/// A provider as a table of `[[providers]]`.
fn described(name: &str, provider: &Provider, keys: &[String]) -> Result<Table, BuildError> {
    let mut table = table(&provider.settings, &format!("the settings of the provider `{name}`"))?;
    let mut set = |key: &str, value: Value| table.insert(key.to_owned(), value);
    set("name", name.into());
    set("adapter", provider.adapter.as_str().into());
    if let Some(url) = &provider.url {
        set("url", url.as_str().into());
    }
    if !keys.is_empty() {
        set("api_keys", keys.iter().map(|key| Value::String(format!("env:{key}"))).collect::<Vec<_>>().into());
    }
    if let Some(total) = provider.total {
        section(&mut table, "timeouts")?.insert("total".to_owned(), millis(total).into());
    }
    if let Some(retries) = provider.retries {
        section(&mut table, "retry")?.insert("max_retries".to_owned(), i64::from(retries).into());
    }
    for (option, value) in &provider.options {
        let value = Value::try_from(value).map_err(|_| BuildError::Option { option: option.clone() })?;
        section(&mut table, "options")?.insert(option.clone(), value);
    }
    Ok(table)
}

fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis().max(1))
}

/// A route as a table of `[[models]]`.
fn route(name: &str, targets: &[String]) -> Result<Table, BuildError> {
    let target = |text: &String| {
        let (provider, model) = text.split_once('/').ok_or_else(|| BuildError::Target { target: text.clone() })?;
        Ok(Value::Table(Table::from_iter([
            ("provider".to_owned(), provider.into()),
            ("model".to_owned(), model.into()),
        ])))
    };
    let targets = targets.iter().map(target).collect::<Result<Vec<_>, BuildError>>()?;
    Ok(Table::from_iter([("alias".to_owned(), name.into()), ("targets".to_owned(), targets.into())]))
}

/// Every model of a provider, as `NAME/MODEL`.
fn all_of(provider: &str) -> Table {
    let target = Table::from_iter([("provider".to_owned(), provider.into()), ("model".to_owned(), "*".into())]);
    Table::from_iter([("alias".to_owned(), format!("{provider}/*").into()), ("target".to_owned(), target.into())])
}

fn table(toml: &str, what: &str) -> Result<Table, BuildError> {
    let settings = |source: toml::de::Error| BuildError::Settings { what: what.to_owned(), source: Box::new(source) };
    toml.parse().map_err(settings)
}

/// A table within a table, made where it is not there.
fn section<'a>(root: &'a mut Table, key: &'static str) -> Result<&'a mut Table, BuildError> {
    let value = root.entry(key).or_insert_with(|| Value::Table(Table::new()));
    value.as_table_mut().ok_or(BuildError::Kind { key, kind: "a table" })
}

/// A list within a table, made where it is not there.
fn list<'a>(root: &'a mut Table, key: &'static str) -> Result<&'a mut Vec<Value>, BuildError> {
    let value = root.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    value.as_array_mut().ok_or(BuildError::Kind { key, kind: "a list of tables" })
}

fn text(path: &Path) -> Result<String, BuildError> {
    path.to_str().map(str::to_owned).ok_or_else(|| BuildError::Path { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn client() -> Builder {
        let local =
            Provider::new("a").url("http://127.0.0.1:1/v1").option("flag", true).timeout(Duration::from_secs(2));
        let cloud = Provider::new("b").url("https://example.org/v1").key(Secret::new("sk-very-secret-1")).retries(7);
        Client::builder().provider("local", local).provider("cloud", cloud).route("chat", ["local/m", "cloud/x/y"])
    }

    #[test]
    fn a_description_becomes_the_configuration_that_a_file_would_give() {
        let config = client().settings("[server]\nstrict = true\n").config().unwrap();
        assert!(config.server.strict);
        let chat = config.models.lookup("chat").unwrap();
        let targets: Vec<_> = chat.targets.iter().map(|one| (&*one.provider.name, one.model.as_deref())).collect();
        assert_eq!(targets, [("local", Some("m")), ("cloud", Some("x/y"))]);
        assert!(config.models.lookup("cloud/anything").is_some());
        let (local, cloud) = (config.provider("local").unwrap(), config.provider("cloud").unwrap());
        assert_eq!(local.timeouts.total, Some(Duration::from_secs(2)));
        assert_eq!((cloud.retry.max_retries, cloud.keys.len()), (7, 1));
    }

    #[test]
    fn keys_stand_in_no_text() {
        let builder = client();
        assert!(!format!("{builder:?}").contains("very-secret"));
        let config = builder.config().unwrap();
        assert!(!format!("{config:?}").contains("very-secret"));
        let mistake = client().settings("[server]\nprot = 1\n").config().unwrap_err();
        assert!(mistake.to_string().contains("prot"), "{mistake}");
        assert!(!format!("{mistake:?}").contains("very-secret"));
    }

    #[test]
    fn mistakes_are_typed() {
        assert!(matches!(Client::builder().config(), Err(BuildError::NoProvider)));
        assert!(matches!(client().route("x", ["nothing"]).config(), Err(BuildError::Target { .. })));
        assert!(matches!(client().route("x", ["nowhere/m"]).config(), Err(BuildError::Config(_))));
        assert!(matches!(client().settings("= 1").config(), Err(BuildError::Settings { .. })));
        assert!(matches!(client().settings("providers = 1").config(), Err(BuildError::Kind { .. })));
        let null = Provider::new("a").option("none", serde_json::Value::Null);
        assert!(matches!(Client::builder().provider("p", null).config(), Err(BuildError::Option { .. })));
    }
}
