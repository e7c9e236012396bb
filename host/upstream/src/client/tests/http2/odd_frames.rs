//! Answers in frames that the protocol allows and that few providers send.

use super::frames::*;
use super::*;

const PRIORITY: u8 = 2;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// Of no known type: it is ignored.
const UNKNOWN: u8 = 0xfa;
const PADDED: u8 = 8;

#[tokio::test]
async fn an_answer_is_read_among_all_frames_that_may_stand_beside_it() {
    let bench = Bench::new().await;
    let (sent, mut frames) = bench.begin().await;
    // `:status: 103`, twice.
    for _ in 0..2 {
        frames.write(HEADERS, END_HEADERS, 1, b"\x08\x03103").await;
    }
    frames.write(PRIORITY, 0, 1, &[0, 0, 0, 0, 7]).await;
    frames.write(UNKNOWN, 0xff, 1, b"anything").await;
    // `:status: 200`, and the next header in two pieces.
    frames.write(HEADERS, 0, 1, b"\x88\x00\x03x-").await;
    frames.write(CONTINUATION, 0, 1, b"a\x02").await;
    frames.write(CONTINUATION, END_HEADERS, 1, b"ok").await;
    let response = in_time(sent).await.unwrap().unwrap();
    assert_eq!((response.status.as_u16(), response.headers["x-a"].to_str().unwrap()), (200, "ok"));
    for piece in ["", "a", "", ""] {
        frames.piece(1, piece, false).await;
    }
    frames.write(PING, 0, 0, &[7; 8]).await;
    frames.write(WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]).await;
    frames.write(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]).await;
    frames.write(DATA, PADDED, 1, b"\x05b\0\0\0\0\0").await;
    // Trailers end it.
    frames.write(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x03x-b\x011").await;
    assert_eq!(in_time(response.body.collect(10)).await.unwrap(), "ab");
    let next = bench.send();
    assert_eq!(frames.request().await, 3, "the connection is in order");
    frames.answer(3).await;
    assert_eq!(in_time(next).await.unwrap().unwrap().body.collect(10).await.unwrap(), "ok");
}
