//! The environment over the file.

use super::*;

const FILE: &str = "[server]\nport = 80\n[[providers]]\nname = 'openai'\nadapter = 'openai'\nurl = 'http://a/v1/'\n\
                    api_key = 'env:KEY'\n[[models]]\nalias = '*'\nprovider = 'openai'\n";

fn config(variables: &[(&str, &str)]) -> Config {
    let variables = [&[("KEY", "sk-1")], variables].concat();
    read_with(FILE, &variables).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_type_can_be_overridden() {
    let config = config(&[
        ("WEIR_SERVER_PORT", "9000"),
        ("WEIR_SERVER__HOST", "::1"),
        ("WEIR_LOG_LEVEL", "debug"),
        ("WEIR_SERVER__DIAGNOSTIC_HEADERS", "false"),
        ("WEIR_SERVER__HEADER_TIMEOUT", "3s"),
        ("WEIR_SERVER__MAX_BODY_BYTES", "1MiB"),
        ("WEIR_PLUGINS__OPENAI__MEMORY", "16MiB"),
        ("WEIR_PROVIDERS__OPENAI__ALLOW_ORIGINS", "https://b, https://c"),
        ("WEIR_PROVIDERS__0__BREAKER__FAILURE_RATE", "0.1"),
        ("WEIR_PROVIDERS__0__OPTIONS__DEPTH", "3"),
        ("WEIR_PROVIDERS__0__OPTIONS__REGION", "eu"),
        ("WEIR_PROVIDERS__0__TIMEOUTS", "{ idle = \"9s\" }"),
        ("WEIR_MODELS__0__FALLBACKS", "[\"x\"]"),
    ]);
    assert_eq!((config.server.host.as_str(), config.server.port), ("::1", 9000));
    assert_eq!(config.log.level, LogLevel::Debug);
    assert!(!config.server.diagnostic_headers);
    assert_eq!(config.server.header_timeout, Duration::from_secs(3));
    assert_eq!(config.server.max_body_bytes, 1 << 20);
    assert_eq!(config.plugins.adapter("openai").memory, 16 << 20);
    let provider = config.provider("openai").unwrap();
    assert_eq!((provider.allow_origins.len(), provider.timeouts.idle), (2, Duration::from_secs(9)));
    assert_eq!(
        serde_json::Value::Object(provider.options.values.clone()),
        serde_json::json!({"depth": 3, "region": "eu"})
    );
    assert_eq!(config.models.lookup("y").unwrap().fallbacks, ["x"]);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_wrong_variable_is_named() {
    let found = read_with(FILE, &[("KEY", "k"), ("WEIR_SERVER_PORT", "many"), ("WEIR_SERVER__PROT", "1")]).unwrap_err();
    let expected = "WEIR_SERVER_PORT: error: `port` must be an integer from 0 to 65535, not a string\n\
                    WEIR_SERVER__PROT: warning: unknown key `prot` in `[server]` (did you mean `port`?)";
    let mut lines: Vec<_> = found.to_string().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn a_number_that_is_too_large_is_not_called_a_string() {
    let found = read_with(FILE, &[("KEY", "k"), ("WEIR_SERVER__PORT", "99999")]).unwrap_err();
    let expected = "WEIR_SERVER__PORT: error: `port` must be an integer from 0 to 65535, not 99999";
    assert_eq!(found.to_string().trim(), expected);
}

#[test]
fn a_providers_key_variable_goes_before_its_own_key() {
    let config = config(&[("WEIR_PROVIDERS_OPENAI_API_KEY", "sk-2")]);
    assert_eq!(config.provider("openai").unwrap().keys, [Secret::new("sk-2")]);
}

/// A key from a variable is used for an adapter's targets without a key. It never replaces another key, which was given
/// for its url.
#[test]
fn an_adapters_key_variable_stands_in_for_a_missing_key() {
    let file = "[[models]]\nalias = 'a'\ntype = 'openai'\ntarget = { url = 'http://a/' }\n\
                [[models]]\nalias = 'b'\ntype = 'openai'\ntarget = { url = 'http://b/', api_key = 'env:KEY' }\n";
    let config = read_with(file, &[("KEY", "sk-1"), ("WEIR_PROVIDERS_OPENAI_API_KEY", "sk-2")]).unwrap();
    assert_eq!(target(&config, "a").provider.keys, [Secret::new("sk-2")]);
    assert_eq!(target(&config, "b").provider.keys, [Secret::new("sk-1")]);
    assert!(config.warnings.is_empty());
}

/// C-69: a key that cannot be read is a mistake at load, and no other key replaces it.
#[test]
fn a_missing_key_is_never_replaced_by_another() {
    let file = "[[models]]\nalias = 'a'\ntype = 'openai'\ntarget = { url = 'http://a/', api_key = 'env:NONE' }\n";
    let found = read_with(file, &[("WEIR_PROVIDERS_OPENAI_API_KEY", "sk-2")]).unwrap_err();
    assert!(
        found.to_string().starts_with("weir.toml:4:41: error: `api_key`: the environment variable `NONE` is not set")
    );
}

#[test]
fn the_default_can_come_from_a_variable() {
    let config = config(&[("WEIR_PROVIDERS_DEFAULT", "openai")]);
    assert_eq!(config.default_provider.as_deref(), Some("openai"));
    let other = read_with(
        FILE,
        &[("KEY", "k"), ("WEIR_PROVIDERS_DEFAULT", "anthropic"), ("WEIR_PROVIDERS_ANTHROPIC_API_KEY", "a")],
    );
    assert_eq!(other.unwrap().provider("anthropic").unwrap().keys, [Secret::new("a")]);
    let found = read_with(FILE, &[("KEY", "k"), ("WEIR_PROVIDERS_DEFAULT", "anthropic")]).unwrap_err();
    assert!(found.to_string().contains("WEIR_PROVIDERS_DEFAULT: error: no provider is called `anthropic`"), "{found}");
}

#[test]
fn empty_variables_change_nothing() {
    let config = config(&[("WEIR_SERVER_PORT", ""), ("WEIR_PROVIDERS_OPENAI_API_KEY", " ")]);
    assert_eq!(
        (config.server.port, config.provider("openai").unwrap().keys.as_slice()),
        (80, [Secret::new("sk-1")].as_slice())
    );
}

#[test]
fn a_key_for_nobody_is_a_warning() {
    let config = config(&[("WEIR_PROVIDERS_OPENIA_API_KEY", "k")]);
    let shown = config.problems(config.warnings.clone()).to_string();
    assert_eq!(
        shown,
        "WEIR_PROVIDERS_OPENIA_API_KEY: warning: no provider has this name (did you mean `WEIR_PROVIDERS_OPENAI_API_KEY`?)"
    );
    let discovering = Config::without_file(environment(&[("WEIR_PROVIDERS_OPENAI_API_KEY", "k")])).unwrap();
    assert!(discovering.warnings.is_empty());
    assert_eq!(discovering.environment.provider_key("openai"), Some(Secret::new("k")));
}
