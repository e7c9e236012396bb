//! A prompt of text, sound and pictures, some of which comes from a cache: each token counts once and as what it is, in
//! both lanes, whole and streamed, whether kinds are named or numbered.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

/// Of 2,000 tokens, 1,500 are cached: 1,000 of the 1,100 that are sound, 50 of the 100 of a picture, and words.
fn answer(numbered: bool) -> Value {
    let kinds = |words: u32, sound: u32, sight: u32| {
        let names =
            if numbered { [json!(1), json!(4), json!(2)] } else { [json!("TEXT"), json!("AUDIO"), json!("IMAGE")] };
        let count = |(name, count)| json!({"modality": name, "tokenCount": count});
        names.into_iter().zip([words, sound, sight]).map(count).collect::<Vec<_>>()
    };
    let part = json!({"parts": [{"text": "Grue"}], "role": "model"});
    json!({"candidates": [{"content": part, "finishReason": "STOP"}], "modelVersion": "gemini-x", "usageMetadata": {
        "promptTokenCount": 2000, "promptTokensDetails": kinds(800, 1100, 100),
        "cachedContentTokenCount": 1500, "cacheTokensDetails": kinds(450, 1000, 50),
        "candidatesTokenCount": 7, "totalTokenCount": 2007}})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_of_a_cached_prompt_counts_once_and_as_what_it_is() {
    let upstream = Upstream::scripted(|request: &Received| {
        let json = answer(request.line().contains("numbered")).to_string();
        if request.line().contains(":stream") {
            Answer::sse().piece(format!("data: {json}\n\n")).end()
        } else {
            Answer::json(200, json)
        }
    })
    .await;
    let models = ["named", "numbered"].map(|name| {
        format!("[[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"gemini\", model = \"gemini-{name}\" }}\n")
    });
    let config = format!(
        "[[providers]]\nname = \"gemini\"\nadapter = \"gemini\"\nurl = \"{}\"\napi_key = \"k\"\n{}",
        upstream.url(),
        models.concat()
    );
    let gateway = Gateway::with(Folder::with(&["gemini", "openai"]), &config).await;
    let mut exchanges = 0.0;
    for model in ["named", "numbered"] {
        let own = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
        let chat =
            |stream: bool| json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]});
        for (path, body, lane) in [
            (format!("/v1beta/models/{model}:generateContent"), own.clone(), "relay"),
            (format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"), own, "relay"),
            ("/v1/chat/completions".to_owned(), chat(false), "translate"),
            ("/v1/chat/completions".to_owned(), chat(true), "translate"),
        ] {
            let reply = gateway.ask(&Request::post(&path, body.to_string())).await;
            assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{path}: {}", reply.text());
            exchanges += 1.0;
            for (bucket, count) in [
                ("input", 350.0),
                ("input_audio", 100.0),
                ("input_image", 50.0),
                ("cache_read", 1500.0),
                ("output", 7.0),
            ] {
                let metric = format!("weir_tokens_total{{bucket=\"{bucket}\"}}");
                gateway.until_metric(&metric, count * exchanges).await;
            }
        }
    }
}
