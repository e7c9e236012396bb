use super::*;
use weir_ledger::{Limit, Period, Row, Scope};

#[test]
fn what_was_counted_for_budgets_of_the_store_waits_until_it_is_read() {
    let metrics = Metrics::new().unwrap();
    let budgets = Budgets::new(&metrics).unwrap();
    let budget = |name: &str| Budget::new(name, Scope::All, Limit::Requests(10), Period::Total);
    let row = |name: &str| Row {
        budget: name.into(),
        start: 0,
        end: None,
        reserved: 0,
        settled: 7,
        before: 0,
        cell: 0,
        made: 0,
        seq: 1,
    };
    let shapes = ["file", "key/a/b"].map(|name| (name.to_owned(), budget(name).shape())).into();
    budgets.replace(&[budget("file")]);
    budgets.restore(StoredRows { shapes, rows: vec![row("file"), row("key/a/b")], node: None }, true);
    let settled = |name: &str| {
        let status = budgets.status();
        status.iter().find(|(budget, ..)| &*budget.name == name).map(|(_, _, settled, _)| *settled)
    };
    assert_eq!((settled("file"), settled("key/a/b")), (Some(7), None));
    assert_eq!(budgets.rows().rows.len(), 2, "what waits is stored again");
    budgets.replace_stored(vec![budget("key/a/b")]);
    assert_eq!((settled("file"), settled("key/a/b")), (Some(7), Some(7)));
    budgets.replace_stored(Vec::new());
    assert_eq!(budgets.rows().rows.len(), 1);
}

#[test]
fn a_budget_of_the_store_never_takes_the_name_or_the_place_of_one_of_the_configuration() {
    let metrics = Metrics::new().unwrap();
    let budgets = Budgets::new(&metrics).unwrap();
    let budget = |name: &str, most| Budget::new(name, Scope::All, Limit::Requests(most), Period::Total);
    budgets.replace_stored(vec![budget("both", 1), budget("stored", 1)]);
    budgets.replace(&[budget("both", 2)]);
    let limit = |name: &str| budgets.named(name).map(|(budget, ..)| budget.limit.amount());
    assert_eq!((limit("both"), limit("stored")), (Some(2), Some(1)));
    budgets.replace(&[]);
    assert_eq!(limit("both"), Some(1), "it counts again as soon as the name is free");
}

#[test]
fn budgets_of_the_configuration_and_the_fullest_of_the_store_have_gauges() {
    let metrics = Metrics::new().unwrap();
    let budgets = Budgets::new(&metrics).unwrap();
    let budget = |name: &str| Budget::new(name, Scope::All, Limit::Requests(1_000), Period::Total);
    let names: Vec<String> = (0..150).map(|number| format!("key/{number}/b")).collect();
    budgets.replace(&[budget("file")]);
    budgets.replace_stored(names.iter().map(|name| budget(name)).collect());
    let rows = names.iter().zip(1..).map(|(name, settled)| Row {
        budget: name.as_str().into(),
        start: budgets.named(name).unwrap().1.start,
        end: None,
        reserved: 0,
        settled,
        before: 0,
        cell: 0,
        made: 0,
        seq: 1,
    });
    let shapes = names.iter().map(|name| (name.clone(), budget(name).shape())).collect();
    budgets.restore(StoredRows { shapes, rows: rows.collect(), node: None }, false);
    budgets.note();
    let text = prometheus::TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap();
    let used: Vec<&str> = text.lines().filter(|line| line.starts_with("weir_budget_used{")).collect();
    assert_eq!(used.len(), 101);
    for line in ["{budget=\"file\"} 0", "{budget=\"key/149/b\"} 150", "{budget=\"key/50/b\"} 51"] {
        assert!(used.iter().any(|used| used.ends_with(line)), "{line} is missing: {used:?}");
    }
    assert_eq!(text.matches("weir_budget_limit{").count(), 101);
}
