//! The arithmetic of buckets, compared with their definition: bucket `n` of a schema ends at 2^(n / 2^schema), and what
//! is at a bound belongs below it.

use proptest::prelude::*;

use super::*;

/// The upper bound of a bucket of this schema, as near as numbers are.
fn bound(number: i32, schema: i32) -> f64 {
    (f64::from(number) * f64::from(-schema).exp2()).exp2()
}

fn buckets(values: &[f64]) -> ExponentialBuckets {
    let (from, to) = (SparseCounters::new(), SparseCounters::new());
    for value in values {
        from.observe(*value);
    }
    let buckets = from.drain_to(&to);
    assert_eq!(to.drain_to(&from), buckets, "what is moved is all that there was");
    buckets
}

#[test]
fn a_power_of_two_is_the_last_of_its_bucket() {
    for exponent in -19..1024 {
        let power = f64::from(exponent).exp2();
        assert_eq!(number(power), Some(exponent * 8), "2^{exponent}");
        assert_eq!(number(power.next_up()), Some(exponent * 8 + 1), "above 2^{exponent}");
        assert_eq!(number(power.next_down()), Some(exponent * 8), "below 2^{exponent}");
    }
}

#[test]
fn each_bound_between_powers_of_two_belongs_below_it() {
    for exponent in [-19, -10, -1, 0, 1, 10, 1023] {
        for (at, fraction) in (1..).zip(&BOUNDS[1..]) {
            let (value, own) = (fraction * f64::from(exponent).exp2(), exponent * 8 + at);
            assert_eq!(number(value), Some(own));
            assert_eq!(number(value.next_up()), Some(own + 1));
            assert!((value / bound(own, SCHEMA) - 1.0).abs() < 4.0 * f64::EPSILON, "{value} is no such bound");
        }
    }
}

#[test]
fn zero_is_all_that_no_clock_tells() {
    for value in [0.0, -0.0, f64::from_bits(1), f64::MIN_POSITIVE, 1e-9, ZERO.next_down(), ZERO, -1.0, f64::NAN] {
        assert_eq!(number(value), None, "{value:e}");
    }
    assert_eq!(number(ZERO.next_up()), Some(FIRST));
    assert_eq!(ZERO.to_bits(), bound(FIRST - 1, SCHEMA).to_bits(), "it ends where the first bucket begins");
}

#[test]
fn the_largest_number_has_a_bucket_with_room() {
    assert_eq!(number(f64::MAX), Some(LAST));
    assert_eq!(buckets(&[f64::MAX, ZERO.next_up()]).counts, [(FIRST, 1), (LAST, 1)]);
}

#[test]
fn a_coarser_schema_joins_the_buckets_that_end_at_the_same_bound() {
    let fine =
        ExponentialBuckets { schema: 3, zero: 5, counts: vec![(-8, 1), (-7, 2), (-1, 4), (0, 8), (1, 16), (2, 32)] };
    let coarser = fine.coarser();
    assert_eq!(coarser, ExponentialBuckets { schema: 2, zero: 5, counts: vec![(-4, 1), (-3, 2), (0, 12), (1, 48)] });
    assert_eq!(coarser.coarser().counts, [(-2, 1), (-1, 2), (0, 12), (1, 48)]);
}

#[test]
fn too_many_buckets_halve_the_resolution_until_few_are_left() {
    let of = |count: i32| (0..count).map(|n| bound(n, SCHEMA) * 1.04).collect::<Vec<_>>();
    let full = buckets(&of(160));
    assert_eq!((full.schema, full.counts.len()), (3, 160));
    let halved = buckets(&of(161));
    assert_eq!((halved.schema, halved.counts.len()), (2, 81));
    assert_eq!(halved.counts[..2], [(1, 2), (2, 2)], "between 1 and 2^(1/4) are two of the finer ones");
    let everywhere: Vec<f64> = (-19..1024).map(|exponent| f64::from(exponent).exp2()).collect();
    let coarse = buckets(&everywhere);
    assert_eq!((coarse.schema, coarse.counts.len()), (-3, 131));
    assert_eq!(coarse.counts.iter().map(|(_, count)| count).sum::<u64>(), 1043);
}

proptest! {
    #[test]
    fn a_value_lies_between_the_bounds_of_its_bucket_in_every_schema(exponent in -19.9_f64..1023.9) {
        let value = exponent.exp2();
        let mut shown = buckets(&[value]);
        while shown.schema > COARSEST {
            let [(number, 1)] = shown.counts[..] else { panic!("{shown:?}") };
            let slack = 1e-9 * exponent.abs().max(1.0);
            let width = f64::from(-shown.schema).exp2();
            let (below, above) = (f64::from(number - 1) * width, f64::from(number) * width);
            prop_assert!(below - slack < exponent && exponent <= above + slack, "{exponent} is not in {below}..{above}");
            shown = shown.coarser();
        }
    }

    #[test]
    fn nothing_is_lost_whatever_is_counted(values in prop::collection::vec(any::<f64>(), 0..600)) {
        let shown = buckets(&values);
        let all = shown.zero + shown.counts.iter().map(|(_, count)| count).sum::<u64>();
        prop_assert_eq!(all, values.len() as u64);
        prop_assert!(shown.counts.len() <= MAX_BUCKETS);
        prop_assert!(shown.counts.is_sorted_by(|a, b| a.0 < b.0));
    }
}
