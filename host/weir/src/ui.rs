//! The dashboard at `/ui`: pages in the browser over the JSON of `/admin`. Here are the files that it is made of, and
//! the sessions of the browsers; what the pages show and change goes through the admin endpoints like any other
//! program's requests. `docs/dashboard.md` describes it.

mod assets;
mod sessions;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use assets::Asset;

pub(crate) use sessions::{Holder, LASTS, NoRandomness, Session, Sessions};

/// What the pages may load and do: their own files and their own server, nothing inline, and no frame around them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of the dashboard's files.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/ui", get(|| async { Redirect::permanent("/ui/") }))
        .route("/ui/", get(|headers: HeaderMap| async move { serve("", &headers) }))
        .route("/ui/{*path}", get(|Path(path): Path<String>, headers: HeaderMap| async move { serve(&path, &headers) }))
}

/// Whether nothing but a file can have this path. Pages have no dot in their names, but what they show may have one,
/// such as a user: `users/ann@example.com`.
fn is_of_a_file(path: &str) -> bool {
    match path.split_once('/') {
        Some((folder, _)) => matches!(folder, "pages" | "vendor"),
        None => path.contains('.'),
    }
}

/// A file; the frame of all pages for every other address.
fn serve(path: &str, headers: &HeaderMap) -> Response {
    let frame = || if is_of_a_file(path) { None } else { assets::find("index.html") };
    let Some(asset) = assets::find(path).or_else(frame) else {
        return (StatusCode::NOT_FOUND, "the dashboard has no such file\n").into_response();
    };
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Asked again each time, so that an updated program serves its own pages at once.
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, asset.tag),
        (header::VARY, "accept-encoding"),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == asset.tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, [(header::CONTENT_TYPE, asset.kind)], content(asset, headers)).into_response()
}

/// The file's bytes, compressed if the client takes that.
fn content(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let taken = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_gzip = |coding: &str| coding.split(';').next().is_some_and(|name| name.trim() == "gzip");
    if taken.split(',').any(is_gzip) {
        return ([(header::CONTENT_ENCODING, "gzip")], asset.gzip).into_response();
    }
    asset.plain().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_frame_and_a_missing_file_is_missing() {
        for page in ["", "requests", "requests/0190", "keys/a/b", "users/ann@example.com", "teams/a.b", "teams/a.js"] {
            let served = serve(page, &HeaderMap::new());
            assert_eq!(served.status(), StatusCode::OK, "{page}");
            assert!(served.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
            assert_eq!(served.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        }
        for file in ["missing.js", "vendor/uPlot.LICENSE", "vendor/none", "pages/none.js", "pages/"] {
            assert_eq!(serve(file, &HeaderMap::new()).status(), StatusCode::NOT_FOUND, "{file}");
        }
    }

    #[test]
    fn a_file_is_compressed_for_clients_that_take_it_and_sent_once() {
        let mut headers = HeaderMap::new();
        assert!(!serve("main.js", &headers).headers().contains_key(header::CONTENT_ENCODING));
        headers.insert(header::ACCEPT_ENCODING, "br, gzip;q=0.8".parse().unwrap());
        let served = serve("main.js", &headers);
        assert_eq!(served.headers()[header::CONTENT_ENCODING], "gzip");
        headers.insert(header::IF_NONE_MATCH, served.headers()[header::ETAG].clone());
        assert_eq!(serve("main.js", &headers).status(), StatusCode::NOT_MODIFIED);
    }
}
