//! What the messages of a session's client may name: the session's own model, further models that the client may use,
//! and objects that are not another client's. Names of models become those of the session's provider. What the provider
//! makes in the session, such as a handle by which it can be resumed, is its client's.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::admission::not_allowed;
use crate::auth::Caller;
use crate::dialect::request_peek::ObjectIds;
use crate::provenance::{MadeInSession, OthersSearch, Owners, not_here};
use crate::route::Target;
use crate::serving::Serving;
use weir_realtime::named::{Name, Named};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_wire::peek::{Edit, splice};

/// The rights of a session's caller to what its messages name. Who that is, with the rights of the moment, is an
/// argument.
#[derive(Debug)]
pub(crate) struct NameRights {
    /// What the session is served from.
    pub(crate) serving: Arc<Serving>,
    /// Where the session leads.
    pub(crate) target: Arc<Target>,
    /// The session's model, as the client names it.
    pub(crate) asked: String,
    /// The same, as the caller's aliases mean it.
    pub(crate) model: String,
    /// `None` if clients need not be kept apart.
    pub(crate) objects: Option<ObjectRights>,
    /// What the provider's messages make; `None` if they make nothing.
    pub(crate) made: Option<Mutex<MadeInSession>>,
}

/// The rights of a caller to objects that providers keep.
#[derive(Debug)]
pub(crate) struct ObjectRights {
    /// Which client made which object.
    pub(crate) owners: Arc<Owners>,
    /// Whether the requests of the session's adapter make objects: a restricted caller may then name only objects that
    /// are known to be its own.
    pub(crate) are_made: bool,
}

impl NameRights {
    /// Searches a piece of a message for objects of other clients. With the last piece they are refused.
    pub(super) fn search(
        &self,
        tenant: &str,
        search: &mut OthersSearch,
        piece: &[u8],
        is_last: bool,
    ) -> Result<(), Fault> {
        let Some(ObjectRights { owners, .. }) = &self.objects else { return Ok(()) };
        if !owners.has_any() {
            return Ok(());
        }
        let anothers = search.push(owners, tenant, piece, is_last);
        anothers.map_or(Ok(()), |id| Err(not_here(&id)))
    }

    /// Records what a piece of a provider's message makes as the client's, before the client has it.
    pub(super) fn see(&self, piece: &[u8], is_last: bool) {
        if let Some(made) = &self.made {
            made.lock().unwrap_or_else(PoisonError::into_inner).see(piece, is_last);
        }
    }

    /// Checks what a message names that ends with these bytes, and returns the bytes with the provider's names for
    /// models. Where the message `is_whole`, that is possible; otherwise its start is with the provider already.
    pub(super) fn review(&self, caller: &Caller, names: &[Name], bytes: Bytes, is_whole: bool) -> Result<Bytes, Fault> {
        let mut edits = Vec::new();
        for name in names {
            edits.extend(self.edit(caller, name).map_err(|fault| fault.at(name.member()))?);
        }
        if edits.is_empty() {
            return Ok(bytes);
        }
        let too_large = || {
            let message =
                "a message as large as this one must have the provider's own names for models: send a smaller one";
            Fault::new(Side::Client, ErrorKind::TooLarge, message)
        };
        if !is_whole {
            return Err(too_large());
        }
        let spliced = splice(std::slice::from_ref(&bytes), &edits).map_err(|_| too_large())?;
        Ok(spliced.concat().into())
    }

    /// The edit by which a name becomes the provider's, if it differs and the caller may use what it names.
    fn edit(&self, caller: &Caller, name: &Name) -> Result<Option<Edit>, Fault> {
        let Some(text) = &name.name else {
            let is_bound = !caller.may_use_all() && name.named != Named::Object;
            let message = "a model must be named by a text: this key may not use every one";
            return if is_bound { Err(Fault::invalid(message)) } else { Ok(None) };
        };
        let theirs = match name.named {
            Named::Object => return self.permit_object(caller, text).map(|()| None),
            Named::OwnModel => self.own(caller, text)?.map(str::to_owned),
            Named::FurtherModel => self.further(caller, text)?,
        };
        let differs = theirs.filter(|theirs| *theirs != *text);
        Ok(differs.map(|theirs| Edit::text(name.range.clone(), &format!("{}{theirs}", name.front))))
    }

    /// The provider's name for the session's model, if that is named.
    fn own_name(&self, name: &str) -> Option<&str> {
        let theirs = self.target.model(&self.model);
        [self.asked.as_str(), self.model.as_str(), theirs].contains(&name).then_some(theirs)
    }

    fn own(&self, caller: &Caller, name: &str) -> Result<Option<&str>, Fault> {
        let own = self.own_name(name);
        if own.is_none() && !caller.may_use_all() {
            let message = format!(
                "a session stays with its model, which is `{}`: begin another session for another model",
                self.asked
            );
            return Err(Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403));
        }
        if own.is_none() {
            self.refuse_guarded(caller, &[name])?;
        }
        Ok(own)
    }

    fn further(&self, caller: &Caller, name: &str) -> Result<Option<String>, Fault> {
        if let Some(own) = self.own_name(name) {
            return Ok(Some(own.to_owned()));
        }
        if !caller.may_use(name) {
            return Err(not_allowed(caller, name));
        }
        let meant = caller.stored.as_ref().map_or(name, |stored| stored.model(name));
        self.refuse_guarded(caller, &[name, meant])?;
        let Some(route) = self.serving.routes.find(meant) else { return Ok(Some(meant.to_owned())) };
        let there = route.targets.iter().flatten().find(|target| *target.label == *self.target.label);
        match there {
            Some(target) => Ok(Some(target.model(meant).to_owned())),
            // The provider may have a model of its own by this name.
            None if caller.may_use_all() => Ok(Some(meant.to_owned())),
            None => {
                let message = format!("the model `{name}` is not one of the session's provider");
                Err(Fault::new(Side::Client, ErrorKind::Unsupported, message))
            }
        }
    }

    /// Refuses a model by these names whose guards would have to judge the session. Those of its own model were asked
    /// before.
    fn refuse_guarded(&self, caller: &Caller, names: &[&str]) -> Result<(), Fault> {
        let Serving { guards, routes, .. } = &*self.serving;
        if !guards.differ_by_model() {
            return Ok(());
        }
        let aliases = names.iter().flat_map(|name| routes.aliases_of(name));
        let found = names.iter().filter_map(|name| routes.find(name)).map(|route| route.alias.as_str());
        let names: Vec<&str> = names.iter().copied().chain(aliases).chain(found).collect();
        guards.refuse_unreadable(caller, &names, "realtime sessions")
    }

    /// Checks that a name is none of another client's object, and, where the caller is restricted, that it is one of
    /// its own or a url. Unlike the ids of objects, a handle of a session is no word.
    fn permit_object(&self, caller: &Caller, name: &str) -> Result<(), Fault> {
        let Some(ObjectRights { owners, are_made }) = &self.objects else { return Ok(()) };
        let mut named = ObjectIds::default();
        named.add(name);
        let ids = || named.all().map(String::as_str).chain([name]);
        let is_own = ids().any(|id| owners.is_own(id.as_bytes(), &caller.tenant));
        let must_be_own = *are_made && caller.is_restricted() && !name.contains("://");
        let is_anothers = || ids().any(|id| owners.is_anothers(id.as_bytes(), &caller.tenant));
        if !is_own && (must_be_own || is_anothers()) {
            return Err(not_here(name));
        }
        if let Some(made) = &self.made {
            made.lock().unwrap_or_else(PoisonError::into_inner).named(name);
        }
        Ok(())
    }
}
