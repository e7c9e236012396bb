use super::*;
use crate::types::{AllowedTools, FunctionTool, MediaKind, ToolResult};

#[test]
fn names_of_tools_are_seen_wherever_they_stand() {
    let result = ToolResult { name: Some("a".into()), ..ToolResult::new("c") };
    let parts = vec![Part::ToolResult(result)];
    let message = Message { role: Role::Tool, name: None, parts, extensions: Vec::new() };
    let allowed = AllowedTools { names: vec!["b".into(), "c".into()], required: false };
    for (choice, expected) in
        [(ToolChoice::Named("b".into()), vec!["a", "b"]), (ToolChoice::Allowed(allowed), vec!["a", "b", "c"])]
    {
        let (messages, tool_choice) = (vec![message.clone()], Some(choice));
        let mut asked = Asked::Chat(ChatRequest { messages, tool_choice, ..ChatRequest::default() });
        let mut seen = Vec::new();
        visit(&mut asked, &mut |text| seen.push(text.as_str().to_owned()));
        assert_eq!(seen, expected);
    }
}

#[test]
fn numbers_are_seen_wherever_json_stands() {
    let number = || "{\"n\":4111111111111111}".to_owned();
    let extensions = || vec![Extension { format: "f".into(), key: "k".into(), json: number() }];
    let (name, parameters) = ("t".to_owned(), Some(number()));
    let (description, strict, cache, extended) = (None, None, None, Vec::new());
    let tool = FunctionTool { name, description, parameters, strict, cache, extensions: extended };
    let documents = vec![RerankDocument::Json(number())];
    let chat = ChatRequest {
        tools: vec![Tool::Function(tool)],
        metadata: Some(number()),
        extensions: extensions(),
        ..ChatRequest::default()
    };
    let (model, query, extensions) = (String::new(), String::new(), extensions());
    let rerank = RerankRequest { model, query, documents, top_n: None, return_documents: None, extensions };
    for (mut asked, count) in [(Asked::Chat(chat), 3), (Asked::Rerank(rerank), 2), (Asked::Other(number()), 1)] {
        let mut seen = 0;
        visit(&mut asked, &mut |text| seen += usize::from(text.as_str() == "4111111111111111"));
        assert_eq!(seen, count);
    }
}

fn media_of(mime: Option<&str>, source: MediaSource) -> Asked {
    let media = MediaPart { mime: mime.map(str::to_owned), ..MediaPart::new(MediaKind::Document, source) };
    let (name, extensions) = (None, Vec::new());
    let message = Message { role: Role::User, name, parts: vec![Part::Media(media)], extensions };
    Asked::Chat(ChatRequest { messages: vec![message], ..ChatRequest::default() })
}

#[test]
fn text_documents_are_seen_and_written_anew() {
    let base64 = |text: &str| MediaSource::Base64(documents::encoded(text));
    let url = |url: &str| MediaSource::Url(url.to_owned());
    for (mime, source, masked) in [
        (Some("text/plain"), base64("say hush"), base64("say [x]")),
        (None, base64("hush"), base64("[x]")),
        (Some("application/json"), base64("{\"a\":\"\\u0068ush\"}"), base64("{\"a\":\"[x]\"}")),
        (None, url("data:text/plain,h%75sh"), url("data:text/plain,%5Bx%5D")),
        (None, url("data:a/json;name=hush;base64,MQ=="), url("data:a/json;name=[x];base64,MQ==")),
    ] {
        let mut asked = media_of(mime, source);
        visit(&mut asked, &mut |text| {
            let masked = text.as_str().replace("hush", "[x]");
            if masked != text.as_str() {
                text.set(masked);
            }
        });
        assert_eq!(asked, media_of(mime, masked));
    }
    let mut fixed = media_of(Some("text/plain"), MediaSource::Base64("aHVzaP8=".into()));
    let mut count = 0;
    visit(&mut fixed, &mut |text| count += usize::from(text.is_fixed() && text.as_str().starts_with("hush")));
    assert_eq!(count, 1, "its bytes cannot be written anew");
}
