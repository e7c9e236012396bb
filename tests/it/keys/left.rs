//! Requests whose clients left before an answer, in the sums of use.

use std::time::Duration;

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::{Answer, Folder, Gateway, Request, Upstream, soon};

use super::{admin, config, made, with_key};
use crate::wire_format::OPENAI;

/// The sums by model, once they count so many requests: each model with its requests.
async fn by_model(gateway: &Gateway, requests: i64) -> Vec<(String, i64)> {
    let counted = async {
        loop {
            let usage = admin(gateway, "GET", "/usage?by=model", Value::Null).await.json();
            let items = usage["items"].as_array().unwrap().iter();
            let count = |item: &Value| (item["name"].as_str().unwrap().to_owned(), item["requests"].as_i64().unwrap());
            let sums: Vec<(String, i64)> = items.map(count).collect();
            if sums.iter().map(|(_, count)| count).sum::<i64>() >= requests {
                return sums;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the sums", counted).await
}

async fn who_leaves_counts_at_the_model_that_was_asked(store: &str) {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let settings = format!("{}\n[store]\nurl = \"{store}\"\n", config(&upstream));
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &settings).await;
    let (_, key) = made(&gateway, json!({"name": "a"})).await;
    // What uses tokens, and is charged for, and what uses none.
    let image = Request::post("/v1/images/generations", r#"{"model":"openai","prompt":"a cat"}"#)
        .header("authorization", &format!("Bearer {key}"));
    for request in [with_key(OPENAI, "openai", false, &key), with_key(OPENAI, "openai-t", true, &key), image] {
        let mut client = gateway.connect().await;
        client.send(&request).await;
        upstream.request().await;
        client.leave();
        upstream.departure().await;
    }
    assert_eq!(by_model(&gateway, 3).await, [("openai".to_owned(), 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_client_left_has_the_name_of_its_model_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.db");
    who_leaves_counts_at_the_model_that_was_asked(&format!("sqlite://{}", file.display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_client_left_has_the_name_of_its_model_in_a_database() {
    let Some(database) = Database::start() else { return };
    who_leaves_counts_at_the_model_that_was_asked(&database.url()).await;
}
