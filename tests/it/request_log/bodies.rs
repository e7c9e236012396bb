//! Contents of requests: kept by choice, without secrets, whatever the lane and however the answer ends.

use super::*;

/// A configuration that keeps contents so.
pub(super) fn keeping(bodies: &str, more: &str, upstream: &Upstream) -> String {
    format!("[store]\nbodies = \"{bodies}\"\n{more}\n{}", config_of(&ALL, upstream))
}

impl Kept {
    /// The content of a request, once it is written.
    pub(super) async fn content(&self, id: &str) -> Value {
        let path = format!("/admin/v1/requests/{id}/exchange");
        for _ in 0..2_000 {
            let reply = self.admin(&path).await;
            if reply.status() == 200 {
                return reply.json();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no content of {id}\n{}", self.program.log());
    }

    /// Whether a request has no content. What would be written was written before: a later request's content is there.
    pub(super) async fn has_none(&self, id: &str) -> bool {
        let reply = self.admin(&format!("/admin/v1/requests/{id}/exchange")).await;
        reply.status() == 404 && reply.json()["error"]["code"] == "no_content"
    }
}

/// The text of an answer's part of a recording.
fn came(part: &Value) -> String {
    let chunks = part["chunks"].as_array();
    let text = |chunk: &Value| chunk["text"].as_str().unwrap_or_default().to_owned();
    match chunks {
        Some(chunks) => chunks.iter().map(text).collect(),
        None => part["body_text"].as_str().map_or_else(|| part["body"].to_string(), str::to_owned),
    }
}

pub(super) fn own_id(reply: &Reply) -> String {
    reply.header("x-weir-request-id").unwrap().to_owned()
}

async fn contents_are_kept(store: &str) {
    let upstream = provider().await;
    let kept = Kept::start(&keeping("all", store, &upstream));
    for from in ALL {
        for to in ALL {
            for (model, stream) in [(to.name.to_owned(), false), (to.name.to_owned(), true), (to.translated(), true)] {
                let request = from.request(&model, stream).header("x-private", "value-of-a-header");
                let reply = kept.ask(&request).await;
                assert_eq!(reply.status(), 200, "{}", reply.text());
                let content = kept.content(&own_id(&reply)).await;
                let what = format!("{}-{model}-{stream}: {content}", from.name);
                assert_eq!(content["provider"], to.name, "{what}");
                let (client, upstream) = (&content["client"], &content["upstream"]);
                assert_eq!(client["request"]["method"], "POST", "{what}");
                assert!(client["request"].to_string().contains("Hi"), "{what}");
                assert!(upstream["request"].to_string().contains("Hi"), "{what}");
                assert_eq!(
                    (&client["response"]["status"], &upstream["response"]["status"]),
                    (&200.into(), &200.into())
                );
                let whole = |part: &Value| came(part).replace(char::is_whitespace, "");
                if stream {
                    assert_eq!(came(&client["response"]), reply.text(), "{what}");
                } else {
                    let answer: Value = serde_json::from_str(&came(&client["response"])).unwrap();
                    assert_eq!(answer, reply.json(), "{what}");
                }
                assert!(whole(&upstream["response"]).contains("Gr"), "{what}");
                for gone in ["x-private", "value-of-a-header", &format!("KEY-OF-{}", to.name)] {
                    assert!(!content.to_string().contains(gone), "{gone}: {what}");
                }
            }
        }
    }
    let metrics = kept.admin("/metrics").await.text();
    assert!(metrics.contains("weir_request_log_dropped_total{reason=\"secret\",what=\"exchange\"} 0"), "{metrics}");
    kept.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_kept_in_both_lanes_whole_and_streamed() {
    contents_are_kept("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_keeps_contents_too() {
    let Some(database) = Database::start() else { return };
    contents_are_kept(&format!("url = \"{}\"", database.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_models_and_a_header_choose_what_is_kept() {
    let upstream = provider().await;
    let more = "allow_unlogged = true\n[[bodies]]\nfor = { key = \"quiet\" }\nkeep = \"off\"\n\
                [[bodies]]\nfor = { model = \"anthropic\" }\nkeep = \"all\"\n\
                [[clients]]\nname = \"quiet\"\nkey = \"weir-quiet-0123456789\"\n\
                [[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\n";
    let kept = Kept::start(&keeping("errors", more, &upstream));
    let mut ids = Vec::new();
    for (key, model, header, is_kept) in [
        ("quiet", "openai", "full", false),
        ("quiet", "anthropic", "", false),
        ("quiet", "nothing", "", false),
        ("some", "openai", "", false),
        ("some", "nothing", "meta", false),
        ("some", "anthropic", "meta", false),
        ("some", "nothing", "", true),
        ("some", "anthropic", "", true),
        ("some", "openai", "full", true),
    ] {
        let request = OPENAI.request(model, false).header("authorization", &format!("Bearer weir-{key}-0123456789"));
        let request = if header.is_empty() { request } else { request.header("x-weir-log", header) };
        ids.push((own_id(&kept.ask(&request).await), is_kept));
    }
    for (number, (id, is_kept)) in ids.iter().enumerate().rev() {
        if *is_kept {
            let content = kept.content(id).await;
            assert!(!content.to_string().contains("weir-some-0123456789"), "{content}");
        } else {
            assert!(kept.has_none(id).await, "{number}");
        }
    }
    let request = OPENAI.request("openai", false).header("authorization", "Bearer weir-some-0123456789");
    let reply = kept.ask(&request.header("x-weir-log", "none").header("x-request-id", "id-none")).await;
    assert_eq!(reply.status(), 200);
    let last = OPENAI.request("openai", false).header("authorization", "Bearer weir-some-0123456789");
    kept.ask(&last.header("x-request-id", "id-last")).await;
    kept.of("id-last").await;
    kept.found("client_request_id=id-none", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_contents_are_removed() {
    let upstream = provider().await;
    let client = "[[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\n";
    let kept = Kept::start(&keeping("all", client, &upstream));
    let body = format!(
        "{{\"model\":\"zeta-t\",\"messages\":[{{\"role\":\"user\",\"content\":\"{} {} {TOKEN} ada@analytical-engines.net\"}}]}}",
        "weir-some-0123456789", "KEY-OF-zeta"
    );
    let request = Request::post("/v1/chat/completions", body).header("authorization", "Bearer weir-some-0123456789");
    let reply = kept.ask(&request).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let content = kept.content(&own_id(&reply)).await.to_string();
    for gone in ["weir-some-0123456789", "KEY-OF-zeta", TOKEN, "ada@"] {
        assert!(!content.contains(gone), "{gone}: {content}");
    }
    kept.stop();
    let folder = std::fs::read_dir(kept.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let files = folder.filter(|path| path.to_string_lossy().contains("weir-2"));
    // SQLite removes its log of a file when the last connection is closed; the file itself stays.
    let files: Vec<_> = files.filter_map(|file| Some((std::fs::read(&file).ok()?, file))).collect();
    assert!(!files.is_empty());
    for (bytes, file) in files {
        for gone in ["weir-some-0123456789", "KEY-OF-zeta", TOKEN] {
            assert!(!bytes.windows(gone.len()).any(|bytes| bytes == gone.as_bytes()), "{gone} in {file:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_break_are_kept_as_far_as_they_came() {
    for from in [OPENAI, ZETA] {
        for model in [from.name.to_owned(), from.translated()] {
            let gate = Gate::default();
            let begun = |answer: Answer| from.stream().iter().take(2).fold(answer, Answer::piece);
            let upstream = Upstream::always(begun(from.begin()).gate(&gate).reset()).await;
            let kept = Kept::start(&keeping("errors", "", &upstream));
            let mut client = Client::connect(kept.address).await;
            client.send(&from.request(&model, true).header("x-request-id", "id-cut")).await;
            assert_eq!(client.head().await.status, 200);
            client.piece().await.unwrap();
            gate.open();
            gate.open();
            drop(client.rest().await);
            let fact = kept.of("id-cut").await;
            let content = kept.content(text(&fact, "id")).await;
            assert_eq!(content["outcome"], "cut");
            let sent: String = from.stream().iter().take(2).cloned().collect();
            let upstream = came(&content["upstream"]["response"]);
            assert!(!upstream.is_empty() && sent.starts_with(&upstream), "{content}");
            assert!(!came(&content["client"]["response"]).is_empty(), "{content}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_stored_once_and_too_large_an_exchange_not_at_all() {
    let upstream = provider().await;
    let kept = Kept::start(&keeping("all", "max_exchange_bytes = \"1MiB\"", &upstream));
    let mut state = 1_u64;
    let mut letters = |count: usize| -> String {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 58) as usize])
        };
        (0..count).map(|_| next()).collect()
    };
    let ask = |turn: usize, image: &str| {
        let url = format!("{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"data:image/png;base64,{image}\"}}}}");
        let body = format!(
            "{{\"model\":\"openai\",\"messages\":[{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":\"{turn}\"}},{url}]}}]}}"
        );
        Request::post("/v1/chat/completions", body)
    };
    let (image, large) = (letters(256 << 10), letters(2 << 20));
    let lost = own_id(&kept.ask(&ask(0, &large)).await);
    for turn in 0..6 {
        let reply = kept.ask(&ask(turn, &image)).await;
        let content = kept.content(&own_id(&reply)).await;
        let text = content["client"]["request"]["body"].to_string();
        assert!(text.contains(&image) && text.contains(&format!("\"text\":\"{turn}\"")), "{turn}");
    }
    assert!(kept.has_none(&lost).await);
    let metrics = kept.admin("/metrics").await.text();
    assert!(metrics.contains("weir_request_log_dropped_total{reason=\"too_large\",what=\"exchange\"} 1"), "{metrics}");
    kept.stop();
    let files = std::fs::read_dir(kept.folder.path()).unwrap().map(|entry| entry.unwrap());
    let days = files.filter(|file| file.file_name().to_string_lossy().starts_with("weir-2"));
    let bytes: u64 = days.map(|file| file.metadata().unwrap().len()).sum();
    assert!((180_000..900_000).contains(&bytes), "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_shown_to_those_who_may_read_their_team_only() {
    let upstream = provider().await;
    let kept = Kept::start(&keeping("all", "", &upstream));
    let admin = |path: &str, body: &str| {
        Request::post(&format!("/admin/v1{path}"), body)
            .header("authorization", &format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
    };
    for team in ["red", "blue"] {
        let made = kept.ask(&admin("/teams", &format!("{{\"id\":\"{team}\",\"name\":\"{team}\"}}"))).await;
        assert_eq!(made.status(), 201, "{}", made.text());
    }
    let mut keys = Vec::new();
    for body in [
        r#"{"name":"a","owner":{"team":"red"}}"#,
        r#"{"name":"b","grants":[{"access":"read","team":"red"}]}"#,
        r#"{"name":"c","grants":[{"access":"read","team":"blue"}]}"#,
    ] {
        let made = kept.ask(&admin("/keys", body)).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        keys.push(text(&made.json(), "key").to_owned());
    }
    let with = |request: Request, key: &str| request.header("authorization", &format!("Bearer {key}"));
    let reply = kept.ask(&with(OPENAI.request("openai", false), &keys[0])).await;
    let id = own_id(&reply);
    kept.content(&id).await;
    for (key, status) in [(&keys[0], 403), (&keys[1], 200), (&keys[2], 403)] {
        let page = Request::get(&format!("/admin/v1/requests/{id}/exchange"));
        assert_eq!(kept.ask(&with(page, key)).await.status(), status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_and_prices_are_shown_with_what_is_left_and_where_a_price_stands() {
    let upstream = provider().await;
    let more = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nrequests = 10\nper = \"day\"\n\
                [[models]]\nalias = \"dear\"\ntarget = { provider = \"openai\", model = \"openai\", \
                price = { input = 1000, output = 2000 } }\n";
    let kept = Kept::start(&keeping("off", more, &upstream));
    assert_eq!(kept.ask(&OPENAI.request("openai", false)).await.status(), 200);
    let mut budget = Value::Null;
    for _ in 0..2_000 {
        budget = kept.admin("/admin/v1/budgets").await.json()["items"][0].clone();
        if budget["spent"] == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let counts = ["limit", "spent", "reserved", "left"].map(|name| number(&budget, name));
    assert_eq!((text(&budget, "name"), counts), ("all", [10, 1, 0, 9]), "{budget}");
    assert_eq!(budget["resets"], budget["window"]["end"], "{budget}");
    assert!(budget["resets"].is_string(), "{budget}");
    let prices = kept.admin("/admin/v1/prices").await.json();
    let items = prices["items"].as_array().unwrap();
    let of = |model: &str| items.iter().find(|item| item["model"] == model).unwrap();
    let dear = of("dear");
    assert!(text(dear, "version").starts_with("configuration@") && dear["is_known"] == true, "{dear}");
    let input = dear["rates"].as_array().unwrap().iter().find(|rate| rate["measure"] == "input").unwrap();
    assert!(text(input, "rate").contains("1000"), "{input}");
    assert_eq!(of("zeta")["is_known"], false);
}
