//! Methods of models that have a place of their own, such as those that were tuned for a client, and the streams of
//! models.

use serde_json::json;
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

use crate::wire_format::{GEMINI, config_of};

fn answer() -> String {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}})
    .to_string()
}

async fn open(limit: &str, rights: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::scripted(|request: &Received| match request.line() {
        line if line.contains("stream") && line.contains("alt=sse") => {
            Answer::sse().pieces(format!("data: {}\r\n\r\n", answer()), 40).end()
        }
        line if line.contains("stream") => Answer::json(200, format!("[{}]", answer())),
        _ => Answer::json(200, answer()),
    })
    .await;
    let providers = config_of(&[GEMINI], &upstream)
        .replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =")
        .replace("target = {", "price = { input = 1, output = 1 }\ntarget = {");
    let config = format!(
        "{providers}[[clients]]\nname = \"one\"\nkey = \"weir-one-0123456789abcdef\"\npassthrough = [\"* * *\"]\n{rights}\n\
         [[budgets]]\nname = \"b\"\nfor = {{ key = \"one\" }}\n{limit}\nper = \"total\"\n"
    );
    let gateway = Gateway::with(Folder::with(&["gemini"]), &config).await;
    (upstream, gateway)
}

async fn status(gateway: &Gateway, path: &str) -> u16 {
    let body = json!({"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 50}});
    let request = Request::post(&format!("/passthrough/gemini/{path}"), body.to_string());
    gateway.ask(&request.header("authorization", "Bearer weir-one-0123456789abcdef")).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_of_a_model_is_booked_by_what_its_answers_report() {
    let (_upstream, gateway) = open("tokens = 10000", "").await;
    let mut used = 0.0;
    for path in [
        "models/gemini:generateContent",
        "models/gemini:streamGenerateContent",
        "models/gemini:streamGenerateContent?alt=sse",
        "tunedModels/mine:generateContent",
        "tunedModels/mine:streamGenerateContent?alt=sse",
        "dynamic/any:generateContent",
        "v1beta/models/gemini:generateContent",
        "tunedModels/mine:GenerateContent/",
    ] {
        assert_eq!(status(&gateway, path).await, 200, "{path}");
        used += 120.0;
        gateway.until_metric("weir_budget_used{budget=\"b\"}", used).await;
    }
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_a_price_does_not_pass_a_budget_of_money_and_one_that_is_not_the_clients_never() {
    let (mut upstream, gateway) = open("usd = 10000", "").await;
    assert_eq!(status(&gateway, "models/gemini:generateContent").await, 200);
    assert!(upstream.unseen().is_some());
    assert_eq!(status(&gateway, "tunedModels/gemini:generateContent").await, 429);
    let request = json!({"request": {"contents": [{"parts": [{"text": "Hi"}]}]}});
    let batch = json!({"batch": {"inputConfig": {"requests": {"requests": [request]}}}}).to_string();
    let batch = Request::post("/passthrough/gemini/tunedModels/gemini:batchGenerateContent", batch);
    let batch = batch.header("authorization", "Bearer weir-one-0123456789abcdef");
    assert_eq!(gateway.ask(&batch).await.status(), 429);
    let (mut other, bound) =
        open("tokens = 10000", "models = [\"gemini\"]\noperations = [\"chat\", \"batches-*\"]").await;
    for path in ["tunedModels/gemini:generateContent", "tunedModels/gemini:batchGenerateContent"] {
        assert_eq!(status(&bound, path).await, 403, "{path}");
    }
    assert_eq!(status(&bound, "models/gemini:generateContent").await, 200);
    assert!(other.request().await.line().contains("models/gemini:generateContent"));
    assert!(upstream.unseen().is_none() && other.unseen().is_none());
}

/// A mask of fields, another encoding or a callback would leave out of the answer what it is booked by.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_client_asks_with_hides_what_an_answer_used() {
    let (mut upstream, gateway) = open("tokens = 10000", "").await;
    let masks = "fields=candidates&$fields=candidates&$alt=proto&callback=f&prettyPrint=false&alt=";
    let body = json!({"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 50}});
    let mut used = 0.0;
    for (path, sent) in [
        ("generateContent?ALT", "generateContent?prettyPrint=false"),
        ("streamGenerateContent?ALT", "streamGenerateContent?prettyPrint=false"),
        ("generateContent?sse", "generateContent?prettyPrint=false"),
        ("streamGenerateContent?sse", "streamGenerateContent?prettyPrint=false&alt=sse"),
    ] {
        // Some servers read a method in any case.
        for (method, root) in [("POST", "/v1beta"), ("POST", "/passthrough/gemini"), ("post", "/passthrough/gemini")] {
            let path = path.replace("?ALT", &format!("?{masks}proto")).replace("?sse", &format!("?{masks}sse"));
            let request = Request::new(method, &format!("{root}/models/gemini:{path}"))
                .body(body.to_string())
                .header("authorization", "Bearer weir-one-0123456789abcdef")
                .header("x-goog-fieldmask", "candidates");
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), 200, "{method} {root} {path}: {}", reply.text());
            let received = upstream.request().await;
            assert!(received.line().ends_with(&format!(":{sent}")), "{method} {root} {path}: {}", received.line());
            assert_eq!(received.header("x-goog-fieldmask"), None, "{method} {root} {path}");
            used += 120.0;
            gateway.until_metric("weir_budget_used{budget=\"b\"}", used).await;
        }
    }
}
