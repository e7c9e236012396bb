use super::*;

fn converter() -> Converter {
    Converter::new("2026-11-22T12:00:00Z".parse().unwrap())
}

fn convert(converter: &mut Converter, table: Table, row: &Json) -> Option<Json> {
    converter.convert(table, &row.to_string()).unwrap()
}

fn key(converter: &mut Converter, mut row: Json) -> Json {
    row["token"] = json!("88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b");
    convert(converter, Table::Keys, &row).unwrap()
}

#[test]
fn a_key_keeps_its_hash_and_gets_its_terms() {
    let mut converter = converter();
    convert(&mut converter, Table::Teams, &json!({"team_id": "red", "team_alias": "Red", "models": []}));
    let made = key(
        &mut converter,
        json!({
            "key_alias": "build", "team_id": "red", "expires": "2027-01-31T00:00:00.5", "models": ["gpt-4o", "openai/*"],
            "rpm_limit": 60, "tpm_limit": null, "max_budget": 12.5, "budget_duration": "30d",
            "aliases": {"fast": "gpt-4o-mini"}, "metadata": {"tags": ["ci"], "cost_centre": 7},
        }),
    );
    assert_eq!(
        made,
        json!({
            "hash": "sha256:88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
            "name": "build", "owner": {"team": "red"}, "expires": "2027-01-31T00:00:00.5Z",
            "models": ["gpt-4o", "openai/*"], "limits": {"requests_per_minute": 60},
            "budgets": [{"name": "max", "usd": "12.5", "per": "month"}],
            "aliases": {"fast": "gpt-4o-mini"}, "tags": ["ci"],
            "metadata": {"cost_centre": 7, "imported_from": "litellm"},
        })
    );
    assert_eq!(converter.notes(), Vec::<String>::new());
}

#[test]
fn a_shared_budget_fills_what_a_key_leaves_empty() {
    let mut converter = converter();
    let budget =
        json!({"budget_id": "b", "max_budget": 10, "soft_budget": 8, "budget_duration": "1mo", "rpm_limit": 5});
    assert_eq!(convert(&mut converter, Table::Budgets, &budget), None);
    let made = key(&mut converter, json!({"budget_id": "b", "rpm_limit": 7}));
    assert_eq!(made["budgets"], json!([{"name": "max", "usd": "10", "per": "month", "soft": "0.8000"}]));
    assert_eq!(made["limits"], json!({"requests_per_minute": 7}));
}

#[test]
fn several_windows_are_several_budgets() {
    let windows = json!([{"budget_duration": "1d", "max_budget": 1}, {"budget_duration": "7d", "max_budget": 5.25}]);
    let made = key(&mut converter(), json!({"max_budget": 100, "budget_limits": windows, "tpd_limit": 9}));
    let expected = json!([
        {"name": "max", "usd": "100", "per": "total"}, {"name": "max-2", "usd": "1", "per": "day"},
        {"name": "max-3", "usd": "5.25", "per": "week"}, {"name": "tokens-a-day", "tokens": 9, "per": "day"},
    ]);
    assert_eq!(made["budgets"], expected);
}

#[test]
fn a_time_that_is_no_period_becomes_the_next_longer_one_and_is_noted() {
    for (duration, per, is_exact) in [
        ("24h", "day", true),
        ("60s", "minute", true),
        ("30d", "month", true),
        ("90d", "90d", true),
        ("1w", "week", true),
        ("30s", "minute", false),
        ("2h", "day", false),
        ("36h", "2d", false),
        ("2mo", "62d", false),
        ("forever", "total", false),
    ] {
        let mut converter = converter();
        let made = key(&mut converter, json!({"max_budget": 1, "budget_duration": duration}));
        assert_eq!(made["budgets"][0]["per"], per, "{duration}");
        assert_eq!(converter.notes().is_empty(), is_exact, "{duration}");
    }
}

#[test]
fn a_budget_of_nothing_allows_nothing() {
    let mut converter = converter();
    let made = key(&mut converter, json!({"max_budget": 0, "models": ["gpt-4o"]}));
    assert_eq!((&made["models"], &made["budgets"]), (&json!([]), &Json::Null));
    assert_eq!(converter.notes().len(), 1);
}

#[test]
fn a_limit_of_0_allows_nothing() {
    for limit in ["rpm_limit", "tpm_limit", "max_parallel_requests"] {
        let mut converter = converter();
        let document = key(&mut converter, json!({limit: 0}));
        assert_eq!(document["models"], json!([]), "{limit}");
        assert!(converter.notes().iter().any(|note| note.contains("a limit of 0")), "{limit}");
    }
    let mut converter = converter();
    convert(&mut converter, Table::Users, &json!({"user_id": "u1", "max_budget": 0.0}));
    assert_eq!(key(&mut converter, json!({"user_id": "u1"}))["models"], json!([]));
}

#[test]
fn a_warning_at_next_to_nothing_is_none() {
    let document = key(&mut converter(), json!({"max_budget": 50_000.0, "soft_budget": 1.0}));
    assert_eq!(document["budgets"][0].get("soft"), None);
}

#[test]
fn lists_that_mean_all_restrict_nothing_and_one_that_means_none_allows_nothing() {
    for all in [json!([]), json!(["all-proxy-models"]), json!(["gpt-4o", "all-team-models"])] {
        assert!(key(&mut converter(), json!({"models": all})).get("models").is_none());
    }
    assert_eq!(key(&mut converter(), json!({"models": ["no-default-models"]}))["models"], json!([]));
}

#[test]
fn routes_become_operations_and_never_more_than_before() {
    let routes = |routes: Json| {
        let mut converter = converter();
        let made = key(&mut converter, json!({"allowed_routes": routes}));
        (made["operations"].clone(), converter.notes().len())
    };
    assert_eq!(routes(json!(["llm_api_routes"])), (Json::Null, 0));
    assert_eq!(
        routes(json!(["/v1/chat/completions", "/embeddings", "/chat/completions"])),
        (json!(["chat", "embeddings"]), 0)
    );
    assert_eq!(routes(json!(["/key/generate"])), (json!([]), 1));
}

#[test]
fn keys_that_are_blocked_or_have_lost_their_team_are_disabled() {
    assert_eq!(key(&mut converter(), json!({"blocked": true}))["disabled"], true);
    let mut converter = converter();
    let made = key(&mut converter, json!({"key_alias": "k", "team_id": "gone"}));
    assert_eq!((&made["disabled"], &made["owner"]), (&json!(true), &json!({})));
    assert_eq!(converter.notes(), ["the key k belongs to a team that is not there, and is disabled"]);
}

#[test]
fn what_no_client_uses_is_left_out() {
    let mut converter = converter();
    let hash = "a".repeat(64);
    for row in [
        json!({"token": hash, "team_id": "litellm-dashboard"}),
        json!({"token": hash, "expires": "2026-11-22T11:59:59"}),
        json!({"token": "what is this"}),
    ] {
        assert_eq!(convert(&mut converter, Table::Keys, &row), None);
    }
    assert_eq!(convert(&mut converter, Table::Users, &json!({"user_id": "default_user_id"})), None);
    assert_eq!(converter.notes().len(), 2, "the dashboard's own keys are no news");
}

#[test]
fn names_are_unique_within_a_team_whatever_the_order() {
    let mut converter = converter();
    let first = convert(&mut converter, Table::Keys, &json!({"token": "a".repeat(64), "key_alias": "x"})).unwrap();
    let second = convert(&mut converter, Table::Keys, &json!({"token": "b".repeat(64), "key_alias": "x"})).unwrap();
    assert_eq!((&first["name"], &second["name"]), (&json!("x"), &json!("x (bbbbbbbb)")));
}

#[test]
fn the_text_before_a_rotation_stays_valid_until_its_grace_ends() {
    let mut converter = converter();
    let made = key(&mut converter, json!({"key_alias": "k", "rpm_limit": 3}));
    let row = |at: &str| json!({"token": "c".repeat(64), "active_token_id": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b", "revoke_at": at});
    let before = convert(&mut converter, Table::ReplacedKeys, &row("2026-11-23T00:00:00")).unwrap();
    assert_eq!(before["expires"], "2026-11-23T00:00:00Z");
    assert_eq!(before["limits"], made["limits"]);
    assert_ne!(before["hash"], made["hash"]);
    assert_eq!(convert(&mut converter, Table::ReplacedKeys, &row("2026-11-22T11:00:00")), None);
}

#[test]
fn amounts_of_users_are_counted_by_a_tag_of_their_keys() {
    let mut converter = converter();
    let user = json!({"user_id": "ann", "max_budget": 20, "budget_duration": "7d", "user_email": "ann@example.com"});
    let made = convert(&mut converter, Table::Users, &user).unwrap();
    assert_eq!(made, json!({"id": "ann", "name": "ann@example.com", "email": "ann@example.com"}));
    assert_eq!(key(&mut converter, json!({"user_id": "ann"}))["tags"], json!(["user:ann"]));
    let table = "[[budgets]]\nname = \"user-ann-max\"\nfor = { tag = \"user:ann\" }\nusd = 20\nper = \"week\"\n\n";
    assert_eq!(converter.budget_tables(), table);
}

#[test]
fn amounts_of_members_are_counted_by_a_tag_of_their_keys_in_the_team() {
    let mut converter = converter();
    for budget in
        [json!({"budget_id": "b", "max_budget": 5, "rpm_limit": 3}), json!({"budget_id": "none", "max_budget": 0})]
    {
        convert(&mut converter, Table::Budgets, &budget);
    }
    for team in ["red", "blue"] {
        convert(&mut converter, Table::Teams, &json!({"team_id": team, "models": []}));
    }
    convert(&mut converter, Table::Users, &json!({"user_id": "ann"}));
    for (user, team, budget) in [
        ("ann", "red", json!("b")),
        ("ann", "blue", json!("none")),
        ("ann", "gone", json!("b")),
        ("bob", "red", Json::Null),
    ] {
        let row = json!({"user_id": user, "team_id": team, "budget_id": budget, "spend": 1});
        assert_eq!(convert(&mut converter, Table::Members, &row), None);
    }
    let mut of_team = |team: Option<&str>| key(&mut converter, json!({"user_id": "ann", "team_id": team}));
    assert_eq!(of_team(Some("red"))["tags"], json!(["member:red:ann"]));
    let (blue, own) = (of_team(Some("blue")), of_team(None));
    assert_eq!((&blue["models"], &blue["tags"]), (&json!([]), &Json::Null));
    assert_eq!((&own["models"], &own["tags"]), (&Json::Null, &Json::Null));
    let table =
        "[[budgets]]\nname = \"member-red-ann-max\"\nfor = { tag = \"member:red:ann\" }\nusd = 4\nper = \"total\"\n\n";
    assert_eq!(converter.budget_tables(), table);
    let notes = converter.notes().join("\n");
    assert!(notes.contains("the member ann of red has rate limits"), "{notes}");
    assert!(notes.contains("the member ann of blue may use nothing"), "{notes}");
}

#[test]
fn what_was_spent_of_a_budget_without_end_does_not_come_back() {
    let budget = |row: Json| {
        let mut converter = converter();
        let made = key(&mut converter, row);
        (made["budgets"][0].clone(), made["models"].clone(), converter.notes().join("\n"))
    };
    let (left, models, notes) = budget(json!({"max_budget": 10, "spend": 9.9, "soft_budget": 9.95}));
    assert_eq!(left, json!({"name": "max", "usd": "0.1", "per": "total", "soft": "0.5000"}));
    assert_eq!((models, notes), (Json::Null, String::new()));
    for spend in [10.0, 10.5, 9.999_999_999_9] {
        let (left, models, notes) = budget(json!({"max_budget": 10, "spend": spend, "models": ["a"]}));
        assert_eq!((left, models), (Json::Null, json!([])), "{spend}");
        assert!(notes.contains("had spent its budget"), "{notes}");
    }
    let (left, _, notes) = budget(json!({"max_budget": 10, "spend": 4, "budget_duration": "1d"}));
    assert_eq!(left, json!({"name": "max", "usd": "10", "per": "day"}));
    assert!(notes.contains("what was spent before does not count"), "{notes}");
}

#[test]
fn amounts_beyond_all_limits_are_none_and_odd_ones_end_at_the_nano_dollar() {
    let budgets = |most: f64| {
        let mut converter = converter();
        (key(&mut converter, json!({"max_budget": most}))["budgets"].clone(), converter.notes().len())
    };
    assert_eq!(budgets(1e12), (Json::Null, 1));
    assert_eq!(budgets(0.1 + 0.2).0[0]["usd"], "0.3");
    assert_eq!(budgets(1e-7).0[0]["usd"], "0.0000001");
    assert_eq!(budgets(1e-12).0, Json::Null);
}

#[test]
fn keys_may_use_what_their_project_may_and_are_counted_with_it() {
    let mut converter = converter();
    convert(
        &mut converter,
        Table::Budgets,
        &json!({"budget_id": "b", "max_budget": 5, "soft_budget": 4, "rpm_limit": 3}),
    );
    for (id, models, blocked) in [("open", json!(["gpt-4o", "claude-*"]), false), ("off", json!([]), true)] {
        let row = json!({"project_id": id, "budget_id": "b", "models": models, "blocked": blocked, "spend": 1});
        assert_eq!(convert(&mut converter, Table::Projects, &row), None);
    }
    let mut of = |project: &str, models: Json| key(&mut converter, json!({"project_id": project, "models": models}));
    let open = of("open", json!(["gpt-4o", "gpt-5", "claude-opus"]));
    assert_eq!((&open["models"], &open["tags"]), (&json!(["gpt-4o", "claude-opus"]), &json!(["project:open"])));
    assert_eq!(of("open", json!([]))["models"], json!(["gpt-4o", "claude-*"]));
    assert_eq!(of("open", json!(["claude-opus*", "*-4o"]))["models"], json!(["claude-opus*", "gpt-4o"]));
    assert_eq!(of("open", json!(["gpt-5"]))["models"], json!([]));
    assert_eq!((&open["disabled"], &of("off", json!([]))["disabled"]), (&Json::Null, &json!(true)));
    let table = "[[budgets]]\nname = \"project-open-max\"\nfor = { tag = \"project:open\" }\nusd = 4\nper = \"total\"\n\
                 soft = 0.7500\n\n";
    assert!(converter.budget_tables().contains(table), "{}", converter.budget_tables());
    let notes = converter.notes().join("\n");
    for text in ["2 projects (open, off) has rate limits", "belongs to a project that is blocked, and is disabled"] {
        assert!(notes.contains(text), "{text}: {notes}");
    }
}

#[test]
fn lists_of_models_of_users_and_members_hold_for_their_keys() {
    let mut converter = converter();
    convert(&mut converter, Table::Budgets, &json!({"budget_id": "b", "allowed_models": ["a", "b"]}));
    convert(&mut converter, Table::Teams, &json!({"team_id": "red", "models": []}));
    for (user, models) in [("ann", json!(["a"])), ("bob", json!(["no-default-models"]))] {
        convert(&mut converter, Table::Users, &json!({"user_id": user, "models": models}));
    }
    convert(&mut converter, Table::Members, &json!({"user_id": "ann", "team_id": "red", "budget_id": "b"}));
    let mut of = |user: &str, team: Option<&str>, models: Json| {
        key(&mut converter, json!({"user_id": user, "team_id": team, "models": models}))["models"].clone()
    };
    assert_eq!(of("ann", None, json!([])), json!(["a"]));
    assert_eq!(of("ann", None, json!(["b"])), json!([]));
    assert_eq!(of("ann", Some("red"), json!([])), json!(["a", "b"]));
    assert_eq!(of("ann", Some("red"), json!(["b", "c"])), json!(["b"]));
    assert_eq!((of("bob", None, json!([])), of("bob", Some("red"), json!(["c"]))), (json!([]), json!(["c"])));
}

#[test]
fn members_without_an_amount_of_their_own_have_that_of_all_members() {
    let mut converter = converter();
    for (id, most) in [("all", json!(5)), ("own", json!(7)), ("rates", Json::Null)] {
        convert(&mut converter, Table::Budgets, &json!({"budget_id": id, "max_budget": most, "budget_duration": "1d"}));
    }
    let team = json!({"team_id": "red", "models": [], "metadata": {"team_member_budget_id": "all"}});
    convert(&mut converter, Table::Teams, &team);
    for (user, budget) in [("ann", json!("own")), ("bob", json!("rates")), ("eve", Json::Null)] {
        convert(&mut converter, Table::Users, &json!({"user_id": user}));
        convert(&mut converter, Table::Members, &json!({"user_id": user, "team_id": "red", "budget_id": budget}));
    }
    for user in ["ann", "bob", "eve", "eve"] {
        let made = key(&mut converter, json!({"user_id": user, "team_id": "red"}));
        assert_eq!(made["tags"], json!([format!("member:red:{user}")]));
    }
    assert_eq!(key(&mut converter, json!({"team_id": "red"}))["tags"], Json::Null, "it is no member's");
    let amounts = converter.budget_tables().lines().filter(|line| line.starts_with("usd"));
    assert_eq!(amounts.collect::<Vec<_>>(), ["usd = 7", "usd = 5", "usd = 5"]);
}

#[test]
fn access_groups_allow_more_models_where_not_all_are_allowed() {
    let mut converter = converter();
    let group = json!({"access_group_id": "g", "access_model_names": ["b", "c"]});
    convert(&mut converter, Table::AccessGroups, &group);
    let mut of = |models: Json, limit: Json| {
        let row = json!({"models": models, "access_group_ids": ["g"], "rpm_limit": limit});
        key(&mut converter, row)["models"].clone()
    };
    assert_eq!(of(json!(["a", "b"]), Json::Null), json!(["a", "b", "c"]));
    assert_eq!(of(json!(["no-default-models"]), Json::Null), json!(["b", "c"]));
    assert_eq!(of(json!([]), Json::Null), Json::Null);
    assert_eq!(of(json!(["a"]), json!(0)), json!([]), "a limit of 0 allows nothing");
    key(&mut converter, json!({"access_group_ids": ["gone"]}));
    assert!(converter.notes().join("\n").contains("had access groups that are not there"));
}

#[test]
fn what_is_left_out_is_named() {
    let mut converter = converter();
    convert(&mut converter, Table::Budgets, &json!({"budget_id": "b", "max_budget": 5, "budget_duration": "7d"}));
    for (table, row) in [
        (Table::Tags, json!({"tag_name": "ci", "budget_id": "b", "spend": 0})),
        (Table::Tags, json!({"tag_name": "free"})),
        (Table::OrganisationMembers, json!({"user_id": "ann", "budget_id": "b"})),
        (Table::Customers, json!({"user_id": "blocked", "blocked": true})),
        (Table::Customers, json!({"user_id": "rich", "budget_id": "b"})),
        (Table::Customers, json!({"user_id": "plain"})),
        (Table::Claims, json!({"id": "1", "jwt_claim_value": "ann@example.com", "is_active": true})),
        (Table::Models, json!({"model_id": "1", "model_name": "gpt-4o"})),
        (Table::ModelGroups, json!({"access_group_name": "beta", "budget_id": "b"})),
    ] {
        assert_eq!(convert(&mut converter, table, &row), None);
    }
    let table = "[[budgets]]\nname = \"ci-max\"\nfor = { tag = \"ci\" }\nusd = 5\nper = \"week\"\n\n";
    assert_eq!(converter.budget_tables(), table);
    let notes = converter.notes();
    let named =
        ["member ann", "customer blocked", "customer rich", "claim ann@", "model gpt-4o", "group of models beta"];
    for name in named {
        assert!(notes.iter().any(|note| note.starts_with(&format!("the {name}"))), "{name}: {notes:?}");
    }
    assert_eq!(notes.len(), named.len(), "{notes:?}");
    let terms = json!({
        "soft_budget": 3, "auto_rotate": true, "agent_id": "a", "router_settings": {"num_retries": 1}, "permissions": {"x": true},
        "metadata": {"temp_budget_increase": 5},
    });
    key(&mut converter, terms);
    assert_eq!(converter.notes().len(), named.len() + 6, "{:?}", converter.notes());
}

#[test]
fn users_whom_their_identity_provider_has_deactivated_are_disabled() {
    let user = |active: bool| json!({"user_id": "ann", "metadata": {"scim_active": active}});
    assert_eq!(convert(&mut converter(), Table::Users, &user(false)).unwrap()["disabled"], true);
    assert_eq!(convert(&mut converter(), Table::Users, &user(true)).unwrap().get("disabled"), None);
}

#[test]
fn ids_keep_their_letters_or_get_others_and_stay_different() {
    assert_eq!(fitting_id("ann@example.com"), "ann@example.com");
    let odd = [fitting_id("a b"), fitting_id("a/b"), fitting_id(".."), fitting_id(""), fitting_id(&"x".repeat(200))];
    for (at, id) in odd.iter().enumerate() {
        assert!(id.len() <= 128 && odd.iter().skip(at + 1).all(|other| other != id), "{id}");
        assert!(id.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-@:+=".contains(letter)), "{id}");
    }
}

#[test]
fn rows_of_something_else_are_refused() {
    let error = converter().convert(Table::Teams, "{\"name\": 1}").unwrap_err().to_string();
    assert_eq!(error, "a row of LiteLLM_TeamTable has no `team_id`: is this LiteLLM's database?");
    assert!(converter().convert(Table::Teams, "[]").is_err());
}

#[test]
fn the_address_of_litellm_is_one_of_postgresql() {
    let address = |text: &str| {
        let Address { url, schema } = Address::parse(text);
        (url, schema)
    };
    let plain = "postgresql://u:p@h:5432/litellm";
    assert_eq!(address(plain), (plain.to_owned(), None));
    let text = format!("{plain}?schema=llm&connection_limit=100&sslmode=require&pool_timeout=60");
    assert_eq!(address(&text), (format!("{plain}?sslmode=require"), Some("llm".to_owned())));
    assert_eq!(address(&format!("{plain}?schema=public")), (plain.to_owned(), Some("public".to_owned())));
}
