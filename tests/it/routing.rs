//! The choice of a request's target, and how it is reported.

use weir_tests::{Answer, Gateway, Request, Upstream};

use crate::retries::provider;
use crate::wire_format::{ALL, ANTHROPIC, GEMINI, OPENAI, provider as serving};

/// Two providers of one format and a model over both.
fn two(first: &Upstream, second: &Upstream, model: &str) -> String {
    provider(first, OPENAI, "first", "") + &provider(second, OPENAI, "second", "") + model
}

fn picture(model: &str) -> Request {
    let body = format!(
        "{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":[{{\"type\":\"image_url\",\
         \"image_url\":{{\"url\":\"https://x.example/a.png\"}}}}]}}]}}"
    );
    Request::post("/v1/chat/completions", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_is_taken_by_the_operators_price_or_the_bundled_one() {
    let (first, second) = (serving(OPENAI).await, serving(OPENAI).await);
    let model = "[[models]]\nalias = \"cheap\"\nstrategy = \"cheapest\"\n\
                 targets = [{ provider = \"first\", model = \"gpt-4o\" }, { provider = \"second\", model = \"gpt-4o-mini\" }]\n\
                 [[models]]\nalias = \"prices\"\nstrategy = \"cheapest\"\n\
                 targets = [{ provider = \"first\", model = \"gpt-4o\", price = { input = 0.01, output = 0.01 } },\n\
                 { provider = \"second\", model = \"gpt-4o-mini\" }]\n";
    let gateway = Gateway::open(&two(&first, &second, model)).await;
    assert_eq!(gateway.provider_of(&OPENAI.request("cheap", false)).await, "second");
    assert_eq!(gateway.provider_of(&OPENAI.request("prices", false)).await, "first");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_lacks_is_not_asked_of_it() {
    let (mut first, second) = (serving(OPENAI).await, serving(OPENAI).await);
    let model = "[[models]]\nalias = \"blind\"\ntarget = { provider = \"first\", model = \"m\" }\n\
                 capabilities = { vision = false, context = 1000 }\nfallbacks = [\"seeing\"]\n\
                 [[models]]\nalias = \"seeing\"\ntarget = { provider = \"second\", model = \"m\" }\n\
                 [[models]]\nalias = \"short\"\ntarget = { provider = \"first\", model = \"m\" }\n\
                 capabilities = { context = 1000 }\n\
                 [[models]]\nalias = \"alone\"\ntarget = { provider = \"first\", model = \"m\" }\n\
                 capabilities = { vision = false }\n";
    let gateway = Gateway::open(&two(&first, &second, model)).await;
    assert_eq!(gateway.provider_of(&OPENAI.request("blind", false)).await, "first");
    first.request().await;
    assert_eq!(gateway.provider_of(&picture("blind")).await, "second");
    let long = format!(
        "{{\"model\":\"blind\",\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "many words ".repeat(1000)
    );
    assert_eq!(gateway.provider_of(&Request::post("/v1/chat/completions", &long)).await, "second");
    // An estimated length refuses nothing: without an alternative, the provider decides.
    let only = Request::post("/v1/chat/completions", long.replace("blind", "short"));
    assert_eq!(gateway.provider_of(&only).await, "first");
    first.request().await;
    let reply = gateway.ask(&picture("alone")).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert!(OPENAI.error(&reply).is_some_and(|message| message.contains("vision")), "{}", reply.text());
    assert!(first.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_chooses_its_target_only_where_it_may() {
    let (first, second) = (serving(OPENAI).await, serving(OPENAI).await);
    let model = "[[models]]\nalias = \"both\"\nstrategy = \"priority\"\n\
                 targets = [{ provider = \"first\", model = \"m\" }, { provider = \"second\", model = \"m\" }]\n";
    let config = two(&first, &second, model);
    let request = OPENAI.request("both", false).header("x-weir-target", "second");
    assert_eq!(Gateway::open(&config).await.provider_of(&request).await, "first");
    let gateway = Gateway::open(&format!("[server]\ntarget_header = true\n{config}")).await;
    assert_eq!(gateway.provider_of(&request).await, "second");
    let reply = gateway.ask(&OPENAI.request("both", false).header("x-weir-target", "third")).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_and_headers_keep_requests_at_one_target_if_configured() {
    let (first, second) = (serving(OPENAI).await, serving(OPENAI).await);
    let targets = "strategy = \"round-robin\"\n\
                   targets = [{ provider = \"first\", model = \"m\" }, { provider = \"second\", model = \"m\" }]\n";
    let model = format!(
        "[[models]]\nalias = \"by-caller\"\naffinity = \"tenant\"\n{targets}\
         [[models]]\nalias = \"by-header\"\naffinity = \"X-Conversation\"\n{targets}"
    );
    let gateway = Gateway::open(&two(&first, &second, &model)).await;
    let one = gateway.provider_of(&OPENAI.request("by-caller", false)).await;
    assert_eq!(gateway.provider_of(&OPENAI.request("by-caller", false)).await, one);
    let request = OPENAI.request("by-header", false).header("x-conversation", "c-1");
    let one = gateway.provider_of(&request).await;
    assert_eq!(gateway.provider_of(&request).await, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_explained_with_its_order_its_lanes_and_its_losses() {
    let first = Upstream::always(Answer::whole(429, &[("retry-after", "60")], "{}")).await;
    let second = serving(ANTHROPIC).await;
    let config = provider(&first, OPENAI, "first", "")
        + &provider(&second, ANTHROPIC, "second", "")
        + "[[models]]\nalias = \"both\"\n\
           targets = [{ provider = \"first\", model = \"gpt-4o\" }, { provider = \"second\", model = \"claude-sonnet-4-5\" }]\n";
    let gateway = Gateway::open(&config).await;
    let question = "{\"model\":\"both\",\"from\":\"openai.chat\",\"request\":{\"model\":\"both\",\"seed\":7,\
                    \"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[{\"type\":\"function\",\
                    \"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]}}";
    let explained = gateway.post("/admin/routes/explain", question).await.json();
    assert_eq!(explained["needs"], serde_json::json!(["tools"]), "{explained}");
    assert_eq!(explained["targets"][0]["lane"], "relay", "{explained}");
    assert_eq!(explained["targets"][1]["lane"], "translate", "{explained}");
    let lost = explained["targets"][1]["losses"].to_string();
    assert!(lost.contains("seed"), "{explained}");
    // After a rate limit the first target rests, which is reported.
    assert_eq!(gateway.ask(&OPENAI.request("both", false)).await.status(), 200);
    let explained = gateway.post("/admin/routes/explain", "{\"model\":\"both\"}").await.json();
    let (first, second) = (&explained["targets"][1], &explained["targets"][0]);
    assert_eq!((&second["provider"], &second["place"]), (&"second".into(), &1.into()), "{explained}");
    assert!(first["place"].is_null() && first["why"].as_str().unwrap().contains("rests"), "{explained}");
    let reply = gateway.post("/admin/routes/explain", "{\"model\":\"unknown\"}").await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_the_provider_runs_needs_no_model_that_calls_functions() {
    let upstream = serving(OPENAI).await;
    let model = "[[models]]\nalias = \"m\"\ntargets = [{ provider = \"first\", model = \"m\" }]\n";
    let gateway = Gateway::open(&(provider(&upstream, OPENAI, "first", "") + model)).await;
    let responses = |tools: &str| format!("{{\"model\":\"m\",\"input\":\"Hi\",\"tools\":[{tools}]}}");
    let gemini = |tools: &str| format!("{{\"contents\":[],\"tools\":{tools}}}");
    let function = "{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}";
    for (format, request, needs) in [
        ("openai.responses", responses("{\"type\":\"web_search\"}"), vec![]),
        ("openai.responses", responses(&format!("{{\"type\":\"web_search\"}},{function}")), vec!["tools"]),
        ("gemini.generate", gemini("[{\"googleSearch\":{}}]"), vec![]),
        ("gemini.generate", gemini("{\"function_declarations\":[{\"name\":\"f\"}]}"), vec!["tools"]),
    ] {
        let question = format!("{{\"model\":\"m\",\"from\":\"{format}\",\"request\":{request}}}");
        let explained = gateway.post("/admin/routes/explain", &question).await.json();
        assert_eq!(explained["needs"], serde_json::json!(needs), "{request}: {explained}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explaining_changes_nothing_and_shows_the_next_target() {
    let (first, second) = (serving(OPENAI).await, serving(OPENAI).await);
    let model = "[[models]]\nalias = \"both\"\nstrategy = \"round-robin\"\n\
                 targets = [{ provider = \"first\", model = \"m\" }, { provider = \"second\", model = \"m\" }]\n";
    let gateway = Gateway::open(&two(&first, &second, model)).await;
    for expected in ["first", "second", "first", "second"] {
        for _ in 0..3 {
            let explained = gateway.post("/admin/routes/explain", "{\"model\":\"both\"}").await.json();
            assert_eq!(explained["targets"][0]["provider"], expected, "{explained}");
        }
        assert_eq!(gateway.provider_of(&OPENAI.request("both", false)).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reported_lane_and_the_explained_one_are_one_decision() {
    let (first, second) = (serving(OPENAI).await, serving(ANTHROPIC).await);
    let models = "[[models]]\nalias = \"resumes\"\nresume = true\ntarget = { provider = \"first\", model = \"m\" }\n";
    let config = provider(&first, OPENAI, "first", "") + &provider(&second, ANTHROPIC, "second", "") + models;
    let gateway = Gateway::open(&config).await;
    let formats = [(OPENAI, "openai.chat"), (ANTHROPIC, "anthropic.messages")];
    let mut lanes = std::collections::BTreeSet::new();
    for (from, format) in formats {
        for model in ["first", "first-t", "second", "second-t", "resumes"] {
            for stream in [false, true] {
                let request = from.request(model, stream);
                let reply = gateway.ask(&request).await;
                assert_eq!(reply.status(), 200, "{}", reply.text());
                let lane = reply.header("x-weir-lane").unwrap().to_owned();
                let body = String::from_utf8(request.sent()).unwrap();
                let question = format!("{{\"model\":\"{model}\",\"from\":\"{format}\",\"request\":{body}}}");
                let explained = gateway.post("/admin/routes/explain", &question).await.json();
                assert_eq!(explained["targets"][0]["lane"], lane, "{format} {model} {stream}: {explained}");
                lanes.insert((from.name, model, stream, lane));
            }
        }
    }
    let relayed: Vec<_> =
        lanes.iter().filter(|(.., lane)| lane == "relay").map(|(from, model, ..)| (*from, *model)).collect();
    let expected = [
        ("anthropic", "second"),
        ("anthropic", "second"),
        ("openai", "first"),
        ("openai", "first"),
        ("openai", "resumes"),
    ];
    assert_eq!(relayed, expected);
}

/// Makes a request for a model.
type Asks = fn(&str) -> Request;

/// A request to a deployment, whose body begins with these members.
fn deployed(model: &str, first: &str) -> Request {
    let body = format!(r#"{{{first}"messages":[{{"role":"user","content":"Hi"}}]}}"#);
    Request::post(&format!("/openai/deployments/{model}/chat/completions"), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_path_names_its_model_is_explained_as_it_is_sent() {
    let mut upstreams = [serving(OPENAI).await, serving(ANTHROPIC).await, serving(GEMINI).await];
    let [first, second, third] = &upstreams;
    let models = "[[models]]\nalias = \"resumes\"\nresume = true\ntarget = { provider = \"third\", model = \"m\" }\n";
    let config = provider(first, OPENAI, "first", "")
        + &provider(second, ANTHROPIC, "second", "")
        + &provider(third, GEMINI, "third", "")
        + models;
    let gateway = Gateway::open(&config).await;
    let forms: [(&str, bool, Asks); 4] = [
        ("openai.chat", false, |model| deployed(model, "")),
        ("openai.chat", false, |model| deployed(model, r#""model":"whatever","#)),
        ("gemini.generate", false, |model| GEMINI.request(model, false)),
        ("gemini.generate", true, |model| GEMINI.request(model, true)),
    ];
    for (format, stream, request) in forms {
        for (model, at) in [("first", 0), ("second", 1), ("third", 2), ("third-t", 2), ("resumes", 2)] {
            let request = request(model);
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), 200, "{format} {model} {stream}: {}", reply.text());
            let sent = upstreams[at].request().await;
            let body: serde_json::Value = serde_json::from_slice(&request.sent()).unwrap();
            let question = serde_json::json!({"model": model, "from": format, "stream": stream, "request": body});
            let explained = gateway.post("/admin/routes/explain", &question.to_string()).await.json();
            let target = &explained["targets"][0];
            let shown = |name: &str| reply.header(name).unwrap();
            assert_eq!(target["provider"], shown("x-weir-provider"), "{format} {model} {stream}: {explained}");
            assert_eq!(target["lane"], shown("x-weir-lane"), "{format} {model} {stream}: {explained}");
            let upstream = &target["upstream"];
            let path = sent.line().split([' ', '?']).nth(1).unwrap().to_owned();
            assert!(path.ends_with(upstream["path"].as_str().unwrap()), "{path}: {explained}");
            let body: serde_json::Value = serde_json::from_str(upstream["body"].as_str().unwrap()).unwrap();
            assert_eq!(body, sent.json(), "{format} {model} {stream}");
        }
    }
}

/// The model in an answer of any format.
fn model_of(text: &str) -> Option<String> {
    let at = ["\"model\":\"", "\"brain\":\""].iter().find_map(|key| Some(text.find(key)? + key.len()))?;
    text[at..].split('"').next().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answers_model_is_spelled_as_its_provider_spells_it_in_both_lanes() {
    for to in ALL {
        let upstream = serving(to).await;
        let gateway = Gateway::open(&crate::wire_format::config(&upstream)).await;
        for from in ALL {
            for model in [to.name.to_owned(), to.translated()] {
                for stream in [false, true] {
                    let reply = gateway.ask(&from.request(&model, stream)).await;
                    let place = format!("{} {model} {stream} {}", from.name, reply.text());
                    assert_eq!(reply.status(), 200, "{place}");
                    assert_eq!(model_of(&reply.text()).as_deref(), Some(to.name), "{place}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_no_model_gets_the_name_that_was_asked_for_upstream() {
    let body = OPENAI.whole().replace("\"model\":\"openai\",", "");
    let first = Upstream::always(Answer::json(200, body)).await;
    let gateway = Gateway::open(&provider(&first, OPENAI, "first", "")).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("first-t", false)).await;
        assert_eq!(model_of(&reply.text()).as_deref(), Some("openai"), "{}", reply.text());
    }
}
