//! Clients that do not read: what is meant for them stays with the provider, and not for ever.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use weir_tests::{Client, House, soon};

use crate::tongue::OPENAI;

/// More than the systems' own buffers on both sides take together.
const FLOOD: usize = 256 << 20;
const TEXT: usize = 256 << 10;
/// Who has not been read from for so long is not read from at all.
const QUIET: Duration = Duration::from_secs(1);

fn config(address: &str, more: &str) -> String {
    format!(
        "{more}\n[[providers]]\nname = \"openai\"\nadapter = \"openai\"\nurl = \"http://{address}/\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"openai\"\ntarget = {{ provider = \"openai\", model = \"m\" }}\n\
         [[models]]\nalias = \"openai-t\"\ntranslate = true\ntarget = {{ provider = \"openai\", model = \"m\" }}\n",
    )
}

/// A provider that streams without end, asked by a client that reads the head and no more.
async fn asked(model: &str, more: &str) -> (House, TcpStream, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = House::open(&config(&listener.local_addr().unwrap().to_string(), more)).await;
    let mut client = house.connect().await;
    client.send(&OPENAI.request(model, true)).await;
    let (mut provider, _) = soon("a request", listener.accept()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(provider.read_buf(&mut seen).await.unwrap(), 0);
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    provider.write_all(head.as_bytes()).await.unwrap();
    (house, provider, client)
}

fn event() -> Vec<u8> {
    let text = "x".repeat(TEXT);
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
        .into_bytes()
}

/// Writes until nobody takes it any more; how much that was.
async fn flood(provider: &mut TcpStream) -> usize {
    let (event, mut written) = (event(), 0);
    while written < FLOOD {
        match tokio::time::timeout(QUIET, provider.write_all(&event)).await {
            Ok(sent) => sent.unwrap(),
            Err(_) => return written,
        }
        written += event.len();
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_does_not_read_stays_with_the_provider() {
    for model in ["openai", "openai-t"] {
        let (house, mut provider, mut client) = asked(model, "").await;
        let written = flood(&mut provider).await;
        assert!(written < FLOOD / 2, "{model}: {written} bytes were taken for a client that reads nothing");
        assert_eq!(house.get("/health").await.status(), 200);
        client.head().await;
        client.leave();
        let mut end = Vec::new();
        let _reset = soon("the gateway to leave", provider.read_to_end(&mut end)).await;
        house.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_given_up() {
    for model in ["openai", "openai-t"] {
        let (house, mut provider, client) = asked(model, "[server]\nsend_timeout = \"200ms\"").await;
        let event = event();
        let sent = soon("the gateway to leave", async { while provider.write_all(&event).await.is_ok() {} });
        sent.await;
        house.until_metric("weir_in_flight", 0.0).await;
        drop(client);
    }
}
