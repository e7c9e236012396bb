//! The adapter versions of one exchange.

use std::sync::Arc;

use super::judged_request::JudgedCopy;
use super::side::ClientSide;
use super::{InboundRequest, Judged};
use crate::accounting::Account;
use crate::route::Target;
use weir_sandbox::{ChosenVersion, Lease, PluginFault, lease_pair};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// The versions of both adapters, fixed for the whole exchange.
pub(super) struct Versions {
    /// `None` for a program, which has no adapter of its own.
    pub(super) dialect: Option<ChosenVersion>,
    pub(super) provider: ChosenVersion,
}

impl Versions {
    pub(super) fn choose(inbound: &InboundRequest, target: &Target) -> Self {
        let ClientSide::Dialect(adapter) = &inbound.side else {
            return Self { dialect: None, provider: target.adapter.choose() };
        };
        // The version that read the request for guards serves the rest of the exchange.
        let known = inbound.judged().and_then(Judged::copy).and_then(JudgedCopy::dialect);
        let dialect = known.cloned().unwrap_or_else(|| adapter.choose());
        // An adapter on both sides has one version for both.
        let is_one = Arc::ptr_eq(adapter, &target.adapter);
        let provider = if is_one { dialect.clone() } else { target.adapter.choose() };
        Self { dialect: Some(dialect), provider }
    }

    /// Leases an instance of each.
    pub(super) async fn lease(&self, tenant: &Arc<str>) -> Result<(Option<Lease>, Lease), PluginFault> {
        let Some(dialect) = &self.dialect else {
            return Ok((None, self.provider.adapter.lease(Arc::clone(tenant)).await?));
        };
        let (dialect, provider) = lease_pair(&dialect.adapter, &self.provider.adapter, Arc::clone(tenant)).await?;
        Ok((Some(dialect), provider))
    }

    /// Notes a failure that the version of the provider's adapter may have caused: the provider refused what it wrote.
    /// Failures by the network, a limit or an outage do not count against a version.
    pub(super) fn note_failure(&self, fault: &Fault) {
        let is_refusal = matches!(
            fault.error.kind,
            ErrorKind::InvalidRequest | ErrorKind::Unsupported | ErrorKind::NotFound | ErrorKind::TooLarge
        );
        if is_refusal && fault.side == Side::Upstream && fault.transport.is_none() {
            self.provider.failed();
        }
    }

    /// Notes in the account of an attempt which version of the target's adapter it uses, and whether one is on trial.
    pub(super) fn note(&self, inbound: &InboundRequest, target: &Target, account: &mut Account) {
        let is_serving = Arc::ptr_eq(&self.provider.adapter, &target.adapter);
        account.set_trial((!is_serving).then(|| Arc::clone(&self.provider.adapter)));
        let serving = inbound.side.dialect();
        let is_on_trial =
            |chosen: &ChosenVersion| serving.is_some_and(|serving| !Arc::ptr_eq(&chosen.adapter, serving));
        if self.dialect.as_ref().is_some_and(is_on_trial) {
            account.note_dialect_trial();
        }
    }
}
