//! What fails is a typed error, with the reason, the target and the way that the call went.

use std::time::Duration;

use weir_embed::{BuildError, Client, ErrorKind, Provider, RerankRequest, Side};
use weir_tests::{Answer, Upstream};

use super::{QUICK, builder, failed, one, two};
use crate::wire_format::{ANTHROPIC, OPENAI};

const ONCE: &str = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 1000000, max_cooldown = \"0s\" }";

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_refusal_has_its_kind_and_status() {
    let limited = Answer::whole(429, &[("content-type", "application/json"), ("retry-after", "7")], "{}");
    let long = r#"{"error":{"message":"maximum context length is 8192 tokens","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    for (answer, kind, status, after) in [
        (Answer::json(401, "{}"), ErrorKind::Authentication, 401, None),
        (limited, ErrorKind::RateLimited, 429, Some(Duration::from_secs(7))),
        (Answer::json(400, long), ErrorKind::ContextLength, 400, None),
        (Answer::json(500, "{}"), ErrorKind::Upstream, 500, None),
        (Answer::default().close(), ErrorKind::Upstream, 502, None),
    ] {
        let upstream = Upstream::always(answer).await;
        let (_folder, weir) = one(OPENAI, &upstream, ONCE).await;
        let error = weir.generate("chat", "Hello?").await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, status), "{error}");
        assert_eq!((error.side(), error.retry_after()), (Side::Upstream, after), "{error}");
        assert_eq!((error.target(), error.attempts()), (Some("first/openai"), 1));
        assert!(!error.to_string().contains("KEY-OF-openai"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_every_target_that_failed() {
    let first = Upstream::always(Answer::json(500, "{}")).await;
    let second = Upstream::always(Answer::json(503, "{}")).await;
    let (_folder, weir) = two((OPENAI, &first), (ANTHROPIC, &second), ONCE).await;
    for error in
        [weir.generate("chat", "Hello?").await.unwrap_err(), weir.stream("chat", "Hello?").await.map(drop).unwrap_err()]
    {
        assert_eq!((error.kind(), error.target()), (ErrorKind::Overloaded, Some("second/anthropic")));
        assert!(
            error.tried().starts_with(&[failed("first/openai", "upstream"), failed("second/anthropic", "overloaded")])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_serves_is_refused_before_anything_is_sent() {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let (_folder, weir) = one(ANTHROPIC, &upstream, QUICK).await;
    let unknown = weir.generate("nothing", "Hello?").await.unwrap_err();
    assert_eq!((unknown.kind(), unknown.status()), (ErrorKind::NotFound, 404));
    assert_eq!((unknown.code(), unknown.target(), unknown.attempts()), (Some("model_not_found"), None, 0));
    assert!(unknown.to_string().contains("`list_models` lists those that you may use"), "{unknown}");
    let unable = weir.rerank("chat", RerankRequest::texts("what?", ["this"])).await.unwrap_err();
    assert_eq!((unable.kind(), unable.code()), (ErrorKind::Unsupported, Some("unsupported_operation")));
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_its_adapter_is_not_made() {
    let (_folder, some) = builder(&["openai"]);
    let missing = some.provider("p", Provider::new("not-there").url("http://127.0.0.1:1")).build().await.unwrap_err();
    assert!(matches!(&missing, BuildError::Config(_)), "{missing}");
    assert!(missing.to_string().contains("there is no adapter `not-there`"), "{missing}");
    let empty = tempfile::tempdir().unwrap();
    let none = Client::builder().plugins(empty.path()).provider("p", Provider::new("openai").url("http://127.0.0.1:1"));
    assert!(matches!(none.build().await, Err(BuildError::NoAdapters { .. })));
}
