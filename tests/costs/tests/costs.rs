//! The page of costs agrees with the recordings, the adapters and the bundled prices.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use weir_costs::{page, recording};
use weir_ledger::PriceBook;

#[test]
fn recordings_cost_what_the_page_says() {
    let Some(recordings) = recording::all() else {
        println!("skipped: no recordings");
        return;
    };
    let is = page::write(&PriceBook::bundled().unwrap(), &recordings);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/costs.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &is).unwrap();
    }
    let was = std::fs::read_to_string(path).unwrap_or_default();
    let differing: Vec<&str> = is.lines().filter(|line| !was.lines().any(|old| old == *line)).collect();
    assert!(
        was == is,
        "docs/costs.md differs; `UPDATE_DOCS=1 cargo test -p weir-costs` writes it:\n{}",
        differing.join("\n")
    );
}
