//! The fact of a request counts every byte of the answer's body, those too that the gateway puts at the end of a
//! stream.

use weir_tests::{Answer, Request, Upstream};

use super::{Kept, number};
use crate::wire_format::{ANTHROPIC, OPENAI, config_of};

const ABORT: &str = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 2000\nper = \"month\"\nabort_at = 1.1\n";

async fn check(kept: &Kept, id: &str, request: Request, end: &str) {
    let reply = kept.ask(&request.header("x-request-id", id)).await;
    assert!(reply.text().contains(end), "{id}: {}", reply.text());
    let fact = kept.of(id).await;
    assert_eq!(number(&fact, "bytes_out"), reply.body.len() as u64, "{id}: {fact}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ends_that_the_gateway_gives_streams_are_counted() {
    let pieces = OPENAI.stream();
    let long = (0..1200).fold(Answer::sse().piece(&pieces[0]), |answer, _| answer.piece(pieces[1].repeat(10))).end();
    let broken = pieces[..2].iter().fold(Answer::sse(), Answer::piece).close();
    let upstream = Upstream::always(long).await;
    for (from, lane) in [(OPENAI, "relayed"), (ANTHROPIC, "translated")] {
        let kept = Kept::start(&(config_of(&[OPENAI], &upstream) + ABORT));
        check(&kept, &format!("{lane}-aborted"), from.request("openai", true), "is used up").await;
    }
    upstream.now(broken);
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    for (from, lane) in [(OPENAI, "relayed"), (ANTHROPIC, "translated")] {
        check(&kept, &format!("{lane}-broken"), from.request("openai", true), "error").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_back_until_the_end_is_counted() {
    let stream = OPENAI.stream().concat();
    let upstream = Upstream::always(Answer::sse().piece(stream.trim_end()).end()).await;
    let asking = config_of(&[OPENAI], &upstream).replace("timeouts =", "usage = \"ask\"\ntimeouts =");
    let kept = Kept::start(&asking);
    let body = r#"{"model":"openai","messages":[{"role":"user","content":"Hi"}],"stream":true}"#;
    check(&kept, "held", Request::post("/v1/chat/completions", body), "[DONE]").await;
}
