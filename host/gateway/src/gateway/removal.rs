//! Requests that remove what providers store. What it used is read and booked before, since it cannot be read
//! afterwards. If that is not possible, the request is refused.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use http::Method;

use super::Gateway;
use super::rights::words;
use super::unread::{ReadOutcome, way_to};
use crate::accounting::Unread;
use crate::attempt::InboundRequest;
use crate::dialect::request_peek::MAX_IDS;
use crate::method::reads_as;
use crate::provenance::{is_object, not_here};
use crate::serving::{Serving, Stored};
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::query;

/// How long a request waits for what it removes to be read.
const WAIT: Duration = Duration::from_secs(30);
/// How much is read at a time.
const AT_ONCE: usize = 8;
/// The code of the error.
const CODE: &str = "not_booked_yet";

/// A request that may remove something.
#[derive(Debug)]
pub(super) struct Removal<'a> {
    pub(super) tenant: &'a Arc<str>,
    /// What may be ids in it.
    pub(super) names: &'a HashSet<String>,
    /// The adapter of the provider that it goes to, if it surely removes something: it may name results by an id that
    /// no client has received.
    pub(super) adapter: Option<&'a str>,
}

/// Whether requests of this method remove something.
pub(super) fn is_by(method: &str) -> bool {
    reads_as(method, &[Method::DELETE])
}

/// What may be ids in a request that passes through and may remove something; `None` if it cannot. What is not
/// declared, and more than a read, may be a removal by any name.
pub(super) fn names_in_passed(method: &Method, is_known: bool, path: &str, in_query: &str) -> Option<HashSet<String>> {
    let only_reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if only_reads || is_known && !is_by(method.as_str()) {
        return None;
    }
    let values: Vec<String> = query::pairs(in_query).map(|(_, value)| value).collect();
    let of_query = values.iter().flat_map(|value| words(value).chain([value.as_str()]));
    let all = path.split(['/', ':', ';']).chain(words(path)).chain(of_query);
    Some(all.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

impl Gateway {
    /// Books what a request is about to remove, at an endpoint that an adapter declares.
    pub(super) async fn book_removed(&self, serving: &Serving, inbound: &InboundRequest) -> Result<(), Fault> {
        let names = inbound.path_params.get("id").into_iter().map(str::to_owned).collect();
        let adapter = Some(&*inbound.endpoint.adapter);
        self.book_before_removal(serving, Removal { tenant: &inbound.caller.tenant, names: &names, adapter }).await
    }

    /// Reads and books what a request would remove, as far as it is not booked yet.
    ///
    /// # Errors
    ///
    /// It cannot be booked yet, or is another client's.
    pub(super) async fn book_before_removal(&self, serving: &Serving, removal: Removal<'_>) -> Result<(), Fault> {
        if !self.may_be_unbooked() {
            return Ok(());
        }
        let booked = async {
            self.book_named(&removal).await?;
            match removal.adapter {
                Some(adapter) => {
                    self.refuse_elsewhere(&removal).await?;
                    self.book_by_unseen_results(serving, &removal, adapter).await
                }
                None => Ok(()),
            }
        };
        let booked = match tokio::time::timeout(WAIT, booked).await {
            Ok(booked) => booked,
            Err(_) => Err(not_booked("what it may be about")),
        };
        if booked.is_err() {
            self.unbooked.hurry(removal.tenant);
        }
        booked
    }

    /// Whether a request could remove anything that is not booked.
    pub(super) fn may_be_unbooked(&self) -> bool {
        !self.unbooked.is_empty() || self.unbooked.is_shared()
    }

    /// Refuses to remove what another node books.
    async fn refuse_elsewhere(&self, Removal { tenant, names, .. }: &Removal<'_>) -> Result<(), Fault> {
        let ids: Vec<String> = names.iter().filter(|name| is_object(name.as_bytes())).cloned().collect();
        if ids.is_empty() {
            return Ok(());
        }
        if ids.len() > MAX_IDS {
            return Err(Fault::invalid(format!("the request names more than {MAX_IDS} objects: name fewer at a time")));
        }
        let Some(found) = self.unbooked.elsewhere(ids).await else { return Err(not_booked("what it may be about")) };
        match found.into_iter().next() {
            Some(work) if *work.tenant == ***tenant => Err(not_booked(&format!("`{}`", work.id))),
            Some(work) => Err(not_here(&work.id)),
            None => Ok(()),
        }
    }

    /// Books what the request names.
    async fn book_named(&self, Removal { tenant, names, .. }: &Removal<'_>) -> Result<(), Fault> {
        let named = self.unbooked.named(tenant, names);
        if let Some(id) = named.anothers {
            return Err(not_here(&id));
        }
        // Work that was just read may have named its results, whose owner is then known.
        let owners = self.reasoning_cache.owners();
        if let Some(id) = names.iter().find(|id| owners.is_anothers(id.as_bytes(), tenant)) {
            return Err(not_here(id));
        }
        if let Some(id) = named.passing {
            return Err(not_booked(&format!("`{id}`")));
        }
        for unread in named.own {
            let id = unread.id.clone();
            self.book_unread(unread).await;
            if self.unbooked.tap(tenant, &id).is_some() {
                return Err(not_booked(&format!("`{id}`")));
            }
        }
        Ok(())
    }

    /// Books all work at providers of this adapter whose results have ids that no client has received: the
    /// request may name these. The provider may show them to its client by a list, or their names can be guessed.
    async fn book_by_unseen_results(
        &self,
        serving: &Serving,
        removal: &Removal<'_>,
        adapter: &str,
    ) -> Result<(), Fault> {
        let tells = |endpoint: &Arc<Endpoint>| serving.work_id_places(endpoint.index).is_some();
        if !serving.endpoints.all().iter().any(|endpoint| *endpoint.adapter == *adapter && tells(endpoint)) {
            return Ok(());
        }
        let since = Instant::now();
        let _one_at_a_time = self.unbooked.begin_sweep().await;
        let is_wanted = |unread: &Unread| {
            let way = way_to(serving, &unread.issuer, Stored::Work);
            way.is_some_and(|way| *way.target.adapter.name == *adapter && tells(way.endpoint))
        };
        let unread = self.unbooked.without_results(since, is_wanted);
        let begun = Instant::now();
        let reads = unread.into_iter().map(|unread| async move {
            let (tenant, id) = (Arc::clone(&unread.caller.tenant), unread.id.clone());
            let is_read = self.book_unread(unread).await != ReadOutcome::Unreadable;
            if is_read {
                self.unbooked.note_swept(&tenant, &id, begun);
            }
            is_read
        });
        let is_read = stream::iter(reads).buffer_unordered(AT_ONCE).all(std::future::ready);
        if !is_read.await {
            return Err(not_booked("what it may be about"));
        }
        self.book_named(removal).await
    }
}

fn not_booked(what: &str) -> Fault {
    let message = format!(
        "{what} is not finished, or cannot be read yet, so that it is not known what it costs: cancel it, or delete it later"
    );
    Fault::new(Side::Client, ErrorKind::InvalidRequest, message).with_status(409).with_code(CODE)
}
