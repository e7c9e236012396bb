//! Answers that providers store: each is booked once, when it is made, or when it is first read if its use was not
//! known before.

use std::sync::Arc;

use http::{Response, header};

use super::Gateway;
use super::rights::depth;
use crate::accept::Acceptance;
use crate::accounting::{Account, StoredAnswer, StoredRead};
use crate::attempt::ReplyBody;
use crate::auth::Caller;
use crate::dialect::request_peek::RequestPeek;
use crate::provenance::{Claim, Making, ProvenanceRecorder, RecordScope, WorkIdPlaces};
use crate::route::Target;
use crate::serving::{Serving, Stored};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// A request whose answer may be stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoringRequest<'a> {
    /// What it has to do with stored objects.
    pub(super) stored: Stored,
    /// Who makes it.
    pub(super) caller: &'a Caller,
    /// The model as the client names it.
    pub(super) model: &'a str,
    /// The target that answers.
    pub(super) target: &'a Target,
    /// The target with the prices of the model, if those differ from its own.
    pub(super) priced: &'a Target,
    /// The acceptance by which the target takes the request unchanged; `None` if it is translated.
    pub(super) acceptance: Option<&'a Acceptance>,
    /// Where the answer has the ids of work and of its results, if the manifest says so.
    pub(super) work_id_places: Option<&'a WorkIdPlaces>,
    /// What was read of it.
    pub(super) peek: Option<&'a RequestPeek>,
}

/// The code of the error for more work than can be booked.
const TOO_MUCH_WORK: &str = "too_much_work";

impl Gateway {
    /// Refuses to begin more work than can be booked once it is done.
    pub(super) fn refuse_too_much_work(&self, stored: Stored, tenant: &str) -> Result<(), Fault> {
        if stored.read_by() != Some(Stored::Work) || self.unbooked.may_begin_work(tenant) {
            return Ok(());
        }
        let message =
            "too many batches are under way: wait until some of them are finished, and read them or let Weir do so";
        Err(Fault::new(Side::Client, ErrorKind::RateLimited, message).with_status(429).with_code(TOO_MUCH_WORK))
    }

    /// Notes that a request is about what is stored already, if it is.
    pub(super) fn note_stored_read(&self, stored: Stored, id: Option<&str>, tenant: &Arc<str>, account: &mut Account) {
        // Results may have an id of their own, which was seen in the work that they are of.
        let work = id.filter(|_| stored == Stored::Results).and_then(|id| self.unbooked.work_of_results(tenant, id));
        let id = work.as_deref().or(id).filter(|_| stored.reads());
        let read = StoredRead::new(&self.unbooked, tenant, id);
        if stored == Stored::Object || stored == Stored::Results && !read.is_unbooked() {
            self.unbooked.hurry(tenant);
        }
        if stored.is_old() {
            account.reads_stored(read);
        }
    }

    /// Notes that a relayed answer is stored where later requests can read it. Returns whether that is so: then its id
    /// has to be found.
    pub(super) fn note_stored_answer(
        &self,
        response: &Response<ReplyBody>,
        serving: &Serving,
        making: StoringRequest<'_>,
        account: &mut Account,
    ) -> bool {
        let StoringRequest { stored, caller, model, target, priced, acceptance, peek, .. } = making;
        if stored.read_by() == Some(Stored::Work) {
            // If it cannot be read once it is done, all that was reserved stays booked.
            account.mark_usage_unknown();
        }
        let is_relayed = matches!(response.body(), ReplyBody::Relayed(_));
        let Some(reads) = stored.read_by().filter(|reads| is_relayed && serving.takes_readers(*reads, target)) else {
            return false;
        };
        let Some(acceptance) = acceptance else { return false };
        let Some(tap) = acceptance.tap.clone() else { return false };
        let is_work = reads == Stored::Work;
        let made_by = || Box::new((acceptance.format.clone(), acceptance.operation.name().to_owned()));
        account.makes_stored(StoredAnswer {
            unbooked: Arc::clone(&self.unbooked),
            caller: caller.clone(),
            issuer: target.issuer(),
            tap,
            alias: Arc::from(model),
            target: target.health_id(model),
            pricing: is_work.then(|| priced.pricing.clone()),
            made_by: is_work.then(made_by),
            went_on: peek.into_iter().flat_map(RequestPeek::earlier).map(str::to_owned).collect(),
            id: None,
            passing: None,
            is_under_way: false,
        });
        true
    }

    /// Notes an answer that passes through: its own id, and the ids of objects that it makes, are looked for.
    pub(super) fn note_passed_answer(
        &self,
        response: &mut Response<ReplyBody>,
        serving: &Serving,
        making: StoringRequest<'_>,
        (claim, beside): (Option<Claim>, Option<Making>),
        account: &mut Account,
    ) {
        let is_stored = response.status().is_success() && self.note_stored_answer(response, serving, making, account);
        if !is_stored && claim.is_none() && beside.is_none() && making.work_id_places.is_none() {
            return;
        }
        let (provenance, tenant) = (self.reasoning_cache.provenance().clone(), Arc::clone(&making.caller.tenant));
        let nothing = RecordScope { values: false, objects: false };
        let recorder = ProvenanceRecorder::new(provenance, tenant, making.target.issuer(), nothing, Vec::new());
        let recorder = recorder.claiming(claim).finding_own_id(is_stored.then(|| depth(response)));
        let recorder = recorder.finding_work_ids(making.work_id_places).making(beside);
        let is_plain = !response.headers().contains_key(header::CONTENT_ENCODING);
        response.body_mut().learn(Box::new(recorder), is_plain);
    }
}
