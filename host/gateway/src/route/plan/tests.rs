use proptest::prelude::*;

use super::*;
use crate::health::{Blame, Subject};
use weir_config::Strategy::{Cheapest, LeastBusy, LeastLatency, Priority, RoundRobin, Weighted};

const SETTINGS: weir_config::Breaker = weir_config::Breaker {
    failure_rate: 0.5,
    window: Duration::from_secs(10),
    open: Duration::from_secs(5),
    min_attempts: 2,
    cooldown: Duration::from_secs(1),
    max_cooldown: Duration::from_mins(5),
};

fn blames() -> [Blame; 4] {
    [Blame::Target(None), Blame::Limit(Some(Duration::from_secs(9))), Blame::Key, Blame::Neither]
}

proptest! {
    /// Whatever happened before: while a target is well, the order begins with one that is, and it contains no
    /// resting target.
    #[test]
    fn a_resting_target_is_never_taken_while_another_is_well(
        past in prop::collection::vec((0usize..4, 0usize..4), 0..60), which in 0usize..6, turn in any::<usize>(),
    ) {
        let health = Health::default();
        let names: Vec<Arc<str>> = (0..4).map(|n| Arc::from(format!("p{n}/m"))).collect();
        let subject =
            |n: usize| Subject { target: &names[n], pattern: None, provider: &names[n], key: 0, settings: SETTINGS };
        let now = Instant::now();
        for (target, blame) in past {
            if let Ok(ticket) = health.admit(subject(target), now) {
                ticket.failed(blames()[blame]);
            }
        }
        let later = Instant::now();
        let statuses: Vec<TargetStatus> = (0..4).map(|n| health.status(subject(n), later)).collect();
        let usable: Vec<(usize, u8)> =
            (0..4).filter_map(|n| Some((n, ranked(statuses[n]).ok()?))).collect();
        let candidates: Vec<Ranked<'_>> = usable.iter().map(|(n, rank)| Ranked {
            name: &names[*n], weight: 1, rank: *rank, latency: None, busy: 0, price: None,
        }).collect();
        let strategy = [Priority, Weighted, RoundRobin, LeastLatency, LeastBusy, Cheapest][which];
        let order = order(strategy, &candidates, TieBreak { draw: chance::draw, turn, session: None });
        if statuses.contains(&TargetStatus::Well) {
            prop_assert_eq!(statuses[usable[order[0]].0], TargetStatus::Well);
        }
        for place in order {
            let status = statuses[usable[place].0];
            prop_assert!(matches!(status, TargetStatus::Well | TargetStatus::Resting(_, Rest::Refused)), "{:?}", status);
        }
    }
}

#[test]
fn one_model_has_one_name_at_every_provider() {
    assert!(is_same_model("text-embedding-3-small", "zeta/Text-Embedding-3-small"));
    assert!(!is_same_model("text-embedding-3-small", "text-embedding-3-large"));
    assert!(!is_same_model("bge-m3", "bge-m3:latest"), "what is not known to be the same is another");
}

#[test]
fn c65_the_earliest_recovery_counts_and_a_limit_only_where_all_is_limits() {
    let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(5));
    let both = sooner(Some((late, Rest::Limited)), (early, Rest::Limited));
    assert_eq!(both, (early, Rest::Limited));
    assert_eq!(sooner(Some((early, Rest::Limited)), (late, Rest::Failing)), (early, Rest::Failing));
    assert_eq!(sooner(Some((late, Rest::Failing)), (early, Rest::Limited)), (early, Rest::Failing));
    let all = [Rest::Limited, Rest::Unstated, Rest::Refused, Rest::Failing];
    for (one, other) in all.into_iter().flat_map(|one| all.map(|other| (one, other))) {
        let (there, back) = (sooner(Some((early, one)), (late, other)), sooner(Some((late, other)), (early, one)));
        assert_eq!(there, back, "the order of targets decides nothing");
    }
}
