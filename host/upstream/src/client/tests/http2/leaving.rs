//! Providers that end a connection of HTTP/2 while exchanges are under way (GOAWAY), frame by frame.

use super::frames::*;
use super::*;

const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;
/// The last stream of a provider that does not know yet which will be the last one.
const ANY: u32 = 0x7fff_ffff;

async fn body(sent: JoinHandle<Result<UpstreamResponse, UpstreamError>>) -> Bytes {
    in_time(async { sent.await.unwrap().unwrap().body.collect(10).await.unwrap() }).await
}

#[tokio::test]
async fn a_provider_that_ends_its_connection_in_good_order_costs_no_request() {
    let bench = Bench::new().await;
    let (streamed, mut old) = bench.begin().await;
    old.begin_answer(1).await;
    old.piece(1, "a", false).await;
    let mut streamed = in_time(streamed).await.unwrap().unwrap().body;
    assert_eq!(streamed.next_piece().await.unwrap().unwrap(), "a");
    let whole = bench.send();
    assert_eq!(old.request().await, 3);
    let untaken = bench.send();
    assert_eq!(old.request().await, 5);
    old.leave(3, NO_ERROR).await;

    // What was not taken goes out on another connection, and so does what comes later.
    let mut new = bench.taken().await;
    new.answer(1).await;
    assert_eq!(body(untaken).await, "ok");
    let later = bench.send();
    assert_eq!(new.request().await, 3);
    new.answer(3).await;
    assert_eq!(body(later).await, "ok");

    // What was taken comes to its end, and then the connection is closed.
    old.answer(3).await;
    assert_eq!(body(whole).await, "ok");
    old.piece(1, "b", false).await;
    assert_eq!(streamed.next_piece().await.unwrap().unwrap(), "b");
    old.piece(1, "c", true).await;
    assert_eq!(streamed.next_piece().await.unwrap().unwrap(), "c");
    assert_eq!(in_time(streamed.next_piece()).await.unwrap(), None);
    in_time(closed(&mut old.stream)).await;
}

#[tokio::test]
async fn a_connection_of_which_the_provider_announces_the_end_gets_no_more_requests() {
    let bench = Bench::new().await;
    let (taken, mut old) = bench.begin().await;
    old.leave(ANY, NO_ERROR).await;
    old.begin_answer(1).await;
    let taken = in_time(taken).await.unwrap().unwrap().body;
    let (later, mut new) = bench.begin().await;
    new.answer(1).await;
    assert_eq!(body(later).await, "ok");
    old.leave(1, NO_ERROR).await;
    old.piece(1, "ok", true).await;
    assert_eq!(in_time(taken.collect(10)).await.unwrap(), "ok");
    in_time(closed(&mut old.stream)).await;
}

#[tokio::test]
async fn requests_that_wait_for_room_on_a_connection_that_ends_go_out_on_another() {
    let bench = Bench::new().await;
    let (taken, mut old) = bench.begin().await;
    old.allow(1).await;
    let waiting = [bench.send(), bench.send()];
    // Both are handed to the connection now, which begins with one of them.
    tokio::task::yield_now().await;
    old.leave(1, NO_ERROR).await;
    // Of the next connections too is known that they take one.
    let mut new = [bench.accept().await, bench.accept().await];
    for new in &mut new {
        assert_eq!(new.request().await, 1);
    }
    for new in &mut new {
        new.answer(1).await;
    }
    for waiting in waiting {
        assert_eq!(body(waiting).await, "ok");
    }
    old.answer(1).await;
    assert_eq!(body(taken).await, "ok");
}

#[tokio::test]
async fn what_a_provider_took_before_it_broke_off_is_not_sent_again() {
    for reason in [NO_ERROR, ENHANCE_YOUR_CALM] {
        let bench = Bench::new().await;
        let (begun, mut old) = bench.begin().await;
        old.begin_answer(1).await;
        let begun = in_time(begun).await.unwrap().unwrap().body;
        let unanswered = bench.send();
        assert_eq!(old.request().await, 3);
        old.leave(3, reason).await;
        drop(old);
        let error = in_time(unanswered).await.unwrap().unwrap_err();
        assert_eq!(error.kind, UpstreamErrorKind::Reset, "{reason}: {error}");
        let error = in_time(begun.collect(10)).await.unwrap_err();
        assert_eq!(error.kind, UpstreamErrorKind::Cut, "{reason}: {error}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_an_answer_that_nobody_can_read() {
    let bench = Bench::new().await;
    let (begun, mut frames) = bench.begin().await;
    frames.begin_answer(1).await;
    let begun = in_time(begun).await.unwrap().unwrap().body;
    let unanswered = bench.send();
    assert_eq!(frames.request().await, 3);
    frames.stream.set_zero_linger().unwrap();
    drop(frames);
    assert_eq!(in_time(unanswered).await.unwrap().unwrap_err().kind, UpstreamErrorKind::Reset);
    assert_eq!(in_time(begun.collect(10)).await.unwrap_err().kind, UpstreamErrorKind::Cut);
    let (refused, mut frames) = bench.begin().await;
    // A frame of data on no stream.
    frames.write(DATA, 0, 0, b"?").await;
    assert_eq!(in_time(refused).await.unwrap().unwrap_err().kind, UpstreamErrorKind::Protocol);
}

#[tokio::test]
async fn a_provider_that_ends_its_connection_for_a_reason_leaves_the_repetition_to_the_caller() {
    let bench = Bench::new().await;
    let (taken, mut old) = bench.begin().await;
    let untaken = bench.send();
    assert_eq!(old.request().await, 3);
    old.leave(1, ENHANCE_YOUR_CALM).await;
    let error = in_time(untaken).await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.kind.is_unsent()), (UpstreamErrorKind::Refused, true), "{error}");
    old.answer(1).await;
    assert_eq!(body(taken).await, "ok");
}
