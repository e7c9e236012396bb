//! Admission of requests that Weir sends as a part of another one.

use super::{Admission, AdmissionPermit, Demand, Refused, not_allowed, takes};
use crate::auth::Caller;
use weir_config::Config;

impl Admission {
    /// Admits a request that is a part of an admitted one: to the model, to the tokens of its caller, and to a place of
    /// the model. It does not count as a request of its caller and takes no place of the process, since the whole has
    /// one: otherwise requests that wait for their parts could take all places, and none would continue.
    pub(crate) async fn admit_part(
        &self,
        config: &Config,
        caller: &Caller,
        demand: &Demand<'_>,
    ) -> Result<AdmissionPermit, Refused> {
        let model = demand.model.and_then(|name| config.models.lookup(name));
        if let Some(name) = demand.model.filter(|name| caller.stored.is_none() && !caller.may_use(name)) {
            return Err(not_allowed(caller, name).into());
        }
        let mut permit = AdmissionPermit::free();
        let takes = takes(config, caller, model, demand);
        if !takes.is_empty() {
            permit.reservations.push(self.reserve(takes).await?);
        }
        permit.places.extend(self.enter_model(config, caller, model).await?);
        Ok(permit)
    }
}
