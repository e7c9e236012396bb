//! The body of a request to a provider's own endpoint. It is read as far as rights, prices or a signature depend on it,
//! and otherwise sent while it arrives.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::request::Parts;
use http_body::Body as _;
use hyper::body::Incoming;

use super::super::work::BeginningRequest;
use super::super::{Gateway, further_models, read_body, rights};
use super::{PassAddress, readings};
use crate::accounting::access::RequestRecord;
use crate::admission::ModelWork;
use crate::auth::Caller;
use crate::dialect::request_peek::{ObjectIds, RequestPeek};
use crate::passthrough::KnownEndpoint;
use crate::passthrough::client_body::{self, ClientBody, Watch, too_large};
use crate::passthrough::form_watch::{FormFault, FormWatch};
use crate::passthrough::object_watch::ObjectWatch;
use crate::passthrough::requests_watch::RequestsWatch;
use crate::provenance::{ReadRequests, SentWords};
use crate::serving::Serving;
use weir_buffers::{BodyReader, Held};
use weir_server::Peer;
use weir_translate::dialect::endpoints::Head;
use weir_translate::dialect::path::PathParams;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_upstream::{Chunks, Credential, Upload, UploadError};

/// How many bytes of a form are read ahead to find its model, if only the log depends on that.
const GLANCE: usize = 64 << 10;

/// A body, read or still arriving, and what is known about it.
pub(super) struct PassedBody {
    pub(super) body: Chunks,
    pub(super) peek: Option<RequestPeek>,
    /// The names of the models whose guards judge the body, if it was read. Empty if it may be for any model, or if
    /// guards do not differ by model.
    pub(super) guarded_models: Option<Vec<String>>,
    /// The models that the body names besides its own, as far as it was read. Looked up only where there are budgets.
    pub(super) further_models: Vec<String>,
    /// The models and tokens that the requests of a batch ask for, or why these are not known; `None` if no work is
    /// begun.
    pub(super) work: Option<Result<Vec<ModelWork>, String>>,
    /// The objects that the path names, and the body as far as it was read.
    pub(super) named: ObjectIds,
    pub(super) held: Option<Held>,
    /// How many bytes have arrived, if the body is still arriving.
    pub(super) arrived: Option<Arc<AtomicU64>>,
    /// The words of the body, if it is unknown what the answer makes.
    pub(super) sent: Option<Arc<SentWords>>,
    /// The models and objects that the requests in an uploaded file name, once that has passed.
    pub(super) requests: ReadRequests,
    /// The length of the body, as announced or as far as it has arrived, if the answer's cost depends on it.
    pub(super) len: usize,
}

/// What a body is searched for.
enum BodyWatch {
    /// Objects that the body names, and possibly the requests in it.
    Objects(ObjectWatch),
    /// Only the requests in it, since nothing else matters.
    Requests(Box<dyn Watch>),
}

impl BodyWatch {
    /// The words that have passed so far, if words are recorded.
    fn sent(&self) -> Option<Arc<SentWords>> {
        match self {
            Self::Objects(watch) => Some(watch.sent()),
            Self::Requests(_) => None,
        }
    }
}

impl Watch for BodyWatch {
    fn passes(&mut self, piece: &[u8], is_last: bool) -> Result<bool, UploadError> {
        match self {
            Self::Objects(watch) => watch.passes(piece, is_last),
            Self::Requests(watch) => watch.passes(piece, is_last),
        }
    }
}

/// A form whose beginning has been read.
struct BegunForm {
    peek: Option<RequestPeek>,
    held: Held,
}

impl Gateway {
    /// Reads a body that must be known before it is sent: to find the model, or to sign it. Any other body is sent
    /// while it arrives.
    pub(super) async fn take(
        &self,
        serving: &Serving,
        addressed: PassAddress<'_>,
        head: &Parts,
        body: Incoming,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<PassedBody, Fault> {
        let PassAddress { target, known, .. } = addressed;
        let is_bare = body.is_end_stream();
        let is_signed = target.credential.as_ref().is_some_and(Credential::needs_body) && !is_bare;
        let form = known.filter(|(known, _)| known.is_form() && !is_bare);
        let read = known.filter(|(known, _)| known.is_read(is_bare)).or(form.filter(|_| is_signed));
        if read.is_some() || is_signed {
            self.take_whole(serving, addressed, head, body, read, record).await
        } else {
            self.take_passing(serving, addressed, head, body, form, record).await
        }
    }

    /// Prepares a body that is sent while it arrives, and searched in passing.
    async fn take_passing(
        &self,
        serving: &Serving,
        addressed: PassAddress<'_>,
        head: &Parts,
        body: Incoming,
        form: Option<&(KnownEndpoint<'_>, PathParams)>,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<PassedBody, Fault> {
        let PassAddress { caller, known, .. } = addressed;
        let in_path = ids_of_path(known);
        let requests = ReadRequests::default();
        let Some(mut body) = client_body(serving, body, record)? else {
            let sent = (known.is_none() && serving.separates(&self.stored_keys)).then(Arc::default);
            return Ok(PassedBody { sent, ..PassedBody::on_its_way(Chunks::empty(), None, in_path, None) });
        };
        let watch = if form.is_none() { self.watch(serving, addressed, head, &requests)? } else { None };
        let sent = watch.as_ref().and_then(BodyWatch::sent);
        if let Some(watch) = watch {
            body.watch(watch);
        }
        let begun = match form {
            Some(form) => Some(self.begin_form(serving, caller, form, head, &mut body).await?),
            None => None,
        };
        let (peek, held) = begun.map_or((None, None), |begun| (begun.peek, Some(begun.held)));
        if let Some(record) = record.as_mut() {
            record.set_model(peek.as_ref().and_then(|peek| peek.model.as_deref()));
        }
        let len = body.size_hint().exact().unwrap_or(body.ahead());
        let len = if peek.is_some() { usize::try_from(len).unwrap_or(usize::MAX) } else { 0 };
        let arrived = body.arrived();
        let passed = PassedBody::on_its_way(Chunks::from(Upload::new(body)), peek, in_path, held);
        Ok(PassedBody { arrived: Some(arrived), len, sent, requests, ..passed })
    }

    /// Reads a whole body. `read` is the endpoint that declares where to peek, if the body is JSON or a form that an
    /// adapter describes.
    async fn take_whole(
        &self,
        serving: &Serving,
        addressed: PassAddress<'_>,
        head: &Parts,
        body: Incoming,
        read: Option<&(KnownEndpoint<'_>, PathParams)>,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<PassedBody, Fault> {
        let PassAddress { caller, known, .. } = addressed;
        let requests = ReadRequests::default();
        let held = self.buffers.begin(caller.number(), head.extensions.get::<Peer>().map(|peer| peer.buffers.clone()));
        let (pieces, held) = read_body::whole(serving, body, held).await?;
        let mut watch = if read.is_none() { self.watch(serving, addressed, head, &requests)? } else { None };
        if let Some(watch) = &mut watch {
            watch.passes(&pieces.concat(), true).map_err(client_body::fault)?;
        }
        let read = match read {
            Some(known) => Some(self.peek_known(serving, caller, known, head, &pieces).await?),
            None => None,
        };
        let (peek, named) = read.unzip();
        let named_besides = |peek: &RequestPeek| further_models::named_in_json(peek, &pieces);
        let guarded_models = peek.as_ref().map(|peek| further_models::guarded(serving, peek, || named_besides(peek)));
        let is_priced = |_: &&RequestPeek| !self.admission.budgets.is_empty();
        let further = peek.as_ref().filter(is_priced).map(|peek| further_models::priced_in_json(peek, &pieces));
        let further_models = further.transpose()?.unwrap_or_default();
        if let Some(record) = record.as_mut() {
            record.set_model(peek.as_ref().and_then(|peek| peek.model.as_deref()));
            record.set_request_bytes(pieces.iter().map(|piece| piece.len() as u64).sum());
        }
        let named = named.unwrap_or_else(|| ids_of_path(known));
        let begun = known.and_then(|(known, _)| {
            let beginning = BeginningRequest { endpoint: known.endpoint, tenant: &caller.tenant, body: &pieces };
            self.work_begun(serving, beginning, || named.clone())
        });
        let sent = watch.as_ref().and_then(BodyWatch::sent);
        let passed = PassedBody::on_its_way(Chunks::from(pieces), peek, named, Some(held));
        Ok(PassedBody { guarded_models, further_models, work: begun, sent, requests, ..passed })
    }

    /// What to search for in a body to an endpoint that no adapter declares, or that takes any bytes, such as a file
    /// that lists requests; `None` if there is nothing.
    fn watch(
        &self,
        serving: &Serving,
        PassAddress { caller, known, .. }: PassAddress<'_>,
        head: &Parts,
        requests: &ReadRequests,
    ) -> Result<Option<BodyWatch>, Fault> {
        let (owners, kind) = (self.reasoning_cache.owners(), readings::kind(head));
        let lines = |known: &KnownEndpoint<'_>| serving.request_lines(known.endpoint.index);
        let further: Option<Box<dyn Watch>> = match known {
            None if caller.may_use_all() => None,
            None => Some(Box::new(readings::watch(caller, head)?)),
            Some((known, _)) => {
                lines(known).filter(|_| self.reads_requests_of(caller)).map(|places| -> Box<dyn Watch> {
                    Box::new(RequestsWatch::new(caller, places, kind, owners, requests))
                })
            }
        };
        let separates = serving.separates(&self.stored_keys);
        if caller.may_use_all() && !separates {
            // Only a budget's count depends on it.
            return Ok(further.filter(|_| readings::refuse_coded(head).is_ok()).map(BodyWatch::Requests));
        }
        let is_needed = further.is_some() || separates;
        if is_needed {
            readings::refuse_coded(head)?;
        }
        let watch = |further| ObjectWatch::new(owners, &caller.tenant, further).with_encoding(kind);
        Ok(is_needed.then(|| BodyWatch::Objects(watch(further))))
    }

    /// Checks and peeks at a body that was read as a whole.
    async fn peek_known(
        &self,
        serving: &Serving,
        caller: &Caller,
        (known, path_params): &(KnownEndpoint<'_>, PathParams),
        head: &Parts,
        pieces: &[Bytes],
    ) -> Result<(RequestPeek, ObjectIds), Fault> {
        readings::refuse_other_body(known.endpoint, head, pieces)?;
        rights::refuse_anothers_in(self.reasoning_cache.owners(), &caller.tenant, pieces)?;
        let mut peek = read_body::peek(serving, known.endpoint, path_params, head, pieces)?;
        peek.refuse_second_model()?;
        further_models::permit(caller, "", &peek, pieces)?;
        peek.set_model_of_path(path_params);
        readings::refuse_other_model(head, &peek)?;
        let named = peek.object_ids(pieces, path_params);
        if serving.begins_on_files(known.endpoint.index) {
            self.recall_files(serving, caller, &named).await;
        }
        rights::refuse_anothers_named(self.reasoning_cache.owners(), &caller.tenant, &named)?;
        self.permit_work(serving, known.endpoint, caller, || named.clone())?;
        self.refuse_unproved(serving, known.endpoint, caller, || named.clone())?;
        Ok((peek, named))
    }

    /// Reads a form until its model has come; the rest is sent while it arrives. If rights depend on the model, the
    /// form passes only if its model comes within what may be held in memory.
    async fn begin_form(
        &self,
        serving: &Serving,
        caller: &Caller,
        (known, path_params): &(KnownEndpoint<'_>, PathParams),
        head: &Parts,
        body: &mut ClientBody,
    ) -> Result<BegunForm, Fault> {
        let is_bound = !caller.may_use_all();
        let may_name = known.endpoint.face.own_object_ids().next().is_some() && caller.is_restricted();
        let is_judged = is_bound || may_name || !self.admission.budgets.is_empty();
        let most = if is_judged { serving.config.server.max_body_bytes } else { GLANCE };
        let held = self.buffers.begin(caller.number(), head.extensions.get::<Peer>().map(|peer| peer.buffers.clone()));
        let mut room = BodyReader::new(held);
        let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
        let plan = read_body::plan(serving, known.endpoint)?;
        let begun = async {
            readings::refuse_coded(head).map_err(FormFault::Unreadable)?;
            let owners = self.reasoning_cache.owners();
            let mut watch = FormWatch::new(plan, &about, owners, caller, is_judged)?;
            read_ahead(&mut watch, body, &mut room, most).await?;
            if !watch.knows_model() {
                return Ok(None);
            }
            let mut peek = watch.peek(path_params, &about).map_err(FormFault::Unreadable)?;
            peek.set_model_of_path(path_params);
            readings::refuse_other_model(head, &peek).map_err(FormFault::Refused)?;
            body.watch(watch);
            Ok(Some(peek))
        };
        let peek = match begun.await {
            Ok(peek) => peek,
            // An unreadable form names no model that Weir knows: it costs what an unknown request does.
            Err(FormFault::Unreadable(_)) if !is_bound && !may_name => None,
            Err(fault) => return Err(fault.into_fault()),
        };
        if peek.is_none() && is_bound {
            if !body.has_arrived() {
                return Err(too_late(most));
            }
            if !caller.may_do(known.acceptance.operation.name(), false) {
                return Err(readings::no_model(caller));
            }
        }
        Ok(BegunForm { peek, held: room.done() })
    }
}

impl PassedBody {
    fn on_its_way(body: Chunks, peek: Option<RequestPeek>, named: ObjectIds, held: Option<Held>) -> Self {
        let (guarded_models, further_models) = (None, Vec::new());
        Self {
            body,
            peek,
            guarded_models,
            further_models,
            work: None,
            named,
            held,
            arrived: None,
            sent: None,
            requests: ReadRequests::default(),
            len: 0,
        }
    }
}

/// The object that a request names in its path.
fn ids_of_path(known: Option<&(KnownEndpoint<'_>, PathParams)>) -> ObjectIds {
    ObjectIds::of_path(known.and_then(|(_, path_params)| path_params.get("id")))
}

/// Reads a form until its model is known, or this many bytes have come.
async fn read_ahead(
    watch: &mut FormWatch,
    body: &mut ClientBody,
    room: &mut BodyReader,
    most: usize,
) -> Result<(), FormFault> {
    while !watch.knows_model() && body.ahead() <= most as u64 {
        let read = room.wait(body.read_ahead()).await.map_err(|full| FormFault::Refused(full.into()))?;
        let Some(piece) = read.map_err(|error| FormFault::Refused(client_body::fault(error)))? else { break };
        room.hold(piece.len()).await.map_err(|full| FormFault::Refused(full.into()))?;
        watch.see(&piece)?;
    }
    if body.has_arrived() { watch.end() } else { Ok(()) }
}

/// The body of a request that is sent while it arrives; `None` if it has none.
fn client_body(
    serving: &Serving,
    body: Incoming,
    record: &mut Option<Box<RequestRecord>>,
) -> Result<Option<ClientBody>, Fault> {
    let server = &serving.config.server;
    let most = server.max_upload_bytes as u64;
    if body.is_end_stream() {
        return Ok(None);
    }
    if body.size_hint().lower() > most {
        return Err(too_large(most));
    }
    let body = ClientBody::new(body, most, server.body_timeout);
    if let Some(record) = record.as_mut() {
        record.count_request_bytes(body.arrived());
    }
    Ok(Some(body))
}

/// The fault for a form whose model comes too late.
fn too_late(most: usize) -> Fault {
    let message = format!(
        "the form's `model` did not come within {most} bytes, and this key may not use every model: put it before the file, or \
         raise `server.max_body_bytes`"
    );
    Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413)
}
