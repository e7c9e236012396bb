//! Records the objects that an answer makes beside itself, such as a piece of sound, as their client's: their ids stand
//! where the manifest says.

use std::sync::Arc;

use super::made_places::{MadePlaces, PlaceScanner};
use super::{Issuer, Kind, ObjectKind, Owners, Provenance, is_object};

/// The most objects of one answer.
const OBJECTS: usize = 64;

/// Finds the objects that an answer makes.
#[derive(Debug)]
pub(crate) struct Making {
    scanner: PlaceScanner,
    /// Who made them is recorded here; none if clients need not be kept apart.
    owners: Option<Arc<Owners>>,
    /// Whether it is recorded which target has them.
    is_routed: bool,
    /// The ids that the request named: an answer that repeats one has not made it.
    named: Vec<String>,
    left: usize,
}

impl Making {
    pub(crate) fn new(places: &MadePlaces, owners: Option<Arc<Owners>>, is_routed: bool, named: Vec<String>) -> Self {
        Self { scanner: PlaceScanner::new(places), owners, is_routed, named, left: OBJECTS }
    }

    /// Scans the next piece of an answer to this client.
    pub(super) fn see(&mut self, bytes: &[u8], client: &Arc<str>, issuer: &Issuer, provenance: &Provenance) {
        let Self { scanner, owners, is_routed, named, left } = self;
        scanner.push(bytes, &mut |id| {
            // A stream repeats the same id in many frames.
            if *left == 0 || named.iter().any(|named| named.as_bytes() == id) {
                return;
            }
            *left -= 1;
            named.push(String::from_utf8_lossy(id).into_owned());
            if let Some(owners) = owners {
                owners.keep(ObjectKind::Answer, id, client);
            }
            if *is_routed && is_object(id) {
                provenance.learn(Kind::Object, client, id, issuer);
            }
        });
    }
}
