//! The reference pages `docs/headers.md` and `docs/metrics.md` agree with the running gateway.

use std::collections::{BTreeMap, BTreeSet};

use weir_tests::plugins::root;
use weir_tests::{Gateway, Request};

use crate::wire_format::{ALL, OPENAI, config, provider};

/// The rows of a page's tables, by their first column.
fn rows(page: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.map(|cells| (cells[1].trim_matches('`').to_owned(), cells)).collect()
}

fn labels_of(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A series' labels, without those that histograms add.
fn labels_in(line: &str) -> BTreeSet<String> {
    let Some((_, rest)) = line.split_once('{') else { return BTreeSet::new() };
    let inner = rest.rsplit_once('}').unwrap().0;
    let names = inner.split("\",").filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.trim().to_owned());
    names.filter(|name| name != "le").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_metrics_has_the_type_and_the_labels_of_every_exported_metric() {
    let upstream = provider(OPENAI).await;
    let settings = format!("{}[[clients]]\nname = \"team\"\nkey = \"weir-key-of-the-team-01\"\n", config(&upstream));
    let gateway = Gateway::open(&settings).await;
    for from in ALL {
        for (model, stream) in [("openai", false), ("openai", true), ("openai-t", true), ("nowhere", false)] {
            gateway.ask(&from.request(model, stream).header("x-api-key", "weir-key-of-the-team-01")).await;
        }
        gateway.ask(&from.request("openai", false)).await;
    }
    gateway.get("/no/such/page").await;
    let page = rows("metrics.md");
    let text = gateway.metrics().await;
    let mut kinds = BTreeMap::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# TYPE ") {
            let (name, kind) = about.split_once(' ').unwrap();
            let row = page.get(name).unwrap_or_else(|| panic!("docs/metrics.md lacks `{name}`"));
            assert_eq!(row[2], kind, "`{name}` in docs/metrics.md");
            kinds.insert(name.to_owned(), row.clone());
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let ends = ["", "_bucket", "_sum", "_count"];
            let row = ends.iter().find_map(|end| kinds.get(name.strip_suffix(end)?)).unwrap();
            assert_eq!(labels_of(&row[3]), labels_in(line), "`{name}` in docs/metrics.md");
        }
    }
    assert!(kinds.len() > 20, "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_header_of_an_answer_that_is_ours_is_on_its_page() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let page = rows("headers.md");
    for from in ALL {
        for (model, stream) in [("openai", false), ("openai-t", true), ("nowhere", false)] {
            let request: Request = from.request(model, stream);
            let reply = gateway.ask(&request).await;
            for (name, _) in reply.head.headers.iter().filter(|(name, _)| name.starts_with("x-weir-")) {
                assert!(page.contains_key(name), "docs/headers.md lacks `{name}`");
            }
        }
    }
}
