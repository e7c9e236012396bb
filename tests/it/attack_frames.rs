//! Frames of HTTP/2 that come for ever and say nothing, from a provider and from a client: they end, others are served
//! meanwhile, and they take little memory.

use std::fmt::Write as _;
use std::net::SocketAddr;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use weir_tests::http2::{
    self, CONTENT_TYPE, CONTINUATION, DATA, END_HEADERS, END_STREAM, GO_AWAY, HEADERS, PADDED, PING, RESET, SETTINGS,
    WINDOW, frame, header, named,
};
use weir_tests::plugins::target;
use weir_tests::{Client, Folder, Program, program, soon};

use crate::wire_format::{OPENAI, TEXT, config_of, provider};

/// The most memory that the floods may take beyond what the program had before.
const MAX_MEMORY: usize = 96 << 20;

/// What one side sends on a stream: frames to begin with, and frames for ever.
type Flood = fn(stream: u32, content_type: &str) -> [Vec<u8>; 2];

/// Many of one frame.
fn many(frame: &[u8]) -> Vec<u8> {
    frame.repeat((64 << 10) / frame.len())
}

fn continued(stream: u32, part: &[u8]) -> Vec<u8> {
    many(&frame(CONTINUATION, 0, stream, part))
}

/// Frames of data. A payload of several bytes is padding.
fn data(stream: u32, payload: &[u8]) -> Vec<u8> {
    let flags = if payload.len() > 1 { PADDED } else { 0 };
    many(&frame(DATA, flags, stream, payload))
}

/// A byte that says that 255 bytes of padding follow, and these.
fn padding() -> Vec<u8> {
    [vec![255], vec![0; 255]].concat()
}

/// Floods that need no stream.
const OF_A_CONNECTION: [(&str, Flood); 4] = [
    ("settings", |_, _| [Vec::new(), many(&frame(SETTINGS, 0, 0, &[]))]),
    ("pings", |_, _| [Vec::new(), many(&frame(PING, 0, 0, b"12345678"))]),
    ("room for nothing", |_, _| [Vec::new(), many(&frame(WINDOW, 0, 0, &[0, 0, 0, 1]))]),
    ("frames of no kind", |_, _| [Vec::new(), many(&frame(0xee, 0, 0, b"x"))]),
];

fn answer(stream: u32, content_type: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &http2::answer(content_type))
}

const OF_AN_ANSWER: [(&str, Flood); 8] = [
    ("interim answers", |stream, _| {
        let hints = [header(8, "103"), named("link", "</style.css>; rel=preload")].concat();
        [Vec::new(), many(&frame(HEADERS, END_HEADERS, stream, &hints))]
    }),
    ("a head without an end", |stream, kind| {
        [frame(HEADERS, 0, stream, &http2::answer(kind)), continued(stream, &named("x", "y"))]
    }),
    ("empty parts of a head", |stream, kind| [frame(HEADERS, 0, stream, &http2::answer(kind)), continued(stream, &[])]),
    ("empty data", |stream, kind| [answer(stream, kind), data(stream, &[])]),
    ("padding", |stream, kind| [answer(stream, kind), data(stream, &padding())]),
    ("bytes", |stream, kind| [answer(stream, kind), data(stream, b"\n")]),
    ("trailers again and again", |stream, kind| {
        [answer(stream, kind), many(&frame(HEADERS, END_HEADERS, stream, &named("x", "y")))]
    }),
    ("trailers without an end", |stream, kind| {
        let begun = [answer(stream, kind), frame(HEADERS, END_STREAM, stream, &named("x", "y"))].concat();
        [begun, continued(stream, &named("x", "y"))]
    }),
];

/// Reads until a client's request is whole; its stream.
async fn asked(stream: &mut TcpStream) -> Option<u32> {
    http2::accept(stream).await.ok()?;
    loop {
        let (kind, flags, number, _) = http2::next(stream).await?;
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            return Some(number);
        }
    }
}

/// Writes for ever, while what the other side writes is read and discarded.
async fn write(stream: TcpStream, [begin, piece]: [Vec<u8>; 2]) {
    let (mut read, mut write) = stream.into_split();
    let reading = async {
        let mut buffer = [0; 4096];
        while read.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    let writing = async {
        let mut next = begin;
        while write.write_all(&next).await.is_ok() {
            next.clone_from(&piece);
        }
    };
    tokio::join!(reading, writing);
}

/// A provider that floods every stream, until the task is aborted.
async fn flooding(flood: Flood) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                if let Some(number) = asked(&mut stream).await {
                    write(stream, flood(number, "text/event-stream")).await;
                }
            });
        }
    });
    (address, serving)
}

async fn served(address: SocketAddr) {
    let reply = program::ask(address, &OPENAI.request("openai", false)).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT, "{}", reply.text());
}

/// Whether an answer ended as one that failed.
async fn fails(address: SocketAddr, model: &str) -> Result<(), String> {
    let mut client = Client::connect(address).await;
    client.send(&OPENAI.request(model, true)).await;
    let head = client.head().await;
    let (rest, is_cut) = client.rest().await;
    let text = String::from_utf8_lossy(&rest);
    let is_failure = if head.status == 200 { is_cut } else { matches!(head.status, 502 | 504) };
    let is_told = text.contains("\"error\"") && !text.contains("[DONE]");
    if is_failure && is_told { Ok(()) } else { Err(format!("{}, cut {is_cut}: {text}", head.status)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_a_provider_that_never_end_are_ended_and_others_are_served() {
    let upstream = provider(OPENAI).await;
    let (mut config, mut cases) = (config_of(&[OPENAI], &upstream), Vec::new());
    for (number, (what, flood)) in OF_AN_ANSWER.into_iter().chain(OF_A_CONNECTION).enumerate() {
        let (address, serving) = flooding(flood).await;
        let _ = write!(
            config,
            "[[providers]]\nname = \"p{number}\"\nadapter = \"openai\"\nurl = \"http://{address}/\"\nhttp2 = true\n\
             api_key = \"KEY\"\ntimeouts = {{ total = \"1s\" }}\nretry = {{ max_retries = 0 }}\n\
             breaker = {{ min_attempts = 1000000, max_cooldown = \"0s\" }}\n"
        );
        for (lane, translate) in [("r", false), ("t", true)] {
            let _ = write!(
                config,
                "[[models]]\nalias = \"{number}-{lane}\"\ntranslate = {translate}\n\
                 target = {{ provider = \"p{number}\", model = \"m\" }}\n"
            );
        }
        cases.push((what, serving));
    }
    let folder = Folder::with(&["openai"]);
    let program = Program::start(&folder, &target().join("test-cache"), &config);
    let address = program.address();
    served(address).await;
    let before = program.peak_memory();
    for (number, (what, serving)) in cases.into_iter().enumerate() {
        let models = [format!("{number}-r"), format!("{number}-t")];
        let floods = join_all(models.iter().map(|model| fails(address, model)));
        let others = async {
            for _ in 0..3 {
                served(address).await;
            }
        };
        let (ended, ()) = soon("the end of the answers", async { tokio::join!(floods, others) }).await;
        assert_eq!(ended, [Ok(()), Ok(())], "{what}");
        serving.abort();
    }
    let idle = async { while program::metric(address, None, "weir_in_flight").await != Some(0.0) {} };
    soon("the end of all exchanges", idle).await;
    let taken = program.peak_memory().saturating_sub(before);
    assert!(taken < MAX_MEMORY, "the floods took {taken} bytes");
}

fn request(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, stream, &http2::post("/v1/chat/completions", "application/json"))
}

const OF_A_REQUEST: [(&str, Flood); 6] = [
    ("a head without an end", |stream, _| [request(stream, 0), continued(stream, &named("x", "y"))]),
    ("empty parts of a head", |stream, _| [request(stream, 0), continued(stream, &[])]),
    ("empty data", |stream, _| [request(stream, END_HEADERS), data(stream, &[])]),
    ("padding", |stream, _| [request(stream, END_HEADERS), data(stream, &padding())]),
    ("bytes", |stream, _| [request(stream, END_HEADERS), data(stream, b" ")]),
    ("trailers again and again", |stream, _| {
        let length = header(CONTENT_TYPE, "text/plain");
        [request(stream, END_HEADERS), many(&frame(HEADERS, END_HEADERS, stream, &length))]
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_a_client_that_never_end_are_ended_and_others_are_served() {
    let upstream = provider(OPENAI).await;
    let times = "[server]\nheader_timeout = \"1s\"\nidle_timeout = \"1s\"\nbody_timeout = \"1s\"\n";
    let config = times.to_owned() + &config_of(&[OPENAI], &upstream);
    let folder = Folder::with(&["openai"]);
    let program = Program::start(&folder, &target().join("test-cache"), &config);
    let address = program.address();
    served(address).await;
    let before = program.peak_memory();
    for (what, flood) in OF_A_REQUEST.into_iter().chain(OF_A_CONNECTION) {
        let (mut read, mut write) = http2::connect(address).await.into_split();
        let [begin, piece] = flood(1, "");
        let writing = tokio::spawn(async move {
            let mut next = begin;
            while write.write_all(&next).await.is_ok() {
                next.clone_from(&piece);
            }
        });
        // The request is answered or taken back, or the connection ends.
        let ended = async {
            while let Some((kind, _, _, payload)) = http2::next(&mut read).await {
                match kind {
                    HEADERS => return assert!(!payload.contains(&0x88), "{what}: it is no success"),
                    RESET | GO_AWAY => return,
                    _ => {}
                }
            }
        };
        let others = async {
            for _ in 0..3 {
                served(address).await;
            }
        };
        let ((), ()) = soon("the end", async { tokio::join!(ended, others) }).await;
        writing.abort();
    }
    let idle = async { while program::metric(address, None, "weir_in_flight").await != Some(0.0) {} };
    soon("the end of all requests", idle).await;
    let taken = program.peak_memory().saturating_sub(before);
    assert!(taken < MAX_MEMORY, "the floods took {taken} bytes");
}
