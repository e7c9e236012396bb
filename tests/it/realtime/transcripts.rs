//! Transcripts of what is said, which another model writes than the session's: its usage is that model's.

use serde_json::{Value, json};
use weir_tests::{Gateway, SessionProvider, WebSocket};

use super::money::respond;
use super::{asks, begun, config, done, session};

fn budget(name: &str, of: &str) -> String {
    format!("[[budgets]]\nname = \"{name}\"\nfor = {of}\nusd = 1000000\nper = \"month\"\n")
}

/// A model for transcripts with a price of its own, and one whose price is in the bundled list.
fn settings(provider: &SessionProvider) -> String {
    let ears = "[[models]]\nalias = \"ears\"\ntarget = { provider = \"p\", model = \"scribe-1\" }\n\
                price = { input = 3000000, output = 2000000 }\n";
    let budgets =
        [budget("all", "\"all\""), budget("ears", "{ model = \"ears\" }"), budget("rt", "{ model = \"rt\" }")];
    config(provider) + ears + &budgets.concat()
}

/// The session is configured so.
fn updated(model: &Value) -> Value {
    let transcription = if model.is_null() { Value::Null } else { json!({"model": model}) };
    json!({"type": "session.updated", "session": {"type": "realtime", "audio": {"input": {"transcription": transcription}}}})
}

fn transcript(usage: &Value) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.completed", "transcript": "Hi", "usage": usage})
}

fn tokens() -> Value {
    transcript(&json!({"type": "tokens", "input_tokens": 10, "output_tokens": 1, "total_tokens": 11}))
}

fn seconds(number: u64) -> Value {
    transcript(&json!({"type": "duration", "seconds": number}))
}

async fn passes(client: &mut WebSocket, upstream: &mut WebSocket, message: &Value) {
    upstream.say(message).await;
    assert_eq!(client.hear().await.json(), *message);
}

/// Waits until so many dollars are booked: at the budget of all, of the model for transcripts and of the session's.
async fn until_booked(gateway: &Gateway, expected: [&str; 3]) {
    let mut settled = Vec::new();
    for _ in 0..1_000 {
        let budgets = gateway.get("/admin/budgets").await.json();
        settled = ["all", "ears", "rt"]
            .map(|name| {
                let all = budgets["budgets"].as_array().unwrap();
                all.iter().find(|budget| budget["name"] == name).unwrap()["settled"].as_str().unwrap().to_owned()
            })
            .to_vec();
        if settled == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("booked is {settled:?} and not {expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_has_the_price_and_the_budgets_of_the_model_that_the_provider_confirms() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&settings(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    passes(&mut client, &mut upstream, &tokens()).await;
    until_booked(&gateway, ["11", "0", "11"]).await;
    // What the client asks for counts when the provider confirms it.
    client
        .say(&json!({"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "ears"}}}}}))
        .await;
    assert_eq!(upstream.hear().await.json()["session"]["audio"]["input"]["transcription"]["model"], "scribe-1");
    passes(&mut client, &mut upstream, &tokens()).await;
    until_booked(&gateway, ["22", "0", "22"]).await;
    passes(&mut client, &mut upstream, &updated(&json!("scribe-1"))).await;
    passes(&mut client, &mut upstream, &tokens()).await;
    until_booked(&gateway, ["54", "32", "22"]).await;
    // In the midst of a response, too, which has its own usage.
    client.say(&asks()).await;
    upstream.hear().await;
    for message in [begun(), tokens(), done(5, 6), tokens()] {
        passes(&mut client, &mut upstream, &message).await;
    }
    until_booked(&gateway, ["129", "96", "33"]).await;
    passes(&mut client, &mut upstream, &updated(&Value::Null)).await;
    passes(&mut client, &mut upstream, &tokens()).await;
    until_booked(&gateway, ["140", "96", "44"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_is_billed_by_the_second_is_booked_where_its_models_price_is_known() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&settings(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    passes(&mut client, &mut upstream, &updated(&json!("whisper-1"))).await;
    passes(&mut client, &mut upstream, &seconds(30)).await;
    until_booked(&gateway, ["0.003", "0", "0.003"]).await;
    // One whose price is not known makes no response unpriced.
    passes(&mut client, &mut upstream, &updated(&json!("nobody-knows-1"))).await;
    client.say(&asks()).await;
    upstream.hear().await;
    for message in [begun(), seconds(30), done(5, 6), seconds(30)] {
        passes(&mut client, &mut upstream, &message).await;
    }
    until_booked(&gateway, ["11.003", "0", "11.003"]).await;
    respond(&mut client, &mut upstream, &done(1, 1)).await;
    until_booked(&gateway, ["13.003", "0", "13.003"]).await;
}
