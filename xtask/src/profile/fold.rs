//! Samples as tables: by crate and by function.

use std::collections::HashMap;
use std::hash::Hash;

use super::perf::Sample;

/// The most functions that are shown.
const FUNCTIONS: usize = 60;
/// The ending of adapters' compiled code in the cache.
const COMPILED: &str = ".cwasm";

/// Prints the share of each crate and of the functions in front, as instructions a request.
pub(super) fn print(samples: &[Sample], instructions: u64) {
    let all = samples.len().max(1) as u64;
    let show = |name: &str, count: u64| println!("{:>9}  {name}", instructions * count / all);
    for (name, count) in ranked(samples.iter().map(owner)) {
        show(name, count);
    }
    println!();
    for (name, count) in ranked(samples.iter().map(function)).into_iter().take(FUNCTIONS) {
        show(name, count);
    }
}

fn ranked<K: Hash + Eq + Ord>(keys: impl Iterator<Item = K>) -> Vec<(K, u64)> {
    let mut counts = HashMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    let mut ranked: Vec<(K, u64)> = counts.into_iter().collect();
    ranked.sort_unstable_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    ranked
}

fn function(sample: &Sample) -> &str {
    if sample.file.ends_with(COMPILED) { "adapters" } else { &sample.symbol }
}

/// The crate that a sample belongs to, or else the file.
fn owner(sample: &Sample) -> &str {
    if sample.file.ends_with(COMPILED) {
        return "adapters";
    }
    let name = sample.symbol.trim_start_matches(['<', '&', '*', '(']);
    let name = ["mut ", "dyn ", "impl "].iter().fold(name, |name, word| name.trim_start_matches(word));
    match name.split_once("::") {
        Some((owner, _)) if owner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => owner,
        _ => sample.file.rsplit('/').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_belongs_to_the_crate_of_its_function() {
        let of = |symbol: &str, file: &str| owner(&Sample { symbol: symbol.into(), file: file.into() }).to_owned();
        assert_eq!(of("<hyper::Body as http_body::Body>::poll", "/a/weir"), "hyper");
        assert_eq!(of("<&mut tokio::net::TcpStream as x::Y>::z", "/a/weir"), "tokio");
        assert_eq!(of("mi_free", "/a/weir"), "weir");
        assert_eq!(of("[unknown]", "/cache/ab.cwasm"), "adapters");
    }

    #[test]
    fn what_occurs_more_often_comes_first() {
        assert_eq!(ranked(["a", "b", "b"].into_iter()), [("b", 2), ("a", 1)]);
    }
}
