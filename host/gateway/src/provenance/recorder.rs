//! Records the words of an answer that later requests may carry, while it passes to the client. Bounded, and never
//! delays the answer.

use std::sync::Arc;

use super::made::{MadeScanner, Wanted};
use super::making::Making;
use super::work_ids::{WorkIdPlaces, WorkIds};
use super::{Issuer, KeptFile, Kind, ObjectKind, Owners, Provenance, ReadRequests, Scanner, SentWords, Word};

/// The most opaque values recorded from one answer.
const VALUES: usize = 256;
/// The most objects recorded from one answer, and the bytes of its beginning that are scanned for their ids.
const OBJECTS: usize = 16;
const HEAD: usize = 4 << 10;
/// The bytes of the beginning that are scanned for what a client has made: some services put a long text in front of
/// the id.
const CLAIMED: usize = 1 << 20;
/// The least length of an object's id.
const OBJECT: usize = 16;
/// The least length of one that has both digits and letters, as those that some services append to a name.
pub(crate) const SHORTEST_ID: usize = 12;

/// The base64 prefixes of images, sound and documents. These are not reasoning, and many files share the same prefix.
const MEDIA: [&[u8]; 8] = [b"iVBORw0KGgo", b"/9j/", b"R0lGOD", b"UklGR", b"JVBERi0", b"SUQz", b"T2dnUw", b"AAAA"];

/// What to record from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordScope {
    /// Whether to record the issuer of its opaque values.
    pub values: bool,
    /// Whether to record the issuer of the objects that it names.
    pub objects: bool,
}

/// A client's claim to the objects that an answer makes.
#[derive(Debug)]
pub struct Claim {
    /// The record of owners.
    pub owners: Arc<Owners>,
    /// The part of the record.
    pub kind: ObjectKind,
    /// The depth of the object that has the id: 2 in an event of a stream, 1 otherwise.
    pub depth: u32,
    /// The ids that the request named: an answer that repeats one has not made it.
    pub named: Vec<String>,
    /// The names of members with ids of what objects are made of, such as the file of a batch.
    pub(crate) inputs: Vec<String>,
    /// The words of the request's body, if it is not known what the answer has made: then only its own id or name
    /// counts, unless the request has it.
    pub(crate) sent: Option<Arc<SentWords>>,
    /// What the requests name in the file that the request uploads, if it is one that was read.
    pub(crate) requests: ReadRequests,
}

impl Claim {
    /// Records the client as the owner of the object with this id, which is there. A file of requests is kept for other
    /// processes as well.
    fn keep(&self, id: &[u8], client: &Arc<str>, issuer: &Issuer) {
        let requests = self.requests.get();
        let is_new = self.owners.keep_with(self.kind, id, client, requests);
        let Some((store, file)) = self.owners.files().zip(requests).filter(|_| is_new) else { return };
        if let Some(kept) = KeptFile::of(client, id, file, issuer) {
            store.keep(kept);
        }
    }

    /// Whether the answer may have made the object with this id.
    fn may_keep(&self, id: &[u8]) -> bool {
        let is_sent = |sent: &Arc<SentWords>| !may_be_owned(id) || sent.may_have(id);
        !self.named.iter().any(|named| named.as_bytes() == id) && !self.sent.as_ref().is_some_and(is_sent)
    }
}

/// Finds the ids that a client may claim.
#[derive(Debug)]
struct Claimant {
    claim: Claim,
    scanner: MadeScanner,
    left: usize,
    head: usize,
}

impl Claimant {
    fn new(mut claim: Claim) -> Self {
        // Of a stored answer only its own id counts; other ids in it are parts of it.
        let (wanted, left) = match (&claim.sent, claim.kind) {
            (Some(_), _) => (Wanted::OwnOrName, 1),
            (None, ObjectKind::Object) => (Wanted::All, OBJECTS),
            (None, ObjectKind::Answer) => (Wanted::Own, 1),
        };
        let scanner = MadeScanner::new(claim.depth, wanted).without(std::mem::take(&mut claim.inputs));
        Self { scanner, claim, left, head: CLAIMED }
    }

    fn see(&mut self, bytes: &[u8], client: &Arc<str>, issuer: &Issuer) {
        let Self { claim, scanner, left, head } = self;
        let near = bytes.get(..*head).unwrap_or(bytes);
        *head -= near.len();
        scanner.push(near, &mut |id| {
            if *left > 0 && !id.is_empty() && claim.may_keep(id) {
                *left -= 1;
                claim.keep(id, client, issuer);
            }
        });
        if *left == 0 {
            *head = 0;
        }
    }
}

/// Finds the own id of an answer.
#[derive(Debug)]
struct OwnId {
    scanner: MadeScanner,
    head: usize,
    found: Option<Vec<u8>>,
}

impl OwnId {
    fn see(&mut self, bytes: &[u8]) {
        if self.found.is_some() || self.head == 0 {
            return;
        }
        let near = bytes.get(..self.head).unwrap_or(bytes);
        self.head -= near.len();
        let found = &mut self.found;
        self.scanner.push(near, &mut |id| {
            if found.is_none() && !id.is_empty() {
                *found = Some(id.to_vec());
            }
        });
    }
}

/// Scans one answer.
#[derive(Debug)]
pub struct ProvenanceRecorder {
    provenance: Arc<Provenance>,
    tenant: Arc<str>,
    issuer: Issuer,
    scanner: Scanner,
    left: RemainingLimits,
    claimant: Option<Claimant>,
    own_id: Option<Box<OwnId>>,
    /// Finds ids where a manifest names their places; `claimant` and `own_id` then look for none.
    work_ids: Option<Box<WorkIds>>,
    /// Finds what the answer makes beside itself.
    making: Option<Box<Making>>,
    /// Names of models, which look like ids of objects but are not.
    models: Vec<String>,
}

/// What remains of the limits for one answer.
#[derive(Debug)]
struct RemainingLimits {
    values: usize,
    objects: usize,
    head: usize,
}

impl ProvenanceRecorder {
    /// Scans an answer of this issuer to this tenant. `models` are names that are not ids.
    pub fn new(
        provenance: Arc<Provenance>,
        tenant: Arc<str>,
        issuer: Issuer,
        scope: RecordScope,
        models: Vec<String>,
    ) -> Self {
        let left = RemainingLimits {
            values: if scope.values { VALUES } else { 0 },
            objects: OBJECTS,
            head: if scope.objects { HEAD } else { 0 },
        };
        let scanner = Scanner::new(scope.objects);
        Self {
            provenance,
            tenant,
            issuer,
            scanner,
            left,
            claimant: None,
            own_id: None,
            work_ids: None,
            making: None,
            models,
        }
    }

    /// Also records the client as the owner of the objects that the answer makes.
    #[must_use]
    pub(crate) fn claiming(mut self, claim: Option<Claim>) -> Self {
        self.claimant = claim.map(Claimant::new);
        self
    }

    /// Also finds the answer's own id. `depth` is that of the object that has it, as in [`Claim`].
    #[must_use]
    pub(crate) fn finding_own_id(mut self, depth: Option<u32>) -> Self {
        let of_depth =
            |depth| Box::new(OwnId { scanner: MadeScanner::new(depth, Wanted::Own), head: CLAIMED, found: None });
        self.own_id = depth.map(of_depth);
        self
    }

    /// Looks for ids of objects at these places, and at no others.
    #[must_use]
    pub(crate) fn finding_work_ids(mut self, places: Option<&WorkIdPlaces>) -> Self {
        self.work_ids = places.map(|places| Box::new(WorkIds::new(places)));
        self
    }

    /// Also finds what the answer makes beside itself.
    #[must_use]
    pub(crate) fn making(mut self, making: Option<Making>) -> Self {
        self.making = making.map(Box::new);
        self
    }

    /// Whether it finds what the answer makes beside itself.
    pub(crate) fn finds_made(&self) -> bool {
        self.making.is_some()
    }

    /// Searches the parts of an answer that are of one format only for objects that the answer makes besides itself.
    pub(crate) fn see_parts(&mut self, parts: &[u8]) {
        if let Some(making) = &mut self.making {
            making.see(parts, &self.tenant, &self.issuer, &self.provenance);
        }
    }

    /// The answer's own id, if it was looked for and has passed.
    pub(crate) fn own_id(&self) -> Option<&[u8]> {
        match &self.work_ids {
            Some(work_ids) => work_ids.own.as_ref().map(String::as_bytes),
            None => self.own_id.as_ref().and_then(|own_id| own_id.found.as_deref()),
        }
    }

    /// The id of the results of the work that the answer reports on, if it has passed.
    pub(crate) fn results_id(&self) -> Option<&str> {
        self.work_ids.as_ref().and_then(|work_ids| work_ids.results.as_deref())
    }

    /// Another issuer continues the answer.
    pub fn goes_on(&mut self, issuer: Issuer) {
        self.issuer = issuer;
    }

    /// Scans the next piece. The client's next request finds all words that the client has read.
    pub fn see(&mut self, bytes: &[u8]) {
        if self.work_ids.is_some() {
            self.see_work_ids(bytes);
        } else {
            if let Some(claimant) = self.claimant.as_mut().filter(|claimant| claimant.head > 0) {
                claimant.see(bytes, &self.tenant, &self.issuer);
            }
            self.own_id.iter_mut().for_each(|own_id| own_id.see(bytes));
        }
        if let Some(making) = &mut self.making {
            making.see(bytes, &self.tenant, &self.issuer, &self.provenance);
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

    /// Records the issuer and the owner of objects whose ids stand at their places.
    fn see_work_ids(&mut self, bytes: &[u8]) {
        let Self { provenance, tenant, issuer, claimant, work_ids, .. } = self;
        let Some(work_ids) = work_ids else { return };
        work_ids.push(bytes, |id| {
            if is_object(id) {
                provenance.learn(Kind::Object, tenant, id, issuer);
            }
            if let Some(Claimant { claim, .. }) = claimant.as_ref().filter(|claimant| claimant.claim.may_keep(id)) {
                claim.keep(id, tenant, issuer);
            }
        });
    }

    fn scan(&mut self, bytes: &[u8]) {
        let Self { provenance, tenant, issuer, scanner, left, models, .. } = self;
        scanner.push(bytes, &mut |word| match word {
            Word::Value(word) if left.values > 0 && !MEDIA.iter().any(|begin| word.starts_with(begin)) => {
                left.values -= 1;
                provenance.learn(Kind::Value, tenant, word, issuer);
            }
            Word::Id(id) if left.objects > 0 && is_object(id) && !models.iter().any(|name| name.as_bytes() == id) => {
                left.objects -= 1;
                provenance.learn(Kind::Object, tenant, id, issuer);
            }
            _ => {}
        });
    }
}

/// Whether a string may be an object's id: ids are long and contain digits.
pub fn is_object(id: &[u8]) -> bool {
    id.len() >= OBJECT && id.iter().any(u8::is_ascii_digit)
}

/// Whether a word may be the id of an object that has an owner: shorter ones count as well, if they have letters and
/// digits.
pub(crate) fn may_be_owned(id: &[u8]) -> bool {
    let has_both = || id.iter().any(u8::is_ascii_digit) && id.iter().any(u8::is_ascii_alphabetic);
    is_object(id) || id.len() >= SHORTEST_ID && has_both()
}
