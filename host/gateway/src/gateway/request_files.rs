//! Files of requests for work that is done later, such as batches: a client that is restricted begins work on none that
//! names models that it may not use, or objects that it has not made. What such a client uploads is read for that, and
//! kept with the file's owner; where there are budgets, what any client uploads is, for what its requests may cost. A
//! store keeps it for other processes.

use std::sync::Arc;

use tokio::task::yield_now;

use super::{Gateway, rights};
use crate::admission::not_allowed;
use crate::attempt::InboundRequest;
use crate::auth::Caller;
use crate::dialect::request_lines::{FileReader, FileScan, LinePlaces};
use crate::dialect::request_peek::ObjectIds;
use crate::provenance::{FileMistake, FileStore, KeptOwner, ObjectKind, OwnerStore, RequestFile, not_here};
use crate::serving::Serving;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// The code of the error for a file whose requests are not known to name what their client may use.
const UNREAD_FILE: &str = "requests_not_read";
/// How much of a file is read at a time, in bytes, before others have their turn.
const TURN: usize = 256 << 10;

impl Gateway {
    /// Whether what a client uploads is read for what the requests in it name.
    pub(super) fn reads_requests_of(&self, caller: &Caller) -> bool {
        caller.is_restricted() || !self.admission.budgets.is_empty()
    }

    /// Reads what the requests in an uploaded file name, if that matters for its client.
    pub(super) async fn read_requests(&self, places: &Arc<LinePlaces>, inbound: &InboundRequest) -> Result<(), Fault> {
        if !self.reads_requests_of(&inbound.caller) {
            return Ok(());
        }
        let kind = inbound.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let (owners, is_bound) = (self.reasoning_cache.owners(), inbound.caller.is_restricted());
        let reader = FileReader { owners, tenant: &inbound.caller.tenant, is_bound };
        let mut scan = FileScan::new(places, kind.unwrap_or_default(), reader);
        for piece in inbound.body.iter().flat_map(|piece| piece.chunks(TURN)) {
            scan.push(piece);
            permit_models(&inbound.caller, scan.so_far())?;
            yield_now().await;
        }
        let file = scan.finish();
        if let Some(FileMistake::Object { id, .. }) = file.mistake() {
            return Err(not_here(id));
        }
        inbound.requests.get_or_init(|| Arc::new(file));
        Ok(())
    }

    /// Keeps in a store what is read of files from now on, and learns from there what others have read. The first store
    /// stays.
    pub fn keep_files_in(&self, store: Arc<dyn FileStore>) {
        self.reasoning_cache.owners().keep_files_in(store);
    }

    /// Keeps in a store who makes which objects from now on. The first store stays.
    pub fn keep_owners_in(&self, store: Arc<dyn OwnerStore>) {
        self.reasoning_cache.owners().keep_owners_in(store);
    }

    /// Learns who made objects, by another process.
    pub fn learn_owners(&self, owners: impl IntoIterator<Item = KeptOwner>) {
        let known = self.reasoning_cache.owners();
        for KeptOwner { tenant, id, kind } in owners {
            known.learn(kind, id.as_bytes(), &Arc::from(&*tenant), None);
        }
    }

    /// Learns from the store what was read of the files on which a request begins work, if they passed through another
    /// process.
    pub(super) async fn recall_files(&self, serving: &Serving, caller: &Caller, named: &ObjectIds) {
        let (owners, is_read) = (self.reasoning_cache.owners(), self.reads_requests_of(caller));
        let Some(store) = owners.files().filter(|_| is_read || serving.separates(&self.stored_keys)) else { return };
        let is_unread = |id: &&String| match owners.of(id.as_bytes()) {
            Some(owner) => owner == caller.tenant && owners.requests_of(id.as_bytes(), &owner).is_none(),
            None => true,
        };
        let unknown: Vec<String> = named.all().filter(is_unread).cloned().collect();
        if unknown.is_empty() {
            return;
        }
        let mut found = store.find(unknown, is_read).await;
        // A file that was uploaded without a key belongs to no client.
        found.retain(|file| !file.tenant.is_empty() || caller.tenant.is_empty());
        // The first one that is learned is the owner.
        found.sort_by_key(|file| *file.tenant != *caller.tenant);
        for file in found {
            let (tenant, issuer) = (Arc::from(&*file.tenant), file.terms.issuer());
            let requests = Arc::new(file.terms.into_file());
            if owners.keep_with(ObjectKind::Object, file.id.as_bytes(), &tenant, Some(&requests)) {
                self.note_issuer(&tenant, &file.id, &issuer);
            }
        }
    }

    /// Refuses to begin work on a file whose requests are not known to name only what the caller may use.
    pub(super) fn permit_work(
        &self,
        serving: &Serving,
        endpoint: &Endpoint,
        caller: &Caller,
        named: impl FnOnce() -> ObjectIds,
    ) -> Result<(), Fault> {
        if !caller.is_restricted() || !serving.begins_on_files(endpoint.index) {
            return Ok(());
        }
        let named = named();
        rights::refuse_too_many(&named)?;
        // A provider might take the requests from elsewhere.
        if named.are_none() {
            return Err(unread(caller, "the request names no file that was uploaded through this gateway"));
        }
        let owners = self.reasoning_cache.owners();
        for id in named.all() {
            if !owners.is_own(id.as_bytes(), &caller.tenant) {
                return Err(not_uploaded(id));
            }
            let file = owners.requests_of(id.as_bytes(), &caller.tenant);
            let Some(file) = file.filter(|file| file.is_bound()) else {
                return Err(unread(caller, &format!("the requests in `{id}` were not read when it was made")));
            };
            permit_models(caller, &file)?;
            if let Some(mistake) = file.mistake() {
                return Err(unread(caller, &mistake.to_string()));
            }
        }
        Ok(())
    }
}

/// Checks that a caller may use every model that the requests in a file name.
pub(super) fn permit_models(caller: &Caller, file: &RequestFile) -> Result<(), Fault> {
    let denied = file.models().iter().find(|named| !caller.may_name(&named.name));
    denied.map_or(Ok(()), |denied| {
        let mut fault = not_allowed(caller, &denied.name);
        fault.error.message = format!(
            "{}, which line {} of the file names: what is in a file is sent as it is, so that its requests name models as their \
             provider calls them",
            fault.error.message, denied.line
        );
        Err(fault)
    })
}

/// The fault for a file that the caller is not known to have uploaded.
fn not_uploaded(id: &str) -> Fault {
    let mut fault = not_here(id);
    fault.error.message.push_str(
        ": this key is restricted, so that it begins work only on a file that it has uploaded through this gateway itself. Upload the \
         file of requests with this key, and name that one",
    );
    fault
}

/// The fault for work on requests of which it is not known what matters for their client.
pub(super) fn requests_not_read(message: String) -> Fault {
    Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403).with_code(UNREAD_FILE)
}

/// The fault for work on requests of which it is not known what they name.
fn unread(caller: &Caller, why: &str) -> Fault {
    let message = format!(
        "the {} is restricted, and it is not known what is named here: {why}. Upload the file of requests through this gateway with this \
         key, and name that one",
        caller.title()
    );
    requests_not_read(message)
}
