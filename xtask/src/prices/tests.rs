use super::*;

const SOURCES: &str = r#"{
    "source": "s", "licence": "l", "version": "v", "tiers": {}, "skip": ["commitment"], "open_ended": ["ft:"],
    "providers": {
        "a": {"names": ["first", "second-*"], "prefixes": ["first/"], "regions": {"eu": "eu", "global": ""},
            "search_fee": {"models": ["finder"], "except": ["deep"], "size": "low"},
            "searched_request": {"models": ["old-"], "except": ["odd"], "unless": {"web_search_billing_unit": "per_query"}},
            "for_all": ["container"]},
        "local": {"names": ["local"], "prefixes": [], "zero_is_free": true}},
    "extra": {"a": {"*": [{"page": "1"}]}}}"#;

fn models(list: &str) -> Value {
    let list = format!("{{\"sample_spec\": {{\"input_cost_per_token\": 0}}, {list}}}");
    let (text, _) = generate(SOURCES, &list).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["providers"].clone()
}

fn entry(name: &str, provider: &str, members: &str) -> String {
    format!("\"{name}\": {{\"litellm_provider\": \"{provider}\", \"mode\": \"chat\", {members}}}")
}

#[test]
fn suffixes_become_conditions() {
    let list = entry(
        "first/m",
        "first",
        r#""input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
        "input_cost_per_token_above_200k_tokens": 5e-06, "input_cost_per_token_batches": 1.25e-06,
        "cache_creation_input_token_cost_above_1hr": 5e-06, "output_cost_per_reasoning_token": 1e-05,
        "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.02}"#,
    );
    let expected = serde_json::json!([
        {"input": "2.5", "output": "10", "cache_write_hour": "5", "search": "0.02"},
        {"when": {"batch": true}, "input": "1.25", "output": "5", "cache_write_hour": "2.5"},
        {"when": {"service_tier": "low"}, "search": "0.01"},
        {"when": {"context_over": 200_000}, "input": "5", "output": "20", "cache_write_hour": "10"},
    ]);
    assert_eq!(models(&list)["a"]["m"], expected);
}

#[test]
fn names_become_regions_variants_and_patterns() {
    let price = r#""input_cost_per_token": 1e-06"#;
    let list =
        ["first/eu/m", "first/global/n", "ft:m", "hd/64-x-64/n"].map(|name| entry(name, "first", price)).join(",");
    let models = models(&list);
    assert_eq!(models["a"]["m"][0]["when"]["region"], "eu");
    assert_eq!(models["a"]["n"][0], serde_json::json!({"input": "1"}));
    assert_eq!(models["a"]["n"][1]["when"]["variant"], "hd/64x64");
    assert!(models["a"]["ft:m"].is_array() && models["a"]["ft:m:*"].is_array());
    assert_eq!(models["a"]["*"], serde_json::json!([{"page": "1"}]));
}

#[test]
fn zeros_are_prices_only_where_that_is_known() {
    let zero = r#""input_cost_per_token": 0.0, "output_cost_per_token": 0"#;
    let list = [entry("first/m", "first", zero), entry("l", "local", zero), entry("x", "unknown", zero)].join(",");
    let models = models(&list);
    assert!(models["a"].is_null() && models["unknown"].is_null());
    assert_eq!(models["local"]["l"], serde_json::json!([{"input": "0", "output": "0"}]));
}

#[test]
fn multipliers_become_offers() {
    let list = entry(
        "m",
        "second-x",
        r#""input_cost_per_token": 2.5e-06, "search_context_cost_per_query": {"x": 0.01},
        "regional_processing_uplift_multiplier_eu": 1.1"#,
    );
    let expected = serde_json::json!([
        {"input": "2.5", "search": "0.01"}, {"when": {"region": "eu"}, "input": "2.75"}]);
    assert_eq!(models(&list)["a"]["m"], expected);
}

#[test]
fn a_fee_for_all_searches_is_the_requests() {
    let sizes = r#""input_cost_per_token": 1e-06,
        "search_context_cost_per_query": {"search_context_size_low": 0.005, "search_context_size_medium": 0.008}"#;
    let list = ["first/finder", "first/finder-deep"].map(|name| entry(name, "first", sizes)).join(",");
    let models = models(&list);
    let fee = serde_json::json!([{"input": "1", "request": "0.005"}, {"when": {"service_tier": "medium"}, "request": "0.008"}]);
    assert_eq!(models["a"]["finder"], fee);
    assert_eq!(models["a"]["finder-deep"][0]["search"], "0.008");
}

#[test]
fn searches_cost_once_a_request_unless_the_list_says_that_each_does() {
    let price = r#""input_cost_per_token": 1e-06, "google_maps_grounding_cost_per_query": 0.025,
        "search_context_cost_per_query": {"search_context_size_low": 0.035, "search_context_size_medium": 0.035}"#;
    let each = format!(r#"{price}, "web_search_billing_unit": "per_query""#);
    let list = [
        entry("first/old-1", "first", price),
        entry("first/old-2", "first", &each),
        entry("first/old-odd", "first", price),
        entry("first/new-1", "first", price),
        entry("old-1", "local", price),
    ];
    let models = models(&list.join(","));
    let maps = |measure: &str| serde_json::json!({"when": {"variant": "maps"}, measure: "0.025"});
    let offers = |measure: &str| serde_json::json!([{"input": "1", measure: "0.035"}, maps(measure)]);
    assert_eq!(models["a"]["old-1"], offers("searched_request"));
    for model in ["old-2", "old-odd", "new-1"] {
        assert_eq!(models["a"][model], offers("search"), "{model}");
    }
    assert_eq!(models["local"]["old-1"], offers("search"), "another provider's models");
}

#[test]
fn what_a_condition_does_not_name_stands_to_its_price_as_the_rest_does() {
    let list = entry(
        "first/m",
        "first",
        r#""input_cost_per_token": 2e-06, "cache_read_input_token_cost": 1e-06, "input_cost_per_audio_token": 7e-06,
        "output_cost_per_token": 9e-06, "output_cost_per_image_token": 3e-05,
        "input_cost_per_token_priority": 4e-06, "cache_read_input_token_cost_priority": 1.5e-06,
        "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 1.2e-05,
        "input_cost_per_token_above_200k_tokens_batches": 3e-06"#,
    );
    let offers = models(&list)["a"]["m"].clone();
    // The ratio of plain text of the same side, and without one that of the other side.
    let priority = serde_json::json!({"when": {"service_tier": "priority"}, "input": "4", "cache_read": "1.5",
        "input_audio": "14", "output": "18", "output_image": "60"});
    // Each side has its own, and a threshold's prices are those that a batch beyond it stands to.
    let long = serde_json::json!({"when": {"context_over": 200_000}, "input": "6", "cache_read": "3", "input_audio": "21",
        "output": "12", "output_image": "40"});
    let long_batch = serde_json::json!({"when": {"context_over": 200_000, "batch": true}, "input": "3", "cache_read": "1.5",
        "input_audio": "10.5", "output": "6", "output_image": "20"});
    for expected in [priority, long, long_batch] {
        let found = offers.as_array().unwrap().iter().find(|offer| offer["when"] == expected["when"]);
        assert_eq!(found, Some(&expected), "{offers}");
    }
}

#[test]
fn all_output_is_images_where_no_other_has_a_price() {
    let (image, text) = (r#""output_cost_per_image_token": 3e-05"#, r#""output_cost_per_token": 1e-05"#);
    let list = [entry("first/p", "first", image), entry("first/both", "first", &format!("{image}, {text}"))];
    let models = models(&list.join(","));
    assert_eq!(models["a"]["p"], serde_json::json!([{"image": "0", "output": "30", "output_image": "30"}]));
    assert_eq!(models["a"]["both"], serde_json::json!([{"image": "0", "output": "10", "output_image": "30"}]));
}

#[test]
fn a_model_that_writes_for_nothing_has_no_price() {
    let members = |provider: &str, mode: &str, more: &str| {
        format!(
            "{{\"litellm_provider\": \"{provider}\", \"mode\": \"{mode}\", \"output_cost_per_token\": 0.0, {more}}}"
        )
    };
    let (input, image) = (r#""input_cost_per_token": 1.4e-07"#, r#""output_cost_per_image": 0.04"#);
    let list = [
        format!("\"first/router\": {}", members("first", "chat", input)),
        format!("\"first/song\": {}", members("first", "chat", image)),
        format!("\"first/painter\": {}", members("first", "image_generation", image)),
        format!("\"first/vectors\": {}", members("first", "embedding", input)),
        format!("\"l\": {}", members("local", "chat", input)),
    ];
    let models = models(&list.join(","));
    let names: Vec<&String> = models["a"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["*", "vectors"]);
    assert_eq!(models["local"]["l"], serde_json::json!([{"input": "0.14", "output": "0"}]));
}

#[test]
fn a_tools_price_is_one_for_all_models() {
    let session = r#""code_interpreter_cost_per_session": 0.03"#;
    let list = [entry("first/container", "first", session), entry("container", "local", session)].join(",");
    let models = models(&list);
    assert_eq!(models["a"]["*"], serde_json::json!([{"tool_run": "0.03"}, {"page": "1"}]));
    assert!(models["a"]["container"].is_null());
    assert_eq!(models["local"]["container"], serde_json::json!([{"tool_run": "0.03"}]));
}

#[test]
fn what_no_measure_expresses_is_a_gap() {
    let list = entry(
        "m",
        "first",
        r#""input_cost_per_token": 1e-06, "citation_cost_per_token": 2e-06,
        "cache_read_input_token_cost": 1e-07, "cache_read_input_audio_token_cost": 1e-07,
        "output_cost_per_video_token": 1e-06"#,
    );
    let gaps = serde_json::json!({"citation_cost_per_token": "request", "output_cost_per_video_token": "output_image"});
    assert_eq!(models(&list)["a"]["m"][0]["gaps"], gaps);
}

#[test]
fn the_providers_own_prefix_wins() {
    let list = [
        entry("first/m", "first", r#""input_cost_per_token": 1e-06"#),
        entry("m", "first", r#""input_cost_per_token": 2e-06"#),
    ];
    assert_eq!(models(&list.join(","))["a"]["m"], serde_json::json!([{"input": "1"}]));
}
