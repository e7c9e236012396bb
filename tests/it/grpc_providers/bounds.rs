//! What the answers of one server may hold of the memory of all requests.

use futures_util::future::join_all;
use weir_tests::{RpcAnswer, RpcServer};

use super::{chunk, config, delta, open};
use crate::wire_format::OPENAI;

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_whole_answers_count_as_held_while_they_arrive() {
    let large = chunk(&delta(&"x".repeat(900 << 10)), false);
    let mut server = RpcServer::scripted(move |_| RpcAnswer::begin().message(&large).hang()).await;
    let limits = "[server]\nmax_buffered_bytes = \"8MiB\"\nmax_body_bytes = \"1MiB\"\n";
    let gateway = open(&(limits.to_owned() + &config(&server.url()))).await;
    // A message has 1.2 MiB as JSON, and the last sixteenth of the bytes is for small requests.
    let mut clients = join_all((0..6).map(|_| gateway.connect())).await;
    for client in &mut clients {
        client.send(&OPENAI.request("m", false)).await;
        server.call().await;
    }
    let held = async {
        while gateway.metric("weir_buffered_bytes").await < 7_000_000.0 {
            tokio::task::yield_now().await;
        }
    };
    weir_tests::soon("the messages to be held", held).await;
    let refused = gateway.ask(&OPENAI.request("m", false)).await;
    assert_eq!(
        (refused.status(), &refused.json()["error"]["code"]),
        (503, &"buffers_full".into()),
        "{}",
        refused.text()
    );
    for client in clients {
        client.leave();
    }
    gateway.until_metric("weir_buffered_bytes", 0.0).await;
    gateway.until_metric("weir_in_flight", 0.0).await;
}
