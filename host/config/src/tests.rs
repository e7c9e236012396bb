//! Tests that read whole configurations.

mod agreement;
mod docs;
mod grants;
mod hostile;
mod keyless;
mod mistakes;
mod outbound;
mod pages;
mod shared;
mod store;
mod unknown_names;
mod variables;

use super::*;
use std::path::Path;
use std::time::Duration;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().copied().collect()
}

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::parse("weir.toml", text, Path::new("/etc/weir"), environment(variables))
}

/// A configuration without mistakes.
fn read(text: &str) -> Config {
    read_with(text, &[("KEY", "sk-1")]).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The mistakes of a configuration, a line each.
fn mistakes(text: &str) -> Vec<String> {
    let Err(problems) = read_with(text, &[("KEY", "sk-1")]) else { return Vec::new() };
    problems.to_string().lines().map(|line| line.strip_prefix("weir.toml:").unwrap_or(line).to_owned()).collect()
}

fn target<'a>(config: &'a Config, name: &str) -> &'a Target {
    config.models.lookup(name).unwrap().first().unwrap()
}

#[test]
fn an_empty_file_is_all_defaults_and_discovers() {
    let config = read("");
    assert_eq!((config.server.host.as_str(), config.server.port), ("127.0.0.1", 8080));
    assert_eq!(config.log, Log { level: LogLevel::Info, format: LogFormat::Auto, buffer: 4 << 20 });
    assert_eq!(config.plugins.dir, Path::new("plugins"));
    assert_eq!(config.plugins.lock, Path::new("plugins.lock"));
    assert!(config.discover && config.warnings.is_empty() && config.models.is_empty());
    assert!(!read("[[models]]\nalias = 'a'\ntype = 'x'").discover);
}

#[test]
fn a_models_own_target_makes_a_provider() {
    let config = read(
        r#"
        log_level = "warn"
        [[models]]
        alias = "gpt"
        target = { url = "https://api.openai.com/v1", model = "gpt-4o", api_key = "env:KEY" }
        type = "openai"
        "#,
    );
    let target = target(&config, "gpt");
    assert_eq!((target.provider.name.as_str(), target.provider.adapter.as_str()), ("openai", "openai"));
    assert_eq!(target.provider.address.as_ref().unwrap().to_string(), "https://api.openai.com/v1/");
    assert_eq!(target.provider.keys, [Secret::new("sk-1")]);
    assert_eq!(target.model.as_deref(), Some("gpt-4o"));
    assert!(config.models.lookup("other").is_none());
}

#[test]
fn equal_targets_share_a_provider_and_others_are_numbered() {
    let model = |alias: &str, url: &str, more: &str| {
        format!(
            "[[models]]\nalias = '{alias}'\ntarget = {{ url = '{url}', api_key = 'env:KEY'{more} }}\ntype = 'openai'\n"
        )
    };
    let config = read(
        &[
            model("a", "http://a/v1/", ", model = 'x'"),
            model("b", "http://a/v1", ", model = 'y'"),
            model("c", "http://b/v1/", ""),
            model("d", "http://a/v1/", ", options = { auth = 'header' }"),
        ]
        .concat(),
    );
    assert!(Arc::ptr_eq(&target(&config, "a").provider, &target(&config, "b").provider));
    let names: Vec<&str> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["openai", "openai-2", "openai-3"]);
    assert_eq!(target(&config, "d").options.text("auth"), Some("header"));
}

const TWO_PROVIDERS: &str = r#"
    default_provider = "second"
    [[providers]]
    name = "first"
    adapter = "openai"
    url = "https://a.example/v1/"
    api_keys = ["env:KEY", "env:KEY"]
    options = { a = 1, b = 1 }
    timeouts = { connect = "2s", total = "15m" }
    retry = { max_retries = 5 }
    breaker = { failure_rate = 0.25, window = "20s", open = "3s" }
    max_concurrency = 64
    allow_origins = ["https://files.example", { origin = "https://b.example:443", credential = true }]
    usage = "ask"
    [[providers]]
    name = "second"
    adapter = "anthropic"
    url = "replay:rec"
    enable_fallback = false
    [[models]]
    alias = "fast"
    targets = [
      { provider = "first", model = "m", weight = 8, options = { b = 2 }, usage = "tap" },
      { provider = "second" },
    ]
    timeouts = { idle = "7s" }
    retry = { retry_delay_ms = 10 }
    fallbacks = ["gpt-4o"]
    capabilities = { vision = true, context = 128000 }
    price = { input = 0.15, output = 1 }
    [[models]]
    alias = "gpt-*"
    provider = "first"
    enable_fallback = false
"#;

#[test]
fn targets_take_what_they_do_not_say_from_model_and_provider() {
    let config = read(TWO_PROVIDERS);
    let model = config.models.lookup("fast").unwrap();
    assert_eq!((model.strategy, model.fallbacks.as_slice()), (Strategy::Weighted, ["gpt-4o".to_owned()].as_slice()));
    assert_eq!((model.capabilities.feature("vision"), model.capabilities.feature("tools")), (Some(true), None));
    assert_eq!(model.price.unwrap().output, Some(1.0));
    let [first, second] = model.targets.as_slice() else { panic!() };
    assert_eq!((first.weight, second.weight, first.metering), (8, 1, Metering::Tap));
    assert_eq!(serde_json::Value::Object(first.options.values.clone()), serde_json::json!({"a": 1, "b": 2}));
    let expected = Timeouts {
        connect: Duration::from_secs(2),
        first_byte: Duration::from_mins(2),
        idle: Duration::from_secs(7),
        total: Some(Duration::from_mins(15)),
    };
    assert_eq!(first.timeouts, expected);
    assert_eq!(first.retry, Retry { max_retries: 5, delay: Duration::from_millis(10), ..Retry::default() });
    assert_eq!((first.enable_fallback, second.enable_fallback), (true, false));
    let glob = target(&config, "gpt-4o");
    assert_eq!((glob.model.as_deref(), glob.metering, glob.enable_fallback), (None, Metering::Ask, false));
}

#[test]
fn a_provider_is_read_whole() {
    let config = read(TWO_PROVIDERS);
    let first = config.provider("first").unwrap();
    assert_eq!((first.keys.len(), first.max_concurrency), (2, Some(64)));
    let expected = Breaker {
        failure_rate: 0.25,
        window: Duration::from_secs(20),
        open: Duration::from_secs(3),
        ..Breaker::default()
    };
    assert_eq!(first.breaker, expected);
    let origins: Vec<_> =
        first.allow_origins.iter().map(|allowed| (allowed.origin.as_str(), allowed.credential)).collect();
    assert_eq!(origins, [("https://files.example", false), ("https://b.example", true)]);
    let second = config.provider("second").unwrap();
    assert_eq!(second.address, Some(Address::Replay { folder: "/etc/weir/rec".into(), pace: None }));
}

#[test]
fn everything_else_goes_to_the_default_provider() {
    let config = read(TWO_PROVIDERS);
    assert_eq!(target(&config, "llama").provider.name, "second");
    let own = read(&format!("{TWO_PROVIDERS}\n[[models]]\nalias = '*'\nprovider = 'first'"));
    assert_eq!(target(&own, "llama").provider.name, "first", "an alias `*` goes before the default");
}

#[test]
fn settings_are_read() {
    let config = read(
        r#"
        log_format = "json"
        [server]
        host = "::1"
        port = 0
        max_body_bytes = "1MiB"
        keep_alive_interval = "15s"
        diagnostic_headers = false
        [admin]
        listen = "127.0.0.1:9090"
        token = "env:KEY"
        [plugins]
        dir = "/opt/plugins"
        memory = "32MiB"
        cache_dir = ""
        [plugins.python-thing]
        isolation = "tenant"
        max_uses = 5
        "#,
    );
    assert_eq!((config.server.port, config.server.max_body_bytes), (0, 1 << 20));
    assert_eq!(config.server.keep_alive_interval, Some(Duration::from_secs(15)));
    assert!(!config.server.diagnostic_headers);
    assert_eq!(config.admin.token, Some(Secret::new("sk-1")));
    assert_eq!(config.plugins.lock, Path::new("/opt/plugins.lock"));
    assert_eq!(config.plugins.cache_dir, None);
    let thing = config.plugins.adapter("python-thing");
    assert_eq!((thing.isolation, thing.max_uses, thing.memory), (Some(Isolation::Tenant), 5, 32 << 20));
    assert_eq!(config.plugins.adapter("other").memory, 32 << 20);
}

#[test]
fn quarantine_and_trials_can_be_set_and_switched_off_for_each_adapter() {
    let config = read(
        r"
        [plugins]
        quarantine = { faults = 3 }
        canary = {}
        [plugins.careful]
        canary = { share = 0.5, requests = 10 }
        [plugins.reckless]
        quarantine = false
        canary = false
        ",
    );
    let of = |name: &str| (config.plugins.adapter(name).quarantine, config.plugins.adapter(name).canary);
    let usual = Some(Quarantine { faults: 3, ..Quarantine::default() });
    assert_eq!(of("any"), (usual, Some(Canary::default())));
    assert_eq!(of("careful"), (usual, Some(Canary { share: 0.5, requests: 10, ..Canary::default() })));
    assert_eq!(of("reckless"), (None, None));
    let off = read_with("", &[("WEIR_PLUGINS__QUARANTINE", "false")]).unwrap();
    assert_eq!(off.plugins.adapter("any").quarantine, None);
    let set = read_with("", &[("WEIR_PLUGINS__QUARANTINE", "{ faults = 9 }")]).unwrap();
    assert_eq!(set.plugins.adapter("any").quarantine, Some(Quarantine { faults: 9, ..Quarantine::default() }));
}

#[test]
fn the_lock_file_stands_beside_the_configuration_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "\u{feff}[plugins]\ndir = \"x/plugins\"\n").unwrap();
    let load = || Config::load(&file, Environment::default()).unwrap();
    let moved = || {
        let mut plugins = load().plugins;
        plugins.move_to(Path::new("y/plugins"));
        (plugins.dir, plugins.lock)
    };
    let there = Path::new("y/plugins").to_owned();
    assert_eq!(load().plugins.lock, Path::new("x/plugins.lock"));
    assert_eq!(moved(), (there.clone(), Path::new("y/plugins.lock").to_owned()), "it moves with the folder");
    let beside = folder.path().join("plugins.lock");
    std::fs::write(&beside, "").unwrap();
    assert_eq!(load().plugins.lock, beside);
    assert_eq!(moved(), (there, beside));
}

#[test]
fn adapters_are_looked_for_beside_the_program_where_no_folder_is_named_and_none_is_here() {
    let installed = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        let environment = Environment::default().with_program_in(installed.path());
        Config::parse("weir.toml", text, Path::new(""), environment).unwrap().plugins
    };
    assert_eq!(read("").dir, Path::new("plugins"), "there is none beside the program");
    std::fs::create_dir(installed.path().join("plugins")).unwrap();
    assert_eq!(read("").dir, installed.path().join("plugins"));
    assert_eq!(read("").lock, installed.path().join("plugins.lock"), "the pins are those beside it");
    assert_eq!(read("[plugins]\ndir = \"plugins\"\n").dir, Path::new("plugins"), "what is named counts");
}

#[test]
fn a_program_in_a_prefix_finds_the_adapters_of_the_prefix() {
    let prefix = tempfile::tempdir().unwrap();
    let read = |folder: &str| {
        let environment = Environment::default().with_program_in(&prefix.path().join(folder));
        Config::parse("weir.toml", "", Path::new(""), environment).unwrap().plugins
    };
    let adapters = prefix.path().join("lib/weir/plugins");
    std::fs::create_dir_all(&adapters).unwrap();
    assert_eq!((read("bin").dir, read("bin").lock), (adapters.clone(), adapters.with_file_name("plugins.lock")));
    assert_eq!(read("sbin").dir, Path::new("plugins"));
    std::fs::create_dir_all(prefix.path().join("bin/plugins")).unwrap();
    assert_eq!(read("bin").dir, prefix.path().join("bin/plugins"), "beside the program is nearer");
}

#[test]
fn what_adapters_suggest_reaches_every_target() {
    let mut config = read("[[models]]\nalias = 'a'\ntype = 'openai'\n[[models]]\nalias = 'b'\ntype = 'openai'\n");
    assert_eq!(target(&config, "a").provider.address, None);
    let suggested = Address::parse("https://api.example/v1/", Path::new("")).unwrap();
    config.complete(|provider| provider.address = Some(suggested.clone()));
    assert_eq!(target(&config, "b").provider.address, Some(suggested));
    assert!(Arc::ptr_eq(&target(&config, "a").provider, &config.providers[0]));
}

#[test]
fn discovered_providers_serve_their_globs() {
    let mut config = Config::without_file(environment(&[("WEIR_PROVIDERS_DEFAULT", "second"), ("A", "k")])).unwrap();
    let key = config.environment.secret("A");
    config.add_discovered(Provider::discovered("first", "x", None, key), &["a-*".to_owned(), "b".to_owned()]);
    config.add_discovered(Provider::discovered("second", "y", None, None), &["a-*".to_owned(), "c-*".to_owned()]);
    let serves = |name: &str| target(&config, name).provider.name.clone();
    assert_eq!((serves("a-1"), serves("c-1"), serves("zzz")), ("first".into(), "second".into(), "second".into()));
}

#[test]
fn a_later_mistake_is_shown_at_its_line() {
    let config = read("[[models]]\nalias = 'a'\ntype = 'openai'\ntarget = { options = { resource = { name = 1 } } }\n");
    let target = target(&config, "a");
    let problem = Problem::error(&target.options.place_of("/resource/name"), "must be a string");
    assert_eq!(config.problems(vec![problem]).to_string(), "weir.toml:4:44: error: must be a string");
    let adapter = Problem::error(&target.provider.places.adapter, "no such adapter");
    assert_eq!(config.problems(vec![adapter]).to_string(), "weir.toml:3:8: error: no such adapter");
}

#[test]
fn the_revision_follows_text_and_overrides_but_not_secrets() {
    let revision = |text: &str, variables: &[(&str, &str)]| read_with(text, variables).unwrap().revision;
    let base = revision("", &[]);
    assert_eq!(base.len(), 16);
    assert_eq!(base, revision("", &[("OTHER", "1"), ("WEIR_ADMIN_TOKEN", "t")]));
    assert_ne!(base, revision("", &[("WEIR_SERVER_PORT", "1")]));
    assert_ne!(base, revision("log_level = 'warn'", &[]));
}

#[test]
fn the_benchmarks_file_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bench/targets/weir.toml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let target_file: toml::Table = text.parse().unwrap();
    let inner = target_file["files"]["weir.toml"].as_str().unwrap();
    let filled =
        inner.replace("{port}", "8081").replace("{WEIR_PLUGINS}", "/p").replace("{upstream}", "http://127.0.0.1:9");
    let config = read_with(&filled, &[("MOCK_KEY", "sk-bench")]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((config.models.len(), config.providers.len()), (3, 2));
    assert_eq!(target(&config, "mock-claude").provider.adapter, "anthropic");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}
