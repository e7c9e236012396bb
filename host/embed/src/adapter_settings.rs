//! Converts the adapters' configuration to the types of [`weir_adapters`].

use weir_adapters::sign::PublicKey;
use weir_adapters::{Demand, Policy, QuarantineRule, RolloutPolicy};
use weir_config::{AdapterSettings, Config, Isolation};
use weir_sandbox::{AdapterLimits, CanaryRule, Grants, Reuse};

/// The operator's requirements of adapters' files.
pub fn policy(config: &Config) -> Policy {
    let plugins = &config.plugins;
    let demand =
        |settings: &AdapterSettings| Demand { signature: settings.require_signature, pin: settings.require_lock };
    Policy {
        keys: plugins.trusted_keys.iter().copied().map(PublicKey::from).collect(),
        usual: demand(&plugins.defaults),
        of: plugins.adapters.iter().map(|(name, settings)| (name.clone(), demand(settings))).collect(),
    }
}

pub(crate) fn rollout_policy(settings: &AdapterSettings) -> RolloutPolicy {
    let quarantine = settings.quarantine.map(|rule| {
        let weir_config::Quarantine { faults, window, share, pause } = rule;
        QuarantineRule { faults, window, share, pause }
    });
    let canary = settings.canary.map(|rule| {
        let weir_config::Canary { share, requests, max_fault_rate, max_time } = rule;
        CanaryRule { share, requests: requests as u64, max_fault_rate, max_time }
    });
    RolloutPolicy { quarantine, canary }
}

pub(crate) fn largest_memory(config: &Config) -> usize {
    let own = config.plugins.adapters.values().map(|settings| settings.memory);
    own.chain([config.plugins.defaults.memory]).max().unwrap_or(config.plugins.defaults.memory)
}

pub(crate) fn adapter_limits(settings: &AdapterSettings) -> AdapterLimits {
    AdapterLimits {
        isolation: settings.isolation.map(|isolation| match isolation {
            Isolation::Fresh => weir_sandbox::Isolation::Fresh,
            Isolation::Tenant => weir_sandbox::Isolation::Tenant,
            Isolation::Shared => weir_sandbox::Isolation::Shared,
        }),
        reuse: Reuse { uses: u32::try_from(settings.max_uses).unwrap_or(u32::MAX), ..Reuse::default() },
        ready: u32::try_from(settings.prewarm).unwrap_or(u32::MAX),
        call: Some(settings.deadline),
        concurrency: settings.max_instances.map(|max| u32::try_from(max).unwrap_or(u32::MAX)),
        // `granted` reads them, because a reload changes them.
        grants: Grants::default(),
    }
}
