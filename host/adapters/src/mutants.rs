//! Randomly mutated components: each is refused or serves, and nothing else happens.
//!
//! A few hundred in the ordinary run; `WEIR_MUTANTS=10000 cargo test -p weir-adapters mutants` for more of them.

use super::{Admission, LoadError};
use crate::guest::{ZEROS, call, guest, loader, small};
use weir_sandbox::{Shape, limits};

/// Xorshift generator with a fixed seed: the same mutants in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(bytes.len());
        from..from + self.below((bytes.len() - from).min(64))
    }

    fn mutate(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let (range, all) = (self.range(&bytes), bytes.clone());
                bytes.splice(at..at, all[range].iter().copied());
            }
            2 => drop(bytes.drain(self.range(&bytes))),
            3 => {
                let range = self.range(&bytes);
                bytes[range].fill(0xff);
            }
            4 => (0..self.below(4096)).for_each(|_| bytes.push(self.below(256) as u8)),
            // Single bits and a few bytes pass the parser most often.
            5 => bytes[at] ^= 1 << self.below(8),
            _ => {
                for _ in 0..=self.below(6) {
                    let at = self.below(bytes.len());
                    bytes[at] = self.below(256) as u8;
                }
            }
        }
        bytes
    }
}

#[test]
fn mutants_are_refused_or_serve() {
    let count = std::env::var("WEIR_MUTANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(500);
    let mut mutant = guest("mutant");
    mutant.push = Some(format!("(i32.const {ZEROS})"));
    let good = mutant.build();
    let (loader, mut chance) = (loader(small()), Chance(0x9e37_79b9_7f4a_7c15));
    let (mut unseen, mut refused, mut served) = (0, 0, 0);
    for _ in 0..count {
        let bytes = chance.mutate(good.clone());
        match loader.load("mutant", &bytes, &Admission::default()) {
            Err(LoadError::Shape(_)) => unseen += 1,
            Err(_) => refused += 1,
            Ok(adapter) => {
                served += 1;
                let _ = call(&adapter);
            }
        }
    }
    assert!(unseen > 0 && served > 0, "{unseen} {refused} {served}");
    assert!(loader.load("mutant", &good, &Admission::default()).is_ok_and(|adapter| call(&adapter).is_ok()));
    #[allow(clippy::print_stdout, reason = "prints figures on request")]
    {
        println!("{count} mutants: {unseen} refused unseen, {refused} refused later, {served} serve");
    }
}

#[test]
fn random_bytes_behind_a_sound_beginning_are_refused() {
    let mut chance = Chance(42);
    let structure = limits::Structure::default();
    for _ in 0..2000 {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        (0..chance.below(512)).for_each(|_| bytes.push(chance.below(256) as u8));
        assert!(Shape::read(&bytes, &structure).is_err());
    }
}
