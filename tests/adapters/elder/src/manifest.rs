//! What the adapter says about itself.

use crate::Elder;
use crate::bindings::about::{ErrorSpelling, Face, Guest, Manifest};
use crate::bindings::types::{ErrorKind, Framing};

impl Guest for Elder {
    fn describe() -> Manifest {
        let spelling = |kind, name: &str, status| ErrorSpelling { kind, name: name.into(), status };
        Manifest {
            name: "elder".into(),
            version: "1.0.0".into(),
            contract: "0.0.9".into(),
            description: "A made-up format and provider of contract 0.0.9".into(),
            format: "elder.ask".into(),
            error_body: r#"{"fault":{{message}},"sort":{{kind}}}"#.into(),
            spellings: vec![
                spelling(ErrorKind::InvalidRequest, "garbled", 400),
                spelling(ErrorKind::RateLimited, "hasty", 429),
                spelling(ErrorKind::Unsupported, "unheard", 400),
                spelling(ErrorKind::Upstream, "ill", 502),
            ],
            face: Some(Face {
                path: "/elder/ask".into(),
                model: "/mind".into(),
                stream: "/flow".into(),
                framing: Framing::Ndjson,
            }),
            key_header: "elder-key".into(),
        }
    }
}
