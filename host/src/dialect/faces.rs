//! The table of all faces of all adapters: from a request's head to the face that was called.

mod near;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};

use super::path::{Holes, Pattern, PatternError};
use crate::contract::about::exports::weir::adapter::about::{
    AuthScheme, Condition, CredentialPlace, ErrorFormat, Face as Claim, Manifest, Operation,
};
use crate::contract::types::Framing;
use crate::query;

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
    credential_headers: BTreeSet<String>,
    credential_queries: BTreeSet<String>,
}

impl Faces {
    /// The table of these adapters' faces, or why there is none.
    pub fn new<'a>(adapters: impl IntoIterator<Item = (&'a str, &'a Manifest)>) -> Result<Self, ClaimError> {
        let mut faces = Self::default();
        for (name, manifest) in adapters {
            let name: Arc<str> = Arc::from(name);
            for claim in &manifest.faces {
                faces.add(&name, manifest, claim)?;
            }
            faces.guard(manifest);
        }
        faces.order();
        Ok(faces)
    }

    /// Every face.
    pub fn all(&self) -> &[Arc<Face>] {
        &self.all
    }

    /// Headers in which some client's credential may stand: none of them is ever forwarded.
    pub fn is_credential_header(&self, name: &HeaderName) -> bool {
        self.credential_headers.contains(name.as_str())
    }

    /// Names of those headers.
    pub fn credential_headers(&self) -> impl Iterator<Item = &str> {
        self.credential_headers.iter().map(String::as_str)
    }

    /// Query parameters in which some client's credential may stand.
    pub fn is_credential_query(&self, name: &str) -> bool {
        self.credential_queries.contains(name)
    }

    /// A request's headers and query without anything that may be a credential, as they are kept once it is known who asks.
    pub fn without_credentials(&self, mut headers: HeaderMap, query: &str) -> (HeaderMap, String) {
        for name in self.credential_headers().chain(["authorization", "proxy-authorization", "cookie"]) {
            headers.remove(name);
        }
        let is_bare = |pair: &&str| query::pairs(pair).all(|(name, _)| !self.is_credential_query(&name));
        let query = if self.credential_queries.is_empty() {
            query.to_owned()
        } else {
            query.split('&').filter(is_bare).collect::<Vec<_>>().join("&")
        };
        (headers, query)
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

    fn add(&mut self, adapter: &Arc<str>, manifest: &Manifest, claim: &Claim) -> Result<(), ClaimError> {
        let index = self.all.len();
        let errors = manifest
            .formats
            .iter()
            .find(|format| format.id == claim.format)
            .and_then(|f| f.errors.clone())
            .map(Arc::new);
        for place in &claim.credentials {
            match place {
                CredentialPlace::Header(header) => self.credential_headers.insert(header.name.clone()),
                CredentialPlace::Query(name) => self.credential_queries.insert(name.clone()),
            };
        }
        for prefix in std::iter::once("").chain(claim.prefixes.iter().map(String::as_str)) {
            let path = format!("{prefix}{}", claim.path);
            self.refuse_twice(adapter, claim, &path)?;
            let pattern =
                Pattern::parse(&path).map_err(|source| ClaimError::Path { adapter: adapter.to_string(), source })?;
            if pattern.is_literal() {
                self.literal.entry(path.clone()).or_default().push(index);
            } else {
                self.patterns.push((pattern, index));
            }
            self.paths.push((path, index));
        }
        let adapter = Arc::clone(adapter);
        self.all.push(Arc::new(Face { adapter, claim: claim.clone(), errors, index }));
        Ok(())
    }

    /// Where a provider takes its keys, clients that were made for it bring theirs.
    fn guard(&mut self, manifest: &Manifest) {
        for auth in &manifest.auth {
            match &auth.scheme {
                AuthScheme::Header(header) => _ = self.credential_headers.insert(header.name.clone()),
                AuthScheme::Query(name) => _ = self.credential_queries.insert(name.clone()),
                _ => {}
            }
        }
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

/// The operation as it stands in metrics and logs.
pub fn operation_name(operation: &Operation) -> &str {
    match operation {
        Operation::Chat => "chat",
        Operation::Embeddings => "embeddings",
        Operation::Models => "models",
        Operation::CountTokens => "count_tokens",
        Operation::Rerank => "rerank",
        Operation::Other(name) => name,
    }
}

#[cfg(test)]
mod tests;
