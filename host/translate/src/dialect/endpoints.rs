//! The table of all adapters' faces: finds the face that a request calls.

mod credentials;
mod near;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use http::{HeaderMap, HeaderName, Method};

use self::credentials::Credentials;
use super::path::{PathParams, Pattern, PatternError};
use weir_types::contract::about::{Condition, ErrorFormat, Face, Manifest};
use weir_types::contract::types::Framing;
use weir_types::query;

/// One face, ready to serve.
#[derive(Debug)]
pub struct Endpoint {
    /// The name of the adapter that declares it.
    pub adapter: Arc<str>,
    /// The declaration in the adapter's manifest.
    pub face: Face,
    /// The error templates of its format.
    pub errors: Option<Arc<ErrorFormat>>,
    /// The header that its format names for a request's id.
    pub id_header: Option<HeaderName>,
    /// The names of its format's headers of rate limits, of requests and of tokens, in the order of their templates;
    /// `None` where a template makes no name of a header.
    pub limit_headers: Vec<Option<[HeaderName; 2]>>,
    /// The face's position in [`Endpoints::all`].
    pub index: usize,
}

impl Endpoint {
    /// The format's id.
    pub fn format(&self) -> &str {
        &self.face.format
    }

    /// The framing of a streamed answer to this request: the first declared one whose condition holds, else SSE.
    pub fn framing(&self, head: &Head<'_>) -> Framing {
        let holds = |when: &Option<Condition>| when.as_ref().is_none_or(|condition| head.holds(condition));
        self.face.framings.iter().find(|answer| holds(&answer.when)).map_or(Framing::Sse, |answer| answer.framing)
    }
}

/// The names of a format's headers of rate limits, of requests and of tokens.
pub fn limit_headers(errors: &ErrorFormat) -> Vec<Option<[HeaderName; 2]>> {
    let named = |template: &str, scope: &str| HeaderName::try_from(template.replace("{{scope}}", scope)).ok();
    let both = |template: &str| Some([named(template, "requests")?, named(template, "tokens")?]);
    errors.rate_limit_headers.iter().map(|header| both(&header.name)).collect()
}

/// The parts of a request that the conditions of faces examine.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The query string, still encoded.
    pub query: &'a str,
}

impl Head<'_> {
    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::HeaderPresent(name) => self.headers.contains_key(name.as_str()),
            Condition::QueryPresent(name) => self.query(name).is_some(),
            Condition::QueryEquals(pair) => self.query(&pair.name).is_some_and(|value| value == pair.value),
        }
    }

    /// The percent-decoded value of a query parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        query::pairs(self.query).find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// An adapter whose faces enter the table.
#[derive(Debug, Clone, Copy)]
pub struct FaceOwner<'a> {
    /// The adapter's name.
    pub name: &'a str,
    /// The adapter's manifest.
    pub manifest: &'a Manifest,
    /// Whether the operator knows the adapter: it is pinned, or the configuration names it. An unknown adapter gets
    /// no path that another adapter serves, and does not influence which headers other adapters' requests keep.
    pub is_known: bool,
}

impl<'a> From<(&'a str, &'a Manifest)> for FaceOwner<'a> {
    fn from((name, manifest): (&'a str, &'a Manifest)) -> Self {
        Self { name, manifest, is_known: true }
    }
}

/// A declared face that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The adapter that declares it.
    pub adapter: Arc<str>,
    /// The HTTP method.
    pub method: String,
    /// The path, with its prefix.
    pub path: String,
    /// The adapter whose path it overlaps.
    pub other: Arc<str>,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, other, .. } = self;
        write!(f, "{method} {path} is left out: `{other}` serves it, and this adapter is neither pinned nor configured")
    }
}

/// The result of looking up a request.
#[derive(Debug)]
pub enum Lookup {
    /// The face, and the values of its path's placeholders.
    Found(Arc<Endpoint>, PathParams),
    /// The path is served, but only with these methods.
    WrongMethod(Arc<Endpoint>, Vec<Method>),
    /// No face has this path.
    Unknown,
}

/// Why a set of manifests gives no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaceError {
    /// A declared path is malformed.
    #[error("adapter `{adapter}`: {source}")]
    Path {
        /// The adapter that declares it.
        adapter: String,
        /// The path's error.
        source: PatternError,
    },
    /// Two adapters declare the same face.
    #[error("adapters `{first}` and `{second}` both claim {method} {path}")]
    Twice {
        /// The adapter that came first.
        first: String,
        /// The adapter that came second.
        second: String,
        /// The HTTP method.
        method: String,
        /// The face's path, with its placeholders.
        path: String,
    },
}

/// The table of all faces.
#[derive(Debug, Default)]
pub struct Endpoints {
    all: Vec<Arc<Endpoint>>,
    literal: HashMap<String, Vec<usize>, RandomState>,
    patterns: Vec<(Pattern, usize)>,
    paths: Vec<(String, usize)>,
    /// The compiled pattern of each of `paths`.
    shapes: Vec<Pattern>,
    left_out: Vec<LeftOut>,
    credentials: Credentials,
}

impl Endpoints {
    /// Builds the table. Known adapters go first, and two of them must not declare the same face.
    pub fn new<'a>(adapters: impl IntoIterator<Item = impl Into<FaceOwner<'a>>>) -> Result<Self, FaceError> {
        let mut endpoints = Self::default();
        let (known, strangers): (Vec<FaceOwner<'a>>, Vec<_>) =
            adapters.into_iter().map(Into::into).partition(|speaker: &FaceOwner<'a>| speaker.is_known);
        let faces = |speaker: &FaceOwner<'a>| speaker.manifest.faces.iter();
        for speaker in &known {
            faces(speaker).try_for_each(|face| endpoints.add(speaker, face))?;
        }
        // A conditional face takes precedence over an unconditional one of the same path, so it is added last.
        for is_conditional in [false, true] {
            for speaker in &strangers {
                let mut faces = faces(speaker).filter(|face| face.when.is_some() == is_conditional);
                faces.try_for_each(|face| endpoints.add(speaker, face))?;
            }
        }
        for FaceOwner { name, manifest, is_known } in known.into_iter().chain(strangers) {
            endpoints.credentials.declare(&Arc::from(name), manifest, is_known);
        }
        endpoints.order();
        Ok(endpoints)
    }

    /// Declared faces that are not served, since they overlap a known adapter's.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Every face; its position is [`Endpoint::index`].
    pub fn all(&self) -> &[Arc<Endpoint>] {
        &self.all
    }

    /// The headers in which a client's credential may stand, whichever face it calls; none is ever forwarded.
    pub fn credential_headers(&self) -> impl Iterator<Item = &str> {
        self.credentials.headers()
    }

    /// A request's headers and query without anything that may be a credential; Weir keeps only these once the caller
    /// is identified. `named` are the headers that the operator configured for clients' keys.
    pub fn without_credentials(
        &self,
        adapter: &str,
        named: &[String],
        headers: HeaderMap,
        query: &str,
    ) -> (HeaderMap, String) {
        self.credentials.remove(adapter, named, headers, query)
    }

    /// Finds the face for a request.
    pub fn find(&self, method: &Method, path: &str, head: &Head<'_>) -> Lookup {
        let mut methods = Vec::new();
        let mut other = None;
        let mut is_verb = false;
        for (endpoint, placeholders, ends_in_verb) in self.candidates(path) {
            // `models/{model}` also matches `models/a:generateContent`, which would be a model of that name.
            if is_verb && !ends_in_verb {
                break;
            }
            if endpoint.face.when.as_ref().is_some_and(|when| !head.holds(when)) {
                continue;
            }
            if endpoint.face.method == method.as_str() {
                return Lookup::Found(Arc::clone(endpoint), placeholders);
            }
            methods.extend(Method::from_bytes(endpoint.face.method.as_bytes()).ok());
            other = Some(endpoint);
            is_verb = ends_in_verb;
        }
        match other {
            Some(endpoint) => Lookup::WrongMethod(Arc::clone(endpoint), methods),
            None => Lookup::Unknown,
        }
    }

    /// Endpoints whose path matches, the most specific first, and whether their pattern ends in a verb, as in
    /// `{model}:generateContent`.
    fn candidates(&self, path: &str) -> impl Iterator<Item = (&Arc<Endpoint>, PathParams, bool)> {
        let literal = self.literal.get(path).into_iter().flatten().map(|index| (*index, PathParams::default(), false));
        let with_placeholders = self.patterns.iter().filter_map(move |(pattern, index)| {
            let placeholders = pattern.matches(path)?;
            Some((*index, placeholders, pattern.ends_in_verb()))
        });
        literal
            .chain(with_placeholders)
            .filter_map(|(index, placeholders, ends_in_verb)| Some((self.all.get(index)?, placeholders, ends_in_verb)))
    }

    fn add(&mut self, speaker: &FaceOwner<'_>, face: &Face) -> Result<(), FaceError> {
        let (index, adapter) = (self.all.len(), Arc::<str>::from(speaker.name));
        let formats = &speaker.manifest.formats;
        let errors = formats.iter().find(|format| format.id == face.format).and_then(|format| format.errors.clone());
        let before = self.paths.len();
        for prefix in std::iter::once("").chain(face.prefixes.iter().map(String::as_str)) {
            let path = format!("{prefix}{}", face.path);
            let pattern =
                Pattern::parse(&path).map_err(|source| FaceError::Path { adapter: adapter.to_string(), source })?;
            if speaker.is_known {
                self.refuse_twice(&adapter, face, &path)?;
            } else if let Some(other) = self.overlapped(&adapter, face, &path, &pattern) {
                let method = face.method.clone();
                self.left_out.push(LeftOut { adapter: Arc::clone(&adapter), method, path, other });
                continue;
            }
            if pattern.is_literal() {
                self.literal.entry(path.clone()).or_default().push(index);
            } else {
                self.patterns.push((pattern.clone(), index));
            }
            self.paths.push((path, index));
            self.shapes.push(pattern);
        }
        if self.paths.len() > before {
            let id_header = errors.as_ref().and_then(|errors| errors.request_id_header.as_deref());
            let id_header = id_header.and_then(|name| HeaderName::try_from(name).ok());
            let limit_headers = errors.as_ref().map(limit_headers).unwrap_or_default();
            let (face, errors) = (face.clone(), errors.map(Arc::new));
            self.all.push(Arc::new(Endpoint { adapter, face, errors, id_header, limit_headers, index }));
        }
        Ok(())
    }

    /// The other adapter that already serves this method on a path that the pattern matches. A conditional face of
    /// another adapter does not block an unconditional one on the same path.
    fn overlapped(&self, adapter: &str, face: &Face, path: &str, pattern: &Pattern) -> Option<Arc<str>> {
        let served = self.paths.iter().zip(&self.shapes);
        let others = served.filter_map(|((served, index), shape)| {
            let endpoint = self.all.get(*index)?;
            let is_other = *endpoint.adapter != *adapter && endpoint.face.method == face.method;
            let is_beside = endpoint.face.when.is_some() && face.when.is_none() && served == path;
            (is_other && !is_beside).then_some((endpoint, shape))
        });
        others.into_iter().find(|(_, shape)| shape.overlaps(pattern)).map(|(endpoint, _)| Arc::clone(&endpoint.adapter))
    }

    fn refuse_twice(&self, adapter: &Arc<str>, face: &Face, path: &str) -> Result<(), FaceError> {
        let same = |index: usize| {
            let endpoint = self.all.get(index)?;
            (endpoint.face.method == face.method && endpoint.face.when == face.when).then_some(endpoint)
        };
        let Some(first) = self.paths.iter().filter(|(served, _)| served == path).find_map(|(_, index)| same(*index))
        else {
            return Ok(());
        };
        Err(FaceError::Twice {
            first: first.adapter.to_string(),
            second: adapter.to_string(),
            method: face.method.clone(),
            path: path.to_owned(),
        })
    }

    /// Sorts by specificity: conditional faces before unconditional ones, more literal text before less.
    fn order(&mut self) {
        let unconditional: Vec<bool> = self.all.iter().map(|endpoint| endpoint.face.when.is_none()).collect();
        let last = |index: &usize| unconditional.get(*index).copied().unwrap_or(true);
        for indices in self.literal.values_mut() {
            indices.sort_by_key(last);
        }
        self.patterns.sort_by_key(|(pattern, index)| (usize::MAX - pattern.weight(), last(index)));
    }
}

#[cfg(test)]
pub(crate) mod tests;
