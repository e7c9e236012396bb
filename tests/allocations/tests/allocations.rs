//! Each lane allocates as often as `docs/performance.md` says. `UPDATE_DOCS=1` writes the table.
#![allow(clippy::unwrap_used, reason = "a test: what does not hold fails it")]
#![allow(clippy::print_stdout, reason = "the counts are what `cargo xtask allocs` shows")]

use std::alloc::System;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use weir_allocations::{Client, provide};
use weir_tests::House;

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
/// The lines around the table.
const BEGIN: &str = "<!-- allocations: begin -->\n";
const END: &str = "<!-- allocations: end -->\n";

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
        ("\"model\":\"other\"", whole(OTHER)),
    ]
});

const SAME: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"same","choices":[{"index":0,"message":{"role":"assistant","content":"A few words of an answer, no more."},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}"#;
const OTHER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"other","content":[{"type":"text","text":"A few words of an answer, no more."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":9}}"#;
/// Pieces of a streamed answer.
const PIECES: usize = 50;

fn same_stream() -> String {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"same-s\",\"choices\":\
             [{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut text = chunk(r#"{"role":"assistant","content":""}"#, "null");
    text.extend((0..PIECES).map(|_| chunk(r#"{"content":" word"}"#, "null")));
    text + &chunk("{}", "\"stop\"") + "data: [DONE]\n\n"
}

fn other_stream() -> String {
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let mut text = event(
        "message_start",
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"other-s","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":1}}}"#,
    );
    text += &event(
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    );
    let piece = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}"#;
    text.extend((0..PIECES).map(|_| event("content_block_delta", piece)));
    text += &event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#);
    text += &event(
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":50}}"#,
    );
    text + &event("message_stop", r#"{"type":"message_stop"}"#)
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
    let words = "Some words that a user might say. ".repeat(40);
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":{stream},\"max_tokens\":100,\"messages\":[{{\"role\":\"system\",\"content\":\
         \"Be brief.\"}},{{\"role\":\"user\",\"content\":\"{words}\"}}]}}"
    );
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
    let house = House::open(&config(provide(&ANSWERS))).await;
    let address = house.address;
    let counted = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(address);
        LANES.map(|(lane, model, streamed)| (lane, count(&mut client, &request(model, streamed))))
    });
    let counted = counted.await.unwrap();
    for (lane, (allocations, bytes)) in &counted {
        println!("{lane}: {allocations} allocations, {bytes} bytes a request");
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let mut new = "| lane | allocations a request | bytes a request |\n|---|---|---|\n".to_owned();
        for (lane, (allocations, bytes)) in &counted {
            let _ = writeln!(new, "| {lane} | {allocations} | {bytes} |");
        }
        std::fs::write(&page, [before, BEGIN, &new, END, after].concat()).unwrap();
        return;
    }
    for (lane, now) in counted {
        let row = table.lines().find_map(|line| line.strip_prefix(&format!("| {lane} | "))).unwrap();
        let mut cells = row.trim_end_matches(" |").split(" | ").map(|cell| cell.parse::<usize>().unwrap());
        let known = (cells.next().unwrap(), cells.next().unwrap());
        assert!(
            now.0 * 100 <= known.0 * 105 && now.1 * 100 <= known.1 * 110,
            "{lane}: {now:?} allocations and bytes a request, {known:?} before. If that is worth it, write the table with \
             UPDATE_DOCS=1 cargo test -p weir-allocations"
        );
        assert!(now.0 * 100 >= known.0 * 85, "{lane}: {now:?}, {known:?} before: write the table anew");
    }
}
