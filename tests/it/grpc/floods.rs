//! One connection of HTTP/2 that sends what would cost much: headers that unpack to gigabytes, thousands of calls at
//! once, and calls that are taken back at once, or that the server has to take back. It costs itself, and others are
//! served.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;
use weir_tests::http2::{END_HEADERS, END_STREAM, GO_AWAY, HEADERS, RESET, WINDOW, connect, frame, next, post};
use weir_tests::plugins::target;
use weir_tests::{Client, Folder, Program, soon};

use crate::wire_format::{OPENAI, config_of, provider};

/// The calls that a connection may have at the same time.
const CALLS: usize = 200;
/// The most memory that a flood may take beyond what the program had before.
const MAX_MEMORY: usize = 48 << 20;

/// The head of a call.
fn head() -> Vec<u8> {
    post("/weir.v1.Inference/Generate", "application/grpc")
}

/// A head with one header that stands in it twelve thousand times, a byte each: fifty million bytes.
fn bomb() -> Vec<u8> {
    // A new name of one letter, and a value of 4,000, which both sides keep as number 62: one byte, 0xbe.
    let mut header = vec![0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    header.extend([b'y'; 4_000]);
    [head(), header, vec![0xbe; 12_000]].concat()
}

/// Why the gateway ends a connection on which ten thousand calls come at once, each with a frame that ends it: in the
/// words of its last frame.
async fn end_of(address: SocketAddr, kind: u8, payload: [u8; 4]) -> String {
    let (mut read, mut write) = connect(address).await.into_split();
    let ended = |number: u32| {
        let call = frame(HEADERS, END_HEADERS, number * 2 + 1, &head());
        [call, frame(kind, 0, number * 2 + 1, &payload)].concat()
    };
    let flood: Vec<u8> = (0..10_000).flat_map(ended).collect();
    let writing = tokio::spawn(async move {
        let _ended = write.write_all(&flood).await;
        write
    });
    let reason = loop {
        match soon("a frame", next(&mut read)).await {
            Some((GO_AWAY, _, _, payload)) => break String::from_utf8_lossy(&payload[8..]).into_owned(),
            Some(_) => {}
            None => break String::new(),
        }
    };
    writing.abort();
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_floods_costs_itself_and_others_are_served() {
    let upstream = provider(OPENAI).await;
    let folder = Folder::with(&["openai"]);
    let program = Program::start(&folder, &target().join("test-cache"), &config_of(&[OPENAI], &upstream));
    let address = program.address();
    let mut other = Client::connect(address).await;
    let served = async |other: &mut Client| {
        other.send(&OPENAI.request("openai", false)).await;
        assert_eq!(other.reply().await.status(), 200);
    };
    served(&mut other).await;
    let before = program.peak_memory();

    let mut stream = connect(address).await;
    for number in 0..50 {
        let call = frame(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &bomb());
        if stream.write_all(&call).await.is_err() {
            break;
        }
    }
    let mut answered = 0;
    while answered < 50 {
        match soon("a frame", next(&mut stream)).await {
            Some((HEADERS, _, _, head)) => {
                // The status: 431, by its letters or packed.
                assert!(!head.contains(&0x88), "no head like that is answered with 200");
                answered += 1;
            }
            Some((RESET, ..)) => answered += 1,
            Some((GO_AWAY, ..)) | None => break,
            Some(_) => {}
        }
        served(&mut other).await;
    }

    let mut stream = connect(address).await;
    for number in 0..1_000 {
        // Each waits for its message.
        if stream.write_all(&frame(HEADERS, END_HEADERS, number * 2 + 1, &head())).await.is_err() {
            break;
        }
    }
    let mut refused = 0;
    while refused < 1_000 - CALLS {
        match soon("a frame", next(&mut stream)).await {
            // Refused: it may be tried again elsewhere.
            Some((RESET, _, _, reason)) if reason == [0, 0, 0, 7] => refused += 1,
            Some((GO_AWAY, ..)) | None => break,
            Some(_) => {}
        }
    }
    assert!(refused > 0, "there is a limit");
    served(&mut other).await;

    // The client takes a call back, or has the server do so: by more room for its answer than there can be.
    let by_client = end_of(address, RESET, [0, 0, 0, 8]).await;
    served(&mut other).await;
    let by_server = end_of(address, WINDOW, [0x7f, 0xff, 0xff, 0xff]).await;
    served(&mut other).await;
    assert_eq!([by_client, by_server], ["too_many_resets", "too_many_internal_resets"]);
    let taken = program.peak_memory().saturating_sub(before);
    assert!(taken < MAX_MEMORY, "the floods took {taken} bytes");
}
