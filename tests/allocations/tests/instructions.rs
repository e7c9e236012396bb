//! Each step of a translated exchange takes as many instructions of its adapter as `docs/performance.md` says.
//! `UPDATE_DOCS=1` writes the table. The counts are wasmtime's fuel, so they are the same on every machine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what does not hold fails it")]

use std::sync::Arc;

use weir_adapters::load::{Admission, Loader};
use weir_allocations::exchange;
use weir_allocations::table::Table;
use weir_sandbox::call::ChatOutcome;
use weir_sandbox::{Adapter, Engine, Lease, Limits};
use weir_types::contract::types::{Body, Context, Frame, Header, HttpRequest, HttpResponse};

/// The table of the counts.
const TABLE: Table = Table { name: "instructions", headings: &["step", "instructions"] };

fn adapter(engine: &Engine, name: &str) -> Arc<Adapter> {
    let bytes = std::fs::read(weir_tests::plugins::component(name)).unwrap();
    Loader::new(engine.clone(), None).load(name, &bytes, &Admission::default()).unwrap()
}

fn context(format: &str, input_tokens: Option<u32>, memo: &str) -> Context {
    Context {
        request_id: "req_0190b4f4c5d77c5aa3f1e0a1b2c3d4e5".into(),
        now_ms: 1_700_000_000_000.0,
        model: "model".into(),
        format: format.into(),
        options: Vec::new(),
        blobs: Vec::new(),
        input_tokens,
        memo: memo.into(),
    }
}

fn json(name: &str, value: &str) -> Vec<Header> {
    vec![Header { name: name.into(), value: value.into() }]
}

fn request(stream: &str) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Text(exchange::request("model", stream)),
    }
}

/// The instances of both sides, and what they executed in each step.
struct Exchange {
    dialect: Lease,
    provider: Lease,
    counts: Vec<(&'static str, Vec<usize>)>,
}

/// What the instance has executed: nothing before the first call, which takes it.
fn executed(lease: &Lease) -> u64 {
    lease.instructions().unwrap_or_default()
}

impl Exchange {
    fn note(&mut self, step: &'static str, count: u64) {
        self.counts.push((step, vec![usize::try_from(count).unwrap()]));
    }

    fn dialect<R>(&mut self, step: &'static str, call: impl FnOnce(&mut Lease) -> R) -> R {
        let before = executed(&self.dialect);
        let result = call(&mut self.dialect);
        self.note(step, executed(&self.dialect) - before);
        result
    }

    fn provider<R>(&mut self, step: &'static str, call: impl FnOnce(&mut Lease) -> R) -> R {
        let before = executed(&self.provider);
        let result = call(&mut self.provider);
        self.note(step, executed(&self.provider) - before);
        result
    }

    /// A request with its whole answer.
    fn whole(&mut self) {
        let ctx = context("openai.chat", None, "");
        let parsed = self.dialect("`openai` reads the request", |lease| lease.parse_chat(&ctx, &request("false")));
        let parsed = parsed.unwrap().unwrap();
        let ctx = context("anthropic.messages", Some(300), "");
        let rendered =
            self.provider("`anthropic` writes it", |lease| lease.render_chat(&ctx, &parsed.request)).unwrap().unwrap();
        let headers = json("content-type", "application/json");
        let answer = HttpResponse { status: 200, headers, body: Body::Text(exchange::ANSWER.into()) };
        let ctx = context("anthropic.messages", Some(300), &rendered.memo);
        let read = self.provider("`anthropic` reads the answer", |lease| lease.parse_chat_response(&ctx, &answer));
        let ChatOutcome::Complete(read) = read.unwrap().unwrap() else { panic!("the answer is whole") };
        let ctx = context("openai.chat", Some(300), &parsed.memo);
        let written =
            self.dialect("`openai` writes the answer", |lease| lease.render_chat_response(&ctx, &read.response));
        assert_eq!(written.unwrap().unwrap().response.status, 200);
    }

    /// An answer that is streamed, all pieces in one call.
    fn streamed(mut self) -> Self {
        let frame = |(name, data): (&str, &str)| Frame { event: Some(name.into()), data: data.into() };
        let frames: Vec<Frame> = exchange::events().into_iter().map(frame).collect();
        let before = executed(&self.provider);
        let mut decoder = self.provider.decoder(&context("anthropic.messages", Some(300), "")).unwrap();
        let events = decoder.push(&frames).unwrap().unwrap().events;
        decoder.finish().unwrap().unwrap();
        self.provider = decoder.into_lease().unwrap();
        self.note("`anthropic` reads a stream of 50 pieces", executed(&self.provider) - before);
        let before = executed(&self.dialect);
        let mut encoder = self.dialect.encoder(&context("openai.chat", Some(300), "")).unwrap();
        let frames = encoder.push(&events).unwrap().unwrap().frames;
        encoder.finish().unwrap().unwrap();
        self.dialect = encoder.into_lease().unwrap();
        assert!(frames.len() >= exchange::PIECES);
        self.note("`openai` writes it as a stream", executed(&self.dialect) - before);
        self
    }
}

#[test]
fn each_step_takes_as_many_instructions_as_the_page_says() {
    let engine = Engine::new(Limits { counts_instructions: true, ..Limits::for_connections(4) }).unwrap();
    let [dialect, provider] = ["openai", "anthropic"].map(|name| adapter(&engine, name).try_lease("").unwrap());
    let mut exchange = Exchange { dialect, provider, counts: Vec::new() };
    // The first exchange is that of fresh instances; from the second on, all are the same.
    for _ in 0..2 {
        exchange.counts.clear();
        exchange.whole();
        exchange = exchange.streamed();
    }
    let counts = std::mem::take(&mut exchange.counts);
    exchange.whole();
    exchange = exchange.streamed();
    assert_eq!(exchange.counts, counts, "counts do not depend on chance");
    TABLE.hold(&counts, &[105]);
}
