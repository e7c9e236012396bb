//! Memory of sessions that wait.

use std::net::SocketAddr;

use serde_json::json;
use weir_tests::{Folder, Program, SessionProvider, WebSocket};

use super::{PATH, config, realtime};
use crate::soak::resident;

/// Sessions that are open before the first figure, so that what the program needs once does not count.
const BEFORE: usize = 40;
const COUNTED: usize = 200;
/// What a session may hold, with its two connections.
const MOST_KIB: usize = 60;

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
    let (folder, cache) = (Folder::with(&["openai"]), tempfile::tempdir().unwrap());
    let program = Program::start(
        &folder,
        cache.path(),
        &format!("[server]\nmax_connections = 1000\n{}{}", realtime("max_sessions = 500"), config(&provider)),
    );
    let address = program.address();
    let _first = open(address, &provider, BEFORE).await;
    let before = resident(&program);
    let _counted = open(address, &provider, COUNTED).await;
    let each = (resident(&program) - before) / COUNTED;
    println!("{each} KiB a session");
    assert!(each <= MOST_KIB, "{each} KiB a session");
}
