use super::*;
use crate::price_book::PriceFile;
use jiff::Timestamp;
use proptest::prelude::*;
use weir_types::contract::about::Bucket;
use weir_types::contract::types::{Unit, UnitCount, Usage};
use weir_types::tokens::Tokens;

const PRICES: &str = r#"{
  "version": "v1",
  "tiers": {"*": {"standard": ["default", "on_demand"]}, "p": {"priority": ["fast-lane"]}},
  "providers": {"p": {
    "large": [
      {"input": "2.5", "output": "15", "cache_read": "0.25", "cache_write": "3.125", "cache_write_hour": "5",
       "output_audio": "80", "search": {"amount": "10", "per": 1000}, "second": "0.0001"},
      {"when": {"context_over": 200000}, "input": "5", "output": "22.5", "cache_read": "0.5"},
      {"when": {"context_over": 272000}, "input": "10", "output": "30", "cache_read": "1"},
      {"when": {"service_tier": "priority"}, "input": "5", "output": "30"},
      {"when": {"service_tier": "flex"}, "input": "1.25", "output": "7.5"},
      {"when": {"batch": true}, "input": "1.25", "output": "7.5"},
      {"when": {"region": "eu"}, "input": "2.75", "output": "16.5"},
      {"when": {"cache_minutes": 720}, "cache_write": "6"},
      {"when": {"variant": "high"}, "search": {"amount": "14", "per": 1000}},
      {"when": {"hours": ["sat-sun 00:00-24:00"]}, "input": "1", "output": "1"},
      {"valid_from": "2027-01-01", "input": "2"}],
    "gappy": {"input": "1", "output": "1", "gaps": {"citation_cost_per_token": "request", "cached_audio": "input_audio"}},
    "online": {"input": "1", "output": "1", "request": "0.005"}
  }}}"#;

/// The time of the tests without another: a Monday.
const MONDAY: &str = "2026-11-16T12:00:00Z";

fn book() -> PriceBook {
    PriceBook::new(vec![PriceFile::parse("test.json", PRICES).unwrap()])
}

fn facts(counts: &[(Bucket, u32)]) -> Facts {
    let mut facts = Facts::at(MONDAY.parse().unwrap());
    for (bucket, count) in counts {
        *facts.tokens.slot(*bucket) = Some(*count);
    }
    facts
}

fn cost(model: &str, facts: &Facts) -> Cost {
    price(&book(), Subject::of("p", model), facts).unwrap()
}

fn nanos(facts: &Facts) -> i64 {
    let cost = cost("large", facts);
    cost.total().unwrap_or_else(|| panic!("{cost:?}")).get()
}

fn call() -> Facts {
    facts(&[(Bucket::Input, 1_000), (Bucket::Output, 100)])
}

#[test]
fn acceptance_7_a_272k_token_prompt_reprices_the_whole_request() {
    let prompt = |input| facts(&[(Bucket::Input, input), (Bucket::Output, 1)]);
    assert_eq!(nanos(&prompt(200_000)), 200_000 * 2_500 + 15_000);
    assert_eq!(nanos(&prompt(200_001)), 200_001 * 5_000 + 22_500);
    assert_eq!(nanos(&prompt(272_000)), 272_000 * 5_000 + 22_500);
    assert_eq!(nanos(&prompt(272_001)), 272_001 * 10_000 + 30_000);
    // Cached input counts toward the threshold, unless the caller knows better.
    let cached = facts(&[(Bucket::Input, 1), (Bucket::CacheRead, 272_000)]);
    assert_eq!(nanos(&cached), 10_000 + 272_000 * 1_000);
    assert_eq!(nanos(&Facts { context: Some(1), ..cached }), 2_500 + 272_000 * 250);
}

#[test]
fn acceptance_7_cache_writes_cost_by_their_lifetime() {
    assert_eq!(nanos(&facts(&[(Bucket::CacheWrite, 1_000), (Bucket::CacheWriteHour, 1_000)])), 3_125_000 + 5_000_000);
    let day = Facts { cache_minutes: Some(24 * 60), ..facts(&[(Bucket::CacheWrite, 1_000)]) };
    assert_eq!(nanos(&day), 6_000_000);
}

#[test]
fn acceptance_7_the_tier_that_served_is_billed() {
    let served = |tier: &str| Facts { service_tier: Some(tier.into()), ..call() };
    let [standard, flex, priority] = [2_500_000 + 1_500_000, 1_250_000 + 750_000, 5_000_000 + 3_000_000];
    // Asked for flex, served by default: the answer's word counts.
    for (tier, nano) in [("default", standard), ("on_demand", standard), ("flex", flex), ("Flex", flex)] {
        assert_eq!(nanos(&served(tier)), nano, "{tier}");
    }
    assert_eq!(nanos(&served("fast-lane")), priority);
    let bill = cost("large", &served("scale")).bill().unwrap().clone();
    assert_eq!((bill.total.get(), bill.assumptions), (standard, vec![Assumption::Tier("scale".into())]));
}

#[test]
fn acceptance_7_batches_regions_and_times_have_their_prices() {
    assert_eq!(nanos(&Facts { batch: true, ..call() }), 2_000_000);
    assert_eq!(nanos(&Facts { region: Some("eu".into()), ..call() }), 2_750_000 + 1_650_000);
    assert_eq!(nanos(&Facts { region: Some("us".into()), ..call() }), 4_000_000);
    let sunday: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    assert_eq!(nanos(&Facts { at: sunday, ..call() }), 1_100_000);
    let later: Timestamp = "2027-01-04T00:00:00Z".parse().unwrap();
    assert_eq!(nanos(&Facts { at: later, ..call() }), 2_000_000 + 1_500_000);
    let bill = cost("gappy", &Facts { batch: true, ..call() }).bill().unwrap().clone();
    assert_eq!(bill.assumptions, [Assumption::Batch, Assumption::Gap("citation_cost_per_token".into())]);
}

#[test]
fn acceptance_7_audio_in_and_text_out() {
    assert_eq!(nanos(&facts(&[(Bucket::InputAudio, 1_000), (Bucket::Output, 100)])), 2_500_000 + 1_500_000);
    assert_eq!(nanos(&facts(&[(Bucket::Input, 10), (Bucket::OutputAudio, 100)])), 25_000 + 8_000_000);
}

#[test]
fn acceptance_7_searches_seconds_and_requests() {
    let mut usage = Usage::of(Some(1_000), Some(100));
    usage.units = vec![UnitCount { unit: Unit::Search, count: 3.0 }, UnitCount { unit: Unit::Second, count: 2.5 }];
    let facts = Facts::of(&usage, MONDAY.parse().unwrap()).unwrap();
    assert_eq!(nanos(&facts), 4_000_000 + 30_000_000 + 250_000);
    assert_eq!(nanos(&Facts { variant: Some("high".into()), ..facts }), 4_000_000 + 42_000_000 + 250_000);
    assert_eq!(cost("online", &call()).total().unwrap().get(), 1_100_000 + 5_000_000);
}

/// The facts of a call with these pieces beside its tokens.
fn with_pieces(counts: &[(Unit, f64)]) -> Facts {
    let mut facts = call();
    for (unit, count) in counts {
        facts.pieces.add(*unit, Quantity::measured(*count).unwrap());
    }
    facts
}

#[test]
fn tokens_as_billed_have_lines_in_place_of_the_tokens_as_reported() {
    let billed = with_pieces(&[(Unit::BilledInput, 400.0), (Unit::BilledOutput, 60.0)]);
    assert_eq!(nanos(&billed), 400 * 2_500 + 60 * 15_000);
    let bill = cost("large", &billed).bill().unwrap().clone();
    let lines: Vec<_> = bill.lines.iter().map(|line| (line.measure.name(), line.priced_as.name())).collect();
    assert_eq!(lines, [("billed_input", "input"), ("billed_output", "output")]);
    // Either of them is enough, and a count of zero is none.
    assert_eq!(nanos(&with_pieces(&[(Unit::BilledInput, 400.0), (Unit::BilledOutput, 0.0)])), 400 * 2_500);
    assert_eq!(nanos(&with_pieces(&[(Unit::BilledInput, 0.0)])), nanos(&call()));
    // Other pieces stay on the bill.
    let searched = with_pieces(&[(Unit::BilledInput, 400.0), (Unit::Search, 1.0)]);
    assert_eq!(nanos(&searched), 400 * 2_500 + 10_000_000);
}

#[test]
fn tokens_as_billed_have_the_prices_of_the_tier_and_of_the_context_as_reported() {
    let billed = with_pieces(&[(Unit::BilledInput, 1_000.0)]);
    assert_eq!(nanos(&Facts { service_tier: Some("flex".into()), ..billed.clone() }), 1_250_000);
    assert_eq!(nanos(&Facts { batch: true, ..billed.clone() }), 1_250_000);
    let mut long = billed;
    *long.tokens.slot(Bucket::Input) = Some(300_000);
    assert_eq!(nanos(&long), 1_000 * 10_000);
    // Their own price goes first.
    let own = r#"{"providers": {"p": {"large": {"billed_input": "1"}}}}"#;
    let files = [PRICES, own].map(|text| PriceFile::parse("test.json", text).unwrap());
    let book = PriceBook::new(files.to_vec());
    let facts = with_pieces(&[(Unit::BilledInput, 1_000.0)]);
    assert_eq!(price(&book, Subject::of("p", "large"), &facts).unwrap().total().unwrap().get(), 1_000_000);
}

#[test]
fn tokens_as_billed_without_a_price_are_unknown_and_are_usage() {
    let billed = with_pieces(&[(Unit::BilledInput, 400.0)]);
    let Cost::Unpriced(unpriced) = cost("unknown", &billed) else { panic!() };
    assert_eq!(unpriced.missing, [(Measure::Pieces(Unit::BilledInput), Quantity::whole(400))]);
    let alone = Facts { tokens: Tokens::default(), ..billed };
    assert!(!alone.is_empty() && nanos(&alone) == 400 * 2_500);
}

/// The lines of a request with three searches, by these files over one another: measure and count.
fn searches_by(files: &[&str]) -> Vec<(&'static str, String)> {
    let text = |offers: &&str| format!("{{\"providers\": {offers}}}");
    let book = PriceBook::new(files.iter().map(|file| PriceFile::parse("t", &text(file)).unwrap()).collect());
    let facts = with_pieces(&[(Unit::Search, 3.0)]);
    match price(&book, Subject::of("p", "m"), &facts).unwrap() {
        Cost::Priced(bill) => {
            let lines = bill.lines.iter().filter(|line| !matches!(line.measure, Measure::Tokens(_)));
            lines.map(|line| (line.measure.name(), format!("{} {}", line.count, line.amount))).collect()
        }
        Cost::Unpriced(unpriced) => unpriced.missing.iter().map(|(m, n)| (m.name(), format!("{n} missing"))).collect(),
        Cost::NoUsage => panic!(),
    }
}

#[test]
fn all_searches_of_a_request_cost_once_where_the_price_is_one_for_the_request() {
    let tokens = r#""input": "0", "output": "0""#;
    let once = &*format!(r#"{{"p": {{"m": {{{tokens}, "searched_request": "0.035"}}}}}}"#);
    let each = &*format!(r#"{{"p": {{"m": {{{tokens}, "search": "0.014"}}}}}}"#);
    let neither = &*format!(r#"{{"p": {{"m": {{{tokens}}}}}}}"#);
    let of_request = [("searched_request", "1 0.035".to_owned())];
    let of_each = [("search", "3 0.042".to_owned())];
    assert_eq!(searches_by(&[once]), of_request);
    assert_eq!(searches_by(&[each]), of_each);
    assert_eq!(searches_by(&[neither]), [("search", "3 missing".to_owned())]);
    // Never both: the later file's way holds, and then the more specific one.
    assert_eq!(searches_by(&[once, each]), of_each);
    assert_eq!(searches_by(&[each, once]), of_request);
    let pattern = r#"{"p": {"*": {"search": "0.5"}}}"#;
    assert_eq!(searches_by(&[once, pattern]), of_request);
    let named = r#"{"p": {"*": {"searched_request": "0.5"}, "m": {"search": "0.014"}}}"#;
    assert_eq!(searches_by(&[neither, named]), of_each);
    let later = r#"{"p": {"m": {"valid_from": "2026-11-16", "search": "0.014"}}}"#;
    assert_eq!(searches_by(&[once, later]), of_each);
    assert_eq!(searches_by(&[once, &later.replace("2026", "2027")]), of_request);
}

#[test]
fn each_request_of_a_batch_that_searched_costs_once() {
    let file = r#"{"providers": {"p": {"m": {"input": "0", "output": "0", "searched_request": "0.035"}}}}"#;
    let book = PriceBook::new(vec![PriceFile::parse("t", file).unwrap()]);
    let total = |searches: f64, searched| {
        let facts = Facts { searched, ..with_pieces(&[(Unit::Search, searches)]) };
        price(&book, Subject::of("p", "m"), &facts).unwrap().total().unwrap().get()
    };
    assert_eq!(total(7.0, Some(4)), 140_000_000);
    assert_eq!((total(7.0, None), total(0.0, Some(4))), (35_000_000, 0));
}

#[test]
fn a_request_without_searches_is_not_charged_for_them() {
    let file = r#"{"providers": {"p": {"m": {"input": "1", "output": "1", "searched_request": "0.035"}}}}"#;
    let book = PriceBook::new(vec![PriceFile::parse("t", file).unwrap()]);
    assert_eq!(price(&book, Subject::of("p", "m"), &call()).unwrap().total().unwrap().get(), 1_100_000);
}

#[test]
fn bundled_prices_hold_for_what_is_billed_by_the_piece() {
    let book = PriceBook::bundled().unwrap();
    let of = |kind, model, pieces: &[(Unit, f64)]| {
        let known = |facts: &Facts| price(&book, Subject::of(kind, model), facts).unwrap().total().unwrap().get();
        known(&with_pieces(pieces)) - known(&call())
    };
    // Thrice searched: one fee at Gemini 2, three at Gemini 3 and at Claude.
    let searches = &[(Unit::Search, 3.0)];
    assert_eq!(of("gemini", "gemini-2.5-flash", searches), 35_000_000);
    assert_eq!(of("vertex", "gemini-2.5-pro", searches), 35_000_000);
    assert_eq!(of("gemini", "gemini-3-flash-preview", searches), 3 * 14_000_000);
    assert_eq!(of("vertex", "claude-sonnet-5", searches), 3 * 10_000_000);
    assert_eq!(of("xai", "grok-4.3", searches), 3 * 5_000_000);
    assert_eq!(of("openai", "gpt-5.4", &[(Unit::FileSearch, 2.0), (Unit::ToolRun, 1.0)]), 5_000_000 + 30_000_000);
    assert_eq!(of("azure-openai", "gpt-5.4", &[(Unit::ToolRun, 1.0)]), 33_000_000);
    assert_eq!(of("anthropic", "claude-sonnet-5", &[(Unit::ToolRun, 4.0)]), 0);
    // Of 1,000 tokens reported, 400 are billed.
    assert_eq!(
        of("cohere", "command-a-03-2025", &[(Unit::BilledInput, 400.0), (Unit::BilledOutput, 100.0)]),
        -1_500_000
    );
}

#[test]
fn a_request_for_openais_fast_mode_costs_what_its_answer_calls_priority() {
    let book = PriceBook::bundled().unwrap();
    let of = |tier: Option<&str>| {
        let facts = Facts { service_tier: tier.map(Into::into), ..call() };
        price(&book, Subject::of("openai", "gpt-5.5"), &facts).unwrap().total().unwrap()
    };
    assert_eq!(of(Some("fast")), of(Some("priority")));
    assert!(of(Some("fast")) > of(None));
}

#[test]
fn a_bundled_price_of_a_router_alone_is_none_of_its_answers() {
    let book = PriceBook::bundled().unwrap();
    for (kind, model) in [("azure-openai", "model-router"), ("azure-openai", "model_router"), ("gemini", "lyria-3.5")] {
        assert!(!book.knows(Subject::of(kind, model)), "{kind} {model}");
    }
}

#[test]
fn two_conditions_without_a_common_price_take_the_threshold() {
    let mut both = facts(&[(Bucket::Input, 300_000), (Bucket::Output, 1)]);
    both.batch = true;
    assert_eq!(nanos(&both), 300_000 * 10_000 + 30_000);
}

#[test]
fn a_missing_price_is_unknown_and_never_zero() {
    for bucket in [Bucket::CacheWriteHour, Bucket::OutputAudio, Bucket::OutputImage] {
        let Cost::Unpriced(unpriced) = cost("gappy", &facts(&[(Bucket::Input, 5), (bucket, 7)])) else {
            panic!("{bucket:?}")
        };
        assert_eq!(unpriced.missing, [(Measure::Tokens(bucket), Quantity::whole(7))]);
        assert_eq!(unpriced.known.total.get(), 5_000);
        assert!(unpriced.to_string().contains("has no price"));
    }
    let Cost::Unpriced(unknown) = cost("unknown", &call()) else { panic!() };
    assert_eq!(unknown.missing.len(), 2);
    // A count of zero needs no price.
    assert!(cost("gappy", &facts(&[(Bucket::Input, 5), (Bucket::OutputAudio, 0)])).total().is_some());
}

#[test]
fn acceptance_5_no_usage_is_not_free() {
    assert_eq!(cost("large", &facts(&[])), Cost::NoUsage);
    assert_eq!(cost("large", &facts(&[(Bucket::Input, 0), (Bucket::Output, 0)])), Cost::NoUsage);
    assert_eq!(cost("online", &facts(&[(Bucket::Input, 0)])), Cost::NoUsage);
}

#[test]
fn acceptance_8_every_attempt_has_its_own_price() {
    let prices = r#"{"providers": {"q": {"large": {"input": "1", "output": "1"}}}}"#;
    let book = PriceBook::new(vec![
        PriceFile::parse("test.json", PRICES).unwrap(),
        PriceFile::parse("more.json", prices).unwrap(),
    ]);
    // The first attempt broke off and was billed, the second answered; a hedge that lost is an attempt as well.
    let broken = Facts { estimated: true, ..facts(&[(Bucket::Input, 1_000), (Bucket::Output, 10)]) };
    let of = |kind, facts: &Facts| price(&book, Subject::of(kind, "large"), facts).unwrap().total().unwrap().get();
    assert_eq!((of("p", &broken), of("q", &call())), (2_650_000, 1_100_000));
}

#[test]
fn acceptance_9_past_use_is_priced_again_from_its_counts() {
    let stored = serde_json::to_string(&call()).unwrap();
    let [old, new] = [PRICES, &PRICES.replace("\"2.5\"", "\"3\"").replace("\"v1\"", "\"v2\"")]
        .map(|text| PriceBook::new(vec![PriceFile::parse("test.json", text).unwrap()]));
    let again: Facts = serde_json::from_str(&stored).unwrap();
    let of = |book: &PriceBook| price(book, Subject::of("p", "large"), &again).unwrap().bill().unwrap().clone();
    assert_eq!((of(&old).total.get(), of(&new).total.get()), (4_000_000, 4_500_000));
    assert!(of(&old).version.starts_with("v1@") && of(&new).version.starts_with("v2@"));
}

#[test]
fn the_bill_explains_each_line() {
    let text = cost("large", &facts(&[(Bucket::Input, 1_000), (Bucket::Reasoning, 10)])).bill().unwrap().to_string();
    assert!(text.contains("providers.p.large[0].input"), "{text}");
    assert!(text.contains("providers.p.large[0].output"), "{text}");
    assert!(text.contains("total              0.00265 USD, prices v1@"), "{text}");
}

prop_compose! {
    fn any_tokens()(counts in proptest::collection::vec(0..5_000_000_u32, Bucket::ALL.len())) -> Tokens {
        Bucket::ALL.into_iter().zip(counts).fold(Tokens::default(), |tokens, (bucket, n)| tokens.with(bucket, Some(n)))
    }
}

/// Prices for all buckets without a threshold.
fn flat() -> PriceBook {
    let rates: Vec<String> =
        Bucket::ALL.iter().zip(1..).map(|(b, n)| format!("\"{}\": \"{n}.{n}\"", b.name())).collect();
    let text = format!("{{\"providers\": {{\"p\": {{\"m\": {{{}}}}}}}}}", rates.join(","));
    PriceBook::new(vec![PriceFile::parse("flat", &text).unwrap()])
}

fn exact(book: &PriceBook, tokens: Tokens) -> i128 {
    let facts = Facts { tokens, ..Facts::at(Timestamp::UNIX_EPOCH) };
    match price(book, Subject::of("p", "m"), &facts).unwrap() {
        Cost::Priced(bill) => bill.exact.get(),
        Cost::NoUsage => 0,
        Cost::Unpriced(unpriced) => panic!("{unpriced}"),
    }
}

proptest! {
    #[test]
    fn costs_without_thresholds_add_up(a in any_tokens(), b in any_tokens()) {
        let book = flat();
        let both = a.zip(b, |a, b| Some(a? + b?));
        prop_assert_eq!(exact(&book, a) + exact(&book, b), exact(&book, both));
    }

    #[test]
    fn more_tokens_never_cost_less(a in any_tokens(), more in any_tokens()) {
        let both = a.zip(more, |a, b| Some(a? + b?));
        for (book, model) in [(book(), "large"), (flat(), "m")] {
            let of = |tokens| {
                let facts = Facts { tokens, ..Facts::at(MONDAY.parse().unwrap()) };
                match price(&book, Subject::of("p", model), &facts).unwrap() {
                    Cost::Priced(bill) => bill.total,
                    Cost::Unpriced(unpriced) => unpriced.known.total,
                    Cost::NoUsage => Nano::ZERO,
                }
            };
            prop_assert!(of(a) <= of(both));
        }
    }

    #[test]
    fn the_largest_counts_do_not_overflow(tier in 0..3_usize, batch: bool) {
        let tokens = Bucket::ALL.into_iter().fold(Tokens::default(), |t, bucket| t.with(bucket, Some(u32::MAX)));
        let dear = Bucket::ALL.map(|bucket| format!("\"{}\": \"100000\"", bucket.name())).join(",");
        let text = format!("{{\"providers\": {{\"p\": {{\"m\": {{{dear}, \"second\": \"1000000\"}}}}}}}}");
        let book = PriceBook::new(vec![PriceFile::parse("dear", &text).unwrap()]);
        let mut facts = Facts { tokens, batch, ..Facts::at(Timestamp::UNIX_EPOCH) };
        facts.service_tier = ["flex", "default", "x"].get(tier).map(|tier| (*tier).to_owned());
        prop_assert!(price(&book, Subject::of("p", "m"), &facts).unwrap().total().is_some());
        facts.pieces.add(Unit::Second, Quantity::measured(9e9).unwrap());
        prop_assert_eq!(price(&book, Subject::of("p", "m"), &facts), Err(MoneyError::TooLarge));
    }
}
