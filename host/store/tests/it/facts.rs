//! Facts for tests: made from a seed, so that every run sees the same.

use weir_store::{Batch, Day, Fact, PackedFact, RequestId};

/// 2026-11-21, at noon.
pub(crate) const NOON: u64 = 1_795_219_200_000 + 12 * 3_600_000;

pub(crate) fn today() -> Day {
    Day::of(NOON)
}

/// A generator of numbers (`SplitMix64`).
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn id(&mut self, time_ms: u64) -> RequestId {
        let mut entropy = [0; 10];
        entropy[..8].copy_from_slice(&self.next().to_le_bytes());
        entropy[8..].copy_from_slice(&self.next().to_le_bytes()[..2]);
        RequestId::new(time_ms, entropy)
    }

    /// A fact as a busy gateway makes them: few keys, models and providers, one failure in eight.
    pub(crate) fn fact(&mut self, time_ms: u64) -> Fact {
        let mut fact = Fact::of(self.id(time_ms));
        fact.process = 7;
        fact.key = format!("key-{}", self.below(6));
        fact.team = format!("team-{}", self.below(3));
        fact.organisation = format!("organisation-{}", self.below(2));
        fact.user = format!("user-{}", self.below(4));
        fact.tags.insert("project".to_owned(), format!("p{}", self.below(3)));
        fact.dialect = "zeta.chat".to_owned();
        fact.client = "zeta-python/1.2.3".to_owned();
        fact.model_asked = format!("model-{}", self.below(4));
        fact.model_served = format!("model-{}-2026-08", self.below(4));
        fact.provider = format!("provider-{}", self.below(3));
        fact.target = format!("{}/{}", fact.provider, fact.model_served);
        fact.lane = if self.below(2) == 0 { "relay" } else { "translate" }.to_owned();
        fact.operation = "chat".to_owned();
        (fact.status, fact.outcome) = (200, "ok".to_owned());
        fact.finish = "stop".to_owned();
        if self.below(8) == 0 {
            (fact.status, fact.outcome) = (429 + self.below(80) as u16, "failed".to_owned());
            fact.error_kind = "rate_limited".to_owned();
            fact.error_text = format!("Too many tokens: {} of 100%_\\", self.below(3));
            fact.attempts = r#"[{"provider":"provider-1","status":429}]"#.to_owned();
        }
        fact.tokens.input = Some(self.below(10_000));
        fact.tokens.cache_read = (self.below(2) == 0).then(|| self.below(10_000));
        fact.tokens.output = Some(self.below(1_000));
        fact.cost_nano = (self.below(10) > 0).then(|| self.below(1_000_000) as i64);
        fact.price_version = "2026-11".to_owned();
        fact.total_us = self.below(20_000_000);
        fact.first_token_us = (self.below(2) == 0).then(|| self.below(1_000_000));
        fact.own_us = self.below(100);
        fact.bytes_in = self.below(50_000);
        fact.bytes_out = self.below(10_000);
        fact.adapter = "zeta".to_owned();
        fact.adapter_digest = "5f0c1a2b3d4e5f60".to_owned();
        fact
    }

    /// So many facts within some time before a moment.
    pub(crate) fn facts(&mut self, count: u64, until_ms: u64, within_ms: u64) -> Vec<Fact> {
        (0..count)
            .map(|number| {
                let time = until_ms - self.below(within_ms);
                let mut fact = self.fact(time);
                fact.sequence = number;
                fact
            })
            .collect()
    }
}

pub(crate) fn batch(facts: impl IntoIterator<Item = Fact>) -> Batch {
    Batch { facts: facts.into_iter().map(|fact| PackedFact::from(&fact)).collect(), bodies: Vec::new() }
}

pub(crate) fn packed(facts: &[Fact]) -> Vec<PackedFact> {
    facts.iter().map(PackedFact::from).collect()
}
