//! Forms with files are relayed unchanged; only the model's name is read, and replaced if it is an alias.

use weir_tests::{Answer, Gateway, Request, Upstream};

const BOUNDARY: &str = "----weir-test-7MA4YWxkTrZu0gW";

/// A file's bytes, with everything that a careless parser would take for something else.
fn file() -> Vec<u8> {
    let tricky = b"\r\n\r\nname=\"brain\"\r\n----weir-test\r\n--\r\n\x00\xff";
    (0..200_000_u32).map(|at| (at * 7 % 251) as u8).chain(tricky.iter().copied()).collect()
}

fn part(head: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(models: &[&str], more: &[Vec<u8>]) -> Vec<u8> {
    let mut body = part("name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav", &file());
    body.extend(models.iter().flat_map(|model| part("name=\"brain\"", model.as_bytes())));
    body.extend(more.concat());
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

fn request(body: &[u8]) -> Request {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::new("POST", "/zeta/v0/chants").header("content-type", &content_type).body(body)
}

async fn open() -> (Upstream, Gateway) {
    let upstream =
        Upstream::always(Answer::json(200, "{\"reply\":{\"says\":\"la\"},\"toll\":{\"all_in\":3,\"all_out\":1}}"))
            .await;
    let settings = format!(
        "[[providers]]\nname = \"z\"\nadapter = \"zeta\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"loud\"\ntarget = {{ provider = \"z\", model = \"choir-of-seven-v1\" }}\n\
         [[models]]\nalias = \"*\"\ntarget = {{ provider = \"z\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::open(&settings).await;
    (upstream, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_whose_model_has_its_own_name_goes_through_byte_for_byte() {
    let (mut upstream, gateway) = open().await;
    let body = form(&["choir"], &[]);
    let reply = gateway.ask(&request(&body)).await;
    assert_eq!((reply.status(), reply.json()["reply"]["says"].as_str()), (200, Some("la")));
    let received = upstream.request().await;
    assert_eq!(received.line(), "POST /base/chants");
    assert!(received.header("content-type").unwrap().ends_with(BOUNDARY));
    assert!(received.body == body, "the same bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_in_a_form_becomes_the_targets_name_and_nothing_else_changes() {
    let (mut upstream, gateway) = open().await;
    for models in [&["loud"][..], &["soft", "loud"]] {
        let extra = part("name=\"prompt\"", b"loud");
        let reply = gateway.ask(&request(&form(models, std::slice::from_ref(&extra)))).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.header("x-weir-model"), Some("choir-of-seven-v1"));
        let renamed = vec!["choir-of-seven-v1"; models.len()];
        assert!(upstream.request().await.body == form(&renamed, &[extra]), "{models:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_flag_of_a_form_is_seen() {
    let (mut upstream, gateway) = open().await;
    let reply = gateway.ask(&request(&form(&["choir"], &[part("name=\"drip\"", b"true")]))).await;
    assert_eq!(reply.status(), 200);
    assert_eq!(upstream.request().await.line(), "POST /base/chants-drip");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_form_is_sent_to_no_provider() {
    let (mut upstream, gateway) = open().await;
    let good = form(&["choir"], &[]);
    let mut cut = good.clone();
    cut.truncate(good.len() - 4);
    let hidden = form(&["choir"], &[part("name=\"x\"; name*=utf-8''brain", b"loud")]);
    let within = form(&["choir"], &[part("name=\"x\"", format!("\n--{BOUNDARY}\r\n").as_bytes())]);
    for (body, says) in [
        (cut, "closing boundary"),
        (form(&[""], &[]), "must be the name of a model"),
        (hidden, "cannot be read"),
        (within, "its boundary stands within a part"),
        (b"{\"brain\":\"choir\"}".to_vec(), "does not begin with its boundary"),
    ] {
        let reply = gateway.ask(&request(&body)).await;
        assert_eq!(reply.status(), 422);
        assert!(reply.text().contains(says), "{says}: {}", reply.text());
    }
    let json = Request::post("/zeta/v0/chants", "{\"brain\":\"choir\"}");
    let reply = gateway.ask(&json).await;
    assert!(reply.status() == 422 && reply.text().contains("multipart/form-data"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_a_model_goes_to_the_only_provider_that_takes_it() {
    let (mut upstream, gateway) = open().await;
    let nameless = form(&[], &[part("name=\"prompt\"", b"loud")]);
    let reply = gateway.ask(&request(&nameless)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert!(upstream.request().await.body == nameless);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_written_down_by_the_model_behind_an_alias() {
    let mut upstream = Upstream::scripted(|request| {
        if request.text().contains("name=\"stream\"") {
            return Answer::sse().piece("data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hi\"}\n\n").end();
        }
        Answer::json(200, "{\"text\":\"Hi\"}")
    })
    .await;
    let settings = format!(
        "[[models]]\nalias = \"ears\"\ntype = \"openai\"\n\
         target = {{ url = \"{}\", api_key = \"KEY\", model = \"whisper-1\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::open(&settings).await;
    let form = |model: &str, more: &[u8]| {
        let file = part("name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav", &file());
        let end = format!("--{BOUNDARY}--\r\n").into_bytes();
        [file, part("name=\"model\"", model.as_bytes()), more.to_vec(), end].concat()
    };
    for (more, says) in [(Vec::new(), "{\"text\":\"Hi\"}"), (part("name=\"stream\"", b"true"), "transcript.text.delta")]
    {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = Request::new("POST", "/v1/audio/transcriptions").header("content-type", &content_type);
        let reply = gateway.ask(&request.body(form("ears", &more))).await;
        assert!(reply.status() == 200 && reply.text().contains(says), "{}", reply.text());
        let received = upstream.request().await;
        assert_eq!(received.line(), "POST /base/audio/transcriptions");
        assert!(received.body == form("whisper-1", &more));
    }
}
