//! The values and objects in a request from earlier answers, with their issuers.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Issuer, Kind, Provenance, Scanner, WORD, Word};

/// The most words of a request that are looked up: the last ones, since the newest turn is near the end.
const VALUES: usize = 256;
const CALLS: usize = 1024;
/// The most issuers of one request's values.
const ISSUERS: usize = 8;

/// The issuers of the values and objects that a request carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// The issuer of the objects that the request names.
    pub object: Option<Issuer>,
    /// The issuers of its opaque values without duplicates, that of the last value first.
    pub issuers: Vec<Issuer>,
}

impl Carried {
    /// Looks up the opaque values of a body, and the calls for which the host keeps such values.
    pub fn in_body(provenance: &Provenance, tenant: &str, body: &[Bytes]) -> Self {
        let mut carried = Self::default();
        let wants_calls = provenance.has(Kind::Call);
        if !wants_calls && !provenance.has(Kind::Value) {
            return carried;
        }
        let (mut values, mut calls) = (VecDeque::new(), VecDeque::new());
        let mut scanner = Scanner::new(wants_calls);
        for chunk in body {
            scanner.push(chunk, &mut |word| match word {
                Word::Value(word) => push::<[u8; WORD]>(&mut values, *word, VALUES),
                Word::Id(id) => push(&mut calls, provenance.key(Kind::Call, tenant, id), CALLS),
            });
        }
        values.iter().rev().for_each(|word| carried.add(provenance.of(Kind::Value, tenant, word)));
        calls.iter().rev().for_each(|key| carried.add(provenance.of_key(*key)));
        carried
    }

    /// Looks up object ids; the last known one counts.
    pub fn names<'a>(
        &mut self,
        provenance: &Provenance,
        tenant: &str,
        ids: impl DoubleEndedIterator<Item = &'a String>,
    ) {
        self.object = ids.rev().find_map(|id| provenance.of(Kind::Object, tenant, id.as_bytes()));
    }

    /// Looks up every string of a body that may be an object's id.
    pub(crate) fn names_in_body(&mut self, provenance: &Provenance, tenant: &str, body: &[Bytes]) {
        let mut scanner = Scanner::new(true);
        for chunk in body {
            scanner.push(chunk, &mut |word| {
                if let Word::Id(id) = word {
                    self.object = self.object.take().or_else(|| provenance.of(Kind::Object, tenant, id));
                }
            });
        }
    }

    /// Whether no issuer is known.
    pub fn is_empty(&self) -> bool {
        self.object.is_none() && self.issuers.is_empty()
    }

    /// The rank of a target, lower being better; `None` if it has issued nothing here. The issuer of an object ranks
    /// before those of values, without which the request can still be served. Another model of the same provider may
    /// accept the values as well, provided that it is as good a choice otherwise.
    pub fn distance(&self, target: &str, provider: &str, is_as_good: bool) -> Option<usize> {
        let is_same = |issuer: &Issuer| *issuer.target == *target;
        let is_near = |issuer: &Issuer| is_as_good && *issuer.provider == *provider;
        if self.object.as_ref().is_some_and(is_same) {
            return Some(0);
        }
        if self.object.as_ref().is_some_and(is_near) {
            return Some(1);
        }
        let behind = self.issuers.len();
        let near = || self.issuers.first().filter(|issuer| is_near(issuer)).map(|_| behind);
        self.issuers.iter().position(is_same).or_else(near).map(|place| 2 + place)
    }

    /// Whether the request carries an opaque value that is known to come from another issuer.
    pub(crate) fn is_foreign_to(&self, one: &Issuer) -> bool {
        self.issuers.iter().any(|issuer| !issuer.is_same(one))
    }

    /// The number of the provider's key with which a value of this request was issued.
    pub fn key(&self, provider: &str) -> Option<usize> {
        let mut all = self.object.iter().chain(&self.issuers);
        all.find(|issuer| *issuer.provider == *provider).map(|issuer| issuer.key)
    }

    /// Why this target is preferred, if it is.
    pub fn reason(&self, target: &str) -> Option<&'static str> {
        let is_same = |issuer: &Issuer| *issuer.target == *target;
        match (self.object.as_ref().is_some_and(is_same), self.issuers.iter().any(is_same)) {
            (true, _) => Some("made the object that the request names"),
            (false, true) => Some("issued its opaque reasoning"),
            (false, false) => None,
        }
    }

    fn add(&mut self, issuer: Option<Issuer>) {
        let Some(issuer) = issuer.filter(|issuer| !self.issuers.contains(issuer)) else { return };
        if self.issuers.len() < ISSUERS {
            self.issuers.push(issuer);
        }
    }
}

/// Appends to a queue of at most `most` elements.
fn push<T>(last: &mut VecDeque<T>, one: T, most: usize) {
    if last.len() == most {
        last.pop_front();
    }
    last.push_back(one);
}
