//! Each lane allocates as often as `docs/performance.md` says. `UPDATE_DOCS=1` writes the table.
#![allow(clippy::unwrap_used, reason = "a test: what does not hold fails it")]

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use weir_allocations::lanes::{self, LANES, WARM};
use weir_allocations::table::Table;
use weir_allocations::{Client, provide};
use weir_tests::Gateway;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests that are counted.
const COUNT: usize = 400;
/// The table of the counts.
const TABLE: Table = Table { name: "allocations", headings: &["lane", "allocations a request", "bytes a request"] };

/// Allocations and bytes of one request.
fn count(client: &mut Client, request: &str) -> (usize, usize) {
    let ok = |answer: &[u8]| assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
    (0..WARM).for_each(|_| ok(client.ask(request)));
    let region = Region::new(COUNTED);
    (0..COUNT).for_each(|_| ok(client.ask(request)));
    let change = region.change();
    ((change.allocations + change.reallocations) / COUNT, change.bytes_allocated / COUNT)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_lane_allocates_as_often_as_the_page_says() {
    let gateway = Gateway::open(&lanes::config(provide(lanes::answers()), "", lanes::BARE)).await;
    let address = gateway.address;
    let counted = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(address);
        LANES.map(|lane| (lane.name, count(&mut client, &lane.request())))
    });
    let counted = counted.await.unwrap();
    let rows = counted.map(|(lane, (allocations, bytes))| (lane, vec![allocations, bytes]));
    TABLE.hold(&rows, &[105, 110]);
}
