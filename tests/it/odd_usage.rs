//! Usage that providers report in part, in no form that can be read, or in numbers that cannot be: what is booked then, in
//! both lanes.

use std::time::Duration;

use serde_json::Value;
use weir_tests::{Answer, Gateway, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, config_of};

/// A budget that books nothing but what it is told.
const TOKENS: &str = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000000\nper = \"total\"\n";

async fn gateway(upstream: &Upstream, budget: &str) -> Gateway {
    let models = config_of(&[OPENAI, ANTHROPIC], upstream);
    let priced = models.replace("target = {", "price = { input = 1000000, output = 1000000 }\ntarget = {");
    Gateway::open(&(priced + budget)).await
}

/// What is booked at the only budget, once no request has a reservation.
async fn settled(gateway: &Gateway) -> Value {
    for _ in 0..500 {
        let budget = gateway.get("/admin/budgets").await.json()["budgets"][0].take();
        if budget["reserved"] == 0 || budget["reserved"] == "0" {
            return budget["settled"].clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a reservation is left: {}", gateway.get("/admin/budgets").await.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn cumulative_figures_that_fall_count_as_the_largest_in_both_lanes() {
    let deltas = [50, 2].map(|output| {
        format!(
            "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\
             \"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{output}}}}}\n\n"
        )
    });
    let is_delta = |piece: &&String| piece.contains("message_delta");
    let upstream = Upstream::scripted(move |_| {
        let pieces = ANTHROPIC.stream();
        let at = pieces.iter().position(|piece| is_delta(&piece)).unwrap();
        let (before, after) = (&pieces[..at], &pieces[at + 1..]);
        before.iter().chain(&deltas).chain(after).fold(Answer::sse(), Answer::piece).end()
    })
    .await;
    let gateway = gateway(&upstream, TOKENS).await;
    let mut booked = Vec::new();
    for model in ["anthropic", "anthropic-t"] {
        let before = settled(&gateway).await.as_u64().unwrap();
        let reply = gateway.ask(&ANTHROPIC.request(model, true)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        booked.push(settled(&gateway).await.as_u64().unwrap() - before);
    }
    assert_eq!(booked, [60, 60]);
}
