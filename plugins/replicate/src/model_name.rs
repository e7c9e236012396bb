//! How requests name a model, and the endpoint of its predictions.

use weir_sdk::path::encoded;
use weir_sdk::types::Error;

/// The name of a model: `owner/name`, `owner/name:version`, a version alone, `deployments/owner/name`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ModelName<'a> {
    /// An official model, which has its own endpoint.
    Model {
        owner: &'a str,
        name: &'a str,
    },
    /// Any version of any model, by its id.
    Version {
        owner: &'a str,
        name: &'a str,
        id: &'a str,
    },
    Deployment {
        owner: &'a str,
        name: &'a str,
    },
}

impl<'a> ModelName<'a> {
    pub(crate) fn parse(model: &'a str) -> Result<Self, Error> {
        let model = model.trim_matches('/');
        let words: Vec<&str> = model.split('/').collect();
        match words.as_slice() {
            ["deployments", owner, name] => Ok(Self::Deployment { owner, name }),
            [owner, name] if !owner.is_empty() && !name.is_empty() => Ok(match name.split_once(':') {
                Some((name, id)) => Self::Version { owner, name, id },
                None => Self::Model { owner, name },
            }),
            [id] if id.len() >= 32 && id.bytes().all(|c| c.is_ascii_hexdigit()) => {
                Ok(Self::Version { owner: "", name: "", id })
            }
            _ => {
                let message = "models are named owner/name, owner/name:version or deployments/owner/name";
                Err(Error::invalid(message).at("model"))
            }
        }
    }

    /// The path of its predictions, relative to the API's base.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Model { owner, name } => format!("models/{}/{}/predictions", segment(owner), segment(name)),
            Self::Deployment { owner, name } => format!("deployments/{}/{}/predictions", segment(owner), segment(name)),
            Self::Version { .. } => "predictions".to_owned(),
        }
    }

    /// The version that the body must name.
    pub(crate) fn version(&self) -> Option<&'a str> {
        match self {
            Self::Version { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The model's owner and name; empty for a version without a model, or a deployment.
    pub(crate) fn name(&self) -> (&'a str, &'a str) {
        match self {
            Self::Model { owner, name } | Self::Version { owner, name, .. } | Self::Deployment { owner, name } => {
                (owner, name)
            }
        }
    }
}

/// A name as a path's segment.
pub(crate) fn segment(text: &str) -> String {
    encoded(text, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_has_its_path() {
        let path = |model: &str| {
            let name = ModelName::parse(model).unwrap();
            (name.path(), name.version().map(str::to_owned))
        };
        assert_eq!(path("meta/llama"), ("models/meta/llama/predictions".into(), None));
        assert_eq!(path("a/b:123"), ("predictions".into(), Some("123".into())));
        let id = "a".repeat(64);
        assert_eq!(path(&id), ("predictions".into(), Some(id.clone())));
        assert_eq!(path("deployments/me/it"), ("deployments/me/it/predictions".into(), None));
        assert_eq!(path("a/b?c"), ("models/a/b%3Fc/predictions".into(), None));
        for model in ["", "llama", "a/b/c", "/", "a/"] {
            assert!(ModelName::parse(model).is_err(), "{model}");
        }
    }
}
