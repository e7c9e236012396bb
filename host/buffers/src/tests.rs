use super::*;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn limit(bytes: usize) -> Arc<BufferLimit> {
    let buffers = Arc::new(BufferLimit::unlimited());
    buffers.set_limit(bytes, 0);
    buffers
}

#[tokio::test]
async fn held_bytes_are_counted_and_released() {
    let buffers = limit(MIB);
    let mut one = buffers.begin(1, None);
    one.grow(100 * KIB).await.unwrap();
    let mut more = one.beside();
    more.grow(10).await.unwrap();
    assert_eq!((buffers.used(), one.bytes(), more.bytes()), (100 * KIB + 10, 100 * KIB, 10));
    one.shrink(KIB);
    assert_eq!(buffers.used(), 99 * KIB + 10);
    drop(more);
    one.shrink(usize::MAX);
    assert_eq!((buffers.used(), one.bytes()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_room_waits_for_a_bounded_time() {
    let buffers = limit(MIB);
    let mut first = buffers.begin(1, None);
    first.grow(900 * KIB).await.unwrap();
    let mut second = buffers.begin(2, None);
    assert_eq!(second.grow(200 * KIB).await, Err(Full::AllRequests));
    let waiting = tokio::spawn(async move { second.grow(200 * KIB).await.map(|()| second) });
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(first);
    assert_eq!(waiting.await.unwrap().unwrap().bytes(), 200 * KIB);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_can_never_fit_does_not_wait() {
    let buffers = limit(MIB);
    let begun = Instant::now();
    assert_eq!(buffers.begin(1, None).grow(2 * MIB).await, Err(Full::AllRequests));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_last_part_is_for_small_requests() {
    let buffers = limit(MIB);
    let mut large = buffers.begin(1, None);
    large.grow(960 * KIB).await.unwrap();
    assert_eq!(large.grow(1).await, Err(Full::AllRequests));
    let mut small = buffers.begin(1, None);
    small.grow(60 * KIB).await.unwrap();
    assert_eq!(small.grow(5 * KIB).await, Err(Full::AllRequests), "it is no small one any more");
}

#[tokio::test(start_paused = true)]
async fn a_connection_holds_no_more_than_its_share() {
    let buffers = limit(MIB);
    let connection = Connection::default();
    let mut held: Vec<Held> = (0..8).map(|_| buffers.begin(1, Some(connection.clone()))).collect();
    for one in &mut held {
        one.grow(32 * KIB).await.unwrap();
    }
    assert_eq!(held[0].grow(1).await, Err(Full::Connection));
    buffers.begin(1, Some(Connection::default())).grow(32 * KIB).await.unwrap();
    held.pop();
    held[0].grow(32 * KIB).await.unwrap();
    drop(held);
    assert_eq!((buffers.used(), connection.0.load(SeqCst)), (0, 0));
}

#[tokio::test]
async fn the_share_of_a_connection_holds_the_largest_body() {
    let buffers = Arc::new(BufferLimit::unlimited());
    buffers.set_limit(MIB, 800 * KIB);
    buffers.begin(1, Some(Connection::default())).grow(800 * KIB).await.unwrap();
}

/// Reads a body of which this many bytes have arrived and no more will.
fn unfinished(buffers: &Arc<BufferLimit>, owner: u64, bytes: usize) -> tokio::task::JoinHandle<Full> {
    let mut reading = BodyReader::new(buffers.begin(owner, None));
    tokio::spawn(async move {
        if let Err(full) = reading.hold(bytes).await {
            return full;
        }
        reading.wait(std::future::pending::<()>()).await.unwrap_err()
    })
}

#[tokio::test]
async fn unfinished_bodies_give_way_to_a_caller_that_holds_less() {
    let buffers = limit(MIB);
    let flood: Vec<_> = (0..9).map(|_| unfinished(&buffers, 1, 100 * KIB)).collect();
    while buffers.used() < 900 * KIB {
        tokio::task::yield_now().await;
    }
    let mut other = BodyReader::new(buffers.begin(2, None));
    other.hold(300 * KIB).await.unwrap();
    let mut given_up = 0;
    for one in flood {
        if one.is_finished() {
            assert_eq!(one.await.unwrap(), Full::Evicted);
            given_up += 1;
        } else {
            one.abort();
        }
    }
    assert_eq!(given_up, 3, "as many as were needed");
    let held = other.done();
    assert_eq!(held.bytes(), 300 * KIB);
}

#[tokio::test]
async fn a_complete_body_is_not_evicted() {
    let buffers = limit(MIB);
    let mut reading = BodyReader::new(buffers.begin(1, None));
    reading.hold(900 * KIB).await.unwrap();
    let held = reading.done();
    assert_eq!(buffers.begin(2, None).grow(200 * KIB).await, Err(Full::AllRequests));
    assert_eq!(held.bytes(), 900 * KIB);
}
