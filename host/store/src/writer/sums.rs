//! The sums of use that wait to be written, found by one text for all that a sum is about: most requests add to sums that are
//! there, and compare that text once.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::fact::{cut, is_unfit};
use crate::ledger::{LedgerKey, LedgerKeyRef, LedgerSums};

/// Most bytes of a text in the ledger.
pub(super) const MOST_TEXT: usize = 512;

/// Sums by what they are about.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// By [`write_key`]. Each key has its texts as they are stored.
    sums: HashMap<Box<[u8]>, LedgerSums, RandomState>,
    /// Room for the key that is looked up.
    key: Vec<u8>,
}

impl Sums {
    pub(super) fn len(&self) -> usize {
        self.sums.len()
    }

    /// Adds to a sum. One that is new is made if `has_room`; otherwise nothing is added, and false returned.
    pub(super) fn add(&mut self, key: LedgerKeyRef<'_>, sums: &LedgerSums, has_room: bool) -> bool {
        write_key(&mut self.key, key);
        if let Some(sum) = self.sums.get_mut(&*self.key) {
            sum.merge(sums);
            return true;
        }
        if key.texts().into_iter().any(|text| is_unfit(text, MOST_TEXT)) {
            return self.add(fitting(key).borrowed(), sums, has_room);
        }
        if has_room {
            self.sums.insert(self.key.as_slice().into(), *sums);
        }
        has_room
    }

    /// The sums with what they are about.
    pub(super) fn into_rows(self) -> Vec<(LedgerKey, LedgerSums)> {
        self.sums.into_iter().filter_map(|(key, sums)| Some((read_key(&key)?, sums))).collect()
    }
}

/// The key with its texts cut to what is stored.
#[cold]
fn fitting(key: LedgerKeyRef<'_>) -> LedgerKey {
    let mut key = key.owned();
    for text in [&mut key.subject, &mut key.provider, &mut key.served, &mut key.price_dim, &mut key.bucket] {
        cut(text, MOST_TEXT);
    }
    key
}

/// Writes a key as the hour and the texts, each after its length. A text that is too long gets a length that no stored one has.
fn write_key(out: &mut Vec<u8>, key: LedgerKeyRef<'_>) {
    out.clear();
    out.extend_from_slice(&key.hour.to_le_bytes());
    for text in key.texts() {
        out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

fn read_key(mut key: &[u8]) -> Option<LedgerKey> {
    let hour = u64::from_le_bytes(*key.split_off(..8)?.first_chunk()?);
    let mut text = || {
        let length = u16::from_le_bytes(*key.split_off(..2)?.first_chunk()?);
        let text = key.split_off(..usize::from(length))?;
        std::str::from_utf8(text).ok().map(str::to_owned)
    };
    let (subject, provider, served) = (text()?, text()?, text()?);
    Some(LedgerKey { hour, subject, provider, served, price_dim: text()?, bucket: text()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_no_two_are_alike() {
        let texts =
            [["a", "b", "", "", ""], ["a", "", "b", "", ""], ["ab", "", "", "", ""], ["", "ä", "b:c", "d", "e"]];
        let mut sums = Sums::default();
        let keys = texts.map(|[subject, provider, served, price_dim, bucket]| LedgerKeyRef {
            hour: 300,
            subject,
            provider,
            served,
            price_dim,
            bucket,
        });
        for key in keys.into_iter().chain(keys) {
            assert!(sums.add(key, &LedgerSums { units: 1, ..LedgerSums::default() }, true));
        }
        let rows = sums.into_rows();
        assert!(rows.len() == keys.len() && rows.iter().all(|(_, sums)| sums.units == 2));
        assert!(keys.iter().all(|key| rows.iter().any(|(row, _)| row.borrowed() == *key)));
    }
}
