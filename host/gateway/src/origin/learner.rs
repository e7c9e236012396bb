//! Watches an answer on its way to the client for what later requests will carry back. Bounded, and in nobody's way.

use std::sync::Arc;

use super::made::MadeScanner;
use super::{Issuer, Kind, Origins, Owners, Scanner, Shelf, Word};

/// Words of one answer that are remembered.
const VALUES: usize = 256;
/// Objects of one answer that are remembered, and how much of it is looked at for them: ids stand at the beginning.
const OBJECTS: usize = 16;
const HEAD: usize = 4 << 10;
/// Characters of the shortest id of an object.
const OBJECT: usize = 16;

/// How what is no thinking begins in base64: pictures, sound, documents. Many have the same beginning.
const MEDIA: [&[u8]; 8] = [b"iVBORw0KGgo", b"/9j/", b"R0lGOD", b"UklGR", b"JVBERi0", b"SUQz", b"T2dnUw", b"AAAA"];

/// What is to be learnt of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    /// Who issued its opaque values.
    pub values: bool,
    /// Who made the objects that it names.
    pub objects: bool,
}

/// Whose the objects are that an answer makes.
#[derive(Debug)]
pub struct Claim {
    /// Where that is kept.
    pub owners: Arc<Owners>,
    /// Among what it is kept.
    pub shelf: Shelf,
    /// How deep the object stands in which its id is told: in an event of a stream, or by itself.
    pub depth: u32,
    /// What the request named: an answer that repeats it has not made it.
    pub named: Vec<String>,
}

/// Finds the ids that a client has a claim to.
#[derive(Debug)]
struct Claimant {
    claim: Claim,
    scanner: MadeScanner,
    left: usize,
    head: usize,
}

impl Claimant {
    fn new(claim: Claim) -> Self {
        // Of an answer only its own id counts: what else it tells of is part of it.
        let (wants_all, left) = if claim.shelf == Shelf::Object { (true, OBJECTS) } else { (false, 1) };
        Self { scanner: MadeScanner::new(claim.depth, wants_all), claim, left, head: HEAD }
    }

    fn see(&mut self, bytes: &[u8], client: &Arc<str>) {
        let Self { claim, scanner, left, head } = self;
        let near = bytes.get(..*head).unwrap_or(bytes);
        *head -= near.len();
        scanner.push(near, &mut |id| {
            if *left > 0 && !id.is_empty() && !claim.named.iter().any(|named| named.as_bytes() == id) {
                *left -= 1;
                claim.owners.keep(claim.shelf, id, client);
            }
        });
        if *left == 0 {
            *head = 0;
        }
    }
}

/// Watches one answer.
#[derive(Debug)]
pub struct Learner {
    origins: Arc<Origins>,
    tenant: Arc<str>,
    issuer: Issuer,
    scanner: Scanner,
    left: Left,
    claimant: Option<Claimant>,
    /// Names of models, which look like ids of objects and are none.
    models: Vec<String>,
}

/// What may still be learnt.
#[derive(Debug)]
struct Left {
    values: usize,
    objects: usize,
    head: usize,
}

impl Learner {
    /// Watches an answer of this issuer's to this tenant. `models` are names that are no objects.
    pub fn new(origins: Arc<Origins>, tenant: Arc<str>, issuer: Issuer, lesson: Lesson, models: Vec<String>) -> Self {
        let left = Left {
            values: if lesson.values { VALUES } else { 0 },
            objects: OBJECTS,
            head: if lesson.objects { HEAD } else { 0 },
        };
        Self { origins, tenant, issuer, scanner: Scanner::new(lesson.objects), left, claimant: None, models }
    }

    /// Has it remembered as well whose the objects are that the answer makes.
    #[must_use]
    pub fn claiming(mut self, claim: Option<Claim>) -> Self {
        self.claimant = claim.map(Claimant::new);
        self
    }

    /// From here on somebody else answers.
    pub fn goes_on(&mut self, issuer: Issuer) {
        self.issuer = issuer;
    }

    /// Looks at the next piece: what a client reads is known by the time that it can ask on.
    pub fn see(&mut self, bytes: &[u8]) {
        if let Some(claimant) = self.claimant.as_mut().filter(|claimant| claimant.head > 0) {
            claimant.see(bytes, &self.tenant);
        }
        let (head, rest) = bytes.split_at(self.left.head.min(bytes.len()));
        if !head.is_empty() {
            self.left.head -= head.len();
            self.scan(head);
            if self.left.head == 0 {
                self.scanner.only_values();
            }
        }
        if self.left.values > 0 && !rest.is_empty() {
            self.scan(rest);
        }
    }

    fn scan(&mut self, bytes: &[u8]) {
        let Self { origins, tenant, issuer, scanner, left, models, .. } = self;
        scanner.push(bytes, &mut |word| match word {
            Word::Value(word) if left.values > 0 && !MEDIA.iter().any(|begin| word.starts_with(begin)) => {
                left.values -= 1;
                origins.learn(Kind::Value, tenant, word, issuer);
            }
            Word::Id(id) if left.objects > 0 && is_object(id) && !models.iter().any(|name| name.as_bytes() == id) => {
                left.objects -= 1;
                origins.learn(Kind::Object, tenant, id, issuer);
            }
            _ => {}
        });
    }
}

/// Whether this may be the id of an object: those are made by chance or by count, and long.
pub fn is_object(id: &[u8]) -> bool {
    id.len() >= OBJECT && id.iter().any(u8::is_ascii_digit)
}
