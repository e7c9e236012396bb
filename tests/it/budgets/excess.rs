//! Answers that use more than was reserved for them: no more of them begin than the budget has room for, in either
//! lane, and what they used beyond it is owed.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gate, Gateway, Request, Upstream, soon};

use super::budget;
use crate::wire_format::{GEMINI, OPENAI, PROVIDERS, WireFormat, config_of};

/// How many requests come at the same time, and for how many the budget has room.
const REQUESTS: usize = 200;
const ROOM: u64 = 10;
const CLIENTS: &str = "[admin]\ntoken = \"TOKEN\"\n[[clients]]\nname = \"red\"\nkey = \"weir-key-of-red-0123\"\nteam = \"red\"\n\
                       [[clients]]\nname = \"blue\"\nkey = \"weir-key-of-blue-0123\"\nteam = \"blue\"\n";

/// The tokens of every answer here: a hundred of input.
const USED: u64 = 107;

/// An answer, or a part of one, with more input than any estimate of the request.
fn dear(answer: impl Into<String>) -> String {
    let counts = [
        ("\"prompt_tokens\":10", "\"prompt_tokens\":100"),
        ("\"promptTokenCount\":10", "\"promptTokenCount\":100"),
        ("\"input_tokens\":6", "\"input_tokens\":96"),
        ("\"total_tokens\":17", "\"total_tokens\":107"),
        ("\"totalTokenCount\":17", "\"totalTokenCount\":107"),
    ];
    counts.into_iter().fold(answer.into(), |answer, (usual, more)| answer.replace(usual, more))
}

/// A provider that answers in the format of the request once a gate is open.
async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::scripted(move |request| {
        let wire_format = WireFormat::of(request);
        if wire_format.wants_stream(request) {
            return wire_format.stream().into_iter().map(dear).fold(Answer::sse().gate(&gate), Answer::piece).end();
        }
        Answer::begin(200, &[("content-type", "application/json")]).gate(&gate).piece(dear(wire_format.whole())).end()
    })
    .await
}

/// A request of a client with these words, that allows so many tokens of output; Gemini's format has the model in its
/// path.
pub(super) fn request(client: WireFormat, model: &str, stream: bool, (words, most): (&str, u32), key: &str) -> Request {
    if client == GEMINI {
        let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        let contents = json!([{"role": "user", "parts": [{"text": words}]}]);
        let body = json!({"contents": contents, "generationConfig": {"maxOutputTokens": most}});
        let request = Request::post(&format!("/v1beta/models/{model}:{method}"), body.to_string());
        return request.header("x-goog-api-key", key);
    }
    let messages = json!([{"role": "user", "content": words}]);
    let body = json!({"model": model, "max_tokens": most, "stream": stream, "messages": messages});
    let path = if client == OPENAI { "/v1/chat/completions" } else { "/v1/messages" };
    Request::post(path, body.to_string()).bearer(key)
}

/// The budget of a team.
async fn of(gateway: &Gateway, name: &str) -> Value {
    let page = gateway.ask(&Request::get("/admin/budgets").bearer("TOKEN")).await.json();
    page["budgets"].as_array().unwrap().iter().find(|budget| budget["name"] == name).unwrap().clone()
}

/// What each of these requests reserves: the least, and the most.
async fn reserved(config: &str, requests: &[Request], gate: &Gate) -> (u64, u64) {
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), config).await;
    let mut all = Vec::new();
    for request in requests {
        let mut client = gateway.connect().await;
        client.send(request).await;
        gateway.until_metric("weir_in_flight", 1.0).await;
        let held = async {
            loop {
                if let Some(held) = of(&gateway, "red").await["reserved"].as_u64().filter(|held| *held > 0) {
                    return held;
                }
                tokio::task::yield_now().await;
            }
        };
        all.push(soon("a reservation", held).await);
        gate.open();
        assert_eq!(client.reply().await.status(), 200);
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
    gateway.ended().await;
    all.sort_unstable();
    (all[0], all[all.len() - 1])
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_requests_at_once_no_more_begin_than_have_room_and_what_they_use_beyond_it_is_owed() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let mut kinds = Vec::new();
    for client in PROVIDERS {
        for model in [client.name.to_owned(), client.translated(), "openai".to_owned()] {
            for stream in [false, true] {
                kinds.push((client, model.clone(), stream));
            }
        }
    }
    let by = |key: &str| -> Vec<Request> {
        kinds.iter().map(|(client, model, stream)| request(*client, model, *stream, ("Hi", 1), key)).collect()
    };
    let (red, blue) = (by("weir-key-of-red-0123"), by("weir-key-of-blue-0123"));
    let of_team = |team: &str, tokens: u64| {
        budget(&format!("name = \"{team}\"\nfor = {{ team = \"{team}\" }}\ntokens = {tokens}\nper = \"total\""))
    };
    let models = config_of(&PROVIDERS, &upstream) + CLIENTS;
    let (least, most) = reserved(&(models.clone() + &of_team("red", 1_000_000)), &red, &gate).await;
    assert!(least > 0 && most < USED, "an answer uses more than the {most} that are reserved");
    let limit = ROOM * most;
    let places = limit / least;
    let config = models + &of_team("red", limit) + &of_team("blue", 1_000_000);
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &config).await;
    let ask = async |request: &Request| {
        let reply = gateway.ask(request).await;
        assert!(matches!(reply.status(), 200 | 429), "{}", reply.text());
        assert!(reply.status() == 200 || reply.text().contains("red"), "{}", reply.text());
        reply.status() == 200
    };
    let mut all: FuturesUnordered<_> = (0..REQUESTS).map(|number| ask(&red[number % red.len()])).collect();
    // All that have no room are refused while none of the others is answered.
    for _ in 0..REQUESTS as u64 - places {
        let is_served = soon("a refusal", all.next()).await.unwrap();
        assert!(!is_served, "nothing is answered before the gate is open");
    }
    let held = of(&gateway, "red").await["reserved"].as_u64().unwrap();
    assert!(held <= limit, "{held} of {limit}");
    // The other team's requests have room of their own meanwhile.
    let others: FuturesUnordered<_> = blue.iter().map(ask).collect();
    (0..REQUESTS).for_each(|_| gate.open());
    let mut served = 0;
    while let Some(is_served) = soon("an answer", all.next()).await {
        served += u64::from(is_served);
    }
    assert!(others.all(async |is_served| is_served).await);
    gateway.until_metric("weir_in_flight", 0.0).await;
    assert!((ROOM..=places).contains(&served), "{served}");
    let red_now = of(&gateway, "red").await;
    assert_eq!((&red_now["settled"], &red_now["reserved"]), (&json!(served * USED), &json!(0)), "{red_now}");
    let excess = served * (USED - least);
    assert!(served * USED > limit && served * USED <= limit + excess, "{served} of {limit}");
    for request in &red {
        assert!(!ask(request).await, "what was used beyond the limit is owed");
    }
    assert_eq!(of(&gateway, "red").await, red_now);
    assert_eq!(of(&gateway, "blue").await["settled"], blue.len() as u64 * USED);
}
