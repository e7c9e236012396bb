use super::*;

const HASH: &str = "sha256:88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b";

fn key(more: &str) -> String {
    format!(
        r#"{{"schema": 1, "id": "0123456789ab", "hash": "{HASH}", "name": "build", "owner": {{"team": "red"}},
            "created": "2026-11-21T10:00:00Z"{more}}}"#
    )
}

fn problem(kind: Kind, json: &str) -> String {
    Document::parse(kind, json).unwrap_err().to_string()
}

#[test]
fn a_document_is_written_as_it_was_read() {
    let text = key(r#", "expires": "2027-01-01T00:00:00Z", "models": ["gpt-*", "small"], "operations": [],
        "limits": {"requests_per_minute": 60}, "tags": ["ci"], "aliases": {"fast": "small"}, "metadata": {"a": [1]},
        "grants": [{"access": "read", "team": "red"}],
        "rotated": {"at": "2026-11-21T11:00:00Z", "grace_ends": "2026-11-21T12:00:00Z",
            "previous": "sha256:00dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"},
        "budgets": [{"name": "b", "usd": "12.50", "per": "month", "tz": "Europe/Berlin", "soft": "0.8",
            "when_over": {"downgrade": "small"}, "unpriced": {"assume": "3"}, "abort_at": "1.2"}]"#);
    let document = Document::parse(Kind::Key, &text).unwrap();
    assert_eq!((document.kind(), document.id()), (Kind::Key, "0123456789ab"));
    let again = Document::parse(Kind::Key, &document.to_json().unwrap()).unwrap();
    assert_eq!(document, again);
}

#[test]
fn a_decimal_number_is_taken_as_a_text_or_as_a_number() {
    let usd = |budget: &str| {
        let text = key(&format!(r#", "budgets": [{{"name": "b", "per": "month", {budget}}}]"#));
        Document::parse(Kind::Key, &text).map(|document| document.public_view()["budgets"][0]["usd"].clone())
    };
    for (written, read) in [(r#""12.50""#, "12.50"), ("12.5", "12.5"), ("5", "5")] {
        assert_eq!(usd(&format!(r#""usd": {written}"#)).unwrap(), read);
    }
    assert!(usd(r#""usd": null, "requests": 1"#).unwrap().is_null());
    let problem = usd(r#""usd": [1]"#).unwrap_err().to_string();
    assert!(problem.contains("a decimal number such as") && !problem.contains("column"), "{problem}");
    assert!(usd(r#""usd": -1"#).is_err());
}

#[test]
fn no_view_shows_a_hash() {
    let rotated = r#", "rotated": {"at": "2026-11-21T11:00:00Z", "grace_ends": "2026-11-21T12:00:00Z",
        "previous": "sha256:00dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"}"#;
    let view = Document::parse(Kind::Key, &key(rotated)).unwrap().public_view().to_string();
    assert!(!view.contains("sha256") && !view.contains("dc28d0"), "{view}");
    assert!(view.contains("grace_ends") && view.contains("0123456789ab"));
}

#[test]
fn unknown_fields_newer_schemas_and_doubled_fields_are_refused() {
    assert!(problem(Kind::Key, &key(r#", "modells": []"#)).contains("unknown field `modells`"));
    assert!(problem(Kind::Key, &key(r#", "name": "b""#)).contains("duplicate field"));
    assert!(problem(Kind::Key, &key("").replace("1,", "2,")).contains("schema 2"));
    assert!(problem(Kind::Team, &key("")).contains("not a valid team"));
    let wrong = key("").replace("sha256:88", "sha256:8");
    let message = problem(Kind::Key, &wrong);
    assert!(message.contains("not the hash of a key") && !message.contains("dc28d0"), "{message}");
}

#[test]
fn values_outside_of_their_bounds_are_named() {
    for (more, field) in [
        (r#", "limits": {"streams": 0}"#, "limits.streams"),
        (r#", "tags": [""]"#, "tags"),
        (r#", "aliases": {"a\u0007": "b"}"#, "aliases"),
        (r#", "budgets": [{"name": "b", "per": "month"}]"#, "exactly one of"),
        (r#", "budgets": [{"name": "b", "per": "month", "usd": "1", "tokens": 1}]"#, "exactly one of"),
        (r#", "budgets": [{"name": "b", "per": "month", "usd": "-1"}]"#, "budgets.usd"),
        (r#", "budgets": [{"name": "b", "per": "month", "usd": "1e30"}]"#, "budgets.usd"),
        (
            r#", "budgets": [{"name": "b", "per": "day", "tokens": 1}, {"name": "b", "per": "day", "tokens": 2}]"#,
            "one name",
        ),
        (r#", "models": [""]"#, "a name or pattern"),
        (r#", "owner": {"team": "../x"}"#, "owner"),
    ] {
        assert!(problem(Kind::Key, &key(more)).contains(field), "{more}: {}", problem(Kind::Key, &key(more)));
    }
    let large = format!(r#", "metadata": {{"a": "{}"}}"#, "x".repeat(20_000));
    assert!(problem(Kind::Key, &key(&large)).contains("metadata"));
}

#[test]
fn terms_allow_what_they_name() {
    let terms = |json: &str| match Document::parse(Kind::Key, &key(json)).unwrap() {
        Document::Key(key) => key.terms(),
        _ => unreachable!(),
    };
    let free = terms("");
    assert!(free.allows_model("x") && free.allows_operation("files-list", false) && free.allows_list("files-list"));
    let some = terms(r#", "models": ["fast", "gpt-*"]"#);
    assert!(some.allows_model("fast") && some.allows_model("gpt-5") && !some.allows_model("slow"));
    assert!(some.allows_operation("chat", true) && !some.allows_operation("files-get", false));
    let none = terms(r#", "models": [], "operations": ["chat", "files-*"]"#);
    assert!(!none.allows_model("fast") && none.allows_operation("files-get", false));
    assert!(!none.allows_list("files-list"), "a pattern is not enough");
    assert!(terms(r#", "operations": ["files-list"]"#).allows_list("files-list"));
}

#[test]
fn a_grant_for_one_team_allows_nothing_else() {
    let team = |id: &str| TeamId::parse(id).unwrap();
    let (red, blue) = (team("red"), team("blue"));
    let grants = [
        Grant { access: Access::Write, team: Some(red.clone()) },
        Grant { access: Access::Read, team: Some(blue.clone()) },
    ];
    assert!(Grant::allow(&grants, Access::Read, Some(&red)) && Grant::allow(&grants, Access::Write, Some(&red)));
    assert!(Grant::allow(&grants, Access::Read, Some(&blue)) && !Grant::allow(&grants, Access::Write, Some(&blue)));
    assert!(!Grant::allow(&grants, Access::Read, None), "what has no team needs a grant for everything");
    let all = [Grant { access: Access::Read, team: None }];
    assert!(Grant::allow(&all, Access::Read, None) && Grant::allow(&all, Access::Read, Some(&red)));
    assert!(!Grant::may_give(&all, &all[0]), "a reader gives nothing");
    assert!(Grant::may_give(&grants, &Grant { access: Access::Read, team: Some(red) }));
    assert!(!Grant::may_give(&grants, &Grant { access: Access::Read, team: None }));
    assert!(!Grant::may_give(&grants, &Grant { access: Access::Read, team: Some(blue) }));
}

#[test]
fn ids_have_no_paths_and_no_controls() {
    for good in ["red", "a.b-c_d", "mail@example.org", "urn:team:1", "A+B=c", "1"] {
        assert_eq!(TeamId::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", ".", "..", "a/b", "a b", "a\n", "é", "*", "a%2f", &"x".repeat(129)] {
        assert!(TeamId::parse(bad).is_err(), "{bad}");
    }
}
