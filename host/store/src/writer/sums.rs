//! The sums of use that wait to be written. All that a request adds at one model of a provider is found by one text:
//! most requests add to sums that are there, and compare that text once.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::fact;
use crate::ledger::{LedgerKey, LedgerSums, Use, UseRow};

/// Most bytes of a text in the ledger.
pub(super) const MAX_TEXT: usize = 512;

/// Sums by what they are about.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// By [`write_key`].
    groups: HashMap<Box<[u8]>, Group, RandomState>,
    /// How many sums they have.
    count: usize,
    /// Room for the key that is looked up.
    key: Vec<u8>,
}

/// The sums of the same subjects at one model of a provider. Texts are as they are stored.
#[derive(Debug)]
struct Group {
    hour: u64,
    subjects: Vec<String>,
    provider: String,
    served: String,
    rows: Vec<Row>,
}

/// One sum of each of a group's first subjects.
#[derive(Debug)]
struct Row {
    subjects: usize,
    price_dim: String,
    bucket: &'static str,
    sums: LedgerSums,
}

impl Sums {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds to sums. New ones are made as long as there is room for so many more. Returns how many are not added.
    pub(super) fn add(&mut self, used: &Use<'_>, room: usize) -> usize {
        write_key(&mut self.key, used);
        if let Some(group) = self.groups.get_mut(&*self.key) {
            let (made, lost) = group.add(used, room);
            self.count += made;
            return lost;
        }
        let mut group = Group::of(used);
        let (made, lost) = group.add(used, room);
        if made > 0 {
            self.count += made;
            self.groups.insert(self.key.as_slice().into(), group);
        }
        lost
    }

    /// The sums with what they are about, each once.
    pub(super) fn into_rows(self) -> Vec<(LedgerKey, LedgerSums)> {
        let mut all = HashMap::<LedgerKey, LedgerSums, RandomState>::default();
        for group in self.groups.into_values() {
            for row in &group.rows {
                for subject in group.subjects.iter().take(row.subjects) {
                    all.entry(group.key(subject, row)).or_default().merge(&row.sums);
                }
            }
        }
        all.into_iter().collect()
    }
}

impl Group {
    /// A group without sums.
    #[cold]
    fn of(used: &Use<'_>) -> Self {
        let subjects = used.subjects.iter().map(|(kind, id)| fitting(&[*kind, *id].concat()).into_owned());
        let [provider, served] = [used.provider, used.served].map(|text| fitting(text).into_owned());
        Self { hour: used.hour, subjects: subjects.collect(), provider, served, rows: Vec::new() }
    }

    /// Adds to sums. Returns how many were made, and how many are not added since there is no room for them.
    fn add(&mut self, used: &Use<'_>, room: usize) -> (usize, usize) {
        let (mut made, mut lost) = (0, 0);
        for row in used.rows {
            let dimension = fitting(row.price_dim);
            if let Some(known) = self.rows.iter_mut().find(|known| known.is_of(row, &dimension)) {
                known.sums.merge(&row.sums);
                continue;
            }
            let subjects = row.subjects.min(self.subjects.len());
            if made + subjects > room {
                lost += subjects;
            } else {
                made += subjects;
                let price_dim = dimension.into_owned();
                self.rows.push(Row { subjects: row.subjects, price_dim, bucket: row.bucket, sums: row.sums });
            }
        }
        (made, lost)
    }

    fn key(&self, subject: &str, row: &Row) -> LedgerKey {
        LedgerKey {
            hour: self.hour,
            subject: subject.to_owned(),
            provider: self.provider.clone(),
            served: self.served.clone(),
            price_dim: row.price_dim.clone(),
            bucket: row.bucket.to_owned(),
        }
    }
}

impl Row {
    fn is_of(&self, row: &UseRow<'_>, dimension: &str) -> bool {
        // Where a name is, which says enough: of one that is in two places, the sums are added up at the end.
        std::ptr::eq(self.bucket, row.bucket) && self.subjects == row.subjects && self.price_dim == dimension
    }
}

/// A text as it is stored.
fn fitting(text: &str) -> Cow<'_, str> {
    fact::fitting(text, MAX_TEXT)
}

/// Writes what a group is about as the hour and the texts, each after its length. One that is longer than what is
/// stored is one with those that are stored alike.
fn write_key(out: &mut Vec<u8>, used: &Use<'_>) {
    out.clear();
    out.extend_from_slice(&used.hour.to_le_bytes());
    let mut write = |text: &str| {
        let text = fitting(text);
        out.extend_from_slice(&(text.len() as u16).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    };
    write(used.provider);
    write(used.served);
    for (kind, id) in used.subjects {
        write(kind);
        write(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROWS: [UseRow<'static>; 2] = [
        UseRow { subjects: 2, price_dim: "", bucket: "request", sums: ONE },
        UseRow { subjects: 2, price_dim: "", bucket: "input", sums: ONE },
    ];

    const ONE: LedgerSums = LedgerSums { units: 1, requests: 1, estimated: 0, cost_nano: 2 };

    fn row(subjects: usize, price_dim: &'static str, bucket: &'static str) -> UseRow<'static> {
        UseRow { subjects, price_dim, bucket, sums: ONE }
    }

    #[test]
    fn a_sum_is_found_by_what_it_is_about_and_no_two_are_one() {
        let mut sums = Sums::default();
        let places = [("b", ""), ("", "b"), ("ab", ""), ("a", "b"), ("ä", "b:c")];
        let subjects: [&[(&str, &str)]; 3] = [&[("all:", "")], &[("key:", "a")], &[("key", ":a")]];
        for _ in 0..2 {
            for (provider, served) in places {
                for subjects in subjects {
                    let rows = [row(1, "", "input"), row(1, "batch", "input"), row(1, "", "output")];
                    assert_eq!(sums.add(&Use { hour: 300, subjects, provider, served, rows: &rows }, 100), 0);
                }
            }
        }
        // The last two subjects are written alike, so that their sums are one.
        assert_eq!(sums.len(), 3 * 3 * places.len());
        let rows = sums.into_rows();
        assert_eq!(rows.len(), 2 * 3 * places.len());
        assert!(rows.iter().all(|(key, sums)| sums.units == if key.subject == "all:" { 2 } else { 4 }));
    }

    #[test]
    fn each_row_adds_to_the_first_of_the_subjects_and_groups_share_sums() {
        let mut sums = Sums::default();
        for key in ["a", "b"] {
            let subjects = [("all:", ""), ("key:", key), ("team:", "red")];
            let rows = [row(3, "", "request"), row(1, "", "took:1")];
            assert_eq!(sums.add(&Use { hour: 1, subjects: &subjects, provider: "p", served: "m", rows: &rows }, 10), 0);
        }
        let mut rows = sums.into_rows();
        rows.sort();
        let shown: Vec<_> =
            rows.iter().map(|(key, sums)| format!("{} {} {}", key.subject, key.bucket, sums.units)).collect();
        let expected = ["all: request 2", "all: took:1 2", "key:a request 1", "key:b request 1", "team:red request 2"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_what_is_there_is_added_to() {
        let mut sums = Sums::default();
        let of = |served: &'static str, rows: &'static [UseRow<'static>]| Use {
            hour: 1,
            subjects: &[("all:", ""), ("key:", "a")],
            provider: "p",
            served,
            rows,
        };
        assert_eq!(sums.add(&of("m", &ROWS), 3), 2);
        assert_eq!(sums.add(&of("m", &ROWS), 1), 2);
        assert_eq!(sums.add(&of("n", &ROWS), 1), 4);
        let rows = sums.into_rows();
        assert!(rows.len() == 2 && rows.iter().all(|(key, sums)| key.bucket == "request" && sums.units == 2));
    }
}
