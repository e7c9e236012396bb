//! Servers that answer anything but what they should: each node goes by its policy, and says so.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use weir_tests::{Folder, Gateway, log};

use crate::wire_format::{OPENAI, config_of, provider};

/// A server that answers whatever it reads with these bytes; nothing if there are none. Its port.
pub(crate) async fn liar(lie: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 4_096];
                while stream.read(&mut read).await.is_ok_and(|length| length > 0) {
                    if stream.write_all(lie).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

pub(super) const LIES: [(&str, &[u8]); 8] = [
    ("silent", b""),
    ("loading", b"-LOADING the dataset is loading\r\n"),
    ("replica", b"-READONLY You can't write against a read only replica.\r\n"),
    ("moved", b"-MOVED 3999 127.0.0.1:1\r\n"),
    ("fine", b"+OK\r\n"),
    ("words", b"*7\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n"),
    ("endless", b"*1000000000\r\n"),
    ("no protocol", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_a_server_keeps_requests_from_being_served_by_policy() {
    let upstream = provider(OPENAI).await;
    for (number, (name, lie)) in LIES.into_iter().enumerate() {
        let port = liar(lie).await;
        // Longer than the test waits: a request that waited for this server would fail it.
        let settings = format!(
            "{}[[budgets]]\nname = \"all\"\nfor = \"all\"\nper = \"total\"\nrequests = 3\n\
             [shared]\nurl = \"redis://127.0.0.1:{port}\"\nwait = \"1h\"\nnode = \"liar-{number}\"\n",
            config_of(&[OPENAI], &upstream)
        );
        let gateway = Gateway::with(Folder::with(&["openai"]), &settings).await;
        for (at, expected) in [200, 200, 200, 429].into_iter().enumerate() {
            let reply = gateway.ask(&OPENAI.request("openai", false)).await;
            assert_eq!(reply.status(), expected, "{name}, request {at}: {}", reply.text());
        }
        assert_eq!(gateway.metric("weir_shared_state").await, 1.0, "{name}");
        assert_eq!(gateway.get("/ready").await.status(), 200, "{name}");
        gateway.until_metric("weir_shared_rounds_total{result=\"failed\"}", 3.0).await;
        let node = format!("liar-{number}");
        let lines = log::text().lines().filter(|line| line.contains("goes by") && line.contains(&node)).count();
        assert_eq!(lines, 1, "{name}: one line for the change, and none for each failure");
        gateway.ended().await;
    }
}
