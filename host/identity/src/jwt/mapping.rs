//! From a claim to a team, to models and to tags: where the claim stands, which of its values count, what they become.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::document::Pattern;

/// The most values of one claim that are looked at.
const MAX_VALUES: usize = 256;
/// The longest place of a claim in bytes.
const MAX_PATH_BYTES: usize = 512;
/// Stands in [`ClaimRule::values`] for what the star of the pattern matched.
const PLACE: &str = "{}";

/// Why a text is not the place of a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimPathError {
    /// It is empty or too long.
    #[error("the place of a claim has 1 to {MAX_PATH_BYTES} bytes, such as `/groups`")]
    Length,
    /// A `~` escapes nothing.
    #[error("`{0}`: `~` is written `~0` in a JSON pointer")]
    Tilde(String),
}

/// Where a claim stands: a JSON pointer (RFC 6901), such as `/realm_access/roles`. Names of claims may contain dots and
/// whole addresses, so they are not separated by dots.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ClaimPath {
    text: String,
    steps: Vec<String>,
}

impl ClaimPath {
    /// Parses a pointer. A text without a slash at its start is the name of a claim.
    ///
    /// # Errors
    ///
    /// The text is empty, too long, or has a `~` that escapes nothing.
    pub fn parse(text: &str) -> Result<Self, ClaimPathError> {
        if text.is_empty() || text.len() > MAX_PATH_BYTES {
            return Err(ClaimPathError::Length);
        }
        let Some(pointer) = text.strip_prefix('/') else {
            return Ok(Self { text: text.to_owned(), steps: vec![text.to_owned()] });
        };
        let is_escape = |rest: &str| rest.starts_with('0') || rest.starts_with('1');
        if pointer.split('~').skip(1).any(|rest| !is_escape(rest)) {
            return Err(ClaimPathError::Tilde(text.to_owned()));
        }
        let steps = pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The pointer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.steps.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

impl From<ClaimPath> for String {
    fn from(path: ClaimPath) -> Self {
        path.text
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = ClaimPathError;

    fn try_from(text: String) -> Result<Self, ClaimPathError> {
        Self::parse(&text)
    }
}

/// Turns the values of a claim into names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRule {
    /// Where the values are in the token.
    pub claim: ClaimPath,
    /// The values that count: a name, or a pattern with one `*`. All, if unset.
    #[serde(default = "any")]
    pub pattern: String,
    /// What a value becomes; `{}` is what the `*` matched, or the whole value if the pattern has none.
    #[serde(default = "itself")]
    pub values: Vec<String>,
    /// Whether the claim is a list of words in one text, as `scope` is.
    #[serde(default)]
    pub split: bool,
}

fn any() -> String {
    "*".to_owned()
}

fn itself() -> Vec<String> {
    vec![PLACE.to_owned()]
}

impl ClaimRule {
    /// A rule that takes a claim's values as they are.
    ///
    /// # Errors
    ///
    /// The place of the claim is no JSON pointer.
    pub fn of(claim: &str) -> Result<Self, ClaimPathError> {
        Ok(Self { claim: ClaimPath::parse(claim)?, pattern: any(), values: itself(), split: false })
    }

    /// What is wrong with the rule, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.pattern.is_empty() || self.pattern.matches('*').count() > 1 {
            return Some("a pattern of a claim's values has one `*` at most, and is not empty");
        }
        self.values.is_empty().then_some("`values` is empty, so that nothing would come of the claim")
    }

    /// Whether any value of the claim fits.
    pub(crate) fn fits(&self, claims: &Map<String, Value>) -> bool {
        self.captures(claims).next().is_some()
    }

    /// The names that come of the claim.
    pub(crate) fn names(&self, claims: &Map<String, Value>) -> Vec<String> {
        let of = |capture: String| self.values.iter().map(move |value| value.replace(PLACE, &capture));
        self.captures(claims).flat_map(of).take(MAX_VALUES).collect()
    }

    /// The patterns of models that come of the claim. Stars come from the rule only: one within a claim would be a
    /// right that its holder perhaps wrote.
    pub(super) fn models(&self, claims: &Map<String, Value>) -> Vec<Pattern> {
        let captures = self.captures(claims).filter(|capture| !capture.contains('*'));
        let of = |capture: String| self.values.iter().map(move |value| value.replace(PLACE, &capture));
        captures.flat_map(of).take(MAX_VALUES).filter_map(|text| Pattern::parse(&text).ok()).collect()
    }

    /// What the star matched in each value that fits.
    fn captures<'a>(&'a self, claims: &'a Map<String, Value>) -> impl Iterator<Item = String> + 'a {
        let value = self.claim.find(claims);
        let list = match value {
            Some(Value::Array(items)) => items.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        let words = list.iter().filter_map(text).flat_map(move |text| {
            if self.split { text.split_ascii_whitespace().map(str::to_owned).collect() } else { vec![text] }
        });
        words.take(MAX_VALUES).filter_map(|word| self.capture(&word).map(str::to_owned))
    }

    fn capture<'a>(&self, value: &'a str) -> Option<&'a str> {
        match self.pattern.split_once('*') {
            Some((front, back)) => value.strip_prefix(front)?.strip_suffix(back),
            None => (self.pattern == value).then_some(value),
        }
    }
}

/// A plain value as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
