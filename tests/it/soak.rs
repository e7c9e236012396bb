//! What a gateway holds on to: nothing of those who have left. The long form is `cargo xtask soak`.

use weir_tests::program::Program;
use weir_tests::{Answer, Client, Folder, PATIENCE, Request, Upstream, plugins};

use crate::tongue::{ALL, OPENAI, Tongue, config};

/// Streams that are left in one round.
const STREAMS: usize = 96;
/// How many there are at a time.
const AT_ONCE: usize = 16;
const ROUNDS: usize = 5;
/// Length of a request.
const LONG: usize = 120_000;
/// KiB that memory may grow by. The requests of all rounds but the first are twice as long together.
const GROWTH: usize = 24 << 10;

/// KiB that a process holds.
fn resident(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn descriptors(program: &Program) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap().count()
}

async fn until_descriptors(program: &Program, most: usize) {
    let reached = async {
        while descriptors(program) > most {
            tokio::task::yield_now().await;
        }
    };
    let is_reached = tokio::time::timeout(PATIENCE, reached).await.is_ok();
    assert!(is_reached, "{} descriptors, and {most} are enough", descriptors(program));
}

fn long(from: Tongue, model: &str) -> Request {
    let request = from.request(model, true);
    let body = String::from_utf8(request.sent()).unwrap();
    request.body(body.replace("\"Hi\"", &format!("\"{}\"", "word ".repeat(LONG / 5))))
}

/// Streams in both lanes and all formats that begin, and whose clients then leave.
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
            // What the upstream was asked is none of the gateway's memory, but much of the test's.
            while upstream.unseen().is_some() {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
async fn c71_streams_that_are_left_with_long_requests_leave_nothing_behind() {
    let begun = OPENAI.stream()[..2].iter().fold(OPENAI.begin(), Answer::piece);
    let mut upstream = Upstream::always(begun.hang()).await;
    let folder = Folder::with(&ALL.map(|tongue| tongue.name));
    let program = Program::start(&folder, &plugins::target().join("test-cache"), &config(&upstream));
    let address = program.address();
    let (mut held, mut open) = (Vec::new(), 0);
    for number in 0..ROUNDS {
        round(&program, address, &mut upstream).await;
        if number == 0 {
            open = descriptors(&program);
        }
        // Some may not have been closed yet when the first were counted, but none may come on top.
        until_descriptors(&program, open).await;
        held.push(resident(&program));
    }
    println!("{} streams left a round; KiB held: {held:?}, {} descriptors", STREAMS, descriptors(&program));
    let (first, last) = (held[0], held[ROUNDS - 1]);
    assert!(last < first + GROWTH, "memory grows: {held:?}");
}
