//! Streams over the end of a budget's day, in its own zone, on days of 23 and of 25 hours: they are booked in the
//! window that reserved, whatever day it is when they end.

use std::time::{SystemTime, UNIX_EPOCH};

use weir_tests::plugins::target;
use weir_tests::{Client, Folder, Gate, Program, Request, Trouble, program};

use super::{TOKENS, budget};
use crate::wire_format::{ANTHROPIC, OPENAI, config_of, gated_provider};

/// Ends of days in Berlin, and the hours of the days that end and begin.
const ENDS: [(&str, i64, i64); 4] = [
    ("2027-03-28T22:00:00Z", 23, 24),
    ("2027-03-27T23:00:00Z", 24, 23),
    ("2027-10-31T23:00:00Z", 25, 24),
    ("2027-10-30T22:00:00Z", 24, 25),
];

/// The page of the only budget: what is booked, what is reserved, and the hours of the window.
async fn shown(address: std::net::SocketAddr) -> (u64, u64, i64) {
    let page = program::ask(address, &Request::get("/admin/v1/budgets").bearer("TOKEN")).await.json();
    let budget = &page["items"][0];
    let at = |name: &str| budget["window"][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let page = program::ask(address, &Request::get("/admin/budgets").bearer("TOKEN")).await.json();
    let count = |name: &str| page["budgets"][0][name].as_u64().unwrap();
    (count("settled"), count("reserved"), (at("end") - at("start")) / 3_600)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_over_midnight_is_booked_in_the_day_that_reserved_also_where_days_are_shorter_or_longer() {
    let client = "[[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\n[admin]\ntoken = \"TOKEN\"\n";
    let daily = budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"day\"\ntz = \"Europe/Berlin\"");
    for (end, ending, beginning) in ENDS {
        let gate = Gate::default();
        let upstream = gated_provider(&gate).await;
        let config = config_of(&[OPENAI, ANTHROPIC], &upstream) + &daily + client;
        let (mut clock, folder) = (Trouble::none(), Folder::with(&["openai", "anthropic"]));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let midnight = end.parse::<jiff::Timestamp>().unwrap().as_second() - now;
        clock.set_clock(midnight - 600);
        let program = Program::start_as(clock.command(), &folder, &target().join("test-cache"), &config);
        let address = program.address();
        let mut clients = Vec::new();
        for (format, model) in [(OPENAI, "openai"), (OPENAI, "openai-t"), (ANTHROPIC, "openai"), (OPENAI, "anthropic")]
        {
            for stream in [false, true] {
                let mut client = Client::connect(address).await;
                client.send(&format.request(model, stream).bearer("weir-some-0123456789")).await;
                if stream {
                    assert_eq!(client.head().await.status, 200);
                    client.piece().await.unwrap();
                }
                clients.push((client, stream));
            }
        }
        let count = clients.len() as u64;
        let reached = async {
            while program::metric(address, Some("TOKEN"), "weir_in_flight").await != Some(count as f64) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        weir_tests::soon("all requests", reached).await;
        let before = shown(address).await;
        assert!(before.0 == 0 && before.1 > count && before.2 == ending, "{end}: {before:?}");
        clock.set_clock(midnight + 600);
        assert_eq!(shown(address).await, (0, 0, beginning), "{end}: a new day");
        (0..count).for_each(|_| gate.open());
        for (mut client, stream) in clients {
            if stream {
                assert!(!client.rest().await.1);
            } else {
                assert_eq!(client.reply().await.status(), 200);
            }
        }
        let ended = async {
            while program::metric(address, Some("TOKEN"), "weir_in_flight").await != Some(0.0) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        weir_tests::soon("their end", ended).await;
        assert_eq!(shown(address).await, (0, 0, beginning), "{end}: nothing was given to the new day");
        // The day that is over shows to a clock that goes back to it.
        clock.set_clock(midnight - 300);
        assert_eq!(shown(address).await, (count * TOKENS, 0, ending), "{end}: all of it is in the day before");
    }
}
