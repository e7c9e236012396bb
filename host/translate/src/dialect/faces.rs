//! The table of all faces of all adapters: from a request's head to the face that was called.

mod credentials;
mod near;

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, Method};

use self::credentials::Credentials;
use super::path::{Holes, Pattern, PatternError};
use weir_types::contract::about::{Condition, ErrorFormat, Face as Claim, Manifest};
use weir_types::contract::types::Framing;
use weir_types::query;

/// One face, ready for use.
#[derive(Debug)]
pub struct Face {
    /// The adapter that speaks it.
    pub adapter: Arc<str>,
    /// As its manifest states it.
    pub claim: Claim,
    /// How errors look in its format.
    pub errors: Option<Arc<ErrorFormat>>,
    /// Where this face stands in [`Faces::all`].
    pub index: usize,
}

impl Face {
    /// The format id.
    pub fn format(&self) -> &str {
        &self.claim.format
    }

    /// How a streamed answer to this request is framed.
    pub fn framing(&self, head: &Head<'_>) -> Framing {
        let holds = |when: &Option<Condition>| when.as_ref().is_none_or(|condition| head.holds(condition));
        self.claim.framings.iter().find(|answer| holds(&answer.when)).map_or(Framing::Sse, |answer| answer.framing)
    }
}

/// What the conditions of faces look at.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The query, as it came.
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

    /// The value of a query parameter, percent-decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        query::pairs(self.query).find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// An adapter whose faces are to be served.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says of itself.
    pub manifest: &'a Manifest,
    /// Whether the operator knows it: it is pinned, or the configuration names it. Others get no path that another adapter
    /// serves, and have no say in what others' requests carry.
    pub is_known: bool,
}

impl<'a> From<(&'a str, &'a Manifest)> for Speaker<'a> {
    fn from((name, manifest): (&'a str, &'a Manifest)) -> Self {
        Self { name, manifest, is_known: true }
    }
}

/// A claim that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Who claims it.
    pub adapter: Arc<str>,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// Whose path it overlaps.
    pub other: Arc<str>,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, other, .. } = self;
        write!(f, "{method} {path} is left out: `{other}` serves it, and this adapter is neither pinned nor configured")
    }
}

/// What a path led to.
#[derive(Debug)]
pub enum Lookup {
    /// A face, and the values of its path's holes.
    Found(Arc<Face>, Holes),
    /// The path is served, but not with this method; the methods that are.
    WrongMethod(Arc<Face>, Vec<Method>),
    /// Nothing is served here.
    Unknown,
}

/// Why a set of manifests makes no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// A path is not one.
    #[error("adapter `{adapter}`: {source}")]
    Path {
        /// Who claims it.
        adapter: String,
        /// What is wrong.
        source: PatternError,
    },
    /// Two adapters claim the same face.
    #[error("adapters `{first}` and `{second}` both claim {method} {path}")]
    Twice {
        /// The one that was there.
        first: String,
        /// The other one.
        second: String,
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
}

/// All faces.
#[derive(Debug, Default)]
pub struct Faces {
    all: Vec<Arc<Face>>,
    literal: HashMap<String, Vec<usize>>,
    patterns: Vec<(Pattern, usize)>,
    paths: Vec<(String, usize)>,
    /// The pattern of each of those paths.
    shapes: Vec<Pattern>,
    left_out: Vec<LeftOut>,
    credentials: Credentials,
}

impl Faces {
    /// The table of these adapters' faces, or why there is none.
    pub fn new<'a>(adapters: impl IntoIterator<Item = impl Into<Speaker<'a>>>) -> Result<Self, ClaimError> {
        let mut faces = Self::default();
        let (known, strangers): (Vec<Speaker<'a>>, Vec<_>) =
            adapters.into_iter().map(Into::into).partition(|speaker: &Speaker<'a>| speaker.is_known);
        let claims = |speaker: &Speaker<'a>| speaker.manifest.faces.iter();
        for speaker in &known {
            claims(speaker).try_for_each(|claim| faces.add(speaker, claim))?;
        }
        // What is claimed under a condition only goes before what is claimed without: it comes last.
        for is_conditional in [false, true] {
            for speaker in &strangers {
                let mut claims = claims(speaker).filter(|claim| claim.when.is_some() == is_conditional);
                claims.try_for_each(|claim| faces.add(speaker, claim))?;
            }
        }
        for Speaker { name, manifest, is_known } in known.into_iter().chain(strangers) {
            faces.credentials.declare(&Arc::from(name), manifest, is_known);
        }
        faces.order();
        Ok(faces)
    }

    /// Claims that are not served.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Every face.
    pub fn all(&self) -> &[Arc<Face>] {
        &self.all
    }

    /// Headers in which some client's credential may stand, whatever it asks: none of them is ever forwarded.
    pub fn credential_headers(&self) -> impl Iterator<Item = &str> {
        self.credentials.headers()
    }

    /// The headers and the query of a request to this adapter without anything that may be a credential, as they are kept
    /// once it is known who asks. `named` are the headers that the operator has clients bring their keys in.
    pub fn without_credentials(
        &self,
        adapter: &str,
        named: &[String],
        headers: HeaderMap,
        query: &str,
    ) -> (HeaderMap, String) {
        self.credentials.remove(adapter, named, headers, query)
    }

    /// The face for a request.
    pub fn find(&self, method: &Method, path: &str, head: &Head<'_>) -> Lookup {
        let mut methods = Vec::new();
        let mut other = None;
        for (face, holes) in self.candidates(path) {
            if face.claim.when.as_ref().is_some_and(|when| !head.holds(when)) {
                continue;
            }
            if face.claim.method == method.as_str() {
                return Lookup::Found(Arc::clone(face), holes);
            }
            methods.extend(Method::from_bytes(face.claim.method.as_bytes()).ok());
            other = Some(face);
        }
        match other {
            Some(face) => Lookup::WrongMethod(Arc::clone(face), methods),
            None => Lookup::Unknown,
        }
    }

    /// Faces whose path matches, the most specific first.
    fn candidates(&self, path: &str) -> impl Iterator<Item = (&Arc<Face>, Holes)> {
        let literal = self.literal.get(path).into_iter().flatten().map(|index| (*index, Holes::default()));
        let holed = self.patterns.iter().filter_map(move |(pattern, index)| Some((*index, pattern.matches(path)?)));
        literal.chain(holed).filter_map(|(index, holes)| Some((self.all.get(index)?, holes)))
    }

    fn add(&mut self, speaker: &Speaker<'_>, claim: &Claim) -> Result<(), ClaimError> {
        let (index, adapter) = (self.all.len(), Arc::<str>::from(speaker.name));
        let formats = &speaker.manifest.formats;
        let errors = formats.iter().find(|format| format.id == claim.format).and_then(|format| format.errors.clone());
        let before = self.paths.len();
        for prefix in std::iter::once("").chain(claim.prefixes.iter().map(String::as_str)) {
            let path = format!("{prefix}{}", claim.path);
            let pattern =
                Pattern::parse(&path).map_err(|source| ClaimError::Path { adapter: adapter.to_string(), source })?;
            if speaker.is_known {
                self.refuse_twice(&adapter, claim, &path)?;
            } else if let Some(other) = self.overlapped(&adapter, claim, (&path, &pattern)) {
                let method = claim.method.clone();
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
            self.all.push(Arc::new(Face { adapter, claim: claim.clone(), errors: errors.map(Arc::new), index }));
        }
        Ok(())
    }

    /// Who else serves a path with this method that a pattern matches. What another serves under a condition only leaves the
    /// same path without one to others.
    fn overlapped(&self, adapter: &str, claim: &Claim, (path, pattern): (&str, &Pattern)) -> Option<Arc<str>> {
        let served = self.paths.iter().zip(&self.shapes);
        let others = served.filter_map(|((served, index), shape)| {
            let face = self.all.get(*index)?;
            let is_other = *face.adapter != *adapter && face.claim.method == claim.method;
            let is_beside = face.claim.when.is_some() && claim.when.is_none() && served == path;
            (is_other && !is_beside).then_some((face, shape))
        });
        others.into_iter().find(|(_, shape)| shape.overlaps(pattern)).map(|(face, _)| Arc::clone(&face.adapter))
    }

    fn refuse_twice(&self, adapter: &Arc<str>, claim: &Claim, path: &str) -> Result<(), ClaimError> {
        let same = |index: usize| {
            let face = self.all.get(index)?;
            (face.claim.method == claim.method && face.claim.when == claim.when).then_some(face)
        };
        let Some(first) = self.paths.iter().filter(|(served, _)| served == path).find_map(|(_, index)| same(*index))
        else {
            return Ok(());
        };
        Err(ClaimError::Twice {
            first: first.adapter.to_string(),
            second: adapter.to_string(),
            method: claim.method.clone(),
            path: path.to_owned(),
        })
    }

    /// Puts the most specific first: conditions before none, more literal text before less.
    fn order(&mut self) {
        let unconditional: Vec<bool> = self.all.iter().map(|face| face.claim.when.is_none()).collect();
        let last = |index: &usize| unconditional.get(*index).copied().unwrap_or(true);
        for indices in self.literal.values_mut() {
            indices.sort_by_key(last);
        }
        self.patterns.sort_by_key(|(pattern, index)| (usize::MAX - pattern.weight(), last(index)));
    }
}

#[cfg(test)]
pub(crate) mod tests;
