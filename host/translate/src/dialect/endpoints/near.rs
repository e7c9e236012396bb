//! Suggestions for an unknown path: the served path that it resembles, and the face of its likely client.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use super::{Endpoint, Endpoints, Head};
use weir_types::contract::about::{Condition, CredentialPlace, Operation};

/// Bytes of the longest path that is compared; a longer one is no typing error.
const MAX_PATH_BYTES: usize = 120;
/// Surplus leading segments that are tried without, as when a base url ends in `/v1` and the client adds `/v1` again.
const SURPLUS: usize = 3;

impl Endpoints {
    /// The path at which the adapter of a face lists the models: of several, the one that is most like the path that
    /// the client called, and of these the first that the adapter declares.
    pub fn list_of_models(&self, adapter: &str, called: &str) -> Option<&str> {
        let lists = self.with_method(&Method::GET).filter(|(path, endpoint)| {
            *endpoint.adapter == *adapter && endpoint.face.operation == Operation::Models && !path.contains('{')
        });
        let alike = |path: &str| path.bytes().zip(called.bytes()).take_while(|(one, other)| one == other).count();
        let paths = lists.map(|(path, _)| path).enumerate();
        paths.max_by_key(|(number, path)| (alike(path), Reverse(*number))).map(|(_, path)| path)
    }

    /// The served path that an unknown one probably means, for this method, with its face.
    pub fn meant(&self, method: &Method, path: &str) -> Option<(String, Arc<Endpoint>)> {
        if path.len() > MAX_PATH_BYTES {
            return None;
        }
        let clean = clean(path);
        let found = self.respelled(method, &clean).or_else(|| self.respelled(method, &clean.to_ascii_lowercase()));
        found.filter(|(found, _)| found != path)
    }

    fn respelled(&self, method: &Method, path: &str) -> Option<(String, Arc<Endpoint>)> {
        let serves = |path: &str| {
            let found = self.candidates(path).find(|(endpoint, ..)| endpoint.face.method == method.as_str());
            found.map(|(endpoint, ..)| (path.to_owned(), Arc::clone(endpoint)))
        };
        let shorter = std::iter::successors(Some(path), |path| path.get(1..)?.find('/').map(|at| &path[at + 1..]));
        let versioned = format!("/v1{path}");
        let exact = shorter.take(SURPLUS + 1).chain([versioned.as_str()]).find_map(serves);
        exact.or_else(|| self.similar(method, path)).or_else(|| self.longer(method, path))
    }

    /// The served path with the least edit distance, if that is small.
    fn similar(&self, method: &Method, path: &str) -> Option<(String, Arc<Endpoint>)> {
        let allowed = (path.len() / 6).max(1);
        let near = self.with_method(method).filter_map(|(served, endpoint)| {
            let filled = filled(served, path)?;
            let is_possible = filled.len().abs_diff(path.len()) <= allowed;
            let distance = is_possible.then(|| strsim::damerau_levenshtein(&filled, path))?;
            (distance <= allowed).then_some((distance, filled, endpoint))
        });
        let (_, filled, endpoint) = near.min_by_key(|(distance, ..)| *distance)?;
        Some((filled, Arc::clone(endpoint)))
    }

    /// The shortest served path that continues this one.
    fn longer(&self, method: &Method, path: &str) -> Option<(String, Arc<Endpoint>)> {
        let goes_on = |served: &str| {
            path.matches('/').count() > 1 && served.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        };
        let literal = self.with_method(method).filter(|(served, _)| goes_on(served) && !served.contains('{'));
        let (served, endpoint) = literal.min_by_key(|(served, _)| served.len())?;
        Some((served.to_owned(), Arc::clone(endpoint)))
    }

    fn with_method(&self, method: &Method) -> impl Iterator<Item = (&str, &Arc<Endpoint>)> {
        let endpoints = self.paths.iter().filter_map(|(path, index)| Some((path.as_str(), self.all.get(*index)?)));
        endpoints.filter(move |(_, endpoint)| endpoint.face.method == method.as_str())
    }

    /// The face whose client most likely sent a request for this path. Candidates share the longest prefix of
    /// segments; the place of the credential decides among them, then the number of paths that the adapter serves
    /// there.
    pub fn likeliest(&self, path: &str, head: &Head<'_>) -> Option<Arc<Endpoint>> {
        let shared =
            |served: &str| served.split('/').skip(1).zip(path.split('/').skip(1)).take_while(|(a, b)| a == b).count();
        let most = self.paths.iter().map(|(served, _)| shared(served)).max()?;
        let mut likely: HashMap<&str, (usize, usize, usize)> = HashMap::new();
        for (_, index) in self.paths.iter().filter(|(served, _)| shared(served) == most) {
            let Some(endpoint) = self.all.get(*index) else { continue };
            let entry = likely.entry(endpoint.adapter.as_ref()).or_insert((0, 0, *index));
            entry.0 = entry.0.max(evidence(endpoint, head));
            entry.1 += 1;
            entry.2 = entry.2.min(*index);
        }
        let (seen, _, index) =
            likely.into_values().max_by_key(|(seen, count, index)| (*seen, *count, usize::MAX - index))?;
        (most > 0 || seen > 1).then(|| self.all.get(index).cloned()).flatten()
    }
}

/// How strongly a request's head points at a face: 2 for the first place of its credential or a header that only its
/// clients send, 1 for another place of its credential, 0 for neither.
fn evidence(endpoint: &Endpoint, head: &Head<'_>) -> usize {
    if matches!(&endpoint.face.when, Some(Condition::HeaderPresent(name)) if head.headers.contains_key(name.as_str())) {
        return 2;
    }
    let is_there = |place: &CredentialPlace| match place {
        CredentialPlace::Header(header) => head.headers.contains_key(header.name.as_str()),
        CredentialPlace::Query(name) => head.query(name).is_some(),
        CredentialPlace::Subprotocol(_) => false,
    };
    match endpoint.face.credentials.iter().position(is_there) {
        Some(0) => 2,
        Some(_) => 1,
        None => 0,
    }
}

/// A path without empty segments: no double slashes, none at the end.
fn clean(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.flat_map(|segment| ["/", segment]).collect()
}

/// A served path whose placeholders are filled from a path with the same number of segments.
fn filled(served: &str, path: &str) -> Option<String> {
    if !served.contains('{') {
        return Some(served.to_owned());
    }
    if served.matches('/').count() != path.matches('/').count() {
        return None;
    }
    let pairs = served.split('/').zip(path.split('/'));
    let segments: Vec<&str> = pairs.map(|(own, given)| if fits(own, given) { given } else { own }).collect();
    Some(segments.join("/"))
}

/// Whether a segment matches one with a placeholder.
fn fits(own: &str, given: &str) -> bool {
    let parts = own.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)));
    parts.is_some_and(|(before, after)| {
        given.len() > before.len() + after.len() && given.starts_with(before) && given.ends_with(after)
    })
}
