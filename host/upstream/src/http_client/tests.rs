//! What all clients off the data path share, over real sockets.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// A server that answers one connection with these bytes; what it was sent.
async fn server(answer: Vec<u8>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        // A client that has read enough may have left.
        let _ = stream.write_all(&answer).await;
        String::from_utf8(request).unwrap()
    });
    (url, serving)
}

fn whole(head: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

async fn get(url: &str) -> Response {
    builder().unwrap().build().unwrap().get(url).send().await.unwrap()
}

#[tokio::test]
async fn redirects_are_answers_and_nothing_is_added_to_a_request() {
    let (url, serving) = server(whole("302 Found\r\nlocation: http://127.0.0.1:1/", b"")).await;
    assert_eq!(get(&url).await.status(), 302);
    let host = url.strip_prefix("http://").unwrap().strip_suffix("/x").unwrap();
    assert_eq!(serving.await.unwrap(), format!("GET /x HTTP/1.1\r\naccept: */*\r\nhost: {host}\r\n\r\n"));
}

#[tokio::test]
async fn a_coded_body_stays_coded() {
    let (url, _serving) = server(whole("200 OK\r\ncontent-encoding: gzip", b"as it is")).await;
    assert_eq!(read_body(get(&url).await, 8).await.unwrap(), "as it is");
}

#[tokio::test]
async fn a_body_is_counted_as_it_comes() {
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    let (url, _serving) = server(endless).await;
    let response = get(&url).await;
    assert_eq!(response.content_length(), None);
    assert!(matches!(read_body(response, 1000).await, Err(BodyError::TooLarge(1000))));
}

#[tokio::test]
async fn a_reason_names_no_url() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = builder().unwrap().build().unwrap().get(format!("http://{gone}/?key=s3cret")).send().await.unwrap_err();
    let reason = reason(&error);
    assert!(!reason.contains("s3cret") && reason.contains("refused"), "{reason}");
}
