//! Health checks: sends a check to a provider, and records its result in the health of the provider's targets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Gateway;
use crate::attempt::{ask_list, find_out, ping};
use crate::provenance::Carried;
use crate::route;
use crate::route::fit::Needs;
use crate::route::{Circumstances, Target};
use weir_config::Check;
use weir_types::contract::types::{ErrorKind, ModelInfo};
use weir_types::fault::{Fault, Side, TransportFailure};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The provider answered properly.
    Well,
    /// The provider did not answer in time, not at all, or with a failure.
    Failed,
    /// The answer shows little about requests: the provider refuses its list to this key or has none, or refuses the
    /// chat as it would refuse a client's mistake.
    Unclear,
}

impl Checked {
    /// The result's name in metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
        }
    }

    fn of(fault: &Fault) -> Self {
        let fails = match (fault.transport, fault.side) {
            (Some(TransportFailure::Credential), _) => false,
            (Some(_), _) => true,
            (None, Side::Upstream) => {
                fault.error.status.is_some_and(|status| status >= 500) || fault.error.kind == ErrorKind::Overloaded
            }
            (None, _) => false,
        };
        if fails { Self::Failed } else { Self::Unclear }
    }
}

impl Gateway {
    /// Whether a call for this model would find a target now: one that does not rest, whose provider answers in time
    /// and takes the credential. Providers without a list of models cannot be asked and count as available.
    ///
    /// # Errors
    ///
    /// The configuration has no such model.
    pub async fn is_available(&self, model: &str, timeout: Duration) -> Result<bool, Fault> {
        let serving = self.serving.load_full();
        let circumstances = Circumstances {
            health: &self.health,
            now: Instant::now(),
            session: &|_| None,
            needs: Needs::default(),
            provider: None,
            carried: &Carried::default(),
            embeds: false,
            only_looks: true,
        };
        let plan = route::plan(&serving.routes, model, circumstances)?;
        for candidate in &plan.candidates {
            let found = tokio::time::timeout(timeout, find_out(self.context(&serving), &candidate.target)).await;
            if !candidate.target.can_list()
                || found.is_ok_and(|found| found.map_or_else(|fault| is_alive(&fault), |()| true))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The models that a provider lists itself.
    ///
    /// # Errors
    ///
    /// There is no such provider, or it gives no list.
    pub async fn models_of(&self, provider: &str) -> Result<Vec<ModelInfo>, Fault> {
        let serving = self.serving.load_full();
        let target = serving.targets().find(|target| *target.label == *provider);
        let target = target.ok_or_else(|| Fault::not_found(format!("no model leads to a provider `{provider}`")))?;
        if !target.can_list() {
            let message = format!("the adapter of the provider `{provider}` knows no list of models");
            return Err(Fault::new(Side::Client, ErrorKind::Unsupported, message).with_status(400));
        }
        ask_list(self.context(&serving), target).await
    }

    /// Fetches a provider's list of models, or asks one of its models for one token.
    pub async fn check(&self, target: &Arc<Target>, check: &Check) -> Checked {
        let serving = self.serving.load_full();
        let context = self.context(&serving);
        let asked = async {
            match check.model.as_deref() {
                Some(model) => ping(context, target, model).await,
                None => find_out(context, target).await,
            }
        };
        let (checked, error) = match tokio::time::timeout(check.timeout, asked).await {
            Ok(Ok(())) => (Checked::Well, String::new()),
            Ok(Err(fault)) => (Checked::of(&fault), fault.to_string()),
            Err(_) => (Checked::Failed, "no answer in time".to_owned()),
        };
        if checked != Checked::Well {
            tracing::info!(provider = %target.label, result = checked.as_str(), error, "check of a provider");
        }
        checked
    }

    /// Records the result of a check. `rest` is how long the provider's targets rest, if they do.
    pub(crate) fn note_check(&self, provider: &str, checked: Checked, rest: Option<Duration>) {
        self.metrics.tries.checked(provider, checked.as_str());
        let now = Instant::now();
        for target in self.serving.load().targets().filter(|target| *target.label == *provider) {
            let health = self.health.of(&target.id);
            match (checked, rest) {
                (_, Some(rest)) => {
                    if health.found_failing(rest, now) {
                        self.metrics.tries.tripped(provider, target.model_label());
                        tracing::warn!(provider, model = target.model_label(), "target fails its checks and rests");
                    }
                }
                (Checked::Well, None) => health.found_well(now),
                (Checked::Failed | Checked::Unclear, None) => {}
            }
        }
    }
}

/// Whether a provider that failed to give its list would answer requests all the same.
fn is_alive(fault: &Fault) -> bool {
    let refuses =
        matches!(fault.error.status, Some(401 | 403)) || fault.transport == Some(TransportFailure::Credential);
    !refuses && Checked::of(fault) != Checked::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_nothing_about_a_providers_health() {
        let outcome = |status| {
            let fault = Fault::new(Side::Upstream, ErrorKind::Upstream, "").with_status(status);
            Checked::of(&fault)
        };
        for status in [401, 403, 404, 405, 429] {
            assert_eq!(outcome(status), Checked::Unclear, "{status}");
        }
        for status in [500, 502, 503, 504, 529] {
            assert_eq!(outcome(status), Checked::Failed, "{status}");
        }
        let failed_by =
            |failure| Checked::of(&Fault::new(Side::Upstream, ErrorKind::Upstream, "").with_transport(failure));
        assert_eq!(failed_by(TransportFailure::Unreachable), Checked::Failed);
        assert_eq!(failed_by(TransportFailure::Credential), Checked::Unclear);
        assert_eq!(Checked::of(&Fault::adapter("it trapped")), Checked::Unclear);
    }
}
