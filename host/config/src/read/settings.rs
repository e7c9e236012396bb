//! `[server]`, `[admin]`, `[plugins]` and the log.

use std::path::PathBuf;
use std::time::Duration;

use super::super::settings::{
    AdapterSettings, Admin, Isolation, Log, LogFormat, LogLevel, Media, Plugins, Queue, Server, TlsFiles,
};
use super::super::{Origin, Problem, keys};
use super::client::limits_of;
use super::{Reader, Section, life};

const LEVELS: &[(&str, LogLevel)] = &[
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
];
const FORMATS: &[(&str, LogFormat)] =
    &[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
const ISOLATIONS: &[(&str, Isolation)] =
    &[("fresh", Isolation::Fresh), ("tenant", Isolation::Tenant), ("shared", Isolation::Shared)];

/// The smallest head and frame that anything works with: less is refused by the HTTP library.
const LEAST_BUFFER: usize = 8192;

pub(super) fn log(top: &mut Section<'_>) -> Log {
    Log {
        level: top.choice("log_level", LEVELS).unwrap_or_default(),
        format: top.choice("log_format", FORMATS).unwrap_or_default(),
        buffer: top.size("log_buffer").unwrap_or(Log::default().buffer),
    }
}

pub(super) fn server(mut section: Section<'_>) -> Server {
    let default = Server::default();
    let server = Server {
        host: section.text("host").map_or(default.host, |host| host.value),
        port: section.count("port", &(0..=65535)).and_then(|port| u16::try_from(port).ok()).unwrap_or(default.port),
        max_connections: section.amount("max_connections").unwrap_or(default.max_connections),
        max_connections_per_address: section.amount("max_connections_per_address"),
        max_concurrency: section.amount("max_concurrency"),
        max_body_bytes: section.size("max_body_bytes").unwrap_or(default.max_body_bytes),
        max_buffered_bytes: section.size("max_buffered_bytes").unwrap_or(default.max_buffered_bytes),
        max_header_bytes: buffer(&mut section, "max_header_bytes").unwrap_or(default.max_header_bytes),
        header_timeout: section.duration("header_timeout").unwrap_or(default.header_timeout),
        idle_timeout: section.duration("idle_timeout").unwrap_or(default.idle_timeout),
        body_timeout: section.duration("body_timeout").unwrap_or(default.body_timeout),
        body_total_timeout: section.duration("body_total_timeout").unwrap_or(default.body_total_timeout),
        send_timeout: section.duration("send_timeout").unwrap_or(default.send_timeout),
        shutdown_timeout: section.duration("shutdown_timeout").unwrap_or(default.shutdown_timeout),
        translate_body_limit: section.size("translate_body_limit").unwrap_or(default.translate_body_limit),
        recall_bytes: section.size("recall_bytes").unwrap_or(default.recall_bytes),
        access_log: section.flag("access_log").unwrap_or(default.access_log),
        max_frame_bytes: buffer(&mut section, "max_frame_bytes").unwrap_or(default.max_frame_bytes),
        diagnostic_headers: section.flag("diagnostic_headers").unwrap_or(default.diagnostic_headers),
        target_header: section.flag("target_header").unwrap_or(default.target_header),
        keep_alive_interval: section.duration("keep_alive_interval"),
        strict: section.flag("strict").unwrap_or(default.strict),
        anonymous: section.flag("anonymous").unwrap_or(default.anonymous),
        key_headers: key_headers(&mut section).unwrap_or(default.key_headers),
        address_limits: section.section("address_limits", &keys::LIMITS).map(limits_of).unwrap_or_default(),
        queue: section.section("queue", &keys::QUEUE).map(queue).unwrap_or_default(),
        tls: section.section("tls", &keys::TLS).and_then(tls),
        place: section.place.clone(),
    };
    section.finish();
    server
}

/// Paths are taken from the configuration's folder.
fn tls(mut section: Section<'_>) -> Option<TlsFiles> {
    let mut path = |name: &'static str| {
        if !section.has(name) {
            section.missing(name, "TLS takes a certificate and its private key, as PEM files");
        }
        section.text(name).map(|path| section.reader.folder.join(path.value))
    };
    let (cert, key) = (path("cert"), path("key"));
    section.finish();
    Some(TlsFiles { cert: cert?, key: key? })
}

fn queue(mut section: Section<'_>) -> Queue {
    let default = Queue::default();
    let queue = Queue {
        length: section
            .count("length", &(0..=1_000_000))
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(default.length),
        wait: section.duration("wait").unwrap_or(default.wait),
    };
    section.finish();
    queue
}

fn key_headers(section: &mut Section<'_>) -> Option<Vec<String>> {
    if !section.has("key_headers") {
        return None;
    }
    let names = section.texts("key_headers").into_iter().filter_map(|text| {
        let name = http::HeaderName::try_from(text.value.trim());
        if name.is_err() {
            section.reader.report(Problem::error(&text.place, "`key_headers`: no header has such a name"));
        }
        Some(name.ok()?.as_str().to_owned())
    });
    Some(names.collect())
}

fn buffer(section: &mut Section<'_>, name: &'static str) -> Option<usize> {
    let size = section.size(name)?;
    if size < LEAST_BUFFER {
        let message = format!("`{name}` must be at least {LEAST_BUFFER} bytes");
        section.reader.report(Problem::error(&section.place, message));
    }
    Some(size)
}

pub(super) fn admin(mut section: Section<'_>) -> Admin {
    let listen = section.text("listen").and_then(|text| {
        let parsed = text.value.parse();
        if parsed.is_err() {
            let problem = Problem::error(&text.place, "`listen` must be an address and a port");
            section.reader.report(problem.with_help("for example \"127.0.0.1:9090\" or \"[::1]:9090\""));
        }
        parsed.ok()
    });
    let token = section.secret("token").map(|token| token.value);
    section.finish();
    Admin { listen, token }
}

pub(super) fn media(mut section: Section<'_>) -> Media {
    let default = Media::default();
    let origins = section.texts("origins").into_iter().filter_map(|text| match Origin::parse(&text.value) {
        Ok(origin) => Some(origin),
        Err(error) => {
            section.reader.report(Problem::error(&text.place, format!("`origins`: {error}")));
            None
        }
    });
    let origins = origins.collect();
    let media = Media {
        fetch: section.flag("fetch").unwrap_or(default.fetch),
        max_bytes: section.size("max_bytes").unwrap_or(default.max_bytes),
        max_total_bytes: section.size("max_total_bytes").unwrap_or(default.max_total_bytes),
        timeout: section.duration("timeout").unwrap_or(default.timeout),
        origins,
    };
    section.finish();
    media
}

pub(super) fn plugins(reader: &Reader<'_>, top: &mut Section<'_>) -> Plugins {
    let mut plugins = Plugins {
        dir: usual_dir(reader),
        poll_interval: Duration::from_secs(2),
        cache_dir: usual_cache(reader),
        ..Plugins::default()
    };
    if let Some(section) = top.section("plugins", &keys::PLUGINS) {
        plugins_table(section, &mut plugins);
    }
    if plugins.lock.as_os_str().is_empty() {
        plugins.lock = usual_lock(reader, &plugins);
    }
    plugins
}

fn plugins_table(mut section: Section<'_>, plugins: &mut Plugins) {
    plugins.place = section.place.clone();
    if let Some(dir) = section.text("dir") {
        plugins.dir = dir.value.into();
        plugins.place = dir.place;
    }
    plugins.allow_empty = section.flag("allow_empty").unwrap_or(false);
    if let Some(lock) = section.text("lock") {
        plugins.lock = lock.value.into();
    }
    plugins.allow_writable = section.flag("allow_writable").unwrap_or(plugins.allow_writable);
    if let Some(interval) = section.duration("poll_interval") {
        plugins.poll_interval = interval;
    }
    if let Some(node) = section.take("cache_dir") {
        match node.value {
            super::super::raw::Value::Text(path) => {
                plugins.cache_dir = (!path.is_empty()).then(|| path.into());
            }
            _ => section.wrong("cache_dir", &node, "a path", None),
        }
    }
    plugins.trusted_keys = life::trusted_keys(&mut section);
    if let Some(mut compile) = section.section("compile", &keys::COMPILE) {
        plugins.compile.memory = compile.size("memory").unwrap_or(plugins.compile.memory);
        plugins.compile.time = compile.duration("time").unwrap_or(plugins.compile.time);
        compile.finish();
    }
    plugins.defaults = adapter(&mut section, &AdapterSettings::default());
    for (name, mut section) in section.named_sections(&keys::ADAPTER) {
        let settings = adapter(&mut section, &plugins.defaults);
        life::check_signed(&section, &settings, plugins);
        plugins.adapters.insert(name, settings);
        section.finish();
    }
    life::check_signed(&section, &plugins.defaults, plugins);
    section.finish();
}

fn adapter(section: &mut Section<'_>, default: &AdapterSettings) -> AdapterSettings {
    AdapterSettings {
        isolation: section.choice("isolation", ISOLATIONS).or(default.isolation),
        max_instances: section.amount("max_instances").or(default.max_instances),
        prewarm: section.count("prewarm", &(0..=100_000)).map_or(default.prewarm, |count| count as usize),
        memory: section.size("memory").unwrap_or(default.memory),
        deadline: section.duration("deadline").unwrap_or(default.deadline),
        max_uses: section.amount("max_uses").unwrap_or(default.max_uses),
        require_fixtures: section.flag("require_fixtures").unwrap_or(default.require_fixtures),
        quarantine: life::quarantine(section, default.quarantine),
        canary: life::canary(section, default.canary),
        require_signature: section.flag("require_signature").unwrap_or(default.require_signature),
        require_lock: section.flag("require_lock").unwrap_or(default.require_lock),
    }
}

/// `plugins` in the working directory; where there is none, the one beside the program, as a release has it.
fn usual_dir(reader: &Reader<'_>) -> PathBuf {
    let here = PathBuf::from("plugins");
    let beside = reader.environment.program_folder().map(|folder| folder.join(&here));
    beside.filter(|beside| !here.exists() && beside.is_dir()).unwrap_or(here)
}

/// The user's cache folder, by the usual variables.
fn usual_cache(reader: &Reader<'_>) -> Option<PathBuf> {
    let variable = |name: &str| reader.environment.get(name).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    base.or_else(|| Some(variable("HOME")?.join(".cache"))).map(|base| base.join("weir"))
}

/// Beside the configuration, where there is one; else beside the folder of adapters.
fn usual_lock(reader: &Reader<'_>, plugins: &Plugins) -> PathBuf {
    let beside_configuration = reader.folder.join("plugins.lock");
    if beside_configuration.is_file() {
        return beside_configuration;
    }
    plugins.dir.with_file_name("plugins.lock")
}
