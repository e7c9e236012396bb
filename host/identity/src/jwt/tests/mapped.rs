//! From claims to teams, models and tags.

use super::*;

fn rules(json: Value) -> Vec<ClaimRule> {
    serde_json::from_value(json).unwrap()
}

fn identity(settings: IssuerSettings, claims: &Value) -> Result<std::sync::Arc<TokenIdentity>, Refusal> {
    let signer = Signer::new("EdDSA");
    let verified = verify(&verifier(settings), &signer.set("k1"), &signer.token("k1", claims), now())?;
    Ok(verified.identity)
}

#[test]
fn the_first_rule_that_fits_gives_the_team() {
    let mut settings = settings();
    settings.team = rules(json!([
        {"claim": "/resource/roles/0", "pattern": "admin", "values": ["ops"]},
        {"claim": "/groups", "pattern": "weir-*"},
    ]));
    let team = |settings: &IssuerSettings, changes: Value| {
        identity(settings.clone(), &with(&changes)).map(|identity| identity.team.clone().unwrap().to_string())
    };
    assert_eq!(team(&settings, json!({})), Ok("red".to_owned()));
    assert_eq!(team(&settings, json!({"resource": {"roles": ["admin"]}})), Ok("ops".to_owned()));
    assert_eq!(team(&settings, json!({"groups": "weir-blue"})), Ok("blue".to_owned()));
    assert_eq!(team(&settings, json!({"groups": ["x"]})), Ok("all".to_owned()));
    assert_eq!(team(&settings, json!({"groups": ["weir-../..", "weir-", "weir-a b"]})), Ok("all".to_owned()), "no ids");
    settings.default_team = None;
    assert_eq!(team(&settings, json!({"groups": ["x"]})), Err(Refusal::NoTeam));
    assert_eq!(Refusal::NoTeam.status(), 403);
}

#[test]
fn models_and_tags_come_of_all_rules_and_none_means_none() {
    let mut settings = settings();
    assert_eq!(identity(settings.clone(), &claims()).unwrap().models, None);
    settings.models = rules(json!([
        {"claim": "/groups", "pattern": "weir-red", "values": ["small", "gpt-*"]},
        {"claim": "scope", "pattern": "model:*", "split": true},
    ]));
    settings.tags = rules(json!([{"claim": "https://a.example/cost", "values": ["cost-{}"]}]));
    let granted = identity(
        settings.clone(),
        &with(&json!({"scope": "openid model:large model:*", "https://a.example/cost": 17})),
    )
    .unwrap();
    let models = granted.models.as_ref().unwrap();
    let may = |name: &str| models.iter().any(|pattern| pattern.matches(name));
    assert!(may("small") && may("gpt-5") && may("large"));
    assert!(!may("other"), "a star in a claim is not a pattern");
    assert_eq!(granted.tags.iter().collect::<Vec<_>>(), ["cost-17"]);
    let none = identity(settings, &with(&json!({"groups": ["x"]}))).unwrap();
    assert_eq!(none.models, Some(Vec::new()));
}

#[test]
fn required_claims_are_required() {
    let mut settings = settings();
    settings.required = rules(json!([{"claim": "/email_verified", "pattern": "true"}]));
    let verified = |value: Value| identity(settings.clone(), &with(&json!({"email_verified": value}))).map(|_| ());
    assert_eq!(verified(json!(true)), Ok(()));
    assert_eq!(verified(json!("true")), Ok(()));
    for wrong in [json!(false), json!(null), json!(["false"]), json!({"true": true})] {
        assert_eq!(verified(wrong), Err(Refusal::Requirement("/email_verified".to_owned())));
    }
}

#[test]
fn settings_that_would_accept_too_much_are_refused() {
    let bad = |change: fn(&mut IssuerSettings)| {
        let mut settings = settings();
        change(&mut settings);
        settings.check().unwrap_err().key
    };
    assert_eq!(bad(|it| it.audiences.clear()), "audiences");
    assert_eq!(bad(|it| it.algorithms.clear()), "algorithms");
    assert_eq!(bad(|it| it.issuer = "http://id.example".to_owned()), "issuer");
    assert_eq!(bad(|it| it.jwks_uri = Some("file:///etc/passwd".to_owned())), "jwks_uri");
    assert_eq!(bad(|it| it.leeway_secs = 301), "leeway_secs");
    assert_eq!(bad(|it| it.default_team = None), "team");
    assert_eq!(
        bad(|it| it.tags = vec![ClaimRule { pattern: "a*b*".to_owned(), ..ClaimRule::of("x").unwrap() }]),
        "tags"
    );
    assert!(Verifier::new(vec![settings(), settings()], Timing::default(), 1).is_err(), "one issuer twice");
    assert!(
        serde_json::from_value::<IssuerSettings>(json!({"name": "a", "issuer": "https://b", "audiences": ["c"],
        "default_team": "d", "algorithms": ["none"]}))
        .is_err()
    );
    for (path, fits) in [("/a/b", true), ("a.b", true), ("/a~1b", true), ("/a~2", false), ("/~", false), ("", false)] {
        assert_eq!(ClaimPath::parse(path).is_ok(), fits, "{path}");
    }
}
