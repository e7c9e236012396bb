//! Errors for unknown paths, rendered in the likeliest format, with a suggestion.

use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::welcome::PAGES;
use crate::serving::Serving;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_types::fault::Fault;

/// The most characters of a path that are repeated.
const SHOWN: usize = 200;

/// A request that calls no face.
pub(super) struct Unrecognised {
    pub(super) fault: Fault,
    /// The face whose format the error is rendered in.
    pub(super) nearest: Option<Arc<Endpoint>>,
}

/// The error for an unknown path.
pub(super) fn explain(serving: &Serving, head: &Parts) -> Unrecognised {
    let path = head.uri.path();
    let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
    let page = || page(serving, head).map(|page| (page.to_owned(), None));
    let meant =
        page().or_else(|| serving.endpoints.meant(&head.method, path).map(|(path, endpoint)| (path, Some(endpoint))));
    let shown: String = path.chars().take(SHOWN).collect();
    let message = match &meant {
        Some((meant, _)) => format!("nothing is served at {shown}; did you mean {} {meant}?", head.method),
        None => format!("nothing is served at {shown}; GET / lists what is"),
    };
    let nearest = meant.and_then(|(_, endpoint)| endpoint).or_else(|| serving.endpoints.likeliest(path, &about));
    Unrecognised { fault: Fault::not_found(message).with_code("unknown_url"), nearest }
}

/// The admin page that was probably meant, if admin pages are on this listener.
fn page(serving: &Serving, head: &Parts) -> Option<&'static str> {
    if serving.config.admin.listen.is_some() || head.method != Method::GET {
        return None;
    }
    let path = head.uri.path().trim_end_matches('/').to_ascii_lowercase();
    PAGES.into_iter().map(|(_, page)| page).find(|page| strsim::damerau_levenshtein(page, &path) <= 1)
}
