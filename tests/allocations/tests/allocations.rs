//! Each lane allocates as often as `docs/performance.md` says. `UPDATE_DOCS=1` writes the table.
#![allow(clippy::unwrap_used, reason = "a test: what does not hold fails it")]

use std::alloc::System;
use std::fmt::Write as _;
use std::sync::LazyLock;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use weir_allocations::table::Table;
use weir_allocations::{Client, exchange, provide};
use weir_tests::Gateway;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests before the count begins: instances, buffers and connections are there then.
const WARM: usize = 200;
/// Requests that are counted.
const COUNT: usize = 400;
/// The lanes with their model and whether the answer is streamed.
const LANES: [(&str, &str, bool); 4] = [
    ("relayed, whole", "same", false),
    ("relayed, streamed", "same", true),
    ("translated, whole", "other", false),
    ("translated, streamed", "other", true),
];
/// The table of the counts.
const TABLE: Table = Table { name: "allocations", headings: &["lane", "allocations a request", "bytes a request"] };

/// What the provider answers, by the model's name.
static ANSWERS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let whole = |body: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let streamed = |body: String| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    vec![
        ("\"model\":\"same-s\"", streamed(same_stream())),
        ("\"model\":\"other-s\"", streamed(other_stream())),
        ("\"model\":\"same\"", whole(SAME)),
        ("\"model\":\"other\"", whole(exchange::ANSWER)),
    ]
});

const SAME: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"same","choices":[{"index":0,"message":{"role":"assistant","content":"A few words of an answer, no more."},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}"#;
fn same_stream() -> String {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"same-s\",\"choices\":\
             [{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut text = chunk(r#"{"role":"assistant","content":""}"#, "null");
    text.extend((0..exchange::PIECES).map(|_| chunk(r#"{"content":" word"}"#, "null")));
    text + &chunk("{}", "\"stop\"") + "data: [DONE]\n\n"
}

fn other_stream() -> String {
    exchange::events().iter().fold(String::new(), |mut text, (name, data)| {
        let _ = write!(text, "event: {name}\ndata: {data}\n\n");
        text
    })
}

fn config(provider: std::net::SocketAddr) -> String {
    let mut text = "[server]\naccess_log = false\nworkers = 1\n[store]\nurl = \"none\"\n".to_owned();
    for (adapter, model) in [("openai", "same"), ("openai", "same-s"), ("anthropic", "other"), ("anthropic", "other-s")]
    {
        let _ = writeln!(
            text,
            "[[models]]\nalias = \"{model}\"\ntype = \"{adapter}\"\n\
             target = {{ url = \"http://{provider}/v1/\", model = \"{model}\", api_key = \"k\" }}\n\
             price = {{ input = 1, output = 1 }}"
        );
    }
    text
}

fn request(model: &str, streamed: bool) -> String {
    let (model, stream) = if streamed { (format!("{model}-s"), "true") } else { (model.to_owned(), "false") };
    let body = exchange::request(&model, stream);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer unused\r\n";
    format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

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
    let gateway = Gateway::open(&config(provide(&ANSWERS))).await;
    let address = gateway.address;
    let counted = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(address);
        LANES.map(|(lane, model, streamed)| (lane, count(&mut client, &request(model, streamed))))
    });
    let counted = counted.await.unwrap();
    let rows = counted.map(|(lane, (allocations, bytes))| (lane, vec![allocations, bytes]));
    TABLE.hold(&rows, &[105, 110]);
}
