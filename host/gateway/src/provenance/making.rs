//! Records the objects that an answer makes besides itself, such as a piece of sound, as their client's, by the places
//! of ids that the manifest names. Does the same for the messages of a session.

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

/// The most names that the client of a session is remembered by. Once it has given more, no handle becomes its own.
const NAMED: usize = 256;

/// Finds objects that the messages of a provider make in a session, such as a handle by which another session continues
/// it. The object becomes the client's, and leads later requests to the target that made it.
#[derive(Debug)]
pub(crate) struct MadeInSession {
    places: MadePlaces,
    /// Of a message that has begun.
    scanner: PlaceScanner,
    client: Arc<str>,
    /// Who made it is recorded here; none if clients need not be kept apart.
    owners: Option<Arc<Owners>>,
    /// Where it is recorded which target has it, and the session's.
    issued: (Arc<Provenance>, Issuer),
    /// What the client's messages named: a message that repeats it has not made it.
    named: Vec<String>,
}

impl MadeInSession {
    pub(crate) fn new(
        places: &MadePlaces,
        client: Arc<str>,
        owners: Option<Arc<Owners>>,
        issued: (Arc<Provenance>, Issuer),
    ) -> Self {
        let (places, scanner) = (places.clone(), PlaceScanner::new(places));
        Self { places, scanner, client, owners, issued, named: Vec::new() }
    }

    /// The client has named this.
    pub(crate) fn named(&mut self, name: &str) {
        if self.named.len() <= NAMED {
            self.named.push(name.to_owned());
        }
    }

    /// Reads a piece of a message. With the last one, the next message begins, whatever this one was.
    pub(crate) fn see(&mut self, piece: &[u8], is_last: bool) {
        let Self { scanner, client, owners, issued: (provenance, issuer), named, .. } = self;
        scanner.push(piece, &mut |id| {
            if named.len() > NAMED || named.iter().any(|named| named.as_bytes() == id) {
                return;
            }
            if let Some(owners) = owners {
                owners.keep(ObjectKind::Answer, id, client);
            }
            // A path of words is looked up by its last one.
            for id in [id, id.rsplit(|byte| *byte == b'/').next().unwrap_or(id)] {
                provenance.learn(Kind::Object, client, id, issuer);
            }
        });
        if is_last {
            self.scanner = PlaceScanner::new(&self.places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::{Face, Operation};

    #[test]
    fn what_a_message_of_a_session_makes_is_its_clients_unless_the_client_named_it() {
        let plain = Face::unread("f", Operation::Realtime, "GET", "/x".to_owned());
        let places = MadePlaces::of(&Face { object_ids: vec!["{setup}/update/handle".to_owned()], ..plain }).unwrap();
        let owners = Arc::new(Owners::new(1 << 16));
        let provenance = Arc::new(Provenance::new(1 << 16));
        let issuer = Issuer { target: "p/m".into(), provider: "p".into(), key: 1 };
        let issued = (Arc::clone(&provenance), issuer.clone());
        let mut made = MadeInSession::new(&places, Arc::from("one"), Some(Arc::clone(&owners)), issued);
        let is_own = |id: &str| owners.is_own(id.as_bytes(), "one");
        made.named("theirs");
        made.see(br#"{"update":{"handle":"theirs"}}"#, true);
        // An object that is never closed does not continue in the next message.
        made.see(br#"{"update":{"handle":"h-1"},"text":"{{{"#, true);
        made.see(br#"{"upda"#, false);
        made.see(br#"te":{"handle":"h\u002b2\/x=="}}"#, true);
        assert_eq!(["theirs", "h-1", "h+2/x==", "h\\u002b2\\/x=="].map(is_own), [false, true, true, false]);
        assert_eq!(provenance.of(Kind::Object, "one", b"h+2/x=="), Some(issuer));
        // One that names very much has none of it.
        (0..=NAMED).for_each(|number| made.named(&format!("guess-{number}")));
        made.see(format!(r#"{{"update":{{"handle":"guess-{NAMED}"}}}}"#).as_bytes(), true);
        assert!(!is_own(&format!("guess-{NAMED}")));
    }
}
