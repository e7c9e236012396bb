//! Weir within a program: two providers, one model that falls back from the first to the second, no server.
//!
//! `cargo run -p weir-embed --example embed` needs the adapters of `plugins/` (`cargo xtask plugins` builds them), and
//! an Ollama on this machine or a key in `OPENAI_API_KEY`.
#![allow(clippy::print_stdout, reason = "the example shows what it gets")]

use std::error::Error;

use weir_embed::{BuildError, ChatEvent, ChatRequest, Client, Provider, Secret};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = Secret::from_env("OPENAI_API_KEY").unwrap_or_else(|_| Secret::new("none"));
    let weir = open("plugins", "http://127.0.0.1:11434", "https://api.openai.com/v1/", key).await?;
    println!("{}", talk(&weir, "What is four by four?").await?);
    Ok(())
}

pub(crate) async fn open(plugins: &str, local: &str, cloud: &str, key: Secret) -> Result<Client, BuildError> {
    Client::builder()
        .plugins(plugins)
        .provider("local", Provider::new("ollama").url(local).retries(0))
        .provider("cloud", Provider::new("openai").url(cloud).key(key))
        .route("chat", ["local/llama3.2", "cloud/gpt-4o-mini"])
        .build()
        .await
}

pub(crate) async fn talk(weir: &Client, question: &str) -> Result<String, weir_embed::Error> {
    let answer = weir.generate("chat", question).await?;
    println!("{} says {} ({} attempts, {:?})", answer.target, answer.text(), answer.attempts, answer.usage);

    let mut text = String::new();
    let mut events = weir.stream("chat", ChatRequest::user(question)).await?;
    while let Some(event) = events.next().await {
        if let ChatEvent::Delta(delta) = event? {
            text.push_str(&delta.text);
        }
    }
    Ok(text)
}
