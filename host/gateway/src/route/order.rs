//! The order in which candidates are tried. Pure: health, random numbers and turns are arguments.

use std::time::Duration;

use super::chance;
use weir_config::Strategy;

/// The properties of a target that the order depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked<'a> {
    /// The target's id.
    pub name: &'a str,
    /// The target's share.
    pub weight: u32,
    /// The lowest rank is tried first, whatever the strategy: 0 is best.
    pub rank: u8,
    /// The recent time to the first piece of an answer.
    pub latency: Option<Duration>,
    /// Exchanges in progress.
    pub busy: usize,
    /// US dollars for a million tokens of input plus a million of output.
    pub price: Option<f64>,
}

/// What decides between equal candidates.
#[derive(Debug, Clone, Copy)]
pub struct TieBreak<'a> {
    /// Draws a random number in [0, 1).
    pub draw: fn() -> f64,
    /// The number of the route's current turn.
    pub turn: usize,
    /// The affinity key: a session or a tenant.
    pub session: Option<&'a str>,
}

/// The candidates' indexes in the order in which they are tried.
pub fn order(strategy: Strategy, candidates: &[Ranked<'_>], lot: TieBreak<'_>) -> Vec<usize> {
    let mut places: Vec<usize> = (0..candidates.len()).collect();
    let of = |place: &usize| candidates.get(*place);
    match (strategy, lot.session) {
        (Strategy::Priority, _) => {}
        (Strategy::Cheapest, _) => {
            places.sort_by(|a, b| price(of(a)).total_cmp(&price(of(b))));
        }
        // Rendezvous hashing with weights (Schindelhauer, Schomaker): each target gets its share of all sessions, and
        // a session only moves if its target becomes unusable.
        (_, Some(session)) => {
            let score = |place: &usize| of(place).map_or(0.0, |one| key(one, chance::of_words(&[session, one.name])));
            places.sort_by(|a, b| score(a).total_cmp(&score(b)));
        }
        (Strategy::Weighted, None) => {
            let keys: Vec<f64> = candidates.iter().map(|one| key(one, (lot.draw)())).collect();
            let key = |place: &usize| keys.get(*place).copied().unwrap_or(f64::MAX);
            places.sort_by(|a, b| key(a).total_cmp(&key(b)));
        }
        (Strategy::RoundRobin, None) => {
            let best = candidates.iter().map(|one| one.rank).min().unwrap_or_default();
            let usable = candidates.iter().filter(|one| one.rank == best).count().max(1);
            // Candidates of a worse rank take no turn, so that none of the others gets a double share.
            places.sort_by_key(|place| of(place).map(|one| one.rank));
            if let Some(turning) = places.get_mut(..usable) {
                turning.rotate_left(lot.turn % usable);
            }
        }
        (Strategy::LeastLatency, None) => places.sort_by_key(|place| of(place).and_then(|one| one.latency)),
        (Strategy::LeastBusy, None) => {
            let first = lot.turn % candidates.len().max(1);
            places.rotate_left(first);
            places.sort_by(|a, b| load(of(a)).total_cmp(&load(of(b))));
        }
    }
    places.sort_by_key(|place| of(place).map(|one| one.rank));
    places
}

/// Sorting by this key draws without replacement, weighted (Efraimidis, Spirakis).
fn key(one: &Ranked<'_>, draw: f64) -> f64 {
    -(1.0 - draw).ln() / f64::from(one.weight.max(1))
}

fn price(one: Option<&Ranked<'_>>) -> f64 {
    one.and_then(|one| one.price).unwrap_or(f64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "exchanges under way are few")]
fn load(one: Option<&Ranked<'_>>) -> f64 {
    one.map_or(f64::MAX, |one| one.busy as f64 / f64::from(one.weight.max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use weir_config::Strategy;

    const ONE: Ranked<'static> = Ranked { name: "x", weight: 1, rank: 0, latency: None, busy: 0, price: None };

    fn first(strategy: Strategy, candidates: &[Ranked<'_>], turn: usize, session: Option<&str>) -> usize {
        order(strategy, candidates, TieBreak { draw: chance::draw, turn, session })[0]
    }

    #[test]
    fn weights_are_honoured_over_ten_thousand_draws() {
        let candidates = [Ranked { weight: 8, ..ONE }, Ranked { weight: 1, ..ONE }, Ranked { weight: 3, ..ONE }];
        let mut counts = [0.0; 3];
        for turn in 0..10_000 {
            counts[first(Strategy::Weighted, &candidates, turn, None)] += 1.0;
        }
        for (count, share) in counts.into_iter().zip([8.0 / 12.0, 1.0 / 12.0, 3.0 / 12.0]) {
            let got: f64 = count / 10_000.0;
            assert!((got - share).abs() < 0.02, "{counts:?}");
        }
    }

    #[test]
    fn sessions_stay_and_are_distributed_by_weight() {
        let candidates = [Ranked { name: "a", weight: 3, ..ONE }, Ranked { name: "b", ..ONE }];
        let mut to_first = 0.0;
        for number in 0..4000 {
            let session = format!("session-{number}");
            let place = first(Strategy::Weighted, &candidates, number, Some(&session));
            assert_eq!(place, first(Strategy::Weighted, &candidates, number + 1, Some(&session)));
            to_first += if place == 0 { 1.0 } else { 0.0 };
        }
        let share: f64 = to_first / 4000.0;
        assert!((share - 0.75).abs() < 0.03, "{share}");
    }

    #[test]
    fn each_strategy_orders_by_its_criterion() {
        let ms = Duration::from_millis;
        let candidates = [
            Ranked { latency: Some(ms(30)), busy: 4, price: Some(2.0), ..ONE },
            Ranked { latency: Some(ms(10)), busy: 9, price: None, ..ONE },
            Ranked { latency: Some(ms(20)), busy: 6, price: Some(1.0), weight: 3, ..ONE },
        ];
        assert_eq!(first(Strategy::Priority, &candidates, 7, Some("s")), 0);
        assert_eq!(first(Strategy::LeastLatency, &candidates, 0, None), 1);
        assert_eq!(first(Strategy::LeastBusy, &candidates, 0, None), 2, "two of its share are fewer than four");
        assert_eq!(first(Strategy::Cheapest, &candidates, 0, None), 2);
        let turns: Vec<usize> = (0..6).map(|turn| first(Strategy::RoundRobin, &candidates, turn, None)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_target_of_unknown_latency_is_tried_first() {
        let candidates = [Ranked { latency: Some(Duration::from_millis(1)), ..ONE }, ONE];
        assert_eq!(first(Strategy::LeastLatency, &candidates, 0, None), 1);
    }

    fn any_candidate() -> impl Strategy_<Value = (u32, u8, Option<u64>, usize, Option<u32>)> {
        (1u32..10, 0u8..3, prop::option::of(0u64..1000), 0usize..100, prop::option::of(0u32..100))
    }

    use proptest::strategy::Strategy as Strategy_;

    proptest! {
        /// Every candidate is in the order once, and none precedes one of a better rank.
        #[test]
        fn the_order_is_complete_and_sorted_by_rank_first(
            known in prop::collection::vec(any_candidate(), 0..8),
            which in 0usize..6,
            turn in any::<usize>(),
            has_session in any::<bool>(),
        ) {
            let strategies = [
                Strategy::Priority, Strategy::Weighted, Strategy::RoundRobin,
                Strategy::LeastLatency, Strategy::LeastBusy, Strategy::Cheapest,
            ];
            let names: Vec<String> = (0..known.len()).map(|n| n.to_string()).collect();
            let candidates: Vec<Ranked<'_>> = known.iter().zip(&names).map(|((weight, rank, latency, busy, price), name)| {
                let (latency, price) = (latency.map(Duration::from_millis), price.map(f64::from));
                Ranked { name, weight: *weight, rank: *rank, latency, busy: *busy, price }
            }).collect();
            let session = has_session.then_some("s");
            let order = order(strategies[which], &candidates, TieBreak { draw: chance::draw, turn, session });
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..candidates.len()).collect::<Vec<_>>());
            let ranks: Vec<u8> = order.iter().map(|place| candidates[*place].rank).collect();
            prop_assert!(ranks.is_sorted(), "{:?}", ranks);
        }
    }
}
