//! Forms that name their model, read while they pass.

use serde_json::json;
use weir_tests::{Answer, Client, Gateway, Reply, Request, Upstream, soon};

use super::{by, client, code, provider};

const PATH: &str = "/passthrough/p/audio/transcriptions";
/// A client that may use one model, and one that may use all.
const CLIENTS: [(&str, &str); 2] = [("bound", "models = [\"gpt\"]\n"), ("free", "")];
/// One that may leave the model out.
const SOME: (&str, &str) = ("some", "models = [\"gpt\"]\noperations = [\"transcriptions\"]\n");

fn answer() -> Answer {
    Answer::json(200, json!({"text": "Hi", "usage": {"type": "duration", "seconds": 10_000}}).to_string())
}

fn clients() -> String {
    let [bound, free] = CLIENTS;
    [bound, free, SOME].map(|(name, more)| client(name, &format!("{more}passthrough = [\"p * *\"]"))).concat()
}

async fn open(more: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::always(answer()).await;
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + more + &clients())).await;
    (upstream, gateway)
}

fn part(head: &str, content: &str) -> String {
    format!("--b\r\n{head}\r\n\r\n{content}\r\n")
}

fn model(name: &str) -> String {
    part("Content-Disposition: form-data; name=\"model\"", name)
}

fn file(content: &str) -> String {
    part("Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg", content)
}

fn form(parts: &str) -> Request {
    Request::new("POST", PATH)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(format!("{parts}--b--\r\n"))
}

async fn ask(gateway: &Gateway, who: &str, request: Request) -> Reply {
    gateway.ask(&by(who, request)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forms_model_has_rights_wherever_it_stands() {
    let (mut upstream, gateway) = open("").await;
    for parts in [model("gpt") + &file("sound"), file("sound") + &model("gpt"), model("gpt") + &model("gpt")] {
        let request = form(&parts);
        let reply = ask(&gateway, "bound", request.clone()).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(upstream.request().await.body, request.sent(), "byte for byte");
    }
    for parts in [model("whisper-1") + &file("sound"), file("sound") + &model("whisper-1")] {
        let reply = ask(&gateway, "bound", form(&parts)).await;
        assert_eq!(reply.status(), 403, "{}", reply.text());
        assert!(upstream.unseen().is_none());
        assert_eq!(ask(&gateway, "free", form(&parts)).await.status(), 200);
        upstream.request().await;
    }
    let reply = ask(&gateway, "bound", form(&file("sound"))).await;
    assert_eq!(reply.status(), 403, "the provider would choose one: {}", reply.text());
    assert!(upstream.unseen().is_none());
    assert_eq!(ask(&gateway, "free", form(&file("sound"))).await.status(), 200);
    assert_eq!(ask(&gateway, "some", form(&file("sound"))).await.status(), 200);
    assert_eq!(ask(&gateway, "some", form(&model("whisper-1"))).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_two_models_does_not_pass() {
    let (mut upstream, gateway) = open("").await;
    for (who, _) in CLIENTS {
        for (first, second) in [("gpt", "whisper-1"), ("whisper-1", "gpt")] {
            for parts in [model(first) + &model(second), model(first) + &file("sound") + &model(second)] {
                let reply = ask(&gateway, who, form(&parts)).await;
                assert_eq!(reply.status(), 400, "{who} {first}: {}", reply.text());
                assert!(reply.text().contains("name one model only"), "{}", reply.text());
                assert!(upstream.unseen().is_none());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_servers_read_differently_passes_only_where_nothing_depends_on_it() {
    let (mut upstream, gateway) = open("").await;
    let named = |name: &str| part(&format!("Content-Disposition: form-data; {name}"), "whisper-1");
    let honest = model("gpt");
    let closed = |parts: String| format!("{parts}--b--\r\n");
    for body in [
        closed(named("name*=utf-8''model") + &honest),
        closed(named("name=\"x\"; name*0=\"mod\"; name*1=\"el\"") + &honest),
        closed(named("name=\"Model\"") + &honest),
        closed(named("name=\" model\"") + &honest),
        closed(named("name=\"mod\\el\"") + &honest),
        closed(part("Content-Disposition: form-data; name=\"_charset_\"", "utf-16") + &honest),
        closed(honest.clone() + &honest).replace("\r\n", "\n"),
        format!("{honest}{}", model("whisper-1").trim_end()),
        format!("{{\"model\":\"gpt\"}}\r\n{honest}"),
        "model=whisper-1".to_owned(),
    ] {
        let request = form("").body(&body);
        let reply = ask(&gateway, "bound", request.clone()).await;
        assert_eq!(reply.status(), 400, "{body}: {}", reply.text());
        assert!(upstream.unseen().is_none(), "{body}");
        let reply = ask(&gateway, "free", request).await;
        assert_eq!(reply.status(), 200, "{body}: {}", reply.text());
        assert_eq!(upstream.request().await.text(), body);
    }
    for (name, status) in [("name=model", 403), ("NAME=\"model\"", 403), ("name=\"model\"; filename=\"m\"", 400)] {
        let reply = ask(&gateway, "bound", form(&named(name))).await;
        assert_eq!(reply.status(), status, "{name}: {}", reply.text());
    }
    let upper = part("CONTENT-DISPOSITION: FORM-DATA; NAME=\"model\"", "gpt");
    assert_eq!(ask(&gateway, "bound", form(&upper)).await.status(), 200);
    upstream.request().await;
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_said_to_be_something_else_does_not_lead_around_rights() {
    let (mut upstream, gateway) = open("").await;
    let body = form(&model("whisper-1")).sent();
    let as_form = "multipart/form-data; boundary=b";
    for (headers, status) in [
        (&[("content-type", "application/x-www-form-urlencoded")][..], 400),
        (&[("content-type", "application/json")], 400),
        (&[("content-type", "multipart/mixed; boundary=b")], 400),
        (&[("content-type", "multipart/form-data; boundary=b; boundary*=utf-8''c")], 400),
        (&[("content-type", as_form), ("content-type", "multipart/form-data; boundary=c")], 415),
        (&[("content-type", "multipart/form-data; boundary=b; charset=utf-7")], 415),
        (&[("content-type", as_form), ("content-encoding", "gzip")], 415),
        (&[], 400),
    ] {
        let plain = Request::new("POST", PATH).body(&body);
        let request = headers.iter().fold(plain, |request, (name, value)| request.header(name, value));
        let reply = ask(&gateway, "bound", request.clone()).await;
        assert_eq!(reply.status(), status, "{headers:?}: {}", reply.text());
        assert!(upstream.unseen().is_none(), "{headers:?}");
        assert_eq!(ask(&gateway, "free", request).await.status(), 200, "{headers:?}");
        assert_eq!(upstream.request().await.body, body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_object_in_a_form_is_not_here() {
    let mut upstream = Upstream::scripted(|request| {
        let is_file = request.line().starts_with("POST /base/files");
        if is_file { Answer::json(200, json!({"id": "file-abcdefgh12345678"}).to_string()) } else { answer() }
    })
    .await;
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients())).await;
    assert_eq!(ask(&gateway, "free", Request::new("POST", "/v1/files").body("x")).await.status(), 200);
    upstream.request().await;
    let parts = model("gpt") + &part("Content-Disposition: form-data; name=\"from\"", "file-abcdefgh12345678");
    let reply = ask(&gateway, "bound", form(&parts)).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (404, "not_found"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
    assert_eq!(ask(&gateway, "free", form(&parts)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_and_the_log_are_those_of_the_forms_model() {
    let more = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 100\nper = \"total\"\n";
    let (_upstream, gateway) = open(more).await;
    // By the bundled price of a second.
    for (at, parts) in [model("whisper-1") + &file("sound"), file("sound") + &model("whisper-1")].iter().enumerate() {
        let reply = ask(&gateway, "free", form(parts)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        gateway.until_metric("weir_budget_used{budget=\"all\"}", (at + 1) as f64).await;
    }
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
    let reply = ask(&gateway, "free", form(&file("sound"))).await;
    assert_eq!(reply.status(), 429, "a budget of money admits nothing without a price: {}", reply.text());
}

/// A part of a form's file, sent by itself.
const PIECE: usize = 64 << 10;

fn begun(who: &str, length: usize) -> Vec<u8> {
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer weir-{who}-0123456789abcdef\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// Sends a form whose parts are before and behind a large file; `None` if the gateway answers before all is sent.
async fn send_large(client: &mut Client, who: &str, before: &str, pieces: usize, behind: &str) {
    let open = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let tail = format!("\r\n{behind}--b--\r\n");
    client.write(&begun(who, before.len() + open.len() + pieces * PIECE + tail.len())).await;
    client.write(before.as_bytes()).await;
    client.write(open.as_bytes()).await;
    for _ in 0..pieces {
        client.write(&vec![b'x'; PIECE]).await;
    }
    client.write(tail.as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_sent_while_it_arrives_and_a_model_far_behind_it_is_too_late() {
    let (mut upstream, gateway) = open("[server]\nmax_body_bytes = \"256KiB\"\n").await;
    for (who, before, behind, status) in [
        ("bound", model("gpt"), String::new(), 200),
        ("bound", model("gpt"), model("gpt"), 200),
        ("bound", model("gpt"), model("whisper-1"), 400),
        ("free", model("gpt"), model("whisper-1"), 400),
        ("bound", String::new(), model("gpt"), 413),
        ("some", String::new(), model("gpt"), 413),
        ("free", String::new(), model("gpt"), 200),
    ] {
        let mut client = gateway.connect().await;
        send_large(&mut client, who, &before, 16, &behind).await;
        let head = soon("an answer", client.head()).await;
        assert_eq!(head.status, status, "{who} {before} {behind}");
        let whole = upstream.unseen().is_some();
        assert_eq!(whole, status == 200, "no provider gets the end of a refused form: {who} {before} {behind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_a_length_is_held_to_the_same() {
    let (mut upstream, gateway) = open("").await;
    for (parts, status) in [
        (model("gpt") + &file("sound"), 200),
        (file("sound") + &model("whisper-1"), 403),
        (file("sound"), 403),
        (model("gpt") + &model("whisper-1"), 400),
    ] {
        let body = format!("{parts}--b--\r\n");
        let chunks: String = body.as_bytes().chunks(7).fold(String::new(), |all, chunk| {
            format!("{all}{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk))
        });
        let trailer = "0\r\nmodel: whisper-1\r\n\r\n";
        let request = form("").header("transfer-encoding", "chunked").body(chunks + trailer);
        let reply = ask(&gateway, "bound", request).await;
        assert_eq!(reply.status(), status, "{parts}: {}", reply.text());
        if status == 200 {
            assert_eq!(upstream.request().await.text(), body, "trailers stay behind");
        }
        assert!(upstream.unseen().is_none(), "{parts}");
    }
}
