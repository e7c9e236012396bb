//! Whole answers: every format, fallbacks, losses, cancellation, media, the configuration file, the example.

use weir_embed::types::{MediaKind, MediaPart, MediaSource, Message, Part, Role, TextPart};
use weir_embed::{ChatRequest, Client, ErrorKind, LossKind, Provider, Reason};
use weir_tests::{Answer, Upstream, soon};

use super::{QUICK, builder, example, failed, is_usual, one, provider, two};
use crate::wire_format::{self, ANTHROPIC, EVERY, OPENAI, TEXT};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_by_a_provider_of_every_format() {
    for wire_format in EVERY {
        let mut upstream = wire_format::provider(wire_format).await;
        let (_folder, weir) = one(wire_format, &upstream, QUICK).await;
        let answer = weir.generate("chat", "Hello?").await.unwrap();
        is_usual(&answer);
        assert_eq!(answer.target, format!("first/{}", wire_format.name));
        assert_eq!((answer.attempts, answer.tried.len()), (1, 0));
        assert_eq!(answer.request_id.len(), 36, "{}", answer.request_id);
        let sent = upstream.request().await;
        assert!(sent.text().contains("Hello?"), "{}", sent.text());
        assert!(sent.head.contains(&format!("KEY-OF-{}", wire_format.name)), "{}", sent.head);
        // Any model of a provider may be called by its name.
        is_usual(&weir.generate("first/any-model", "Hello?").await.unwrap());
        let sent = upstream.request().await;
        assert!(format!("{} {}", sent.line(), sent.text()).contains("any-model"), "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_falls_back_to_a_provider_of_another_format() {
    let first = Upstream::always(Answer::json(503, "{}")).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let (_folder, weir) = two((OPENAI, &first), (ANTHROPIC, &second), QUICK).await;
    let answer = weir.generate("chat", "Hello?").await.unwrap();
    is_usual(&answer);
    assert_eq!(answer.target, "second/anthropic");
    assert_eq!(answer.attempts, 2, "an overload is not repeated where another target is left");
    assert_eq!(answer.tried, [failed("first/openai", "overloaded")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_rests_and_is_left_out() {
    let mut first = Upstream::always(Answer::json(500, "{}")).await;
    let second = Upstream::always(Answer::json(200, ANTHROPIC.whole())).await;
    let breaker = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 1, failure_rate = 0.1, open = \"1h\" }";
    let (_folder, weir) = two((OPENAI, &first), (ANTHROPIC, &second), breaker).await;
    weir.generate("chat", "Hello?").await.unwrap();
    first.request().await;
    let answer = weir.generate("chat", "Hello?").await.unwrap();
    assert_eq!((answer.attempts, &*answer.target), (1, "second/anthropic"));
    assert_eq!(answer.tried[0].reason, Reason::Skipped("resting"));
    assert!(first.unseen().is_none(), "the breaker is open");
    let error = weir.generate("first/openai", "Hello?").await.unwrap_err();
    assert_eq!((error.kind(), error.status(), error.attempts()), (ErrorKind::Overloaded, 503, 0));
    assert!(error.retry_after().is_some());
    assert!(!weir.is_available("first/openai").await.unwrap());
    assert!(weir.is_available("chat").await.unwrap(), "by its second target");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_cannot_take_is_reported_or_refused() {
    let mut upstream = wire_format::provider(ANTHROPIC).await;
    let (_folder, weir) = one(ANTHROPIC, &upstream, QUICK).await;
    let mut request = ChatRequest::user("Hello?");
    request.sampling.seed = Some("7".into());
    let answer = weir.generate("chat", request.clone()).await.unwrap();
    assert_eq!(answer.losses.len(), 1, "{:?}", answer.losses);
    let field = &answer.losses[0].field;
    assert!(field.contains("seed") && answer.losses[0].kind == LossKind::Dropped, "{:?}", answer.losses);
    let events = weir.stream("chat", request.clone()).await.unwrap();
    assert_eq!(events.losses(), answer.losses);
    upstream.request().await;
    upstream.request().await;
    let error = weir.model("chat").strict().generate(request).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidRequest, Some(field.as_str())));
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_is_cancelled() {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let call = tokio::spawn({
        let weir = weir.clone();
        async move { weir.generate("chat", "Hello?").await.map(drop) }
    });
    upstream.request().await;
    call.abort();
    upstream.departure().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_keeps_to_its_time_limit_and_its_trace() {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let model = weir.model("chat").timeout(std::time::Duration::from_millis(300)).request_id("mine").traceparent(trace);
    let error = soon("the limit", model.generate("Hello?")).await.unwrap_err();
    assert_eq!((error.kind(), error.request_id()), (ErrorKind::Timeout, "mine"));
    assert_eq!(upstream.request().await.header("traceparent"), Some(trace));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_image_reaches_the_provider_whole() {
    let mut upstream = wire_format::provider(OPENAI).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let image = "iVBORw0KGgo".repeat(40_000);
    let medium = MediaPart {
        kind: MediaKind::Image,
        mime: Some("image/png".into()),
        source: MediaSource::Base64(image.clone()),
        name: None,
        detail: None,
        cache: None,
        extensions: Vec::new(),
    };
    let parts = vec![Part::Text(TextPart::plain("What is this?")), Part::Media(medium)];
    let request = ChatRequest::plain("", vec![Message::plain(Role::User, parts)]);
    is_usual(&weir.generate("chat", request).await.unwrap());
    assert!(upstream.request().await.text().contains(&image), "what was lifted out is back in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_own_file_makes_a_client() {
    let upstream = wire_format::provider(OPENAI).await;
    let (folder, _) = builder(&["openai"]);
    let file = folder.path().join("weir.toml");
    let text = format!(
        "[plugins]\ndir = {:?}\nprewarm = 1\n[server]\nmax_connections = 64\n{}",
        folder.path(),
        wire_format::config_of(&[OPENAI], &upstream)
    );
    std::fs::write(&file, text).unwrap();
    let weir = Client::from_config(&file).await.unwrap();
    is_usual(&weir.generate("openai-t", "Hello?").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_session_stay_at_one_target() {
    let (first, second) = (wire_format::provider(OPENAI).await, wire_format::provider(OPENAI).await);
    let (_folder, builder) = builder(&["openai"]);
    let targets = "{ provider = \"a\", model = \"m\" }, { provider = \"b\", model = \"m\" }";
    let builder = builder
        .provider("a", provider(OPENAI, &first, QUICK))
        .provider("b", provider(OPENAI, &second, QUICK))
        .settings(&format!("[[models]]\nalias = \"turns\"\nstrategy = \"round-robin\"\ntargets = [{targets}]\n"));
    let weir = builder.build().await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        seen.insert(weir.model("turns").session("s").generate("Hello?").await.unwrap().target);
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    for _ in 0..4 {
        seen.insert(weir.generate("turns", "Hello?").await.unwrap().target);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_does_what_it_shows() {
    let local = Upstream::always(Answer::json(503, "{}")).await;
    let cloud = wire_format::provider(OPENAI).await;
    let (folder, _) = builder(&["ollama", "openai"]);
    let key = weir_embed::Secret::new("sk-example");
    let plugins = folder.path().to_str().unwrap();
    let weir = example::open(plugins, &local.origin(), &cloud.url(), key).await.unwrap();
    assert_eq!(example::talk(&weir, "What is four by four?").await.unwrap(), TEXT);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_do_not_know_of_each_other() {
    let upstream = wire_format::provider(OPENAI).await;
    let (_first, one) = one(OPENAI, &upstream, QUICK).await;
    let (_second, builder) = builder(&["openai"]);
    let other = builder.provider("other", Provider::new("openai").url(upstream.url())).build().await.unwrap();
    is_usual(&one.generate("chat", "Hello?").await.unwrap());
    is_usual(&other.generate("other/openai", "Hello?").await.unwrap());
    assert_eq!(other.generate("chat", "Hello?").await.unwrap_err().kind(), ErrorKind::NotFound);
}
