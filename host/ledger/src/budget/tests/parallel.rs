//! Many requests at once: in every order that a scheduler may choose, and on real threads.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a request does next.
#[derive(Debug)]
enum Step {
    Reserve,
    Spend(Reservation),
    Finish(Reservation),
    Done,
}

const NANOS: u64 = 1_000_000_000;

fn nano(nanos: u64) -> Nano {
    Nano::new(i64::try_from(nanos).unwrap()).unwrap()
}

/// Booked and reserved of each budget.
fn all(set: &BudgetSet) -> Vec<(u64, u64)> {
    set.status(now()).into_iter().map(|(_, _, settled, reserved)| (settled, reserved)).collect()
}

fn chain() -> BudgetSet {
    set(vec![
        budget("key", of(ScopeKind::Key, "k"), "10"),
        budget("team", of(ScopeKind::Team, "t"), "10"),
        budget("all", Scope::All, "12"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// 200 requests of a dollar against room for ten. The seed decides who is next, and what an attempt really costs.
    #[test]
    fn acceptance_1_two_hundred_requests_against_room_for_ten(seed: u64) {
        let set = chain();
        let mut random = seed | 1;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut steps: Vec<Step> = (0..200).map(|_| Step::Reserve).collect();
        let (mut granted, mut spent, mut excess, mut left) = (0_u64, 0_u64, 0_u64, 200_u64);
        while left > 0 {
            let at = usize::try_from(next(200)).unwrap();
            let step = std::mem::replace(&mut steps[at], Step::Done);
            steps[at] = match step {
                Step::Reserve => match reserve(&set, KEY, "1", now()) {
                    Ok(ok) => { granted += 1; Step::Spend(ok.reservation) }
                    Err(refusal) => { prop_assert!(refusal.used + NANOS > 10 * NANOS); left -= 1; Step::Done }
                },
                Step::Spend(mut reservation) => {
                    let cost = next(3 * NANOS / 2);
                    reservation.spend(&Spend::priced(nano(cost), 1));
                    spent += cost;
                    excess += cost.saturating_sub(NANOS);
                    Step::Finish(reservation)
                }
                Step::Finish(reservation) => { reservation.finish(); left -= 1; Step::Done }
                Step::Done => Step::Done,
            };
            for (settled, reserved) in all(&set) {
                prop_assert_eq!(settled, spent);
                prop_assert!(settled + reserved <= 10 * NANOS + excess);
            }
        }
        // A refusal finds more than nine dollars booked or reserved, and none of these requests takes more than one and
        // a half.
        prop_assert!(granted >= 7);
        prop_assert_eq!(all(&set), vec![(spent, 0); 3]);
        prop_assert_eq!(set.dropped(), 0);
    }
}

#[test]
fn acceptance_1_two_hundred_threads_against_room_for_ten() {
    let set = Arc::new(chain());
    let granted = Arc::new(AtomicU64::new(0));
    let barrier = Arc::new(std::sync::Barrier::new(200));
    let threads: Vec<_> = (0..200)
        .map(|number| {
            let (set, granted, barrier) = (Arc::clone(&set), Arc::clone(&granted), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                // Half of them name their scopes such that chains overlap only in part.
                let owner = if number % 2 == 0 { KEY } else { Owner { key: None, ..KEY } };
                if let Ok(ok) = reserve(&set, owner, "1", now()) {
                    granted.fetch_add(1, Ordering::Relaxed);
                    ok.reservation.settle(&dollars("1"));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(granted.load(Ordering::Relaxed), 10);
    assert_eq!(all(&set)[1..], [(10 * NANOS, 0), (10 * NANOS, 0)]);
}
