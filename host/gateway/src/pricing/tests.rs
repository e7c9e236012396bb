use super::*;

#[test]
fn a_configured_price_goes_before_the_bundled_one_and_covers_every_bucket() {
    let set = Price { input: Some(2.5), output: Some(10.0), cache_read: Some(0.15), ..Price::default() };
    let name: Arc<str> = Arc::from("p");
    let tariff = Pricing::new(&USUAL, &name, &name, Some(set)).tariff("any");
    for (bucket, dollars) in [
        (Bucket::Input, "2.5"),
        (Bucket::CacheRead, "0.15"),
        (Bucket::CacheWriteHour, "2.5"),
        (Bucket::OutputAudio, "10"),
        (Bucket::Reasoning, "10"),
    ] {
        let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
        facts.tokens = Tokens::default();
        *facts.tokens.slot(bucket) = Some(1_000_000);
        assert_eq!(tariff.cost(&facts).total().unwrap().to_string(), dollars, "{bucket:?}");
    }
    assert!(tariff.is_known() && !tariff.version().is_empty());
    let dear = Price { input: Some(5e8), output: Some(0.0), ..Price::default() };
    let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
    facts.tokens = Tokens::of(Some(2), Some(9));
    let tariff = Pricing::new(&USUAL, &name, &name, Some(dear)).tariff("any");
    assert_eq!(tariff.cost(&facts).total().unwrap().to_string(), "1000");
}

#[test]
fn the_price_of_the_targets_region_holds_unless_facts_name_another() {
    let file = r#"{"version": "t", "providers": {"p": {"m": [{"input": "1"},
        {"when": {"region": "eu"}, "input": "2"}, {"when": {"region": "us"}, "input": "3"}]}}}"#;
    let book = Arc::new(PriceBook::new(vec![PriceFile::parse("t", file).unwrap()]));
    let name: Arc<str> = Arc::from("p");
    let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
    facts.tokens = Tokens::of(Some(1_000_000), None);
    for (region, of_facts, dollars) in
        [(None, None, "1"), (Some("eu"), None, "2"), (Some("elsewhere"), None, "1"), (Some("eu"), Some("us"), "3")]
    {
        facts.region = of_facts.map(str::to_owned);
        let tariff = Pricing::new(&book, &name, &name, None).within(region.map(Arc::from)).tariff("m");
        assert_eq!(tariff.cost(&facts).total().unwrap().to_string(), dollars, "{region:?} {of_facts:?}");
    }
}

#[test]
fn targets_are_as_dear_as_in_their_region() {
    let file = r#"{"version": "t", "providers": {"p": {
        "m": [{"input": "1", "output": "3"}, {"when": {"region": "eu"}, "input": "2.5", "output": "6"},
            {"when": {"context_over": 2000}, "input": "100", "output": "100"}],
        "embeds": {"input": "1"}, "paints": {"image": "1"}}}}"#;
    let book = Arc::new(PriceBook::new(vec![PriceFile::parse("t", file).unwrap()]));
    let name: Arc<str> = Arc::from("p");
    for (model, region, dollars) in [
        ("m", None, Some(4.0)),
        ("m", Some("eu"), Some(8.5)),
        ("embeds", Some("eu"), Some(1.0)),
        ("paints", None, None),
        ("unknown", None, None),
    ] {
        let tariff = Pricing::new(&book, &name, &name, None).within(region.map(Arc::from)).tariff(model);
        assert_eq!(tariff.dearness(), dollars, "{model} {region:?}");
    }
}

#[test]
fn the_model_that_an_answer_names_has_its_price_where_it_is_known() {
    let file = r#"{"version": "t", "providers": {"p": {"m-1": {"input": "1"}, "m-2": {"input": "2"}}}}"#;
    let book = Arc::new(PriceBook::new(vec![PriceFile::parse("t", file).unwrap()]));
    let name: Arc<str> = Arc::from("p");
    let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
    facts.tokens = Tokens::of(Some(1_000_000), None);
    let cost = |tariff: &Tariff| tariff.cost(&facts).total().map(|total| total.to_string());
    let deployment = Pricing::new(&book, &name, &name, None).tariff("mine");
    assert_eq!(cost(&deployment), None);
    for (named, dollars) in
        [("m-1", Some("1")), ("m-2", Some("2")), ("m-1", Some("1")), ("x", None), ("mine", None), ("", None)]
    {
        let served = deployment.served_by(named);
        assert_eq!(cost(&served).as_deref(), dollars, "{named}");
        assert_eq!(&**served.model(), "mine");
        assert_eq!(served.served().map(|served| &**served), Some(named).filter(|named| !["mine", ""].contains(named)));
    }
    // The price that the configuration sets holds whatever the answer names.
    let set = Price { input: Some(7.0), ..Price::default() };
    let set = Pricing::new(&book, &name, &name, Some(set)).tariff("mine").served_by("m-1");
    assert_eq!(cost(&set).as_deref(), Some("7"));
    let (asked, long) = (Pricing::new(&book, &name, &name, None).tariff("m-1"), "m".repeat(600));
    assert_eq!(cost(&asked.served_by("m-1-2026")).as_deref(), Some("1"));
    assert!(asked.served_by(&long).served().is_none());
}

#[test]
fn an_unknown_model_has_no_price() {
    let name: Arc<str> = Arc::from("no such adapter");
    let tariff = Pricing::new(&USUAL, &name, &name, None).tariff("no such model");
    let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
    facts.tokens = Tokens::of(Some(1), Some(1));
    assert!(!tariff.is_known() && tariff.cost(&facts).total().is_none());
}
