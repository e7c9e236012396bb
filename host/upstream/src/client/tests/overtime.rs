//! Answers that are complete before they end.

use super::*;

/// Reads the head of an answer and its only piece, which says that it is complete.
async fn complete(scripted: &Scripted, upstreams: &Upstreams) -> (TcpStream, Box<UpstreamBody>) {
    let sending = sending(upstreams, request(&scripted.base()));
    let mut stream = scripted.accept().await;
    read_request(&mut stream).await;
    stream.write_all(STREAM_HEAD).await.unwrap();
    stream.write_all(b"3\r\nend\r\n").await.unwrap();
    let mut body = sending.await.unwrap().unwrap().body;
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "end");
    body.expect_end();
    (stream, body)
}

#[tokio::test]
async fn a_complete_answer_whose_connection_stays_open_ends_at_once_and_closes_it() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let (mut stream, mut body) = complete(&scripted, &upstreams).await;
    assert_eq!(body.next_piece().await.unwrap(), None);
    closed(&mut stream).await;
}

#[tokio::test]
async fn what_follows_a_complete_answer_closely_is_read_and_its_connection_used_again() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let (mut stream, mut body) = complete(&scripted, &upstreams).await;
    let rest = tokio::spawn(async move {
        assert_eq!(body.next_piece().await.unwrap().unwrap(), "and");
        assert_eq!(body.next_piece().await.unwrap(), None);
    });
    tokio::task::yield_now().await;
    stream.write_all(b"3\r\nand\r\n0\r\n\r\n").await.unwrap();
    rest.await.unwrap();
    let again = sending(&upstreams, request(&scripted.base()));
    read_request(&mut stream).await;
    stream.write_all(OK).await.unwrap();
    assert_eq!(again.await.unwrap().unwrap().body.collect(10).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_complete_answer_that_is_broken_off_is_whole() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let (stream, mut body) = complete(&scripted, &upstreams).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    assert_eq!(body.next_piece().await.unwrap(), None);
}
