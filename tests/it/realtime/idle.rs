//! Memory of sessions that wait.

use std::net::SocketAddr;

use serde_json::json;
use weir_tests::{Folder, Program, SessionProvider, WebSocket};

use super::{PATH, config, realtime};
use crate::soak::resident;

/// Sessions that are open before the first figure, so that what the program needs once does not count.
const BEFORE: usize = 40;
const COUNTED: usize = 200;
/// Counts another number of sessions, for figures: `docs/performance.md`. Each takes two files here and in the program.
const SESSIONS: &str = "WEIR_SESSIONS";
/// What a session may hold, with its two connections.
const MAX_KIB: usize = 60;

/// Sessions that passed messages both ways, and wait since.
async fn open(address: SocketAddr, provider: &SessionProvider, count: usize) -> Vec<(WebSocket, WebSocket)> {
    let mut all = Vec::with_capacity(count);
    let text = "x".repeat(50_000);
    for _ in 0..count {
        let (client, upstream) = tokio::join!(WebSocket::ask(address, PATH, &[]), provider.grant());
        let (mut client, mut upstream): (WebSocket, WebSocket) = (client.unwrap(), upstream);
        let append = json!({"type": "input_audio_buffer.append", "audio": text});
        client.say(&append).await;
        assert_eq!(upstream.message().await, append.to_string().as_bytes());
        upstream.say(&json!({"type": "session.updated", "text": text})).await;
        client.message().await;
        all.push((client, upstream));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_holds_no_buffers() {
    let provider = SessionProvider::listen().await;
    let counted = std::env::var(SESSIONS).ok().and_then(|text| text.parse().ok()).unwrap_or(COUNTED);
    let (folder, cache) = (Folder::with(&["openai"]), tempfile::tempdir().unwrap());
    let program = Program::start(
        &folder,
        cache.path(),
        &format!(
            "[server]\nmax_connections = {}\n{}{}",
            2 * counted + 500,
            realtime(&format!("max_sessions = {}", counted + 2 * BEFORE)),
            config(&provider)
        ),
    );
    let address = program.address();
    let _first = open(address, &provider, BEFORE).await;
    let before = resident(&program);
    let _counted = open(address, &provider, counted).await;
    // Code that was only needed for the start may be given back meanwhile.
    let each = resident(&program).saturating_sub(before) / counted;
    println!("{each} KiB a session");
    assert!(each <= MAX_KIB, "{each} KiB a session");
}
