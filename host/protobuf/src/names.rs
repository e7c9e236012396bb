//! Spellings of the contract's names.

/// `chat-request` as `chat_request`.
pub(crate) fn snake(name: &str) -> String {
    name.replace('-', "_")
}

/// `chat-request` as `ChatRequest`.
pub(crate) fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(word).collect()
}

/// `media-kind` as `MEDIA_KIND`.
pub(crate) fn shout(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// A field's name in Rust.
pub(crate) fn member(name: &str) -> String {
    let name = snake(name);
    if matches!(name.as_str(), "type" | "enum" | "match" | "ref" | "move") { format!("r#{name}") } else { name }
}
