//! What a registry asks for with a 401: `WWW-Authenticate`.

use std::collections::BTreeMap;

/// The kind of credential that a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// The name and the password themselves.
    Basic,
    /// A token from this address.
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// Reads a header's value; `None` for anything else.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let mut parameters = scheme.eq_ignore_ascii_case("bearer").then(|| parameters(rest))?;
        Some(Self::Bearer { realm: parameters.remove("realm")?, service: parameters.remove("service") })
    }
}

/// The parameters `name="value"`, with commas between them; values may contain commas.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.insert(name.trim_matches([',', ' ']).to_ascii_lowercase(), value.trim().to_owned());
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text = r#"Bearer realm="https://auth.example/token",service="r, one",scope="repository:a:pull,push""#;
        let bearer = Challenge::Bearer { realm: "https://auth.example/token".into(), service: Some("r, one".into()) };
        assert_eq!(Challenge::read(text), Some(bearer));
        assert_eq!(Challenge::read("basic realm=\"x\""), Some(Challenge::Basic));
        let bare = Challenge::Bearer { realm: "http://a/t".into(), service: None };
        assert_eq!(Challenge::read("bearer realm=http://a/t"), Some(bare));
        for text in ["", "Negotiate", "Bearer", "Bearer service=\"x\"", "Bearer realm"] {
            assert_eq!(Challenge::read(text), None, "{text}");
        }
    }
}
