use std::path::Path;

use super::*;
use weir_config::{Config, Environment, Strategy};

/// Parses the written configuration with Weir's own parser, with the variables that it names set.
fn read_back(yaml: &str) -> (Config, String) {
    let text = import(yaml).unwrap().text("config.yaml");
    let names = text.match_indices("\"env:").map(|(at, start)| {
        let name = &text[at + start.len()..];
        let name = name.split('"').next().unwrap_or_default();
        let value = if name.ends_with("_BASE") { "https://base.example/v1" } else { "key-of-some-length" };
        (name.to_owned(), value.to_owned())
    });
    let environment = names.collect::<Environment>();
    let config = Config::parse("weir.toml", &text, Path::new(""), environment);
    (config.unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false))), text)
}

const BALANCED: &str = r#"
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: https://eu.openai.azure.com/
      api_key: os.environ/AZURE_EU
      api_version: "2024-10-21"
      rpm: 60
  - model_name: gpt-4o
    litellm_params:
      model: gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 600
  - model_name: cheap
    litellm_params: {model: groq/llama-3.1-8b-instant, timeout: 30, stream_timeout: 1.5}
    model_info: {input_cost_per_token: 0.00000015, supports_vision: false, max_input_tokens: 8192, mode: chat}
litellm_settings:
  num_retries: 3
  drop_params: true
  success_callback: ["langfuse"]
  fallbacks: [{"gpt-4o": ["cheap", "gone"]}]
router_settings:
  routing_strategy: latency-based-routing
  cooldown_time: 30
  model_group_alias: {"gpt-4": "gpt-4o"}
general_settings:
  master_key: os.environ/MASTER
"#;

#[test]
fn deployments_of_one_name_become_targets() {
    let (config, text) = read_back(BALANCED);
    let model = config.models.lookup("gpt-4o").unwrap();
    assert_eq!(model.strategy, Strategy::LeastLatency, "{text}");
    let targets: Vec<_> =
        model.targets.iter().map(|t| (t.provider.adapter.as_str(), t.model.as_deref(), t.weight)).collect();
    assert_eq!(targets, [("azure-openai", Some("gpt-4o-eu"), 60), ("openai", Some("gpt-4o"), 600)]);
    assert_eq!(model.targets[0].provider.address.as_ref().unwrap().to_string(), "https://eu.openai.azure.com/");
    assert_eq!(model.fallbacks, ["cheap"]);
    assert_eq!(config.models.lookup("gpt-4").unwrap().targets.len(), 2);
    let cheap = config.models.lookup("cheap").unwrap();
    let timeouts = cheap.targets[0].timeouts;
    assert_eq!((timeouts.first_byte.as_secs(), timeouts.idle.as_millis(), timeouts.total), (30, 1500, None));
    assert_eq!(cheap.price.unwrap().input, Some(0.15));
    assert_eq!((cheap.capabilities.vision, cheap.capabilities.context), (Some(false), Some(8192)));
    assert_eq!(cheap.targets[0].retry.max_retries, 3);
    assert_eq!(cheap.targets[0].provider.breaker.open.as_secs(), 30);
}

#[test]
fn settings_without_a_counterpart_are_noted() {
    let text = import(BALANCED).unwrap().text("config.yaml");
    for expected in ["litellm_settings.success_callback", "drop_params", "`rpm` and `tpm`", "x-weir-dropped-params"] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn kept_answers_are_noted_with_their_counterpart() {
    let noted = |settings: &str| import(&BALANCED.replace("  num_retries: 3\n", settings)).unwrap().text("config.yaml");
    let text = noted("  cache: true\n  cache_params: {type: redis}\n");
    assert!(text.contains("`cache`: answers are kept with") && !text.contains("settings.cache"), "{text}");
    assert!(!noted("  cache: false\n").contains("answers are kept with"));
}

#[test]
fn prefixes_become_adapters_and_leave_the_models_name() {
    let list = [
        ("databricks/databricks-claude-3-7-sonnet", "databricks", "databricks-claude-3-7-sonnet"),
        ("anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("together_ai/meta-llama/Llama-3-70b", "together", "meta-llama/Llama-3-70b"),
        ("openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o"),
        ("bedrock/converse/anthropic.claude-3-haiku-v1:0", "bedrock", "anthropic.claude-3-haiku-v1:0"),
        ("bedrock/us-west-2/amazon.nova-lite-v1:0", "bedrock", "amazon.nova-lite-v1:0"),
        ("vertex_ai/gemini-2.5-pro", "vertex", "gemini-2.5-pro"),
        ("ollama_chat/llama3", "ollama", "llama3"),
        ("azure/o_series/my-o3", "azure-openai", "my-o3"),
        ("deepinfra/meta/llama", "openai", "meta/llama"),
    ];
    for (theirs, adapter, model) in list {
        let yaml = format!("model_list:\n- model_name: x\n  litellm_params:\n    model: {theirs}\n");
        let draft = import(&yaml).unwrap();
        let target = draft.models[0].get("target").unwrap().as_table().unwrap();
        assert_eq!(draft.providers[0].get("adapter").unwrap().as_str(), Some(adapter), "{theirs}");
        assert_eq!(target["model"].as_str(), Some(model), "{theirs}");
    }
}

#[test]
fn every_prefix_leads_to_a_configuration_that_reads() {
    let prefixes: toml::Table = toml::from_str(include_str!("../../data/litellm.toml")).unwrap();
    for prefix in prefixes["prefixes"].as_table().unwrap().keys() {
        let yaml = format!("model_list:\n- model_name: x\n  litellm_params:\n    model: {prefix}/some\n");
        assert_eq!(read_back(&yaml).0.models.len(), 1, "{prefix}");
    }
}

#[test]
fn keys_of_the_file_are_not_copied() {
    let yaml = "model_list:\n- model_name: my-model\n  litellm_params:\n    model: openai/x\n    api_key: sk-planted-secret\n    \
                api_base: http://localhost:8000/v1\ngeneral_settings:\n  master_key: sk-planted-master\n";
    let (config, text) = read_back(yaml);
    assert!(!text.contains("planted"), "{text}");
    assert!(text.contains("MY_MODEL_API_KEY") && text.contains("LITELLM_MASTER_KEY"), "{text}");
    assert_eq!(config.providers[0].address.as_ref().unwrap().to_string(), "http://localhost:8000/v1/");
}

#[test]
fn anchors_and_merge_keys_are_resolved() {
    let yaml = "usual: &usual {api_key: os.environ/MINE, timeout: 5}\nmodel_list:\n- model_name: a\n  litellm_params:\n    \
                <<: *usual\n    model: openai/a\n    timeout: 7\n";
    let text = import(yaml).unwrap().text("x");
    assert!(text.contains("env:MINE") && text.contains("7s") && !text.contains("5s"), "{text}");
}

#[test]
fn a_star_leads_to_the_providers_name() {
    let yaml = "model_list:\n- model_name: databricks/*\n  litellm_params: {model: databricks/*}\n- model_name: 'a-*-b'\n  \
                litellm_params: {model: 'openai/a-*-b'}\n";
    let (config, text) = read_back(yaml);
    let model = config.models.lookup("databricks/dbrx").unwrap();
    assert_eq!(model.targets[0].model.as_deref(), Some("*"));
    assert!(!text.contains("`databricks/*`") && text.contains("`a-*-b`: only a single star"), "{text}");
}

#[test]
fn a_server_without_a_key_gets_none() {
    let yaml = "model_list:\n- model_name: local\n  litellm_params: {model: openai/x, api_key: none, api_base: 'http://h:1/v1'}\n";
    assert!(read_back(yaml).0.providers[0].keys.is_empty());
}

/// A configuration with one model and these parameters.
fn one(model: &str, params: &str) -> String {
    format!("model_list:\n- model_name: x\n  litellm_params: {{model: {model}{params}}}\n")
}

#[test]
fn a_local_server_is_not_sent_the_services_key() {
    let list = [
        ("openai/x", ", api_base: 'http://localhost:8000/v1'", true),
        ("openai/x", ", api_base: 'http://vllm:8000/v1'", true),
        ("openai/x", ", api_base: 'http://10.0.0.5/v1'", true),
        ("hosted_vllm/x", "", true),
        ("openai/x", ", api_base: 'https://proxy.example.com/v1'", false),
        ("openai/x", "", false),
    ];
    for (model, params, keyless) in list {
        let (config, text) = read_back(&one(model, params));
        assert_eq!(config.providers[0].keys.is_empty(), keyless, "{model}{params}\n{text}");
        assert_eq!(text.contains("no key is sent"), keyless, "{text}");
    }
    assert!(read_back(&one("openai/x", ", api_key: EMPTY, api_base: 'http://h:1/v1'")).1.contains("auth = \"none\""));
}

#[test]
fn a_timeout_does_not_cut_streams_off() {
    let file = one("openai/x", "") + "router_settings: {timeout: '30', stream_timeout: 5}\n";
    let (config, _) = read_back(&file);
    let timeouts = config.models.lookup("x").unwrap().targets[0].timeouts;
    assert_eq!((timeouts.first_byte.as_secs(), timeouts.idle.as_secs(), timeouts.total), (30, 5, None));
    let (config, _) = read_back(&one("openai/x", ", timeout: 7"));
    let timeouts = config.models.lookup("x").unwrap().targets[0].timeouts;
    assert_eq!((timeouts.first_byte.as_secs(), timeouts.idle.as_secs(), timeouts.total), (7, 7, None));
}

#[test]
fn fallbacks_for_one_kind_of_error_come_after_ordinary_ones() {
    let models = ["a", "long", "filter", "plain", "last"];
    let list =
        models.map(|name| format!("- model_name: {name}\n  litellm_params: {{model: openai/{name}}}\n")).concat();
    let yaml = format!(
        "model_list:\n{list}litellm_settings:\n  context_window_fallbacks: [{{a: [long]}}]\n  \
         content_policy_fallbacks: [{{a: [filter]}}]\n  default_fallbacks: [last]\n  fallbacks: [{{a: [plain]}}]\n"
    );
    let fallbacks = read_back(&yaml).0.models.lookup("a").unwrap().fallbacks.clone();
    assert_eq!(fallbacks[..2], ["plain", "last"]);
    assert_eq!(fallbacks.len(), 4);
}

#[test]
fn providers_are_named_after_their_hosts() {
    let list = [
        ("azure/x", ", api_base: 'https://eu.openai.azure.com/'", "eu.openai.azure.com"),
        ("openai/x", ", api_base: 'http://localhost:8000/v1'", "localhost-8000"),
        ("openai/x", ", api_base: 'https://api.openai.com/v1'", "openai"),
        ("openai/x", ", api_base: os.environ/SOME_BASE", "openai"),
        ("openai/x", ", api_base: 'http://[::1]:9/v1'", "__1-9"),
        ("deepinfra/x", "", "deepinfra"),
    ];
    for (model, params, name) in list {
        assert_eq!(read_back(&one(model, params)).0.providers[0].name, name, "{model}{params}");
    }
}

#[test]
fn credentials_by_name_are_filled_in() {
    let yaml = "model_list:\n- model_name: a\n  litellm_params: {model: azure/a, litellm_credential_name: mine}\n\
                credential_list:\n- credential_name: mine\n  credential_values:\n    api_base: https://mine.openai.azure.com\n    api_key: os.environ/MINE\n";
    let text = import(yaml).unwrap().text("x");
    assert!(text.contains("https://mine.openai.azure.com/") && text.contains("env:MINE"), "{text}");
}

#[test]
fn unknown_entries_are_left_out_and_noted() {
    let yaml =
        "model_list:\n- model_name: a\n  litellm_params: {model: sagemaker/b}\n- litellm_params: {model: openai/b}\n";
    let draft = import(yaml).unwrap();
    assert!(draft.models.is_empty());
    assert!(draft.notes.iter().any(|note| note.contains("sagemaker/b")));
    assert!(draft.notes.iter().any(|note| note.contains("model_list[1]")));
    assert!(matches!(import("a: [1"), Err(LitellmError::Yaml(_))));
    assert!(matches!(import("a: 1"), Err(LitellmError::NoModels)));
}

#[test]
fn aliases_and_fallbacks_that_name_no_model_are_noted() {
    let yaml = "model_list:\n- model_name: a\n  litellm_params: {model: openai/a}\n- model_name: b\n  litellm_params: {model: openai/b}\n\
                router_settings:\n  model_group_alias: {usual: b, lost: gone}\n  fallbacks: [{a: [usual, missing]}, {other: [a]}]\n";
    let draft = import(yaml).unwrap();
    let model = draft.models.iter().find(|model| model.get("alias") == Some(&"a".into())).unwrap();
    assert_eq!(model.get("fallbacks").map(ToString::to_string).as_deref(), Some("[\"usual\"]"), "an alias is a model");
    for left_out in ["`lost` stands for `gone`", "The fallback `missing`", "The fallbacks of `other`"] {
        assert!(draft.notes.iter().any(|note| note.contains(left_out)), "{left_out}: {:?}", draft.notes);
    }
}
