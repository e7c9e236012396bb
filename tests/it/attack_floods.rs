//! Clients and providers whose bytes are always there and say nothing: timers end them as they end those that are
//! silent.

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use weir_tests::{Gateway, soon};

use crate::wire_format::OPENAI;

const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";
const PIECE: usize = 64 << 10;

fn config(address: &str) -> String {
    let model = |alias: &str, lane: &str| {
        format!("[[models]]\nalias = \"{alias}\"\n{lane}target = {{ provider = \"openai\", model = \"m\" }}\n")
    };
    format!(
        "[server]\nbody_timeout = \"300ms\"\n[[providers]]\nname = \"openai\"\nadapter = \"openai\"\nurl = \"http://{address}/\"\n\
         api_key = \"KEY\"\npassthrough = [\"* *\"]\ntimeouts = {{ total = \"1s\" }}\nretry = {{ max_retries = 0 }}\n{}{}",
        model("openai", ""),
        model("openai-t", "translate = true\n"),
    )
}

/// Writes this again and again, until the other side has closed.
async fn flood(mut stream: impl AsyncWrite + Unpin, piece: Vec<u8>) {
    while stream.write_all(&piece).await.is_ok() {}
}

/// A provider that begins its answers so, and goes on with this piece for ever.
async fn endless(begin: String, piece: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (begin, piece) = (begin.clone(), piece.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !seen.ends_with(b"}") {
                    if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _closed = stream.write_all(begin.as_bytes()).await;
                flood(stream, piece).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_bytes_that_make_no_chunk_is_ended_after_the_body_timeout() {
    let address = endless(String::new(), Vec::from("x")).await;
    let gateway = Gateway::open(&config(&address)).await;
    for path in ["/v1/chat/completions", "/passthrough/openai/files", "/passthrough/openai/chat/completions"] {
        let mut stream = soon("a connection", TcpStream::connect(gateway.address)).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{CHUNKED}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut reading, writing) = stream.into_split();
        // A size may have any number of zeros in front.
        let flooding = tokio::spawn(flood(writing, vec![b'0'; PIECE]));
        let mut answer = Vec::new();
        let end = async { while reading.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {} };
        soon("the end of the connection", end).await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"),
            "{path}: {}",
            String::from_utf8_lossy(&answer)
        );
        soon("the end of the flood", flooding).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_bytes_that_are_always_there_is_ended_after_its_total_timeout() {
    let head = |kind: &str| format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{CHUNKED}");
    let event = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":null}]}\n\n";
    let events = format!("{:x}\r\n{event}\r\n", event.len()).repeat(400);
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
    for (what, stream, piece) in [
        ("interim answers", false, interim.repeat(1_000)),
        ("interim answers", true, interim.repeat(1_000)),
        ("no chunk", false, "0".repeat(PIECE)),
        ("no chunk", true, "0".repeat(PIECE)),
        ("chunks of a byte", false, "1\r\n \r\n".repeat(10_000)),
        ("chunks of a byte", true, "1\r\n:\r\n".repeat(10_000)),
        ("comments", true, "5\r\n: x\n\n\r\n".repeat(10_000)),
        ("events without content", true, events),
    ] {
        let kind = if stream { "text/event-stream" } else { "application/json" };
        let begin = if piece.starts_with("HTTP") { String::new() } else { head(kind) };
        let address = endless(begin, piece.into_bytes()).await;
        let gateway = Gateway::open(&config(&address)).await;
        for model in ["openai", "openai-t"] {
            let mut client = gateway.connect().await;
            client.send(&OPENAI.request(model, stream)).await;
            let head = client.head().await;
            let end = soon("the end", async {
                loop {
                    match client.piece().await {
                        Ok(Some(_)) => {}
                        end => break end,
                    }
                }
            });
            let is_cut = end.await.is_err();
            let is_ended = if head.status == 200 { is_cut } else { head.status == 504 };
            assert!(is_ended, "{what}, {model}, stream {stream}: {}", head.status);
        }
        soon("the end of all exchanges", gateway.until_metric("weir_in_flight", 0.0)).await;
    }
}
