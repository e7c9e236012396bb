use super::*;
use crate::cost::{Cost, price};
use crate::measure::Measure;
use crate::money::Quantity;
use crate::rule::{Pattern, When};
use jiff::Timestamp;
use proptest::prelude::*;
use weir_types::contract::about::Bucket;
use weir_types::contract::types::Unit;
use weir_types::tokens::Tokens;

fn problems(text: &str) -> Vec<String> {
    let error = PriceFile::parse("prices.json", text).unwrap_err();
    error.0.iter().map(ToString::to_string).collect()
}

fn offer(member: &str) -> Vec<String> {
    problems(&format!("{{\"providers\": {{\"p\":\n {{\"m\": {{\n {member}}}}}}}}}"))
}

#[test]
fn the_page_for_operators_shows_a_price_file_that_is_taken_and_names_every_measure() {
    let page = include_str!("../../../../docs/budgets.md");
    let (_, section) = page.split_once("\n### A price file\n").unwrap();
    let (_, section) = section.split_once("```json\n").unwrap();
    let (example, explained) = section.split_once("```").unwrap();
    let file = PriceFile::parse("prices.json", example).unwrap();
    assert_eq!((file.offers.len(), file.version().starts_with("2026-11")), (4, true));
    let (explained, _) = explained.split_once("\n### ").unwrap();
    let unnamed: Vec<&str> =
        Measure::all().map(Measure::name).filter(|name| !explained.contains(&format!("`{name}`"))).collect();
    assert!(unnamed.is_empty(), "docs/budgets.md does not explain {unnamed:?}");
    let conditions = ["context_over", "service_tier", "batch", "region", "cache_minutes", "variant", "hours"];
    assert!(conditions.iter().all(|name| explained.contains(&format!("`\"{name}\": "))), "{explained}");
}

#[test]
fn acceptance_10_wrong_amounts_are_errors_with_file_line_and_place() {
    for (amount, problem) in [
        ("\"-1\"", "is negative"),
        ("-1", "is negative"),
        ("\"NaN\"", "is not a decimal number"),
        ("\"1e30\"", "is too large"),
        ("1e30", "is too large"),
        ("\"0.0000000000001\"", "has more decimal places than are kept"),
        ("{\"amount\": \"1\", \"per\": 0}", "is for no units, or for more than 1000000000"),
        ("{\"per\": 1000}", "is wrong: `amount` is missing"),
        ("{\"amount\": \"1\", \"pre\": 1000}", "is wrong: there is no member `pre`: known are `amount` or `per`"),
        ("null", "is not a decimal number"),
    ] {
        let expected = format!("prices.json:3: `providers.p.m[0].input` {problem}");
        assert!(
            offer(&format!("\"input\": {amount}")).contains(&expected),
            "{amount}: {:?}",
            offer(&format!("\"input\": {amount}"))
        );
    }
}

#[test]
fn acceptance_10_a_missing_or_unknown_unit_names_its_place() {
    let found = offer("\"inputs\": \"1\"");
    let unknown =
        "prices.json:3: `providers.p.m[0].inputs` is neither a unit nor another member of offers: units are `input`, ";
    assert!(found[0].starts_with(unknown) && found[0].ends_with(", `request`"), "{found:?}");
    assert_eq!(found[1..], ["prices.json:3: `providers.p.m[0]` names no price"]);
    let rule = |members: &str| problems(&format!("{{\"rules\": [\n{{{members}}}]}}"));
    assert_eq!(rule(r#""provider": "p", "model": "m", "amount": "1""#), ["prices.json:2: `rules[0]` names no `unit`"]);
    assert_eq!(
        rule(r#""provider": "p", "model": "m", "unit": "input""#),
        ["prices.json:2: `rules[0]` names no `amount`"]
    );
    assert!(
        rule(r#""provider": "p", "unit": "x", "amount": "1""#)[0].contains("`rules[0].unit` names the unknown unit")
    );
}

#[test]
fn a_file_that_nests_deeply_is_a_mistake_wherever_it_does() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        for member in ["input", "when", "valid_from", "gaps", "replace", "anything"] {
            let found = offer(&format!("\"{member}\": {deep}"));
            assert!(found[0].starts_with(&format!("prices.json:3: `providers.p.m[0].{member}` ")), "{member}");
            assert!(found.iter().all(|problem| problem.len() < 1_000), "{member}");
        }
        let amount = offer(&format!("\"input\": {{\"amount\": {deep}}}"));
        assert!(amount[0].contains("`providers.p.m[0].input` is not a decimal number"), "{amount:?}");
        for place in ["version", "about", "tiers", "providers", "rules", "anything"] {
            assert!(!problems(&format!("{{\n\"{place}\": {deep}}}")).is_empty(), "{place}");
        }
        assert_eq!(problems(&deep).len(), 1);
    }
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let text = r#"{"providers": {
        "p": {"m": [{"input": "1"}, {"input": "2"}, {"when": {"hours": ["noon"]}, "output": "1"}]},
        "q": {"m": {"input": "x", "valid_from": "soon"}},
        "q": {"m": {"input": "1", "input": "2"}}}}"#;
    let found = problems(text).join("\n");
    for part in [
        "`providers.p.m[1].input` has a price that `providers.p.m[0]` has under the same conditions",
        "`providers.p.m[2].when` \"noon\" is not a time",
        "prices.json:3: `providers.q.m[0].input` is not a decimal number",
        "\"soon\" is not a date or a time",
        "`providers.q` stands there twice",
        "`providers.q.m[0].input` stands there twice",
    ] {
        assert!(found.contains(part), "{part}\n{found}");
    }
    assert!(
        problems("{\n\"provider\": 1}")[0]
            .starts_with("prices.json:2: there is no member `provider`: known are `about`")
    );
    assert_eq!(problems("{\n\"providers\": 5}"), ["prices.json:2: an object should stand here, not the number 5"]);
    assert!(problems("{")[0].starts_with("prices.json:1: the text ends within the JSON"));
}

#[test]
fn one_offer_charges_for_searches_in_one_way() {
    assert_eq!(
        offer(r#""search": "1", "searched_request": "2""#),
        [
            "prices.json:3: `providers.p.m[0]` has prices for both `search` and `searched_request`, and a request is charged \
          by one of them"
        ]
    );
    let rules = |other: &str| {
        let rule = |unit, when| {
            format!(r#"{{"provider": "p", "model": "m", "unit": "{unit}", "amount": "1", "when": {when}}}"#)
        };
        format!("{{\"rules\": [{}, {}]}}", rule("search", "{}"), rule("searched_request", other))
    };
    let refused =
        "`rules[1].searched_request` has another price for the use that `rules[0]` has under the same conditions";
    assert!(problems(&rules("{}")).iter().any(|problem| problem.ends_with(refused)), "{:?}", problems(&rules("{}")));
    assert!(PriceFile::parse("t", &rules(r#"{"batch": true}"#)).is_ok());
}

#[test]
fn a_surcharge_for_all_models_makes_none_of_them_known() {
    let book = book(&[r#"{"providers": {"p": {
        "*": {"tool_run": "1", "file_search": "1", "searched_request": "1"}, "ranker": {"search": "1"}}}}"#]);
    let book = Arc::new(book);
    let known = |model| {
        let subject = Subject::of("p", model);
        (book.knows(subject), crate::ModelPrices::of(&book, subject).is_known())
    };
    assert_eq!((known("any"), known("ranker")), ((false, false), (true, true)));
}

#[test]
fn offers_written_one_by_one_are_refused_by_name_and_lie_between_files() {
    let offer = |name, model, members| WrittenOffer { name, provider: "p", model, members };
    let refused = |offers: &[WrittenOffer<'_>]| PriceFile::of_offers("store", offers).unwrap_err().to_string();
    let (one, same) = (offer("one", "m", r#"{"input": "4"}"#), offer("two", "m", r#"{"input": "5", "output": "1"}"#));
    assert!(refused(&[one, same]).contains("`two.input` has a price that `one` has under the same conditions"));
    let wrong = offer("one", "m", r#"{"input": "-1", "when": {"hours": ["noon"]}}"#);
    assert!(refused(&[wrong]).contains("`one.input` is negative") && refused(&[wrong]).contains("`one.when`"));
    assert!(refused(&[offer("one", "m", "{}")]).contains("`one` names no price"));
    let (lower, upper) = (
        PriceFile::parse("lower.json", r#"{"providers": {"p": {"m": {"input": "1"}, "n": {"input": "2"}}}}"#).unwrap(),
        PriceFile::parse("upper.json", "{\"providers\": {\"p\":\n {\"n\":\n {\"input\": \"3\"}}}}").unwrap(),
    );
    let stored = PriceFile::of_offers("store", &[one, offer("three", "n", r#"{"input": "6"}"#)]).unwrap();
    let (theirs, measure) = upper.repeats(&stored).unwrap();
    assert_eq!((&*theirs.place, theirs.line, measure), ("providers.p.n[0]", 3, Measure::named("input").unwrap()));
    assert!(
        lower.repeats(&upper).is_some() && PriceFile::of_offers("store", &[one]).unwrap().repeats(&upper).is_none()
    );
    let version = stored.version().to_string();
    let book = PriceBook::new(vec![lower, stored, upper]);
    let of = |model| nanos(&book, Subject::of("p", model));
    assert_eq!((of("m"), of("n")), (Some(4), Some(3)));
    assert!(version.starts_with("store@") && book.version().contains(&version));
}

fn book(files: &[&str]) -> PriceBook {
    PriceBook::new(files.iter().map(|text| PriceFile::parse("prices.json", text).unwrap()).collect())
}

fn nanos(book: &PriceBook, subject: Subject<'_>) -> Option<i64> {
    let mut facts = Facts::at("2026-11-16T00:00:00Z".parse().unwrap());
    *facts.tokens.slot(Bucket::Input) = Some(1_000);
    match price(book, subject, &facts).unwrap() {
        Cost::Priced(bill) => Some(bill.total.get() / 1_000_000),
        _ => None,
    }
}

#[test]
fn the_operators_file_lies_over_the_bundled_one() {
    let bundled = r#"{"providers": {"p": {"m": [{"input": "1"}, {"when": {"context_over": 1}, "input": "2"}],
        "n": {"input": "3"}}}}"#;
    let own = r#"{"version": "own", "providers": {"p": {"m": {"input": "4"}, "x": {"input": "5"}}}}"#;
    let of = |book: &PriceBook, model| nanos(book, Subject::of("p", model));
    let merged = book(&[bundled, own]);
    // The bundled price for longer contexts stays.
    assert_eq!(["m", "n", "x", "y"].map(|model| of(&merged, model)), [Some(2), Some(3), Some(5), None]);
    let replaced = own.replace("{\"input\": \"4\"}", "{\"input\": \"4\", \"replace\": true}");
    assert_eq!(of(&book(&[bundled, &replaced]), "m"), Some(4));
    let all = r#"{"providers": {"p": {"*": {"replace": true, "input": "7"}}}}"#;
    assert_eq!(of(&book(&[bundled, all]), "m"), Some(7));
    assert!(merged.version().starts_with("prices@") && merged.version().contains("+own@"), "{}", merged.version());
    assert!(merged.knows(Subject::of("p", "n")) && !merged.knows(Subject::of("p", "y")));
}

#[test]
fn a_name_beats_a_kind_and_the_served_model_the_asked_one() {
    let book = book(&[r#"{"providers": {
        "*": {"*": {"input": "1"}},
        "kind": {"*": {"input": "2"}, "big-*": {"input": "3"}, "big-1": {"input": "4"}, "alias": {"input": "6"}},
        "name": {"*": {"input": "5"}}}}"#]);
    let of = |provider, kind, served, asked| nanos(&book, Subject { provider, kind, served, asked }).unwrap();
    assert_eq!(of("x", "y", "m", "m"), 1);
    assert_eq!(of("x", "kind", "m", "m"), 2);
    assert_eq!(of("x", "kind", "big-2", "big-2"), 3);
    assert_eq!(of("x", "kind", "big-1", "alias"), 4);
    assert_eq!(of("x", "kind", "unknown", "alias"), 6);
    assert_eq!(of("name", "kind", "big-1", "big-1"), 5);
}

#[test]
fn a_model_is_priced_by_one_of_its_names_and_the_operators_price_for_a_name_goes_first() {
    let bundled = r#"{"providers": {"kind": {
        "*": {"search": "1"}, "big-1": {"input": "4"}, "small": {"input": "2", "cache_read": "1"}}}}"#;
    let own = r#"{"providers": {"*": {"*": {"input": "9"}}, "kind": {"mine-*": {"input": "5"}, "small": {"file_search": "3"}}}}"#;
    let (bundled_alone, both) = (book(&[bundled]), book(&[bundled, own]));
    let of = |book: &PriceBook, served, asked| nanos(book, Subject { provider: "kind", kind: "kind", served, asked });
    // A deployment has no price of its own until the operator sets one.
    assert_eq!(of(&bundled_alone, "big-1", "mine-1"), Some(4));
    assert_eq!(of(&both, "big-1", "mine-1"), Some(5));
    // What is for both names, or a surcharge, decides nothing.
    assert_eq!([of(&both, "big-1", "other"), of(&both, "big-1", "small")], [Some(4), Some(4)]);
    assert_eq!([of(&both, "unknown", "small"), of(&both, "unknown", "other")], [Some(2), Some(9)]);
    // The prices of two names are never mixed.
    let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
    facts.tokens = Tokens::of(Some(1_000_000), None).with(Bucket::CacheRead, Some(1_000_000));
    let subject = Subject { provider: "kind", kind: "kind", served: "big-1", asked: "small" };
    let cost = price(&bundled_alone, subject, &facts).unwrap();
    assert_eq!(cost.total().map(|total| total.to_string()).as_deref(), Some("8"));
    // But a surcharge that only the other name has holds.
    facts.pieces.add(Unit::FileSearch, Quantity::whole(2));
    let cost = price(&both, subject, &facts).unwrap();
    assert_eq!(cost.total().map(|total| total.to_string()).as_deref(), Some("14"));
}

#[test]
fn a_price_holds_from_its_date_on() {
    let book = book(&[r#"{"providers": {"p": {"m": [{"valid_from": "2027-01-01", "input": "1"},
        {"valid_from": "2026-11-15", "input": "2"}, {"input": "3"}]}}}"#]);
    let on = |at: &str| {
        let mut facts = Facts::at(at.parse().unwrap());
        *facts.tokens.slot(Bucket::Input) = Some(1_000_000);
        price(&book, Subject::of("p", "m"), &facts).unwrap().total().unwrap().to_string()
    };
    assert_eq!(on("2026-11-14T23:59:59Z"), "3");
    assert_eq!(on("2026-11-15T00:00:00Z"), "2");
    assert_eq!(on("2027-01-01T00:00:00Z"), "1");
}

proptest! {
    /// The order of offers in a file and of members in an object never decides.
    #[test]
    fn the_most_specific_wins_in_every_order(
        order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(),
        context in prop::sample::select(vec![1_u64, 300]), tier: bool, batch: bool, eu: bool,
    ) {
        let conditions = ["", r#""context_over": 100"#, r#""context_over": 200"#, r#""service_tier": "flex""#,
            r#""batch": true"#, r#""region": "eu""#, r#""region": "!us""#, r#""service_tier": "flex", "batch": true"#,
            r#""context_over": 100, "region": "eu""#];
        let mut models: Vec<(&str, String)> = (0..9).map(|at| ("m", conditions[at].to_owned())).collect();
        models.extend([("*", conditions[8].to_owned()), ("m*", conditions[7].to_owned()), ("*m", conditions[7].to_owned())]);
        let rules: Vec<String> = order.iter().map(|at| {
            let (model, when) = &models[*at];
            format!(r#"{{"provider": "p", "model": "{model}", "unit": "input", "amount": "{at}.5", "when": {{{when}}}}}"#)
        }).collect();
        let shuffled = book(&[&format!("{{\"rules\": [{}]}}", rules.join(","))]);
        let mut facts = Facts { context: Some(context), batch, ..Facts::at(Timestamp::UNIX_EPOCH) };
        facts.service_tier = tier.then(|| "flex".to_owned());
        facts.region = eu.then(|| "eu".to_owned());
        *facts.tokens.slot(Bucket::Input) = Some(1_000_000);
        // By hand: the number of conditions, then the order of their kinds.
        let best = match (context > 200, tier, batch, eu) {
            (true, _, _, true) if tier && batch => 8,
            (true, _, _, true) => 8,
            (_, true, true, _) => 7,
            (true, ..) => 2,
            (_, true, ..) => 3,
            (_, _, true, _) => 4,
            (.., true) => 5,
            _ => 0,
        };
        let total = price(&shuffled, Subject::of("p", "m"), &facts).unwrap().total().unwrap().to_string();
        prop_assert_eq!(total, format!("{best}.5"));
    }
}

/// Otherwise a batch or a tier would have the usual price for what its offer leaves out.
#[test]
fn a_bundled_price_under_a_condition_names_all_tokens_that_the_usual_one_names() {
    let tokens = |offer: &Offer, least: i128| -> Vec<Measure> {
        let is_meant = |rate: &Rate| rate.amount().get() >= least;
        let rates =
            offer.rates.iter().filter(|(measure, rate)| matches!(measure, Measure::Tokens(_)) && is_meant(rate));
        rates.map(|(measure, _)| *measure).collect()
    };
    let book = PriceBook::bundled().unwrap();
    let offers = || book.offers.iter().map(|(_, offer)| offer);
    let mut count = 0;
    for usual in offers().filter(|offer| offer.when == When::default()) {
        let is_same = |offer: &&Offer| {
            offer.provider == usual.provider && offer.model == usual.model && offer.when.cache_minutes.is_none()
        };
        for special in offers().filter(is_same).filter(|offer| !tokens(offer, 0).is_empty()) {
            let (all, named) = (tokens(usual, 1), tokens(special, 0));
            let missing: Vec<_> = all.iter().filter(|measure| !named.contains(measure)).collect();
            assert!(missing.is_empty(), "{} {} {:?}: {missing:?}", usual.provider, special.place, special.when);
            count += 1;
        }
    }
    assert!(count > 2_000, "{count}");
}

#[test]
fn the_bundled_file_has_prices_for_thousands_of_models() {
    let book = PriceBook::bundled().unwrap();
    assert!(book.len() > 5_000, "{}", book.len());
    let patterns = book.offers.iter().filter(|(_, offer)| offer.model == Pattern::new("*")).count();
    assert!(patterns < 10, "a bundled price for all models of a provider needs a reason");
}
