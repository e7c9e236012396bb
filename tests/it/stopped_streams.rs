//! Relayed streams whose framing is no line's, at a stop: an error follows a whole frame, and nothing an incomplete
//! one.

use std::fmt::Write as _;

use serde_json::Value;
use weir_tests::{Answer, Client, Folder, Gateway, Request, Upstream};
use weir_types::contract::types::{Frame, Framing};
use weir_wire::frame::{Decoder, Encoder, FrameRef, Limits};

use crate::wire_format::gemini;

/// A frame, and the beginning of a second one.
type Sent = (Vec<u8>, Vec<u8>);

fn of_gemini() -> Sent {
    let element = gemini(r#"{"text":"Grue"}"#, false);
    (format!("[{element}").into_bytes(), format!(",\n{}", &element[..20]).into_bytes())
}

fn of_bedrock() -> Sent {
    let data = r#"{"contentBlockIndex":0,"delta":{"text":"Grue"}}"#.to_owned();
    let frame = Frame { event: Some("contentBlockDelta".to_owned()), data };
    let mut message = Vec::new();
    Encoder::new(Framing::EventStream).push(&frame, &mut message);
    let half = message[..40].to_vec();
    (message, half)
}

/// A provider that stops behind a whole frame, or within the next one if the model is called so.
async fn provider() -> Upstream {
    Upstream::scripted(|request| {
        let (kind, (whole, half)) = if request.line().contains("converse-stream") {
            ("application/vnd.amazon.eventstream", of_bedrock())
        } else {
            ("application/json", of_gemini())
        };
        let begun = Answer::begin(200, &[("content-type", kind)]).piece(whole);
        if request.line().contains("within") { begun.piece(half).hang() } else { begun.hang() }
    })
    .await
}

async fn open(upstream: &Upstream) -> Gateway {
    let mut config = "[server]\nshutdown_timeout = \"50ms\"\n".to_owned();
    for name in ["gemini", "bedrock"] {
        let auth = if name == "bedrock" { "auth = \"bearer\"\n" } else { "" };
        let url = upstream.url();
        write!(
            config,
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{url}\"\napi_key = \"k\"\n{auth}"
        )
        .unwrap();
        for model in ["behind", "within"] {
            let target = format!("{{ provider = \"{name}\", model = \"{model}\" }}");
            write!(config, "[[models]]\nalias = \"{name}-{model}\"\ntarget = {target}\n").unwrap();
        }
    }
    Gateway::with(Folder::with(&["gemini", "bedrock"]), &config).await
}

fn asked(name: &str, place: &str) -> Request {
    match name {
        "gemini" => Request::post(
            &format!("/v1beta/models/{name}-{place}:streamGenerateContent"),
            r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#,
        ),
        _ => Request::post(
            &format!("/model/{name}-{place}/converse-stream"),
            r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#,
        ),
    }
}

async fn begun(gateway: &Gateway, name: &str, place: &str) -> (Client, Vec<u8>) {
    let mut client = gateway.connect().await;
    client.send(&asked(name, place)).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("x-weir-lane")), (200, Some("relay")), "{name}");
    let seen = client.until("Grue").await;
    (client, seen)
}

/// The frames of a stream, each as its name with its data.
fn frames(framing: Framing, bytes: &[u8]) -> (Vec<(String, Value)>, bool) {
    let (mut decoder, mut frames) = (Decoder::new(framing, Limits::default()), Vec::new());
    let mut each = |frame: FrameRef<'_>| {
        let frame = frame.to_owned();
        frames.push((frame.event.unwrap_or_default(), serde_json::from_str(&frame.data).unwrap()));
    };
    decoder.push(bytes, &mut each).unwrap();
    let is_whole = decoder.finish(&mut each).is_ok();
    (frames, is_whole)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_follows_a_whole_frame_and_nothing_an_incomplete_one() {
    let upstream = provider().await;
    let gateway = open(&upstream).await;
    let mut open = Vec::new();
    for (name, framing) in [("gemini", Framing::JsonArray), ("bedrock", Framing::EventStream)] {
        for place in ["behind", "within"] {
            open.push((name, framing, place, begun(&gateway, name, place).await));
        }
    }
    gateway.stop();
    for (name, framing, place, (mut client, mut bytes)) in open {
        let (rest, is_cut) = client.rest().await;
        bytes.extend(rest);
        let (frames, is_whole) = frames(framing, &bytes);
        let what = format!("{name}, {place}: {frames:?}");
        assert!(is_cut, "{what}");
        if place == "within" {
            assert_eq!((frames.len(), is_whole), (1, false), "{what}");
            continue;
        }
        assert_eq!((frames.len(), is_whole), (2, true), "{what}");
        let (event, error) = &frames[1];
        assert_eq!(event, if name == "bedrock" { "internalServerException" } else { "" }, "{what}");
        assert!(error.to_string().contains("send the request again"), "{what}");
    }
}
