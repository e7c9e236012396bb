//! One budget for all entry points: requests that come by all of them at once find room for no more than it has.

use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use weir_tests::{Answer, Folder, Gate, Gateway, Request, Upstream, soon};

use super::{budget, settled};
use crate::grpc;
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, PROVIDERS, config_of};

/// How many requests the budget has room for.
const ROOM: usize = 10;
/// How often each entry point is used.
const TIMES: usize = 10;

/// A provider that answers in the format of the request once a gate is open.
async fn provider(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::scripted(move |request| {
        let parts = [(ANTHROPIC, "/messages"), (GEMINI, "enerateContent")];
        let known = parts.into_iter().find(|(_, part)| request.line().contains(part));
        let wire_format = known.map_or(OPENAI, |(wire_format, _)| wire_format);
        if wire_format.wants_stream(request) {
            return wire_format.stream().iter().fold(Answer::sse().gate(&gate), Answer::piece).end();
        }
        Answer::begin(200, &[("content-type", "application/json")]).gate(&gate).piece(wire_format.whole()).end()
    })
    .await
}

type Asking<'a> = Pin<Box<dyn Future<Output = bool> + 'a>>;

/// Whether a request was served; it is refused otherwise, by the budget.
fn asking(gateway: &Gateway, request: Request) -> Asking<'_> {
    Box::pin(async move {
        let reply = gateway.ask(&request).await;
        assert!(matches!(reply.status(), 200 | 429), "{}: {}", request.head(), reply.text());
        assert!(reply.status() == 200 || reply.text().contains("few"), "{}", reply.text());
        reply.status() == 200
    })
}

fn calling(gateway: &Gateway, stream: bool) -> Asking<'_> {
    Box::pin(async move {
        let channel = grpc::connect(gateway).await;
        match grpc::generate(&channel, grpc::chat("openai", stream), &[]).await {
            Ok(stream) => {
                assert!(grpc::Read::all(stream).await.summary.is_some());
                true
            }
            Err(status) => {
                assert!(status.message().contains("few"), "{status:?}");
                false
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_are_served_than_a_budget_has_room_for_whichever_entry_points_they_come_by() {
    // By their number, and by what they may use at most: each answer may have 64 tokens, and has 17 in all.
    for limit in ["requests = 10", "tokens = 1000"] {
        let gate = Gate::default();
        let upstream = provider(&gate).await;
        let few = budget(&format!("name = \"few\"\nfor = \"all\"\nper = \"total\"\n{limit}"));
        let open = config_of(&PROVIDERS, &upstream).replace("api_key", "passthrough = [\"POST *\"]\napi_key");
        let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &(open + &few)).await;
        let passed = r#"{"model":"openai","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#;
        let mut all = FuturesUnordered::new();
        for _ in 0..TIMES {
            for client in PROVIDERS {
                for model in ["openai", "openai-t", "anthropic"] {
                    let stream = all.len() % 2 == 0;
                    let request = client.request(model, stream);
                    all.push(asking(&gateway, request));
                }
            }
            all.push(calling(&gateway, false));
            all.push(calling(&gateway, true));
            all.push(asking(&gateway, Request::post("/passthrough/openai/chat/completions", passed)));
        }
        let count = all.len();
        // Those that are refused are answered at once; the others have a place until they are answered.
        let most = if limit.starts_with("requests") { ROOM } else { 1000 / 17 };
        for _ in 0..count - most {
            let is_served = soon("a refusal", all.next()).await.unwrap();
            assert!(!is_served, "nothing is answered before the gate is open");
        }
        (0..count).for_each(|_| gate.open());
        let mut served = 0;
        while let Some(is_served) = soon("an answer", all.next()).await {
            served += usize::from(is_served);
        }
        let used = settled(&gateway).await;
        let each = if limit.starts_with("requests") { 1 } else { 17 };
        assert!((1..=most).contains(&served), "{limit}: {served}");
        if each == 1 {
            assert_eq!(served, ROOM, "there was room for them");
        }
        assert_eq!(used, (served * each) as u64, "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_by_grpc_or_pass_through_ends_where_its_budget_ends_streams() {
    // Some 14,000 tokens where 2,000 are left. How late the end comes depends on how much arrives at a time.
    let upstream = Upstream::scripted(|_| {
        let pieces = OPENAI.stream();
        let head = Answer::sse().piece(&pieces[0]);
        (0..1200).fold(head, |answer, _| answer.piece(pieces[1].repeat(10))).piece(pieces[4..].concat()).end()
    })
    .await;
    let open = config_of(&[OPENAI], &upstream).replace("api_key", "passthrough = [\"POST *\"]\napi_key");
    let body = r#"{"model":"openai","stream":true,"max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#;
    for ends in [true, false] {
        let abort = if ends { "abort_at = 1.1\n" } else { "" };
        let all = budget(&format!("name = \"all\"\nfor = \"all\"\ntokens = 2000\nper = \"month\"\n{abort}"));
        for passes in [true, false] {
            let gateway = Gateway::open(&(open.clone() + &all)).await;
            let is_ended = if passes {
                let reply = gateway.post("/passthrough/openai/chat/completions", body).await;
                assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("passthrough")));
                reply.cut
            } else {
                let channel = grpc::connect(&gateway).await;
                let read =
                    grpc::Read::all(grpc::generate(&channel, grpc::chat("openai", true), &[]).await.unwrap()).await;
                let end = read.end.as_ref();
                assert!(end.is_none_or(|end| end.code() == tonic::Code::ResourceExhausted), "{end:?}");
                assert!(end.is_none_or(|end| end.message().contains("\"all\" is used up")), "{end:?}");
                end.is_some()
            };
            assert_eq!(is_ended, ends, "passes: {passes}");
            let settled = settled(&gateway).await;
            let about = format!("ends: {ends}, passes: {passes}: {settled}");
            assert!(
                if ends { (2_200..8_000).contains(&settled) } else { settled > 12_000 || settled == 17 },
                "{about}"
            );
        }
    }
}
