//! What a model says aloud in OpenAI's Chat reaches clients of other formats as text, whole and streamed; a client of
//! Chat gets the transcript in its own place.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

/// Where Chat has it.
const OWN: [&str; 2] = ["/choices/0/message/audio/transcript", "/choices/0/delta/audio/transcript"];

fn whole() -> Answer {
    let audio = json!({"id": "audio_1", "data": "UklGRiQAAABXQVZFZm10IBAAAAABAAEA", "expires_at": 1_729_234_747, "transcript": "Guten Tag"});
    let message = json!({"role": "assistant", "content": null, "refusal": null, "audio": audio});
    Answer::json(
        200,
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-audio",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
        .to_string(),
    )
}

fn streamed() -> Answer {
    let deltas = [
        json!({"role": "assistant", "content": null, "audio": {"id": "audio_1", "transcript": ""}}),
        json!({"audio": {"transcript": "Guten "}}),
        json!({"audio": {"data": "AAAA"}}),
        json!({"audio": {"transcript": "Tag"}}),
        json!({"audio": {"expires_at": 1_729_234_747}}),
        json!({}),
    ];
    let last = deltas.len() - 1;
    let chunk = |(at, delta): (usize, Value)| {
        let finish = (at == last).then_some("stop");
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-audio", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let chunks = deltas.into_iter().enumerate().map(chunk);
    chunks.fold(Answer::sse(), Answer::piece).piece("data: [DONE]\n\n").end()
}

/// The texts at these places of the data of a whole answer or of a stream's frames, joined.
fn texts(body: &str, places: &[&str]) -> String {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect::<Vec<_>>();
    let data = if data.is_empty() { vec![body] } else { data };
    let values = data.iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let found = |value: Value| {
        places.iter().filter_map(|place| value.pointer(place)?.as_str().map(str::to_owned)).collect::<String>()
    };
    values.map(found).collect()
}

async fn open(guards: &str) -> (Upstream, Gateway) {
    let upstream =
        Upstream::scripted(|request: &Received| if request.json()["stream"] == true { streamed() } else { whole() })
            .await;
    let config = format!(
        "[[providers]]\nname = \"openai\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"k\"\n\
         [[models]]\nalias = \"gpt-audio\"\ntarget = {{ provider = \"openai\", model = \"gpt-audio\" }}\n\
         [[models]]\nalias = \"read\"\ntranslate = true\ntarget = {{ provider = \"openai\", model = \"gpt-audio\" }}\n{guards}",
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini", "regex"]), &config).await;
    (upstream, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_reaches_every_client() {
    let (_upstream, gateway) = open("").await;
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let chat = |stream: bool| json!({"model": "read", "stream": stream, "messages": messages});
    let claude = |stream: bool| json!({"model": "gpt-audio", "stream": stream, "max_tokens": 9, "messages": messages});
    let gemini = || json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
    let parts = ["/candidates/0/content/parts/0/text"];
    for (path, body, places, is_lost) in [
        ("/v1/chat/completions", chat(false), OWN.as_slice(), false),
        ("/v1/chat/completions", chat(true), &OWN, false),
        ("/v1/messages", claude(false), &["/content/0/text"], true),
        ("/v1/messages", claude(true), &["/delta/text"], true),
        ("/v1beta/models/gpt-audio:generateContent", gemini(), &parts, false),
        ("/v1beta/models/gpt-audio:streamGenerateContent?alt=sse", gemini(), &parts, true),
    ] {
        let reply = gateway.ask(&Request::post(path, body.to_string())).await;
        let text = reply.text();
        assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("translate")), "{path}: {text}");
        assert_eq!(texts(&text, places), "Guten Tag", "{path}: {text}");
        let has_sound = text.contains("UklGRiQAAABXQVZFZm10IBAAAAABAAEA") || text.contains("AAAA");
        assert_eq!(has_sound, !is_lost, "{path}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_find_what_the_pieces_of_a_transcript_split() {
    let guard = "[[guards]]\nname = \"regex\"\ndeadline = \"20s\"\ngrants = { answer = true }\n\
                 options = { patterns = [{ name = \"day\", pattern = \"en Ta\" }], action = \"mask\" }\n";
    let (_upstream, gateway) = open(guard).await;
    for stream in [false, true] {
        let body = json!({"model": "gpt-audio", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]});
        let reply = gateway.ask(&Request::post("/v1/chat/completions", body.to_string())).await;
        let said = texts(&reply.text(), &OWN);
        assert!(said.starts_with("Gut") && said.ends_with('g') && !said.contains("en Ta"), "{}", reply.text());
    }
}
