//! Facts about every answer: its lane, its target and its cost.

use serde_json::json;
use weir_tests::{Answer, Request};

use super::{Cell, Lane, Outcome, everywhere, same, usual_answer, usual_request};
use crate::wire_format::{ANTHROPIC, OPENAI, TOKENS, WireFormat};

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_its_lane_its_provider_and_the_requests_id() {
    let named = |cell: Cell| usual_request(cell).map(|request| request.header("x-request-id", "the-clients-own"));
    everywhere(named, usual_answer, |outcome| {
        let header = |name: &str| outcome.reply.header(name).unwrap_or_default().to_owned();
        let lane = if outcome.cell.lane == Lane::Relay { "relay" } else { "translate" };
        same("lane", &header("x-weir-lane").as_str(), &lane)?;
        same("provider", &header("x-weir-provider").as_str(), &outcome.cell.to.name)?;
        same("model", &header("x-weir-model").as_str(), &outcome.cell.to.name)?;
        same("attempts", &header("x-weir-attempts").as_str(), &"1")?;
        same("adapter", &header("x-weir-adapter").starts_with(&format!("{}@", outcome.cell.to.name)), &true)?;
        same("id", &header("x-request-id").as_str(), &"the-clients-own")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reported_tokens_are_counted_everywhere() {
    let all = f64::from(u32::try_from(TOKENS.input + TOKENS.output).unwrap());
    everywhere(usual_request, usual_answer, |outcome| same("booked", &outcome.booked, &[all, 0.0])).await;
}

/// Answers without usage: a stream that was cut before it, or a provider that never sends any.
fn silent(to: WireFormat, stream: bool) -> Answer {
    let without = |text: String| {
        let known = ["\"usage\":", "\"usageMetadata\":"];
        known.iter().fold(text, |text, name| text.replace(name, "\"none\":"))
    };
    if stream {
        to.stream().into_iter().map(without).fold(to.begin(), Answer::piece).end()
    } else {
        Answer::json(200, without(to.whole()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreported_tokens_are_counted_by_estimate_everywhere() {
    everywhere(usual_request, silent, |outcome| {
        same("status", &outcome.reply.status(), &200)?;
        same("booked as reported", &outcome.booked[0], &0.0)?;
        same("booked by estimate", &(outcome.booked[1] > 0.0), &true)
    })
    .await;
}

/// A refused key is the gateway's problem: its client is not asked to use another.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_the_gateways_trouble_everywhere() {
    for status in [401, 400] {
        let answers = move |to: WireFormat, _| {
            let words = format!("invalid key: KEY-OF-{}", to.name);
            let kind = if to == OPENAI { "invalid_api_key" } else { "authentication_error" };
            let error = json!({"code": kind, "status": "UNAUTHENTICATED", "type": kind, "message": words});
            let body = if to == ANTHROPIC { json!({"type": "error", "error": error}) } else { json!({"error": error}) };
            Answer::json(status, body.to_string())
        };
        everywhere(usual_request, answers, |outcome| {
            same("status", &outcome.reply.status(), &502)?;
            let message = outcome.cell.from.error(&outcome.reply).unwrap_or_default();
            same("message", &message.contains("refused the gateway's credential"), &true)?;
            same("key", &outcome.reply.text().contains("KEY-OF"), &false)?;
            same("booked", &outcome.booked, &[0.0, 0.0])
        })
        .await;
    }
}

/// Bodies without a content type, and ones that begin with white space, count as JSON if the endpoint takes JSON.
#[tokio::test(flavor = "multi_thread")]
async fn white_space_around_a_request_changes_nothing_anywhere() {
    let spaced = |cell: Cell| -> Option<Request> {
        usual_request(cell).map(|request| {
            let body = [b" \r\n\t".as_slice(), &request.sent(), b"\n\n"].concat();
            request.body(body)
        })
    };
    everywhere(spaced, usual_answer, |outcome: &Outcome| {
        same("status", &outcome.reply.status(), &200)?;
        same("asked", &outcome.sent.is_some(), &true)
    })
    .await;
}
