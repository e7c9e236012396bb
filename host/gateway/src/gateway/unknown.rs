//! Errors for unknown paths, rendered in the likeliest format, with a suggestion.

use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::welcome::PAGES;
use crate::passthrough::path::PREFIX;
use crate::serving::Serving;
use weir_translate::dialect::endpoints::{Endpoint, Head, Lookup};
use weir_types::fault::Fault;

/// The most characters of a path that are repeated.
const SHOWN: usize = 200;

/// The message for paths of pass-through where no provider is open.
const CLOSED: &str = "no provider is open for pass-through: `passthrough` in `[[providers]]` opens one";

/// The most slips in a verb that is still recognised.
const SLIPS: usize = 3;

/// A request that calls no face.
pub(super) struct Unrecognised {
    pub(super) fault: Fault,
    /// The methods that the path has, if only the method is wrong.
    pub(super) methods: Box<[Method]>,
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
        // Where no provider is open, these paths are unknown too.
        _ if path.starts_with(PREFIX) => CLOSED.to_owned(),
        Some((meant, _)) => format!("nothing is served at {shown}; did you mean {} {meant}?", head.method),
        None => format!("nothing is served at {shown}; GET / lists what is"),
    };
    let nearest = meant.and_then(|(_, endpoint)| endpoint).or_else(|| serving.endpoints.likeliest(path, &about));
    unknown_url(message, nearest)
}

/// The error for a path such as `models/x:generateContnt`, whose verb no face has, if there are faces that differ from
/// it in the verb alone.
pub(super) fn verb(serving: &Serving, head: &Parts) -> Option<Unrecognised> {
    let (path, method) = (head.uri.path(), &head.method);
    let (before, verb) = path.rsplit_once(':').filter(|(_, verb)| !verb.is_empty() && !verb.contains('/'))?;
    let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
    let mut verbs: Vec<String> = Vec::new();
    let mut nearest = None;
    for endpoint in serving.endpoints.all().iter().filter(|endpoint| endpoint.face.method == method.as_str()) {
        let Some((_, other)) = endpoint.face.path.rsplit_once("}:") else { continue };
        let found = serving.endpoints.find(method, &format!("{before}:{other}"), &about);
        if let Lookup::Found(found, _) = found
            && !verbs.iter().any(|known| known == other)
        {
            verbs.push(other.to_owned());
            nearest.get_or_insert(found);
        }
    }
    let nearest = nearest?;
    verbs.sort_unstable();
    let shown: String = verb.chars().take(SHOWN).collect();
    let known = verbs.join(", ");
    let message = match verbs.iter().find(|known| strsim::damerau_levenshtein(known, verb) <= SLIPS) {
        Some(meant) => format!("nothing here is called `:{shown}`; did you mean `:{meant}`? There are {known}"),
        None => format!("nothing here is called `:{shown}`; there are {known}"),
    };
    Some(unknown_url(message, Some(nearest)))
}

fn unknown_url(message: String, nearest: Option<Arc<Endpoint>>) -> Unrecognised {
    Unrecognised { fault: Fault::not_found(message).with_code("unknown_url"), methods: Box::default(), nearest }
}

/// The admin page that was probably meant, if admin pages are on this listener.
fn page(serving: &Serving, head: &Parts) -> Option<&'static str> {
    if serving.config.admin.listen.is_some() || head.method != Method::GET {
        return None;
    }
    let path = head.uri.path().trim_end_matches('/').to_ascii_lowercase();
    PAGES.into_iter().map(|(_, page)| page).find(|page| strsim::damerau_levenshtein(page, &path) <= 1)
}
