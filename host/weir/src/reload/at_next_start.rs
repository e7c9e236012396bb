//! What a reload cannot change.

use weir_config::{Config, TlsFiles};

/// Changed settings of what is created only once, at the start.
pub(super) fn at_next_start(started: &Config, config: &Config) -> Vec<&'static str> {
    let (old, new) = (&started.server, &config.server);
    let changed = [
        ("server.host", old.host != new.host),
        ("server.port", old.port != new.port),
        ("server.workers", old.workers != new.workers),
        ("server.max_connections", old.max_connections != new.max_connections),
        ("server.max_connections_per_address", old.max_connections_per_address != new.max_connections_per_address),
        ("server.trusted_proxies", old.trusted_proxies != new.trusted_proxies),
        ("server.max_header_bytes", old.max_header_bytes != new.max_header_bytes),
        ("server.header_timeout", old.header_timeout != new.header_timeout),
        ("server.idle_timeout", old.idle_timeout != new.idle_timeout),
        ("server.send_timeout", old.send_timeout != new.send_timeout),
        ("server.shutdown_timeout", old.shutdown_timeout != new.shutdown_timeout),
        ("server.recall_bytes", old.recall_bytes != new.recall_bytes),
        ("server.tls", old.tls.as_ref().map(TlsFiles::paths) != new.tls.as_ref().map(TlsFiles::paths)),
        ("admin.listen", started.admin.listen != config.admin.listen),
        ("log_level, log_format", started.log != config.log),
        ("traces", started.traces != config.traces),
        ("metrics", started.metrics != config.metrics),
        ("outbound", started.outbound != config.outbound),
        ("sinks", started.sinks != config.sinks),
        ("store", !started.store.is_as(&config.store)),
        ("shared", started.shared != config.shared),
        ("cache", started.cache != config.cache),
        ("plugins", !started.plugins.is_as(&config.plugins)),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use weir_config::Environment;

    fn config(text: &str) -> Config {
        Config::parse("weir.toml", text, Path::new(""), Environment::default()).unwrap()
    }

    #[test]
    fn settings_for_the_next_start_are_named() {
        let started = config("");
        let secure = |before: &str| config(&format!("{before}[server.tls]\ncert = 'c.pem'\nkey = 'k.pem'\n"));
        assert!(at_next_start(&secure(""), &secure("[server]\nstrict = true\n")).is_empty(), "only its lines moved");
        assert!(at_next_start(&started, &config("\n\n[[models]]\nalias = 'x'\ntype = 'y'\n")).is_empty());
        let changed = config("log_level = 'debug'\n[server]\nport = 9\nstrict = true\n[plugins]\nprewarm = 3\n");
        assert_eq!(at_next_start(&started, &changed), ["server.port", "log_level, log_format", "plugins"]);
    }
}
