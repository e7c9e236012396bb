//! `[server]`, `[admin]`, `[media]` and the log.

use super::super::settings::{Admin, Log, LogFormat, LogLevel, Media, Server};
use super::super::{Origin, Problem};
use super::Section;

const LEVELS: &[(&str, LogLevel)] = &[
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
];
const FORMATS: &[(&str, LogFormat)] =
    &[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];

/// The smallest head and frame that anything works with: less is refused by the HTTP library.
const LEAST_BUFFER: usize = 8192;

pub(super) fn log(top: &mut Section<'_>) -> Log {
    Log {
        level: top.choice("log_level", LEVELS).unwrap_or_default(),
        format: top.choice("log_format", FORMATS).unwrap_or_default(),
    }
}

pub(super) fn server(mut section: Section<'_>) -> Server {
    let default = Server::default();
    let server = Server {
        host: section.text("host").map_or(default.host, |host| host.value),
        port: section.count("port", &(0..=65535)).and_then(|port| u16::try_from(port).ok()).unwrap_or(default.port),
        max_connections: section.amount("max_connections").unwrap_or(default.max_connections),
        max_concurrency: section.amount("max_concurrency"),
        max_body_bytes: section.size("max_body_bytes").unwrap_or(default.max_body_bytes),
        max_header_bytes: buffer(&mut section, "max_header_bytes").unwrap_or(default.max_header_bytes),
        header_timeout: section.duration("header_timeout").unwrap_or(default.header_timeout),
        body_timeout: section.duration("body_timeout").unwrap_or(default.body_timeout),
        shutdown_timeout: section.duration("shutdown_timeout").unwrap_or(default.shutdown_timeout),
        translate_body_limit: section.size("translate_body_limit").unwrap_or(default.translate_body_limit),
        recall_bytes: section.size("recall_bytes").unwrap_or(default.recall_bytes),
        max_frame_bytes: buffer(&mut section, "max_frame_bytes").unwrap_or(default.max_frame_bytes),
        diagnostic_headers: section.flag("diagnostic_headers").unwrap_or(default.diagnostic_headers),
        keep_alive_interval: section.duration("keep_alive_interval"),
        strict: section.flag("strict").unwrap_or(default.strict),
        place: section.place.clone(),
    };
    section.finish();
    server
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
        timeout: section.duration("timeout").unwrap_or(default.timeout),
        origins,
    };
    section.finish();
    media
}
