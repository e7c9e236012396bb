//! Media that a request gives by address, for a provider that takes only bytes.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Upstream};

const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\nnot much of a picture";
const IMAGE_BASE64: &str = "iVBORw0KGgpub3QgbXVjaCBvZiBhIHBpY3R1cmU=";

/// A provider that fetches no addresses, and the operator's settings for fetching.
async fn gateway(upstream: &Upstream, media: &str) -> Gateway {
    let config = format!(
        "[media]\n{media}\n[[providers]]\nname = \"gemini\"\nadapter = \"gemini\"\nurl = \"{}\"\napi_key = \"K\"\n\
         [[models]]\nalias = \"g\"\ntarget = {{ provider = \"gemini\", model = \"gemini-2.5-flash\" }}\n",
        upstream.url()
    );
    Gateway::with(Folder::with(&["openai", "gemini"]), &config).await
}

fn asking(url: &str) -> String {
    let image = json!({"type": "image_url", "image_url": {"url": url}});
    json!({"model": "g", "messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, image]}]})
        .to_string()
}

fn answer() -> Answer {
    let part = json!({"role": "model", "parts": [{"text": "A picture."}]});
    Answer::json(200, json!({"candidates": [{"content": part, "finishReason": "STOP"}]}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn c42_an_image_is_fetched_where_the_operator_lets_it() {
    let files = Upstream::always(Answer::whole(200, &[("content-type", "image/png; x=y")], IMAGE)).await;
    let mut upstream = Upstream::always(answer()).await;
    let gateway = gateway(&upstream, &format!("fetch = true\norigins = [\"{}\"]", files.origin())).await;
    let reply = gateway.post("/v1/chat/completions", &asking(&format!("{}/a.png", files.origin()))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let sent = upstream.request().await.json();
    let parts = sent["contents"][0]["parts"].as_array().unwrap();
    let inline: &Value = &parts.iter().find(|part| part.get("inlineData").is_some()).unwrap()["inlineData"];
    assert_eq!(inline["mimeType"], "image/png");
    assert_eq!(inline["data"], IMAGE_BASE64);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_by_default_and_never_from_ones_own_network() {
    let mut files = Upstream::always(Answer::whole(200, &[("content-type", "image/png")], IMAGE)).await;
    let mut upstream = Upstream::always(answer()).await;
    for media in ["", "fetch = true"] {
        let gateway = gateway(&upstream, media).await;
        let reply = gateway.post("/v1/chat/completions", &asking(&format!("{}/a.png", files.origin()))).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        let redirected =
            gateway.post("/v1/chat/completions", &asking("https://169.254.169.254/latest/meta-data")).await;
        assert_eq!(redirected.status(), 400, "{}", redirected.text());
    }
    assert!(files.unseen().is_none() && upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_must_be_of_its_kind_and_small_enough() {
    let page = Answer::whole(200, &[("content-type", "text/html")], "<html>");
    let large = Answer::whole(200, &[("content-type", "image/png")], vec![0; 5000]);
    let moved = Answer::whole(302, &[("location", "https://127.0.0.1/a.png")], "");
    let missing = Answer::json(404, "{}");
    for (answered, status, expected) in [
        (page, 400, "text/html"),
        (large, 413, "larger than 4096 bytes; `media.max_bytes`"),
        (moved, 400, "public"),
        (missing, 400, "404"),
    ] {
        let files = Upstream::always(answered).await;
        let mut upstream = Upstream::always(answer()).await;
        let rules = format!("fetch = true\nmax_bytes = \"4KiB\"\norigins = [\"{}\"]", files.origin());
        let gateway = gateway(&upstream, &rules).await;
        let reply =
            gateway.post("/v1/chat/completions", &asking(&format!("{}/a.png?key=S3CRET", files.origin()))).await;
        assert_eq!(reply.status(), status, "{expected}: {}", reply.text());
        assert!(reply.text().contains(expected) && !reply.text().contains("S3CRET"), "{expected}: {}", reply.text());
        assert!(upstream.unseen().is_none());
    }
}
