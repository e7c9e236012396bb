use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;

const ALLOWANCE: Allowance = Allowance { places: 1, queue: 4, wait: Duration::from_secs(5) };

fn name(text: &str) -> Arc<str> {
    Arc::from(text)
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = Result<Permit, Rejection>>>>;

/// Starts waiting; the future has been polled once, so that it is in the queue.
fn line_up(limiter: &Arc<ConcurrencyLimiter>, client: &str, priority: Priority) -> Waiting {
    let (limiter, client) = (Arc::clone(limiter), name(client));
    let mut waiting: Waiting = Box::pin(async move { limiter.enter(ALLOWANCE, &client, priority).await });
    assert!((&mut waiting).now_or_never().is_none());
    waiting
}

fn inside(limiter: &Arc<ConcurrencyLimiter>) -> Permit {
    limiter.try_enter(1).unwrap()
}

#[tokio::test]
async fn clients_take_turns() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let first = inside(&limiter);
    let greedy: Vec<Waiting> = (0..3).map(|_| line_up(&limiter, "greedy", Priority::Normal)).collect();
    let modest = line_up(&limiter, "modest", Priority::Normal);
    let mut greedy = greedy.into_iter();
    drop(first);
    let one = greedy.next().unwrap().now_or_never().unwrap().unwrap();
    let mut second = greedy.next().unwrap();
    assert!((&mut second).now_or_never().is_none());
    drop(one);
    drop(modest.now_or_never().expect("the other client is next").unwrap());
    drop(second.now_or_never().unwrap().unwrap());
}

#[tokio::test]
async fn a_higher_priority_goes_first_and_may_take_a_place_in_the_queue() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let first = inside(&limiter);
    let low: Vec<Waiting> = (0..4).map(|_| line_up(&limiter, "a", Priority::Low)).collect();
    let limiter_too = Arc::clone(&limiter);
    let full = async move { limiter_too.enter(ALLOWANCE, &name("a"), Priority::Low).await };
    assert_eq!(full.now_or_never().unwrap().unwrap_err(), Rejection::Full);
    let high = line_up(&limiter, "c", Priority::High);
    assert_eq!(limiter.waiting(), 4);
    let displaced = low.into_iter().next_back().unwrap();
    assert_eq!(displaced.now_or_never().unwrap().unwrap_err(), Rejection::Full);
    drop(first);
    drop(high.now_or_never().unwrap().unwrap());
}

#[tokio::test]
async fn there_is_room_for_a_request_that_gets_a_place_or_could_wait() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let has_room = |client: &str, priority| limiter.has_room(ALLOWANCE, &name(client), priority);
    assert!(has_room("a", Priority::Low));
    let first = inside(&limiter);
    let mut waiting: Vec<Waiting> = (0..4).map(|_| line_up(&limiter, "a", Priority::Normal)).collect();
    assert!(!has_room("a", Priority::Normal) && !has_room("b", Priority::Low));
    assert!(has_room("b", Priority::Normal) && has_room("a", Priority::High));
    assert_eq!(limiter.waiting(), 4, "to ask changes nothing");
    drop(waiting.pop());
    assert!(has_room("a", Priority::Normal), "who has left needs no place");
    drop(first);
}

#[tokio::test]
async fn filling_a_queue_does_not_reserve_it() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let first = inside(&limiter);
    let mut greedy: VecDeque<Waiting> = (0..4).map(|_| line_up(&limiter, "greedy", Priority::Normal)).collect();
    let one = line_up(&limiter, "modest", Priority::Normal);
    assert_eq!(greedy.pop_back().unwrap().now_or_never().unwrap().unwrap_err(), Rejection::Full, "the newest of most");
    let two = line_up(&limiter, "modest", Priority::Normal);
    assert_eq!(greedy.pop_back().unwrap().now_or_never().unwrap().unwrap_err(), Rejection::Full);
    assert_eq!(limiter.waiting(), 4);
    // Two each: a client with as many as the others displaces none.
    for client in ["modest", "greedy"] {
        let (limiter, client) = (Arc::clone(&limiter), name(client));
        let full = async move { limiter.enter(ALLOWANCE, &client, Priority::Normal).await };
        assert_eq!(full.now_or_never().unwrap().unwrap_err(), Rejection::Full);
    }
    // A client without a waiting request displaces one.
    let third = line_up(&limiter, "third", Priority::Normal);
    assert_eq!(limiter.waiting(), 4);
    drop(first);
    drop((greedy, one, two, third));
    assert_eq!(limiter.inside(), 0);
}

proptest! {
    /// For any order of arrival, the queue never exceeds its length, and a client is rejected only if no other client
    /// has two more waiting requests.
    #[test]
    fn the_client_with_fewest_is_never_rejected_in_favour_of_the_one_with_most(comers in prop::collection::vec(0usize..4, 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _time = runtime.enter();
        let limiter = Arc::new(ConcurrencyLimiter::default());
        let _inside = inside(&limiter);
        let mut waiting: Vec<(usize, Waiting)> = Vec::new();
        for comer in comers {
            let (other, client) = (Arc::clone(&limiter), name(&comer.to_string()));
            let mut entering: Waiting = Box::pin(async move { other.enter(ALLOWANCE, &client, Priority::Normal).await });
            let is_refused = (&mut entering).now_or_never().is_some();
            waiting.retain_mut(|(_, one)| one.now_or_never().is_none());
            let count = |who: usize| waiting.iter().filter(|(one, _)| *one == who).count();
            if is_refused {
                prop_assert_eq!(waiting.len(), 4);
                prop_assert!((0..4).all(|who| count(who) <= count(comer) + 1));
            } else {
                waiting.push((comer, entering));
            }
            prop_assert!(limiter.waiting() <= 4);
            prop_assert_eq!(limiter.waiting(), waiting.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_too_long_is_rejected_and_leaves_no_trace() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let first = inside(&limiter);
    assert_eq!(limiter.enter(ALLOWANCE, &name("a"), Priority::Normal).await.unwrap_err(), Rejection::Late);
    assert_eq!(limiter.waiting(), 0);
    drop(first);
    assert_eq!(limiter.inside(), 0);
    drop(inside(&limiter));
}

#[tokio::test]
async fn a_request_that_left_the_queue_is_skipped() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let first = inside(&limiter);
    drop(line_up(&limiter, "gone", Priority::Normal));
    let next = line_up(&limiter, "here", Priority::Normal);
    drop(first);
    let pass = next.now_or_never().unwrap().unwrap();
    assert_eq!((limiter.inside(), limiter.waiting()), (1, 0));
    drop(pass);
    assert_eq!(limiter.inside(), 0);
}

#[tokio::test]
async fn a_pass_that_came_too_late_is_not_lost() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let first = inside(&limiter);
    let waiting = line_up(&limiter, "a", Priority::Normal);
    drop(first);
    // The pass is in the channel when the client leaves.
    drop(waiting);
    assert_eq!(limiter.inside(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_limit_is_never_exceeded() {
    let limiter = Arc::new(ConcurrencyLimiter::default());
    let allowance = Allowance { places: 3, queue: 1000, wait: Duration::from_secs(30) };
    let tasks = (0..64).map(|n| {
        let limiter = Arc::clone(&limiter);
        tokio::spawn(async move {
            for _ in 0..50 {
                let pass = limiter.enter(allowance, &name(&n.to_string()), Priority::Normal).await.unwrap();
                assert!(limiter.inside() <= 3);
                tokio::task::yield_now().await;
                drop(pass);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!((limiter.inside(), limiter.waiting()), (0, 0));
}
