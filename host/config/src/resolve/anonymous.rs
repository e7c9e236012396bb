//! Providers made for targets that name a url instead of a provider.

use std::sync::Arc;

use super::super::keys::{Provider, TargetDraft};
use super::super::provider::ProviderPlaces;
use super::super::section::Located;
use super::super::{Address, Secret};
use super::Joiner;

impl Joiner<'_> {
    /// The provider of a target with its own url. Targets with the same adapter, url, key and options share one
    /// provider, and with it connections, breakers and limits.
    pub(super) fn anonymous(&mut self, adapter: &Located<String>, target: &TargetDraft) -> Arc<Provider> {
        let address = target.url.as_ref().and_then(|url| url.value.clone());
        let own = target.key.as_ref().and_then(|key| key.value.clone());
        // The variable only fills in a missing key: a key must not reach a url that was given another one.
        let stands_in = target.key.is_none() && !target.options.is_without_auth();
        let key = if stands_in { self.reader.environment.provider_key(&adapter.value) } else { own };
        let equal = |provider: &&Arc<Provider>| {
            !self.named.contains_key(&provider.name)
                && is_same(provider, &adapter.value, address.as_ref(), key.as_ref(), target)
        };
        if let Some(provider) = self.providers.iter().find(equal) {
            return Arc::clone(provider);
        }
        let provider = Provider {
            address,
            options: target.options.clone(),
            places: ProviderPlaces {
                name: target.place.clone(),
                adapter: adapter.place.clone(),
                url: target.url.as_ref().map(|url| url.place.clone()).unwrap_or_default(),
                keys: target.key.as_ref().map(|key| key.place.clone()).unwrap_or_default(),
                ..ProviderPlaces::default()
            },
            keys: key.into_iter().collect(),
            ..Provider::new(self.free_name(&adapter.value), adapter.value.clone())
        };
        let provider = Arc::new(provider);
        self.providers.push(Arc::clone(&provider));
        provider
    }

    /// The adapter's name, with a number appended if the name is taken.
    fn free_name(&self, adapter: &str) -> String {
        let taken = |name: &str| self.providers.iter().any(|provider| provider.name == name);
        if !taken(adapter) {
            return adapter.to_owned();
        }
        let numbered = (2..).map(|number| format!("{adapter}-{number}"));
        numbered.into_iter().find(|name| !taken(name)).unwrap_or_default()
    }
}

fn is_same(
    provider: &Provider,
    adapter: &str,
    address: Option<&Address>,
    key: Option<&Secret>,
    target: &TargetDraft,
) -> bool {
    provider.adapter == adapter
        && provider.address.as_ref() == address
        && provider.keys.first() == key
        && provider.options.values == target.options.values
}
