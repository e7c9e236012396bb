//! Looks at a form while it passes: at the model that it names, and at the objects.

use std::sync::Arc;

use super::client_body::Watch;
use crate::auth::Caller;
use crate::dialect::request_peek::{PeekPlan, RequestPeek, second_model};
use crate::provenance::{Owners, anothers_in_field, not_here};
use weir_translate::dialect::endpoints::Head;
use weir_translate::dialect::path::PathParams;
use weir_types::fault::Fault;
use weir_upstream::UploadError;
use weir_wire::form::FieldScan;

/// Why the rest of a form does not go on.
const DIFFERS: &str = "the rest of the request's form cannot be sent: it names another model or another client's object, or is no form \
                       that all servers read alike";

/// What is wrong with a form.
#[derive(Debug)]
pub(crate) enum FormFault {
    /// Servers may read it differently, so that it is not known what it names.
    Unreadable(Fault),
    /// It names what it must not.
    Refused(Fault),
}

impl FormFault {
    /// The error for the client, in either case.
    pub(crate) fn into_fault(self) -> Fault {
        let (Self::Unreadable(fault) | Self::Refused(fault)) = self;
        fault
    }
}

/// A form of which the beginning has come.
#[derive(Debug)]
pub(crate) struct FormWatch {
    scan: FieldScan,
    plan: Arc<PeekPlan>,
    /// How many of the found fields were looked at.
    seen: usize,
    model: Option<String>,
    owners: Arc<Owners>,
    tenant: Arc<str>,
    /// Whether what cannot be read goes no further.
    is_judged: bool,
    /// Whether the client may name only objects that are known to be its own.
    is_restricted: bool,
}

impl FormWatch {
    /// A watch of a client's form. What of it cannot be read passes, unless it `is_judged`: rights or a price depend on
    /// it.
    pub(crate) fn new(
        plan: &Arc<PeekPlan>,
        head: &Head<'_>,
        owners: &Arc<Owners>,
        caller: &Caller,
        is_judged: bool,
    ) -> Result<Self, FormFault> {
        let scan = plan.scan_form(head).map_err(FormFault::Unreadable)?;
        let (owners, tenant, is_restricted) = (Arc::clone(owners), Arc::clone(&caller.tenant), caller.is_restricted());
        Ok(Self { scan, plan: Arc::clone(plan), seen: 0, model: None, owners, tenant, is_judged, is_restricted })
    }

    /// Looks at the next piece.
    pub(crate) fn see(&mut self, piece: &[u8]) -> Result<(), FormFault> {
        self.scan.push(piece).map_err(unreadable)?;
        for text in self.scan.take_texts() {
            if let Some(id) = anothers_in_field(&self.owners, &self.tenant, &text) {
                return Err(FormFault::Refused(not_here(&id)));
            }
        }
        let new = self.scan.found().get(self.seen..).unwrap_or_default();
        self.seen += new.len();
        let named = self.plan.form_objects(new);
        if self.is_restricted && named.may_miss_some {
            return Err(FormFault::Refused(Fault::invalid(
                "the form has a field for an object's id that cannot be read",
            )));
        }
        if let Some(id) = named.all().find(|id| self.is_restricted && !self.owners.is_own(id.as_bytes(), &self.tenant))
        {
            return Err(FormFault::Refused(not_here(id)));
        }
        for name in self.plan.form_models(new).map_err(FormFault::Unreadable)? {
            if self.model.get_or_insert_with(|| name.clone()) != &name {
                return Err(FormFault::Refused(second_model()));
            }
        }
        Ok(())
    }

    /// Looks at the end.
    pub(crate) fn end(&self) -> Result<(), FormFault> {
        self.scan.finish().map_err(unreadable)
    }

    /// Whether the model is known.
    pub(crate) fn knows_model(&self) -> bool {
        self.model.is_some()
    }

    /// What the request says as far as it has come.
    pub(crate) fn peek(&self, path_params: &PathParams, head: &Head<'_>) -> Result<RequestPeek, Fault> {
        self.plan.read_form(self.scan.found(), path_params, head)
    }
}

impl Watch for FormWatch {
    fn passes(&mut self, piece: &[u8], is_last: bool) -> Result<bool, UploadError> {
        let seen = self.see(piece).and_then(|()| if is_last { self.end() } else { Ok(()) });
        match seen {
            Ok(()) => Ok(true),
            Err(FormFault::Unreadable(_)) if !self.is_judged => Ok(false),
            Err(_) => Err(UploadError::Refused(DIFFERS)),
        }
    }
}

fn unreadable(error: weir_wire::form::FormError) -> FormFault {
    FormFault::Unreadable(Fault::invalid(format!("the request's form cannot be read: {error}")))
}
