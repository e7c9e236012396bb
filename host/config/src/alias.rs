//! Aliases of models: exact names and globs, and the look-up that each request makes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Model;

/// A name that clients use, or a pattern of names in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Alias {
    /// An exact name: `gpt-4o`.
    Exact(String),
    /// A prefix, `gpt-*`: the text before the star, which is not empty.
    Prefix(String),
    /// Any other pattern, `*-mini` or `a*b*c`: the whole pattern.
    Glob(String),
    /// Every name: `*`.
    Any,
}

impl Alias {
    /// Parses an alias. Every text is valid.
    pub fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Any;
        }
        match text.find('*') {
            None => Self::Exact(text.to_owned()),
            Some(star) if star + 1 == text.len() => Self::Prefix(text[..star].to_owned()),
            Some(_) => Self::Glob(text.to_owned()),
        }
    }

    /// The exact name; `None` for a pattern.
    pub fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(name) => Some(name),
            _ => None,
        }
    }

    /// Whether the alias matches a client's name for a model.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(alias) => alias == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
            Self::Glob(pattern) => glob_matches(pattern, name),
            Self::Any => true,
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) | Self::Glob(text) => f.write_str(text),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// All models, found by the name that a client uses.
#[derive(Debug, Clone, Default)]
pub struct Aliases {
    models: Vec<Arc<Model>>,
    exact: HashMap<String, Arc<Model>, RandomState>,
    /// Prefixes, the longest first.
    prefixes: Vec<(String, Arc<Model>)>,
    /// Other patterns, those with the most letters first.
    globs: Vec<(String, Arc<Model>)>,
    any: Option<Arc<Model>>,
}

impl Aliases {
    /// Builds the index. Of two models with the same alias, the first is found.
    pub fn new(models: Vec<Arc<Model>>) -> Self {
        let mut aliases = Self::default();
        for model in &models {
            let model = Arc::clone(model);
            match model.alias.clone() {
                Alias::Exact(name) => {
                    aliases.exact.entry(name).or_insert(model);
                }
                Alias::Prefix(prefix) => aliases.prefixes.push((prefix, model)),
                Alias::Glob(pattern) => aliases.globs.push((pattern, model)),
                Alias::Any => {
                    aliases.any.get_or_insert(model);
                }
            }
        }
        // Both sorts are stable: the file's order decides between equals.
        aliases.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        aliases.globs.sort_by_key(|(pattern, _)| std::cmp::Reverse(letters(pattern)));
        aliases.models = models;
        aliases
    }

    /// Whether a model has this name itself, rather than by a pattern.
    pub(super) fn has_exactly(&self, name: &str) -> bool {
        self.exact.contains_key(name)
    }

    /// The model for a client's name: by exact name, longest prefix, any other pattern, `*`. Allocates nothing.
    pub fn lookup(&self, name: &str) -> Option<&Arc<Model>> {
        if let Some(model) = self.exact.get(name) {
            return Some(model);
        }
        let prefix = self.prefixes.iter().find(|(prefix, _)| name.starts_with(prefix.as_str()));
        let found = prefix.or_else(|| self.globs.iter().find(|(pattern, _)| glob_matches(pattern, name)));
        found.map(|(_, model)| model).or(self.any.as_ref())
    }

    /// All models, in the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Model>> {
        self.models.iter()
    }

    /// The number of models.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether there are no models.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl<'a> IntoIterator for &'a Aliases {
    type Item = &'a Arc<Model>;
    type IntoIter = std::slice::Iter<'a, Arc<Model>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn letters(pattern: &str) -> usize {
    pattern.bytes().filter(|byte| *byte != b'*').count()
}

/// Whether the pattern matches the name, with `*` for any text. At most pattern times name steps.
pub(super) fn glob_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to continue after a mismatch: after the last star, which then stands for one more byte.
    let mut again: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                again = Some((p + 1, n));
                p += 1;
            }
            Some(letter) if letter == byte => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((after_star, start)) = again else { return false };
                again = Some((after_star, start + 1));
                p = after_star;
                n = start + 1;
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|letter| *letter == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn aliases(names: &[&str]) -> Aliases {
        let model = |name: &&str| Arc::new(Model { alias: Alias::parse(name), ..Model::default() });
        Aliases::new(names.iter().map(model).collect())
    }

    fn found(aliases: &Aliases, name: &str) -> String {
        aliases.lookup(name).map_or_else(|| "-".to_owned(), |model| model.alias.to_string())
    }

    #[test]
    fn exact_beats_prefix_beats_glob_beats_any() {
        let all = aliases(&["*", "*-mini", "g*-mini", "gpt-*", "gpt-4*", "gpt-4o"]);
        assert_eq!(found(&all, "gpt-4o"), "gpt-4o");
        assert_eq!(found(&all, "gpt-4o-mini"), "gpt-4*");
        assert_eq!(found(&all, "gpt-3"), "gpt-*");
        assert_eq!(found(&all, "grok-mini"), "g*-mini");
        assert_eq!(found(&all, "o4-mini"), "*-mini");
        assert_eq!(found(&all, "llama"), "*");
    }

    #[test]
    fn a_name_that_nothing_matches_is_not_found() {
        assert_eq!(found(&aliases(&["sage-*", "fool"]), "fool-3"), "-");
        assert_eq!(found(&aliases(&[]), ""), "-");
    }

    #[test]
    fn aliases_print_as_they_were_written() {
        for text in ["gpt-4o", "gpt-*", "*-x", "a*b*", "*", "**"] {
            assert_eq!(Alias::parse(text).to_string(), text);
        }
    }

    /// The plain definition of a match, however slow.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|at| slow(rest, &name[at..])),
            Some((letter, rest)) => name.split_first().is_some_and(|(byte, tail)| byte == letter && slow(rest, tail)),
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_their_definition(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(glob_matches(&pattern, &name), slow(pattern.as_bytes(), name.as_bytes()));
            prop_assert_eq!(Alias::parse(&pattern).matches(&name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
