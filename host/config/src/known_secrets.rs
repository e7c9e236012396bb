//! All secrets of a configuration, for what must never show one.

use crate::{Config, Secret, SinkKind, StoreUrl};

impl Config {
    /// The secrets that the configuration holds: keys of providers, the tokens of `[admin]`, headers for the collector
    /// of spans, headers and keys of sinks, the secret of kept answers, the addresses of a database, of servers between
    /// nodes and of chats, of a proxy, and what seals ephemeral keys. Keys of clients are kept as hashes only.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let providers = self.providers.iter().flat_map(|provider| &provider.keys);
        let admin = self.admin.token.iter().chain(&self.admin.read_token);
        let traces = self.traces.iter().flat_map(|traces| traces.headers.iter().map(|(_, value)| value));
        let store = match &self.store.url {
            StoreUrl::Postgres(url) => Some(url),
            StoreUrl::Beside | StoreUrl::Sqlite(_) | StoreUrl::Off => None,
        };
        let shared = self.shared.iter().map(|shared| &shared.url);
        let cache = self.cache.iter().flat_map(|cache| [&cache.url, &cache.secret]);
        let sinks = self.sinks.iter().flat_map(|sink| {
            let address = sink.url.iter().filter(|_| sink.kind == SinkKind::Slack);
            sink.headers.iter().map(|(_, value)| value).chain(&sink.key).chain(address)
        });
        let outbound = self.outbound.iter().map(|outbound| &outbound.proxy);
        let sealing = self.realtime.sealing_key.iter();
        providers
            .chain(admin)
            .chain(traces)
            .chain(store)
            .chain(shared)
            .chain(cache)
            .chain(sinks)
            .chain(outbound)
            .chain(sealing)
    }
}
