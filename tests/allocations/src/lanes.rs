//! The lanes that are counted: a request of each, what the provider answers, and the configuration.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::LazyLock;

use crate::{Answers, exchange};

/// Requests before a count begins: instances, buffers and connections are there then.
pub const WARM: usize = 200;

/// A way that a request takes.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// The lane and the form of its answer.
    pub name: &'static str,
    /// The model that the request names.
    model: &'static str,
    is_streamed: bool,
}

/// The lanes whose allocations are counted.
pub const LANES: [Lane; 4] = [
    Lane { name: "relayed, whole", model: "same", is_streamed: false },
    Lane { name: "relayed, streamed", model: "same-s", is_streamed: true },
    Lane { name: "translated, whole", model: "other", is_streamed: false },
    Lane { name: "translated, streamed", model: "other-s", is_streamed: true },
];

/// Answers from the cache, whose instructions are counted only.
pub const KEPT: [Lane; 2] = [
    Lane { name: "kept, whole", model: "kept", is_streamed: false },
    Lane { name: "kept, streamed", model: "kept-s", is_streamed: true },
];

/// A gateway that keeps no log and asks for no key, so that a lane's own way is all that is counted.
pub const BARE: &str = "[store]\nurl = \"none\"\n";

/// A gateway that keeps its log, as by default, with a key, its limits and a budget.
pub const METERED: &str = r#"
[[clients]]
name = "lanes"
key = "unused"
team = "all"
limits = { requests_per_minute = 1000000000, tokens_per_minute = 1000000000000 }
[[budgets]]
name = "month"
for = { team = "all" }
usd = 1000000000
per = "month"
"#;

/// A whole answer in the client's own format.
const SAME: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"same","choices":[{"index":0,"message":{"role":"assistant","content":"A few words of an answer, no more."},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}"#;

impl Lane {
    /// The bytes of a request over HTTP/1.1.
    pub fn request(&self) -> String {
        let body = exchange::request(self.model, if self.is_streamed { "true" } else { "false" });
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer unused\r\n";
        format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }
}

/// What the provider answers, by the model's name.
pub fn answers() -> Answers {
    static ANSWERS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
        vec![
            ("\"model\":\"same-s\"", streamed(&same_stream())),
            ("\"model\":\"kept-s\"", streamed(&same_stream())),
            ("\"model\":\"kept\"", whole(SAME)),
            ("\"model\":\"other-s\"", streamed(&other_stream())),
            ("\"model\":\"same\"", whole(SAME)),
            ("\"model\":\"other\"", whole(exchange::ANSWER)),
        ]
    });
    &ANSWERS
}

fn whole(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn streamed(body: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

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

/// The configuration of a gateway before this provider. `server` are further lines of `[server]`, and `rest` is
/// [`BARE`] or [`METERED`].
pub fn config(provider: SocketAddr, server: &str, rest: &str) -> String {
    let mut text = format!("[server]\naccess_log = false\nworkers = 1\n{server}{rest}");
    let models = [
        ("openai", "same", ""),
        ("openai", "same-s", ""),
        ("openai", "kept", "cache = \"1h\"\n"),
        ("openai", "kept-s", "cache = \"1h\"\n"),
        ("anthropic", "other", ""),
        ("anthropic", "other-s", ""),
    ];
    for (adapter, model, kept) in models {
        let _ = writeln!(
            text,
            "[[models]]\nalias = \"{model}\"\ntype = \"{adapter}\"\n{kept}\
             target = {{ url = \"http://{provider}/v1/\", model = \"{model}\", api_key = \"k\" }}\n\
             price = {{ input = 1, output = 1 }}"
        );
    }
    text
}
