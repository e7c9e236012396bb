//! The gateway keeps no memory or descriptors for clients that have disconnected. The long form is `cargo xtask soak`.

use weir_tests::program::{Program, ask};
use weir_tests::{Answer, Client, Folder, Request, TIMEOUT, Upstream, plugins};

use crate::wire_format::{ALL, OPENAI, WireFormat, config};

/// Abandoned streams of one round.
const STREAMS: usize = 96;
/// Concurrent streams.
const AT_ONCE: usize = 16;
const ROUNDS: usize = 5;
/// Length of a request in bytes.
const LONG: usize = 120_000;
/// Allowed growth of memory, in KiB. The requests of all rounds but the first are twice that together.
const GROWTH: usize = 24 << 10;

/// The process's resident memory, in KiB.
pub(crate) fn resident(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn descriptors(program: &Program) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap().count()
}

/// Waits until facts of requests were written: the store opens its files with the first ones.
async fn until_written(address: std::net::SocketAddr) {
    let written = async {
        loop {
            let metrics = ask(address, &Request::get("/metrics")).await.text();
            let mut lines =
                metrics.lines().filter(|line| line.starts_with("weir_request_log_written_total{what=\"fact\"}"));
            if lines.any(|line| !line.ends_with(" 0")) {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(TIMEOUT, written).await.is_ok(), "no fact is written");
}

async fn until_descriptors(program: &Program, most: usize) {
    let reached = async {
        while descriptors(program) > most {
            tokio::task::yield_now().await;
        }
    };
    let is_reached = tokio::time::timeout(TIMEOUT, reached).await.is_ok();
    assert!(is_reached, "{} descriptors, and {most} are enough", descriptors(program));
}

fn long(from: WireFormat, model: &str) -> Request {
    let request = from.request(model, true);
    let body = String::from_utf8(request.sent()).unwrap();
    request.body(body.replace("\"Hi\"", &format!("\"{}\"", "word ".repeat(LONG / 5))))
}

/// Streams in both lanes and all formats that begin, and whose clients then disconnect.
async fn round(program: &Program, address: std::net::SocketAddr, upstream: &mut Upstream) {
    for batch in 0..STREAMS / AT_ONCE {
        let mut clients = Vec::new();
        for number in 0..AT_ONCE {
            let from = ALL[(batch + number) % ALL.len()];
            let model = if number % 2 == 0 { OPENAI.name.to_owned() } else { OPENAI.translated() };
            let mut client = Client::connect(address).await;
            client.send(&long(from, &model)).await;
            clients.push(client);
        }
        for (number, mut client) in clients.into_iter().enumerate() {
            assert_eq!(client.head().await.status, 200, "{number}: {}", program.log());
            client.leave();
            upstream.departure().await;
            // The upstream's requests are in the test's memory, not the gateway's.
            while upstream.unseen().is_some() {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
async fn c71_streams_that_are_left_with_long_requests_leave_nothing_behind() {
    let begun = OPENAI.stream()[..2].iter().fold(OPENAI.begin(), Answer::piece);
    let mut upstream = Upstream::always(begun.hang()).await;
    let folder = Folder::with(&ALL.map(|wire_format| wire_format.name));
    let program = Program::start(&folder, &plugins::target().join("test-cache"), &config(&upstream));
    let address = program.address();
    let (mut held, mut open) = (Vec::new(), 0);
    for number in 0..ROUNDS {
        round(&program, address, &mut upstream).await;
        if number == 0 {
            until_written(address).await;
            open = descriptors(&program);
        }
        // Some descriptors may not have been closed when the first were counted, but none may be added.
        until_descriptors(&program, open).await;
        held.push(resident(&program));
    }
    println!("{} streams left a round; KiB held: {held:?}, {} descriptors", STREAMS, descriptors(&program));
    let (first, last) = (held[0], held[ROUNDS - 1]);
    assert!(last < first + GROWTH, "memory grows: {held:?}");
}
