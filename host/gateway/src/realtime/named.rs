//! What the messages of a session's client may name: the session's own model, further models that the client may use,
//! and objects that are not another client's. Names of models become those of the session's provider.

use std::sync::Arc;

use bytes::Bytes;

use crate::admission::not_allowed;
use crate::auth::Caller;
use crate::dialect::request_peek::ObjectIds;
use crate::provenance::{OthersSearch, Owners, not_here};
use crate::route::Target;
use crate::serving::Serving;
use weir_realtime::named::{Name, Named};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_wire::peek::{Edit, splice};

/// The rights of a session's caller to what its messages name.
#[derive(Debug)]
pub(crate) struct NameRights {
    /// Whose session it is.
    pub(crate) caller: Caller,
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
}

/// The rights of a caller to objects that providers keep.
#[derive(Debug)]
pub(crate) struct ObjectRights {
    /// Which client made which object.
    pub(crate) owners: Arc<Owners>,
    /// Whether the caller may name only objects that are known to be its own.
    pub(crate) is_bound: bool,
}

impl NameRights {
    /// Whether every message must be read, since the caller may not use every model.
    pub(super) fn bind(&self) -> bool {
        !self.caller.may_use_all()
    }

    /// Searches a piece of a message for objects of other clients. With the last piece they are refused.
    pub(super) fn search(&self, search: &mut OthersSearch, piece: &[u8], is_last: bool) -> Result<(), Fault> {
        let Some(ObjectRights { owners, .. }) = &self.objects else { return Ok(()) };
        if !owners.has_any() {
            return Ok(());
        }
        let anothers = search.push(owners, &self.caller.tenant, piece, is_last);
        anothers.map_or(Ok(()), |id| Err(not_here(&id)))
    }

    /// Checks what a message names that ends with these bytes, and returns the bytes with the provider's names for
    /// models. Where the message `is_whole`, that is possible; otherwise its start is with the provider already.
    pub(super) fn review(&self, names: &[Name], bytes: Bytes, is_whole: bool) -> Result<Bytes, Fault> {
        let mut edits = Vec::new();
        for name in names {
            edits.extend(self.edit(name).map_err(|fault| fault.at(name.member()))?);
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
    fn edit(&self, name: &Name) -> Result<Option<Edit>, Fault> {
        let Some(text) = &name.name else {
            let is_bound = self.bind() && name.named != Named::Object;
            let message = "a model must be named by a text: this key may not use every one";
            return if is_bound { Err(Fault::invalid(message)) } else { Ok(None) };
        };
        let theirs = match name.named {
            Named::Object => return self.permit_object(text).map(|()| None),
            Named::OwnModel => self.own(text)?,
            Named::FurtherModel => self.further(text)?,
        };
        let differs = theirs.filter(|theirs| *theirs != *text);
        Ok(differs.map(|theirs| Edit::text(name.range.clone(), &format!("{}{theirs}", name.front))))
    }

    /// The provider's name for the session's model, if that is named.
    fn own_name(&self, name: &str) -> Option<&str> {
        let theirs = self.target.model(&self.model);
        [self.asked.as_str(), self.model.as_str(), theirs].contains(&name).then_some(theirs)
    }

    fn own(&self, name: &str) -> Result<Option<&str>, Fault> {
        let own = self.own_name(name);
        if own.is_none() && self.bind() {
            let message = format!(
                "a session stays with its model, which is `{}`: begin another session for another model",
                self.asked
            );
            return Err(Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403));
        }
        if own.is_none() {
            self.refuse_guarded(&[name])?;
        }
        Ok(own)
    }

    fn further<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Fault> {
        if let Some(own) = self.own_name(name) {
            return Ok(Some(own));
        }
        if !self.caller.may_use(name) {
            return Err(not_allowed(&self.caller, name));
        }
        let meant = self.caller.stored.as_ref().map_or(name, |stored| stored.model(name));
        self.refuse_guarded(&[name, meant])?;
        let Some(route) = self.serving.routes.find(meant) else { return Ok(Some(meant)) };
        let there = route.targets.iter().flatten().find(|target| *target.label == *self.target.label);
        match there {
            Some(target) => Ok(Some(target.model(meant))),
            // The provider may have a model of its own by this name.
            None if !self.bind() => Ok(Some(meant)),
            None => {
                let message = format!("the model `{name}` is not one of the session's provider");
                Err(Fault::new(Side::Client, ErrorKind::Unsupported, message))
            }
        }
    }

    /// Refuses a model by these names whose guards would have to judge the session. Those of its own model were asked
    /// before.
    fn refuse_guarded(&self, names: &[&str]) -> Result<(), Fault> {
        let Serving { guards, routes, .. } = &*self.serving;
        if !guards.differ_by_model() {
            return Ok(());
        }
        let aliases = names.iter().flat_map(|name| routes.aliases_of(name));
        let found = names.iter().filter_map(|name| routes.find(name)).map(|route| route.alias.as_str());
        let names: Vec<&str> = names.iter().copied().chain(aliases).chain(found).collect();
        guards.refuse_unreadable(&self.caller, &names, "realtime sessions")
    }

    fn permit_object(&self, name: &str) -> Result<(), Fault> {
        let Some(ObjectRights { owners, is_bound: true }) = &self.objects else { return Ok(()) };
        let mut named = ObjectIds::default();
        named.add(name);
        let is_unproved = |id: &&String| named.is_kept(id) && !owners.is_own(id.as_bytes(), &self.caller.tenant);
        named.all().find(is_unproved).map_or(Ok(()), |id| Err(not_here(id)))
    }
}
