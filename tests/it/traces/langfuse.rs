//! Langfuse's endpoint for spans: OTLP over HTTP below `/api/public/otel`, with its two keys as Basic authentication.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message as _;
use weir_tests::{Answer, Gateway, Received, Upstream};

use crate::wire_format::{self, OPENAI, TEXT, config_of};

/// What `pk-lf-1:sk-lf-2` is in base64.
const KEYS: &str = "cGstbGYtMTpzay1sZi0y";

/// Answers as the endpoint does: with an error where the path, the keys or the form of the body are others.
fn endpoint(received: &Received) -> Answer {
    if received.line() != "POST /base/api/public/otel/v1/traces" {
        return Answer::json(404, "{}");
    }
    if received.header("authorization") != Some(&format!("Basic {KEYS}")) {
        return Answer::json(401, "{}");
    }
    let is_protobuf = received.header("content-type") == Some("application/x-protobuf");
    match ExportTraceServiceRequest::decode(&*received.body) {
        Ok(_) if is_protobuf => Answer::whole(200, &[("content-type", "application/x-protobuf")], ""),
        _ => Answer::json(400, "{}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn langfuse_gets_what_makes_a_generation_of_a_span() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut langfuse = Upstream::scripted(endpoint).await;
    let config = format!(
        "[traces]\nendpoint = \"{}/api/public/otel\"\nheaders = \"authorization=Basic%20{KEYS}\"\n\
         conventions = \"1.42\"\ncontent = true\n[store]\nurl = \"sqlite://weir.db\"\nbodies = \"all\"\n{}",
        langfuse.url().trim_end_matches('/'),
        config_of(&[OPENAI], &upstream)
    );
    let gateway = Gateway::open(&config).await;
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    let attributes = loop {
        let export = ExportTraceServiceRequest::decode(&*langfuse.request().await.body).unwrap();
        let spans = export.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans);
        if let Some(span) = spans.into_iter().find(|span| span.name == "chat openai") {
            break span.attributes;
        }
    };
    let of = |name: &str| {
        let value = attributes.iter().find(|one| one.key == name)?.value.clone()?.value?;
        Some(match value {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(of("gen_ai.operation.name").as_deref(), Some("chat"));
    assert_eq!(of("gen_ai.request.model").as_deref(), Some("openai"));
    assert_eq!(of("gen_ai.usage.input_tokens").as_deref(), Some("10"));
    assert_eq!(of("gen_ai.usage.output_tokens").as_deref(), Some("7"));
    assert!(of("gen_ai.input.messages").unwrap().contains("Hi"));
    assert!(of("gen_ai.output.messages").unwrap().contains(TEXT));
    gateway.until_metric("weir_spans_total{result=\"failed\"}", 0.0).await;
}
