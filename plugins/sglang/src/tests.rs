use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weir_sdk::adapter::{
    About as _, ChatOutcome, Decoder as _, ProviderChat, ProviderEmbeddings, ProviderModels, ProviderRerank,
};
use weir_sdk::types::{
    ChatEvent, ChatRequest, Context, EmbeddingInput, EmbeddingsRequest, ErrorKind, Frame, HttpResponse, Message,
    ModelsRequest, Part, RerankDocument, RerankRequest, Role, TextPart,
};

use super::*;
use crate::decoder::ChunkDecoder;

fn answer(body: String) -> HttpResponse {
    HttpResponse { status: 200, headers: Vec::new(), body: weir_sdk::types::Body::Text(body) }
}

fn chunk(json: &str, finished: bool) -> String {
    format!(r#"{{"jsonChunk":"{}","finished":{finished}}}"#, STANDARD.encode(json))
}

fn response(json: &str, status: u16) -> String {
    format!(r#"{{"jsonBody":"{}","statusCode":{status}}}"#, STANDARD.encode(json))
}

fn frames(data: &[String]) -> Vec<Frame> {
    data.iter().map(|data| Frame { event: None, data: data.clone() }).collect()
}

fn whole(body: String) -> Result<weir_sdk::types::ChatResponse, weir_sdk::types::Error> {
    match <Sglang as ProviderChat>::parse_response(&Context::default(), answer(body))? {
        ChatOutcome::Complete(answer) => Ok(answer.response),
        ChatOutcome::FollowUp(_) => panic!("no further request is needed"),
    }
}

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;

/// `UPDATE_DESCRIPTORS=1` writes them.
#[test]
fn the_descriptors_are_those_of_the_proto_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let mut compiler = protox::Compiler::new([&folder]).unwrap();
    compiler.include_source_info(false).include_imports(true).open_file("sglang.proto").unwrap();
    let text = STANDARD.encode(compiler.encode_file_descriptor_set()) + "\n";
    if std::env::var_os("UPDATE_DESCRIPTORS").is_some() {
        std::fs::write(folder.join("sglang.descriptors"), &text).unwrap();
    }
    assert_eq!(manifest::DESCRIPTORS, text, "UPDATE_DESCRIPTORS=1 cargo test -p weir-adapter-sglang");
}

#[test]
fn a_request_is_json_in_a_message() {
    let part = Part::Text(TextPart {
        text: "Hi".into(),
        citations: Vec::new(),
        signature: None,
        cache: None,
        extensions: Vec::new(),
    });
    let messages = vec![Message { role: Role::User, name: None, parts: vec![part], extensions: Vec::new() }];
    let request = ChatRequest { stream: true, messages, ..ChatRequest::default() };
    let rendered = <Sglang as ProviderChat>::render_request(&Context::default(), request).unwrap().request;
    assert_eq!((rendered.method.as_str(), rendered.path.as_str()), ("POST", Json::QUIRKS.paths.chat));
    let body = rendered.body.as_text().unwrap();
    let json = body.strip_prefix(r#"{"jsonBody":""#).and_then(|rest| rest.strip_suffix("\"}")).unwrap();
    let json = String::from_utf8(STANDARD.decode(json).unwrap()).unwrap();
    assert!(json.contains(r#""messages":[{"role":"user","content":"Hi"}]"#), "{json}");
    assert!(json.contains(r#""stream_options":{"include_usage":true}"#), "{json}");
    assert!(!Sglang::describe().takes_blobs);
}

#[test]
fn a_whole_answer_is_the_one_chunk_with_json() {
    let read = whole(format!("[{}]", chunk(ANSWER, true))).unwrap();
    assert_eq!((read.id.as_str(), read.usage.unwrap().input), ("c", Some(5)));
    assert!(whole("[]".to_owned()).is_err());
    assert!(whole(format!("[{}]", chunk("", true))).is_err());
}

#[test]
fn errors_in_place_of_an_answer_are_errors() {
    let bare = r#"{"object":"error","message":"too long","type":"BadRequest","code":400}"#;
    let wrapped = r#"{"error":{"message":"too long","type":"BadRequest","code":400}}"#;
    for json in [bare, wrapped] {
        let error = whole(format!("[{}]", chunk(json, true))).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::InvalidRequest, "too long"), "{json}");
        let mut decoder = ChunkDecoder::new(Context::default());
        let decoded = decoder.push(frames(&[chunk(json, true)])).unwrap();
        assert!(
            matches!(&decoded.events[..], [ChatEvent::Failure(error)] if error.message == "too long"),
            "{decoded:?}"
        );
    }
    let error = <Sglang as ProviderEmbeddings>::parse_response(
        &Context::default(),
        answer(response("{\"message\":\"busy\"}", 429)),
    );
    assert_eq!(error.unwrap_err().kind, ErrorKind::RateLimited);
}

#[test]
fn a_stream_ends_with_its_last_chunk() {
    let text = r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}"#;
    let end = r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let all = [chunk(text, false), chunk(end, false), chunk("", true)];
    let mut decoder = ChunkDecoder::new(Context::default());
    let mut events = decoder.push(frames(&all)).unwrap().events;
    events.extend(decoder.finish().unwrap().events);
    assert!(!events.iter().any(|event| matches!(event, ChatEvent::Failure(_))), "{events:?}");

    let mut one_by_one = ChunkDecoder::new(Context::default());
    let mut same = Vec::new();
    for frame in frames(&all) {
        same.extend(one_by_one.push(vec![frame]).unwrap().events);
    }
    same.extend(one_by_one.finish().unwrap().events);
    assert_eq!(format!("{same:?}"), format!("{events:?}"));

    let mut broken = ChunkDecoder::new(Context::default());
    broken.push(frames(&all[..1])).unwrap();
    let status = Frame {
        event: Some("error".into()),
        data: r#"{"error":{"code":503,"message":"gone","status":"UNAVAILABLE"}}"#.into(),
    };
    let events = broken.push(vec![status]).unwrap().events;
    assert!(
        events.iter().any(|event| matches!(event, ChatEvent::Failure(error) if error.message == "gone")),
        "{events:?}"
    );
}

#[test]
fn what_is_no_message_is_unreadable() {
    for data in ["", "[", "{\"jsonChunk\":1}", "{\"jsonChunk\":\"?\"}", "{\"jsonChunk\":\"/w==\"}"] {
        let mut decoder = ChunkDecoder::new(Context::default());
        let pushed = decoder.push(frames(&[data.to_owned()]));
        let finished = decoder.finish();
        let fails = |decoded: &weir_sdk::types::Decoded| {
            decoded.events.iter().any(|event| matches!(event, ChatEvent::Failure(_)))
        };
        assert!(pushed.is_err() || finished.is_ok_and(|decoded| fails(&decoded)), "{data}");
        assert!(whole(data.to_owned()).is_err(), "{data}");
    }
}

#[test]
fn embeddings_reranking_and_models_are_read() {
    let context = Context::default();
    let request = EmbeddingsRequest {
        model: "m".into(),
        inputs: vec![EmbeddingInput::Text("a".into())],
        single: true,
        dimensions: None,
        encoding: None,
        task: None,
        title: None,
        end_user: None,
        extensions: Vec::new(),
    };
    let rendered = <Sglang as ProviderEmbeddings>::render_request(&context, request).unwrap();
    assert_eq!(rendered.request.path, Json::QUIRKS.paths.embeddings);
    let vectors = r#"{"object":"list","model":"m","data":[{"index":0,"embedding":[0.5,1.0]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    let read = <Sglang as ProviderEmbeddings>::parse_response(&context, answer(response(vectors, 200))).unwrap();
    assert_eq!((read.embeddings.len(), read.usage.unwrap().input), (1, Some(3)));

    let request = RerankRequest {
        model: "m".into(),
        query: "q".into(),
        documents: vec![RerankDocument::Text("a".into())],
        top_n: None,
        return_documents: None,
        extensions: Vec::new(),
    };
    let rendered = <Sglang as ProviderRerank>::render_request(&context, request).unwrap();
    assert_eq!(rendered.request.path, Json::QUIRKS.paths.rerank);
    let results = r#"[{"score":0.1,"document":"a","index":0},{"score":0.9,"document":"b","index":1}]"#;
    let read = <Sglang as ProviderRerank>::parse_response(&context, answer(response(results, 200))).unwrap();
    assert_eq!(read.results.iter().map(|result| result.index).collect::<Vec<_>>(), [1, 0]);

    let request = ModelsRequest { id: None, cursor: None, limit: None };
    let rendered = <Sglang as ProviderModels>::render_request(&context, request).unwrap();
    assert_eq!(rendered.request.path, Json::QUIRKS.paths.models);
    let list = r#"{"models":[{"id":"m","root":"m","maxModelLen":8192},{"id":"lora","parent":"m"}]}"#;
    let read = <Sglang as ProviderModels>::parse_response(&context, answer(list.to_owned())).unwrap();
    assert_eq!((read.models[0].context_tokens, read.models[1].owner.as_deref()), (Some(8192), Some("m")));
}
