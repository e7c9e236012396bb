//! The requests that may pass through to a provider's own endpoints: rules of methods and paths.

use std::fmt;

use super::Alias;
use super::raw::Node;
use super::section::{Entry, Located, Take};

/// Requests by method and path. `*` as the method stands for each; in the path it stands for any text, slashes too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassRule {
    /// In capitals; `None` for each.
    method: Option<String>,
    /// Relative to the provider's url, without a slash in front.
    path: Alias,
}

impl PassRule {
    /// Whether a request passes by this rule. The path is decoded, without a slash in front.
    pub fn admits(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method) && self.path.matches(path)
    }

    /// Whether it is for this very path and no other.
    pub fn names(&self, method: &str, path: &str) -> bool {
        self.path.exact().is_some() && self.admits(method, path)
    }

    fn of_words(method: &str, path: &str) -> Option<Self> {
        let is_word = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let method = match method {
            "*" => None,
            method if is_word => Some(method.to_owned()),
            _ => return None,
        };
        Some(Self { method, path: Alias::parse(path.strip_prefix('/').unwrap_or(path)) })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let rule = Self::of_words(words.next()?, words.next()?)?;
        words.next().is_none().then_some(rule)
    }
}

impl fmt::Display for PassRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_deref().unwrap_or("*"), self.path)
    }
}

/// The requests of one client that may pass through, at some providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPassRule {
    provider: Alias,
    rule: PassRule,
}

impl ClientPassRule {
    /// Whether a request to this provider passes by this rule.
    pub fn admits(&self, provider: &str, method: &str, path: &str) -> bool {
        self.provider.matches(provider) && self.rule.admits(method, path)
    }

    fn parse(text: &str) -> Option<Self> {
        let (provider, rule) = text.trim_start().split_once(char::is_whitespace)?;
        Some(Self { provider: Alias::parse(provider), rule: PassRule::parse(rule)? })
    }
}

impl Take for PassRule {
    type Value = Self;
    const TAKES: &'static str = "string";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        read(entry, node, Self::parse, "a method and a path", "such as \"GET files/*\"; `*` stands for each method")
    }

    fn example() -> String {
        "\"GET files/*\"".to_owned()
    }
}

impl Take for ClientPassRule {
    type Value = Self;
    const TAKES: &'static str = "string";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let shape = "a provider, a method and a path";
        read(entry, node, Self::parse, shape, "such as \"NAME GET files/*\"; `*` stands for each")
    }

    fn example() -> String {
        "\"NAME GET files/*\"".to_owned()
    }
}

/// Reads a rule from a string, and reports one that does not have this shape, with an example.
fn read<T>(
    entry: &Entry<'_, '_>,
    node: Node,
    parse: impl Fn(&str) -> Option<T>,
    shape: &str,
    example: &str,
) -> Option<T> {
    let text = Located::<String>::take(entry, node)?;
    let rule = parse(&text.value);
    if rule.is_none() {
        entry.error_with(&text.place, format!("`{}`: not {shape}", entry.name), example);
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_admits_its_method_and_paths_and_nothing_else() {
        let rule = PassRule::parse("GET /files/*").unwrap();
        assert!(rule.admits("GET", "files/a/b") && rule.admits("GET", "files/"));
        for (method, path) in [("POST", "files/a"), ("GET", "files"), ("GET", "other/files/a"), ("get", "files/a")] {
            assert!(!rule.admits(method, path), "{method} {path}");
        }
        assert!(PassRule::parse("* *").unwrap().admits("DELETE", ""));
        let exact = PassRule::parse("POST  batches").unwrap();
        assert!(exact.admits("POST", "batches") && !exact.admits("POST", "batches/1"));
        assert_eq!(exact.to_string(), "POST batches");
    }

    #[test]
    fn a_clients_rule_names_the_provider_too() {
        let rule = ClientPassRule::parse("first * files*").unwrap();
        assert!(rule.admits("first", "PUT", "files") && !rule.admits("second", "PUT", "files"));
        assert!(ClientPassRule::parse("* * *").unwrap().admits("any", "GET", "x/y"));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["", "GET", "get files", "GET files more", "G3T x", "files"] {
            assert!(PassRule::parse(text).is_none(), "{text}");
        }
        for text in ["GET files", "p", "p get x"] {
            assert!(ClientPassRule::parse(text).is_none(), "{text}");
        }
    }
}
