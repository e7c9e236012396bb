//! Kept answers for questions that mean the same: in the same words but for courtesy, of one caller, and in one
//! conversation.

use serde_json::{Value, json};
use weir_tests::plugins::twin;
use weir_tests::{Answer, Folder, Gate, Gateway, Received, Reply, Request, Upstream, soon};

use super::{by, client, keeping, result};
use crate::wire_format::{ANTHROPIC, OPENAI, TEXT};

pub(super) const ADMIN: &str = "an-admins-token-0123456789";

/// A provider whose vectors are the same for all questions but those about the weather. A vector costs 3 tokens.
fn vectors(request: &Received) -> Answer {
    let text = request.json()["input"].to_string();
    let vector = if text.contains("weather") { json!([0.9, 0.436]) } else { json!([2.0, 0.0]) };
    let answer = json!({"object": "list", "model": "vectors", "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3}});
    Answer::json(200, answer.to_string())
}

pub(super) async fn provider() -> Upstream {
    Upstream::scripted(|request| match request.line() {
        line if line.contains("/embeddings") => vectors(request),
        _ if OPENAI.wants_stream(request) => OPENAI.streamed(),
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await
}

/// Models with a semantic cache, and a model that makes vectors.
pub(super) fn settings(upstream: &Upstream, more: &str) -> String {
    let semantic = format!("cache = \"1h\"\nsemantic_cache = {{ embeddings = \"vectors\", wait = \"1m\"{more} }}");
    let models = keeping(&[OPENAI, ANTHROPIC], upstream).replace("cache = \"1h\"", &semantic);
    let vectors = "[[models]]\nalias = \"vectors\"\nprice = { input = 1000000, output = 0 }\n\
                   target = { provider = \"openai\", model = \"vectors\" }\n";
    let clients = client("one", "") + &client("two", "") + &client("chats", "models = [\"openai\"]");
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"\n";
    format!("{models}{vectors}{clients}{budget}[admin]\ntoken = \"{ADMIN}\"\n")
}

pub(super) fn question(text: &str, more: &Value) -> Request {
    let mut body = json!({"model": "openai", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::post("/v1/chat/completions", body.to_string())
}

pub(super) async fn ask(gateway: &Gateway, who: &str, text: &str) -> Reply {
    let reply = gateway.ask(&by(who, question(text, &json!({})))).await;
    assert_eq!(reply.status(), 200, "{text}: {}", reply.text());
    reply
}

/// Waits until so many questions are kept.
pub(super) async fn kept(gateway: &Gateway, questions: u32) {
    gateway.until_metric("weir_cache_semantic_entries", f64::from(questions)).await;
}

pub(super) async fn lookups(gateway: &Gateway, result: &str) -> f64 {
    gateway.metric(&format!("weir_cache_semantic_total{{model=\"openai\",result=\"{result}\"}}")).await
}

/// Requests so far: for vectors, and for chats.
pub(super) fn requests(upstream: &mut Upstream) -> (usize, usize) {
    let all: Vec<_> = std::iter::from_fn(|| upstream.unseen()).collect();
    let vectors = all.iter().filter(|request| request.line().contains("/embeddings")).count();
    (vectors, all.len() - vectors)
}

#[tokio::test(flavor = "multi_thread")]
async fn c76_a_question_in_other_words_of_courtesy_gets_the_answer_and_its_opposite_does_not() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&settings(&upstream, "")).await;
    let first = ask(&gateway, "one", "How do I enable 2FA?").await;
    assert_eq!(result(&first), Some("miss"));
    kept(&gateway, 1).await;
    let same = ask(&gateway, "one", "Hello, how can I enable 2FA, please?").await;
    assert_eq!((result(&same), same.header("x-weir-cache-similarity")), (Some("semantic"), Some("1.0000")));
    assert_eq!((OPENAI.parsed(&same, false).text.as_str(), same.header("x-weir-lane")), (TEXT, Some("cache")));
    assert_eq!(requests(&mut upstream), (2, 1));
    // The vectors are the same: the first three with the published cosines of 0.823 and 0.673 would not even be
    // compared.
    let others = [
        "How do I disable 2FA?",
        "How do I turn on 2FA?",
        "How do I enable 3FA?",
        "How do I not enable 2FA?",
        "How does John?",
    ];
    for other in others {
        assert_eq!(result(&ask(&gateway, "one", other).await), Some("miss"), "{other}");
    }
    assert_eq!(lookups(&gateway, "near").await, 5.0);
    requests(&mut upstream);
    // As streams, and for clients of other formats.
    let stream = gateway.ask(&by("one", question("How to enable 2FA", &json!({"stream": true})))).await;
    assert_eq!((result(&stream), OPENAI.parsed(&stream, true).text.as_str()), (Some("semantic"), TEXT));
    assert_eq!(requests(&mut upstream), (1, 0));
    // Nothing of it is for others, nor for another conversation or other settings.
    assert_eq!(result(&ask(&gateway, "two", "How do I enable 2FA?").await), Some("miss"));
    for more in [json!({"temperature": 0.5}), json!({"a_member_of_tomorrow": 1}), json!({"model": "openai-t"})] {
        let other = gateway.ask(&by("one", question("How to enable 2FA?", &more))).await;
        assert_eq!(result(&other), Some("miss"), "{more}");
    }
    let conversation = json!({"model": "openai", "messages": [{"role": "user", "content": "How to enable 2FA?"}]});
    let other = gateway.ask(&by("one", Request::post("/v1/chat/completions", conversation.to_string()))).await;
    assert_eq!(result(&other), Some("miss"));
    assert_eq!(requests(&mut upstream), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_another_format_gets_the_answer_to_a_question_that_means_the_same() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&settings(&upstream, "")).await;
    let chat =
        json!({"model": "openai", "max_tokens": 64, "messages": [{"role": "user", "content": "How do I enable 2FA?"}]});
    let first = gateway.ask(&by("one", Request::post("/v1/chat/completions", chat.to_string()))).await;
    assert_eq!(result(&first), Some("miss"), "{}", first.text());
    kept(&gateway, 1).await;
    for stream in [false, true] {
        let messages = json!({"model": "openai", "max_tokens": 64, "stream": stream,
            "messages": [{"role": "user", "content": "How to enable 2FA"}]});
        let other = gateway.ask(&by("one", Request::post("/v1/messages", messages.to_string()))).await;
        assert_eq!((other.status(), result(&other)), (200, Some("semantic")), "{}", other.text());
        assert_eq!(ANTHROPIC.parsed(&other, stream).text, TEXT, "{stream}");
    }
    assert_eq!(requests(&mut upstream), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_caller_asks_never_answers_another() {
    let upstream = provider().await;
    let gateway = Gateway::open(&settings(&upstream, ", token_gate = false")).await;
    // With vectors that are all the same and no gate, one answer serves all questions of its caller, and none of
    // another.
    ask(&gateway, "one", "How do I enable 2FA?").await;
    kept(&gateway, 1).await;
    assert_eq!(result(&ask(&gateway, "one", "What is the bank's account?").await), Some("semantic"));
    assert_eq!(result(&ask(&gateway, "two", "What is the bank's account?").await), Some("miss"));
    kept(&gateway, 2).await;
    let given = ask(&gateway, "two", "Which account has the bank?").await;
    let own = ask(&gateway, "one", "Which account has the bank?").await;
    assert_eq!((result(&given), result(&own)), (Some("semantic"), Some("semantic")));
    assert_ne!(given.header("x-weir-cache-key"), own.header("x-weir-cache-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vector_takes_neither_a_place_nor_a_request_of_its_caller() {
    let upstream = provider().await;
    let limits = settings(&upstream, "") + &client("few", "limits = { requests_per_minute = 2 }");
    let gateway = Gateway::open(&format!("[server]\nmax_concurrency = 1\n{limits}")).await;
    assert_eq!(result(&ask(&gateway, "few", "How do I enable 2FA?").await), Some("miss"));
    kept(&gateway, 1).await;
    assert_eq!(result(&ask(&gateway, "few", "How to enable 2FA?").await), Some("semantic"));
    assert_eq!(gateway.ask(&by("few", question("Hi", &json!({})))).await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_are_paid_for_by_the_caller_and_asked_for_only_where_an_answer_may_follow() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&settings(&upstream, "")).await;
    ask(&gateway, "one", "How do I enable 2FA?").await;
    kept(&gateway, 1).await;
    gateway.until_metric("weir_budget_used{budget=\"all\"}", 20.0).await;
    ask(&gateway, "one", "How to enable 2FA").await;
    gateway.until_metric("weir_budget_used{budget=\"all\"}", 23.0).await;
    assert_eq!(requests(&mut upstream), (2, 1));
    // An equal request needs no vector, and neither do these.
    assert_eq!(result(&ask(&gateway, "one", "How do I enable 2FA?").await), Some("hit"));
    let opted_out = question("How can I enable 2FA?", &json!({}));
    for (name, value, expected) in [
        ("x-weir-semantic-cache", "off", "miss"),
        ("cache-control", "no-cache", "miss"),
        ("cache-control", "no-store, max-age=0", "bypass"),
    ] {
        let reply = gateway.ask(&by("one", opted_out.clone().header(name, value))).await;
        assert_eq!(result(&reply), Some(expected), "{name}: {value}");
        assert_eq!(requests(&mut upstream), (0, 1), "{name}: {value}");
        gateway.ask(&Request::new("DELETE", "/admin/cache").header("authorization", &format!("Bearer {ADMIN}"))).await;
    }
    // What was removed is not given to other questions either.
    assert_eq!(result(&ask(&gateway, "one", "How to enable 2FA?").await), Some("miss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_gate_the_cosine_alone_decides() {
    let upstream = provider().await;
    let gateway = Gateway::open(&settings(&upstream, ", token_gate = false")).await;
    ask(&gateway, "one", "How do I enable 2FA?").await;
    kept(&gateway, 1).await;
    assert_eq!(result(&ask(&gateway, "one", "How do I disable 2FA?").await), Some("semantic"));
    // A cosine of 0.9.
    assert_eq!(result(&ask(&gateway, "one", "How is the weather?").await), Some("miss"));
    assert_eq!(lookups(&gateway, "near").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_called_wrong_is_not_given_again() {
    let upstream = provider().await;
    let gateway = Gateway::open(&settings(&upstream, "")).await;
    ask(&gateway, "one", "How do I enable 2FA?").await;
    kept(&gateway, 1).await;
    let given = ask(&gateway, "one", "How to enable 2FA?").await;
    let key = given.header("x-weir-cache-key").unwrap().to_owned();
    let say = async |body: String| {
        let request = Request::post("/admin/v1/cache/feedback", body);
        gateway.ask(&request.header("authorization", &format!("Bearer {ADMIN}"))).await
    };
    let reply = say(json!({"key": key, "verdict": "right"}).to_string()).await;
    assert_eq!((reply.status(), reply.json()), (200, json!({"removed": false})));
    assert_eq!(result(&ask(&gateway, "one", "How to enable 2FA").await), Some("semantic"));
    assert_eq!(say(json!({"key": key, "verdict": "wrong"}).to_string()).await.json(), json!({"removed": true}));
    assert_eq!(result(&ask(&gateway, "one", "How to enable 2FA!").await), Some("miss"));
    for wrong in ["", "{}", "{\"key\":\"x\",\"verdict\":\"wrong\"}", &json!({"key": key, "verdict": "bad"}).to_string()]
    {
        assert_eq!(say(wrong.to_owned()).await.status(), 400, "{wrong}");
    }
    let request = Request::new("GET", "/admin/v1/cache").header("authorization", &format!("Bearer {ADMIN}"));
    let shown = gateway.ask(&request).await.json();
    assert_eq!(shown["feedback"], json!({"right": 1, "wrong": 1}), "{shown}");
    assert_eq!((&shown["semantic"]["openai"]["hit"], &shown["models"]["openai"]["semantic"]), (&json!(2), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_is_kept_with_a_vector_that_a_version_on_trial_has_read() {
    let mut upstream = provider().await;
    let trial = "[plugins.openai]\ncanary = { share = 1.0, requests = 1000, max_time = \"1h\" }\n";
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic"]), &(settings(&upstream, "") + trial)).await;
    gateway.folder.put("openai", &twin("openai", 2));
    let list = Request::get("/admin/v1/adapters").header("authorization", &format!("Bearer {ADMIN}"));
    soon("the trial", async { while !gateway.ask(&list).await.text().contains("\"canary\":{") {} }).await;
    for (at, text) in ["How do I enable 2FA?", "Hello, how can I enable 2FA, please?"].into_iter().enumerate() {
        assert_eq!(result(&ask(&gateway, "one", text).await), Some("miss"), "{text}");
        // What is relayed is kept: no component has written it.
        gateway.until_metric("weir_cache_entries", 2.0 * (at + 1) as f64).await;
    }
    assert_eq!(requests(&mut upstream), (2, 2));
    assert_eq!(gateway.metric("weir_cache_semantic_entries").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_vector_a_request_is_served_as_if_there_were_no_semantic_cache() {
    let (shut, upstream) = (Gate::default(), provider().await);
    let gateway = Gateway::open(&settings(&upstream, "")).await;
    // A key without the right to use the model that makes them.
    assert_eq!(result(&ask(&gateway, "chats", "How do I enable 2FA?").await), Some("miss"));
    assert_eq!(lookups(&gateway, "failed").await, 1.0);
    let vectors = |answer: fn() -> Answer| {
        Upstream::scripted(move |request| {
            if request.line().contains("/embeddings") { answer() } else { Answer::json(200, OPENAI.whole()) }
        })
    };
    for answer in [
        (|| Answer::json(500, "{}")) as fn() -> Answer,
        || Answer::json(200, "{\"data\":[]}"),
        || Answer::json(200, "{\"data\":[{\"index\":0,\"embedding\":[0.0]}]}"),
        || Answer::json(200, "{\"data\":[{\"index\":0,\"embedding\":\"no vector\"}]}"),
        || Answer::json(200, "{\"data\":[{\"index\":0,\"embedding\":[1.0,NaN]}]}"),
        || Answer::json(200, "{\"data\":[{\"index\":0,\"embedding\":[1.0,1e300]}]}"),
        || Answer::json(200, json!({"data": [{"index": 0, "embedding": vec![0.5; 5000]}]}).to_string()),
        || Answer::json(429, "{\"error\":{\"message\":\"slow down\"}}"),
    ] {
        let upstream = vectors(answer).await;
        let gateway = Gateway::open(&settings(&upstream, "")).await;
        for text in ["How do I enable 2FA?", "How to enable 2FA?"] {
            assert_eq!(result(&ask(&gateway, "one", text).await), Some("miss"));
        }
        assert_eq!(lookups(&gateway, "failed").await, 2.0);
    }
    // One that never comes.
    let upstream = Upstream::scripted(move |request| {
        let never = || Answer::begin(200, &[("content-type", "application/json")]).gate(&shut).end();
        if request.line().contains("/embeddings") { never() } else { Answer::json(200, OPENAI.whole()) }
    })
    .await;
    // The provider has half of the time that the client gives.
    let gateway = Gateway::open(&settings(&upstream, "")).await;
    let hurried = question("How do I enable 2FA?", &json!({})).header("x-weir-timeout-ms", "4000");
    assert_eq!(result(&gateway.ask(&by("one", hurried)).await), Some("miss"));
    let gateway = Gateway::open(&settings(&upstream, "").replace("wait = \"1m\"", "wait = \"5ms\"")).await;
    assert_eq!(result(&ask(&gateway, "one", "How do I enable 2FA?").await), Some("miss"));
    assert_eq!(lookups(&gateway, "failed").await, 1.0);
}
