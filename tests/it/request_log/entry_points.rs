//! Whatever the entry point, a request leaves a fact that says who was asked and how it ended.

use serde_json::{Value, json};
use tonic::transport::Endpoint;
use weir_grpc::messages::{EmbedRequest, EmbedResponse};
use weir_tests::{Answer, Request, SessionProvider, Upstream, WebSocket};
use weir_types::contract::types::EmbeddingsRequest;

use super::{Kept, number, text};
use crate::grpc::{Read, chat, generate, unary, with};
use crate::wire_format::{ANTHROPIC, OPENAI, config_of};

/// The members of a fact in which the two differ: what is of one request only, and its format's own.
const OWN: [&str; 12] = [
    "id",
    "client_request_id",
    "time",
    "total_us",
    "own_us",
    "first_token_us",
    "bytes_in",
    "bytes_out",
    "dialect",
    "sequence",
    "client",
    "process",
];
const KEY: &str = "weir-some-0123456789";

const MODELS: &str = "[[models]]\nalias = \"failing\"\ntarget = { provider = \"openai\", model = \"failing\" }\n\
    [[models]]\nalias = \"refusing\"\ntarget = { provider = \"openai\", model = \"refusing\" }\n\
    [[models]]\nalias = \"broken\"\ntarget = { provider = \"openai\", model = \"broken\" }\n\
    [[models]]\nalias = \"patient\"\ntargets = [{ provider = \"openai\", model = \"failing\" }, \
    { provider = \"openai\", model = \"m\" }]\n\
    [[providers]]\nname = \"gone\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/v1/\"\napi_key = \"K\"\n\
    [[models]]\nalias = \"gone\"\ntarget = { provider = \"gone\", model = \"m\" }\n\
    [[models]]\nalias = \"dear\"\ntarget = { provider = \"openai\", model = \"m\" }\n\
    [[budgets]]\nname = \"dear\"\nfor = { model = \"dear\" }\nrequests = 1\nper = \"month\"\n\
    [[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\nteam = \"red\"\ntags = [\"batch\"]\n";

async fn provider() -> Upstream {
    Upstream::scripted(|request| match request.text() {
        text if text.contains("\"failing\"") => Answer::json(500, json!({"error": {"message": "no"}}).to_string()),
        text if text.contains("\"refusing\"") => Answer::json(400, json!({"error": {"message": "no"}}).to_string()),
        text if text.contains("\"broken\"") => {
            let begun = OPENAI.stream().iter().take(2).fold(OPENAI.begin(), Answer::piece);
            begun.reset()
        }
        _ if OPENAI.wants_stream(request) => OPENAI.streamed(),
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await
}

fn shared(mut fact: Value) -> Value {
    let members = fact.as_object_mut().unwrap();
    members.retain(|name, _| !OWN.contains(&name.as_str()));
    // Behind that, it says how this client asks for the list of models.
    let error = members["error_text"].as_str().and_then(|error| error.split_once(" is not known here; "));
    if let Some(unknown) = error.map(|(unknown, _)| unknown.to_owned()) {
        members["error_text"] = unknown.into();
    }
    for attempt in members.get_mut("attempts").and_then(Value::as_array_mut).into_iter().flatten() {
        attempt.as_object_mut().unwrap().retain(|name, _| !name.ends_with("_us"));
    }
    fact
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_grpc_leaves_the_same_fact_as_a_request_in_a_dialect() {
    let upstream = provider().await;
    let config = config_of(&[OPENAI], &upstream) + MODELS;
    let (by_dialect, by_grpc) = (Kept::start(&config), Kept::start(&config));
    let endpoint = Endpoint::from_shared(format!("http://{}", by_grpc.address)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut differences = Vec::new();
    for (model, outcome) in [
        ("openai", "ok"),
        ("patient", "ok"),
        ("failing", "failed"),
        ("refusing", "failed"),
        ("gone", "failed"),
        ("broken", "cut"),
        ("nothing", "refused"),
        ("dear", "ok"),
        ("dear", "refused"),
    ] {
        for stream in [false, true] {
            if model == "dear" && stream || model == "broken" && !stream {
                continue;
            }
            let id = format!("{model}-{outcome}-{stream}");
            let request: Request = ANTHROPIC.request(model, stream).header("x-request-id", &id);
            by_dialect.ask(&request.header("x-api-key", KEY)).await;
            let metadata = [("x-request-id", &*id), ("authorization", &format!("Bearer {KEY}"))];
            if let Ok(stream) = generate(&channel, chat(model, stream), &metadata).await {
                Read::all(stream).await;
            }
            let [in_dialect, over_grpc] = [by_dialect.of(&id).await, by_grpc.of(&id).await];
            assert_eq!(text(&in_dialect, "outcome"), outcome, "{id}: {in_dialect}");
            let [in_dialect, over_grpc] = [in_dialect, over_grpc].map(shared);
            for (name, value) in in_dialect.as_object().unwrap() {
                if over_grpc[name] != *value {
                    differences.push(format!("{id}: {name} is {value} in a dialect, {} over gRPC", over_grpc[name]));
                }
            }
        }
    }
    assert_eq!(differences, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_no_target_grants_leaves_a_fact_with_the_one_that_was_asked_last() {
    let upstream = Upstream::always(Answer::json(503, json!({"error": {"message": "busy"}}).to_string())).await;
    let kept = Kept::start(&(config_of(&[OPENAI], &upstream) + MODELS));
    for (model, target, status) in [("patient", "openai/m", 503), ("gone", "gone/m", 502)] {
        let headers = [("authorization", &*format!("Bearer {KEY}")), ("x-request-id", model)];
        let refused = WebSocket::ask(kept.address, &format!("/v1/realtime?model={model}"), &headers).await.unwrap_err();
        assert_eq!(refused.0, status, "{}", refused.1);
        let fact = kept.of(model).await;
        assert_eq!((text(&fact, "target"), text(&fact, "adapter")), (target, "openai"), "{fact}");
        assert_eq!((text(&fact, "operation"), text(&fact, "outcome")), ("realtime", "failed"), "{fact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_over_grpc_leave_the_same_fact_as_those_in_a_dialect() {
    let answer = json!({"object": "list", "model": "e", "usage": {"prompt_tokens": 4, "total_tokens": 4},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]});
    let upstream = Upstream::scripted(move |request| {
        let is_failing = request.text().contains("\"failing\"");
        if is_failing { Answer::json(500, "{}") } else { Answer::json(200, answer.to_string()) }
    })
    .await;
    let translated = MODELS.replace("\"\ntarget", "\"\ntranslate = true\ntarget");
    let config = config_of(&[OPENAI], &upstream) + &translated;
    let (by_dialect, by_grpc) = (Kept::start(&config), Kept::start(&config));
    let channel = Endpoint::from_shared(format!("http://{}", by_grpc.address)).unwrap().connect().await.unwrap();
    for (model, outcome) in [("openai-t", "ok"), ("failing", "failed"), ("nothing", "refused")] {
        let body = json!({"model": model, "input": ["Hi"]}).to_string();
        let request = Request::post("/v1/embeddings", body).header("x-request-id", model);
        by_dialect.ask(&request.header("authorization", &format!("Bearer {KEY}"))).await;
        let metadata = [("x-request-id", model), ("authorization", &format!("Bearer {KEY}"))];
        let asked = EmbeddingsRequest { model: model.into(), ..EmbeddingsRequest::texts(["Hi"]) };
        let asked = EmbedRequest { embeddings: Some(asked.into()) };
        let _answer: Result<tonic::Response<EmbedResponse>, _> =
            unary(&channel, "/weir.v1.Inference/Embed", with(asked, &metadata)).await;
        let [in_dialect, over_grpc] = [by_dialect.of(model).await, by_grpc.of(model).await];
        assert_eq!(text(&in_dialect, "outcome"), outcome, "{in_dialect}");
        assert_eq!(shared(over_grpc), shared(in_dialect), "{model}: gRPC on the left");
    }
}

/// What an answer costs at a dollar a token, in nano-dollars.
const ANSWER: u64 = 17_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_the_cache_leaves_a_fact_that_costs_nothing_and_names_what_was_saved() {
    let upstream = provider().await;
    let kept = "cache = \"1h\"\nprice = { input = 1000000, output = 1000000 }\ntarget = {";
    let kept = Kept::start(&(config_of(&[OPENAI], &upstream).replace("target = {", kept) + MODELS));
    for (from, model) in [(OPENAI, "openai"), (ANTHROPIC, "openai-t")] {
        for stream in [false, true] {
            let of = |id: &str| format!("{id}-{}-{stream}", from.name);
            let mut results = Vec::new();
            let mut facts = Vec::new();
            for id in [of("first"), of("again")] {
                let request = from.request(model, stream).header("x-request-id", &id);
                let body = String::from_utf8(request.sent()).unwrap().replace("Hi", if stream { "Ho" } else { "Hi" });
                let reply = kept.ask(&request.body(body).header("authorization", &format!("Bearer {KEY}"))).await;
                assert_eq!(reply.status(), 200, "{}", reply.text());
                results.push(reply.header("x-weir-cache").unwrap().to_owned());
                facts.push(kept.of(&id).await);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            assert_eq!(results, ["miss", "hit"]);
            let [first, hit] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!((number(first, "cost_nano"), &first["saved_nano"]), (ANSWER, &Value::Null), "{first}");
            assert_eq!((number(hit, "cost_nano"), number(hit, "saved_nano")), (0, ANSWER), "{hit}");
            let of_both = |name: &str| [text(first, name), text(hit, name)];
            assert_eq!((of_both("outcome"), of_both("key")), (["ok", "ok"], ["some", "some"]), "{hit}");
            assert_eq!((of_both("model_asked"), text(hit, "lane")), ([model, model], "cache"), "{hit}");
            assert_eq!((text(hit, "provider"), text(hit, "team"), number(hit, "status")), ("", "red", 200), "{hit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_passes_through_leaves_a_fact_with_what_it_used() {
    let upstream = Upstream::scripted(|request| match request.text() {
        body if body.is_empty() => Answer::json(200, "{}"),
        _ if OPENAI.wants_stream(request) => OPENAI.streamed(),
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await;
    let open = "passthrough = [\"* *\"]\ntimeouts =";
    let client = MODELS.replace("team = \"red\"", "team = \"red\"\npassthrough = [\"* * *\"]");
    let price = "price = { input = 1000000, output = 1000000 }\ntarget = {";
    let providers = config_of(&[OPENAI], &upstream).replace("timeouts =", open).replace("target = {", price);
    let kept = Kept::start(&(providers + &client));
    let ask = async |id: &str, request: Request| {
        let request = request.header("authorization", &format!("Bearer {KEY}")).header("x-request-id", id);
        let reply = kept.ask(&request).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        kept.of(id).await
    };
    let unknown = ask("unknown", Request::get("/passthrough/openai/anything")).await;
    for (id, stream) in [("whole", false), ("streamed", true)] {
        let body = String::from_utf8(OPENAI.request("openai", stream).sent()).unwrap();
        let chat = ask(id, Request::post("/passthrough/openai/chat/completions", body)).await;
        assert_eq!((number(&chat, "cost_nano"), &chat["estimated"]), (ANSWER, &json!(false)), "{chat}");
        for fact in [&chat, &unknown] {
            for (name, expected) in
                [("lane", "passthrough"), ("provider", "openai"), ("outcome", "ok"), ("key", "some"), ("team", "red")]
            {
                assert_eq!(text(fact, name), expected, "{name}: {fact}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_and_each_of_its_responses_leave_a_fact() {
    let provider = SessionProvider::listen().await;
    let config = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"K\"\n\
         [[models]]\nalias = \"rt\"\ntarget = {{ provider = \"p\", model = \"gpt-realtime\" }}\n\
         price = {{ input = 1000000, output = 1000000 }}\n\
         [[clients]]\nname = \"some\"\nkey = \"{KEY}\"\nteam = \"red\"\n",
        provider.url()
    );
    let kept = Kept::start(&config);
    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", &*bearer), ("x-request-id", "session")];
    let asked = WebSocket::ask(kept.address, "/v1/realtime?model=rt", &headers);
    let (client, mut upstream) = tokio::join!(asked, provider.grant());
    let mut client = client.unwrap();
    for tokens in [3, 5] {
        client.say(&json!({"type": "response.create"})).await;
        upstream.hear().await;
        let response = json!({"id": "resp_1", "status": "in_progress"});
        upstream.say(&json!({"type": "response.created", "event_id": "e", "response": response})).await;
        let usage = json!({"total_tokens": tokens + 1, "input_tokens": tokens, "output_tokens": 1});
        let response = json!({"id": "resp_1", "status": "completed", "usage": usage});
        upstream.say(&json!({"type": "response.done", "event_id": "e", "response": response})).await;
        client.hear().await;
        client.hear().await;
    }
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
    for (id, input, cost) in [("session", 0, 0), ("session.1", 3, 4), ("session.2", 5, 6)] {
        let fact = kept.of(id).await;
        assert_eq!(
            (number(&fact["tokens"], "input"), number(&fact, "cost_nano")),
            (input, cost * 1_000_000_000),
            "{fact}"
        );
        for (name, expected) in [
            ("operation", "realtime"),
            ("model_asked", "rt"),
            ("target", "p/gpt-realtime"),
            ("outcome", "ok"),
            ("key", "some"),
            ("team", "red"),
        ] {
            assert_eq!(text(&fact, name), expected, "{id}: {name}: {fact}");
        }
    }
}
