//! References: `oci://REGISTRY/NAME:TAG` and `oci://REGISTRY/NAME@sha256:...`.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use weir_sandbox::digest::Digest;

const SCHEME: &str = "oci://";
/// The most characters of a repository's name and of a tag, as the specification has them.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an adapter in a registry: {reason}; write oci://REGISTRY/NAME:TAG or oci://REGISTRY/NAME@sha256:..."
)]
pub struct ReferenceError {
    text: String,
    reason: &'static str,
}

/// Which of a repository's manifests is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one that has this tag now.
    Tag(String),
    /// The one with this digest.
    Digest(Digest),
}

/// An adapter in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host, and port if one is given.
    pub registry: String,
    /// The repository's name.
    pub name: String,
    /// The manifest.
    pub target: Target,
}

impl Reference {
    /// Whether a text is meant as a reference.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Whether the registry is on this machine, where plain HTTP is used.
    pub(crate) fn is_local(&self) -> bool {
        let host = match self.registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.registry.split(':').next().unwrap_or_default(),
        };
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// The tag or the digest, as it stands in urls.
    pub(crate) fn target(&self) -> String {
        match &self.target {
            Target::Tag(tag) => tag.clone(),
            Target::Digest(digest) => digest.to_string(),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let parse = || {
            let rest = text.strip_prefix(SCHEME).ok_or("it does not begin with oci://")?;
            let (registry, rest) = rest.split_once('/').ok_or("it names no repository")?;
            let is_of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
            if registry.is_empty() || !registry.chars().all(is_of_host) {
                return Err("the registry is not a host");
            }
            let (name, target) = if let Some((name, digest)) = rest.split_once('@') {
                (name, Target::Digest(digest.parse().map_err(|_| "what follows the @ is not a sha256 digest")?))
            } else {
                let (name, tag) = rest.rsplit_once(':').ok_or("it names neither a tag nor a digest")?;
                (name, Target::Tag(tag.to_owned()))
            };
            if name.len() > MAX_NAME || !name.split('/').all(is_component) {
                return Err("the repository's name has other characters than a-z, 0-9, and . _ - between them");
            }
            if matches!(&target, Target::Tag(tag) if !is_tag(tag)) {
                return Err("the tag has other characters than letters, digits, and . _ - after the first");
            }
            Ok(Self { registry: registry.to_owned(), name: name.to_owned(), target })
        };
        parse().map_err(|reason| ReferenceError { text: text.to_owned(), reason })
    }
}

fn is_component(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(is_inner) && text.ends_with(is_inner) && text.chars().all(|c| is_inner(c) || ".-_".contains(c))
}

fn is_tag(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= MAX_TAG && text.starts_with(is_first) && text.chars().all(|c| is_first(c) || ".-".contains(c))
}

impl Display for Reference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { registry, name, target } = self;
        match target {
            Target::Tag(tag) => write!(f, "{SCHEME}{registry}/{name}:{tag}"),
            Target::Digest(digest) => write!(f, "{SCHEME}{registry}/{name}@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back() {
        let digest = Digest::of(b"x");
        for text in [
            "oci://registry.example/weir/red:1.2".to_owned(),
            "oci://localhost:5000/a:v1.0_x-y".to_owned(),
            "oci://[::1]:5000/a/b-c/d.e:latest".to_owned(),
            format!("oci://r.example/a@{digest}"),
        ] {
            let read: Reference = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
            assert_eq!(read.is_local(), text.contains("local") || text.contains("::1"), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("https://r/a:1", "does not begin"),
            ("oci://r", "no repository"),
            ("oci:///a:1", "not a host"),
            ("oci://user@r/a:1", "not a host"),
            ("oci://r/a", "neither a tag"),
            ("oci://r/A:1", "repository's name"),
            ("oci://r/../a:1", "repository's name"),
            ("oci://r/a//b:1", "repository's name"),
            ("oci://r/a:", "the tag"),
            ("oci://r/a:-1", "the tag"),
            ("oci://r/a@sha256:12", "not a sha256"),
            ("oci://r/a@md5:12", "not a sha256"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
