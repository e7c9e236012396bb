//! Path patterns of faces, such as `/v1/messages`, `/v1/models/{model...}` and
//! `/v1beta/models/{model}:generateContent`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A compiled path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// A placeholder with the literal text around it.
    Placeholder {
        before: String,
        name: String,
        after: String,
    },
    /// A placeholder that also matches slashes; only a pattern's last segment may be one.
    Greedy {
        before: String,
        name: String,
        after: String,
    },
}

/// Why a pattern is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern does not begin with a slash.
    #[error("path `{0}` does not begin with `/`")]
    Relative(String),
    /// A segment has a brace without its partner, or several placeholders.
    #[error("path `{0}` has a segment that is not text, `{{name}}` or `{{name...}}`")]
    Segment(String),
}

/// The values of a matched pattern's placeholders, percent-decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathParams(Vec<(String, String)>);

impl PathParams {
    /// The value of one placeholder.
    pub fn of(name: &str, value: &str) -> Self {
        Self(vec![(name.to_owned(), value.to_owned())])
    }

    /// The value of a placeholder.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(placeholder, _)| placeholder == name).map(|(_, value)| value.as_str())
    }
}

impl Pattern {
    /// Compiles a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(rest) = text.strip_prefix('/') else { return Err(PatternError::Relative(text.to_owned())) };
        let segments = rest.split('/').map(|segment| Segment::parse(segment, text)).collect::<Result<Vec<_>, _>>()?;
        let inner_greedy = segments.iter().rev().skip(1).any(|segment| matches!(segment, Segment::Greedy { .. }));
        if inner_greedy { Err(PatternError::Segment(text.to_owned())) } else { Ok(Self { segments }) }
    }

    /// Whether the pattern has no placeholders, so that a path matches only if it is equal.
    pub(crate) fn is_literal(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// Whether text follows the placeholder in the last segment, as in `{model}:generateContent`.
    pub(crate) fn ends_in_verb(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Placeholder { after, .. } | Segment::Greedy { after, .. }) if !after.is_empty())
    }

    /// How specific the pattern is: it grows with the literal text.
    pub fn weight(&self) -> usize {
        let literal = |segment: &Segment| match segment {
            Segment::Literal(text) => 2 * text.len() + 2,
            Segment::Placeholder { before, after, .. } => 2 * (before.len() + after.len()) + 1,
            Segment::Greedy { before, after, .. } => 2 * (before.len() + after.len()),
        };
        self.segments.iter().map(literal).sum()
    }

    /// Whether a path may match both patterns. Errs towards `true`.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        overlap(&self.segments, &other.segments)
    }

    /// The values of the placeholders if `path` matches. A placeholder never matches an empty text.
    pub fn matches(&self, path: &str) -> Option<PathParams> {
        self.matched(path, Segment::matches)
    }

    /// The same, with the literal text in any case, as some servers compare it.
    pub fn matches_in_any_case(&self, path: &str) -> Option<PathParams> {
        self.matched(path, Segment::matches_in_any_case)
    }

    fn matched(
        &self,
        path: &str,
        is_like: impl Fn(&Segment, &str, &mut PathParams) -> Option<()>,
    ) -> Option<PathParams> {
        let mut placeholders = PathParams::default();
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &self.segments {
            let text = rest?;
            let (piece, after) = match (segment, text.split_once('/')) {
                (Segment::Literal(_) | Segment::Placeholder { .. }, Some((piece, after))) => (piece, Some(after)),
                (Segment::Greedy { .. }, _) | (_, None) => (text, None),
            };
            is_like(segment, piece, &mut placeholders)?;
            rest = after;
        }
        rest.is_none().then_some(placeholders)
    }
}

fn overlap(one: &[Segment], other: &[Segment]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([greedy @ Segment::Greedy { .. }], rest @ [first, ..])
        | (rest @ [first, ..], [greedy @ Segment::Greedy { .. }]) => {
            let last = rest.last().unwrap_or(first);
            greedy.starts_like(first) && greedy.ends_like(last)
        }
        ([first, one @ ..], [second, other @ ..]) => {
            first.starts_like(second) && first.ends_like(second) && first.may_be(second) && overlap(one, other)
        }
        _ => false,
    }
}

impl Segment {
    /// The literal text at the segment's beginning and at its end.
    fn edges(&self) -> (&str, &str) {
        match self {
            Self::Literal(text) => (text, text),
            Self::Placeholder { before, after, .. } | Self::Greedy { before, after, .. } => (before, after),
        }
    }

    fn starts_like(&self, other: &Self) -> bool {
        let (one, other) = (self.edges().0, other.edges().0);
        one.starts_with(other) || other.starts_with(one)
    }

    fn ends_like(&self, other: &Self) -> bool {
        let (one, other) = (self.edges().1, other.edges().1);
        one.ends_with(other) || other.ends_with(one)
    }

    /// Whether two literals are equal, or a literal is long enough to fill the other segment's placeholder.
    fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => one == other,
            (Self::Literal(text), placeholder) | (placeholder, Self::Literal(text)) => {
                let (before, after) = placeholder.edges();
                text.len() > before.len() + after.len()
            }
            _ => true,
        }
    }

    fn parse(segment: &str, whole: &str) -> Result<Self, PatternError> {
        let broken = || PatternError::Segment(whole.to_owned());
        let Some((before, rest)) = segment.split_once('{') else {
            return if segment.contains('}') { Err(broken()) } else { Ok(Self::Literal(segment.to_owned())) };
        };
        let (name, after) = rest.split_once('}').ok_or_else(broken)?;
        let (before, after) = (before.to_owned(), after.to_owned());
        if name.contains('{') || after.contains(['{', '}']) || name.is_empty() {
            return Err(broken());
        }
        Ok(match name.strip_suffix("...") {
            Some(name) => Self::Greedy { before, name: name.to_owned(), after },
            None => Self::Placeholder { before, name: name.to_owned(), after },
        })
    }

    fn matches(&self, piece: &str, placeholders: &mut PathParams) -> Option<()> {
        match self {
            Self::Literal(text) => (text == piece).then_some(()),
            Self::Placeholder { before, name, after } | Self::Greedy { before, name, after } => {
                fill(name, piece.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?, placeholders)
            }
        }
    }

    fn matches_in_any_case(&self, piece: &str, placeholders: &mut PathParams) -> Option<()> {
        match self {
            Self::Literal(text) => text.eq_ignore_ascii_case(piece).then_some(()),
            Self::Placeholder { before, name, after } | Self::Greedy { before, name, after } => {
                let (start, rest) = piece.split_at_checked(before.len())?;
                let (value, end) = rest.split_at_checked(rest.len().checked_sub(after.len())?)?;
                let is_like = start.eq_ignore_ascii_case(before) && end.eq_ignore_ascii_case(after);
                is_like.then(|| fill(name, value, placeholders))?
            }
        }
    }
}

/// Notes the value of a placeholder, which is never empty.
fn fill(name: &str, value: &str, placeholders: &mut PathParams) -> Option<()> {
    let decoded: Cow<'_, str> = percent_decode_str(value).decode_utf8().ok()?;
    (!decoded.is_empty()).then(|| placeholders.0.push((name.to_owned(), decoded.into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder(pattern: &str, path: &str) -> Option<String> {
        Pattern::parse(pattern)
            .unwrap()
            .matches(path)
            .map(|placeholders| placeholders.get("model").unwrap_or("").to_owned())
    }

    #[test]
    fn placeholders_take_one_segment_and_greedy_ones_take_all() {
        assert_eq!(placeholder("/v1/models/{model}", "/v1/models/gpt-4o").as_deref(), Some("gpt-4o"));
        assert_eq!(placeholder("/v1/models/{model}", "/v1/models/a/b"), None);
        assert_eq!(placeholder("/v1/models/{model...}", "/v1/models/a/b").as_deref(), Some("a/b"));
        assert_eq!(placeholder("/v1/models/{model}", "/v1/models/a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(placeholder("/v1/models/{model}", "/v1/models/"), None);
    }

    #[test]
    fn a_suffix_belongs_to_the_pattern() {
        let pattern = "/zeta/v0/minds/{model}:parley";
        assert_eq!(placeholder(pattern, "/zeta/v0/minds/sage-2.5:parley").as_deref(), Some("sage-2.5"));
        assert_eq!(placeholder(pattern, "/zeta/v0/minds/sage-2.5:tally"), None);
    }

    #[test]
    fn any_case_of_the_literal_text_matches_where_that_is_asked_for() {
        let of = |pattern: &str, path: &str| {
            let found = Pattern::parse(pattern).unwrap().matches_in_any_case(path);
            found.map(|placeholders| placeholders.get("model").unwrap_or("").to_owned())
        };
        assert_eq!(of("/chat/completions", "/Chat/COMPLETIONS").as_deref(), Some(""));
        assert_eq!(of("/chat/completions", "/chat/completion"), None);
        assert_eq!(of("/models/{model}:generateContent", "/Models/Sage:GENERATECONTENT").as_deref(), Some("Sage"));
        assert_eq!(of("/models/{model}:generateContent", "/models/:generateContent"), None);
        assert_eq!(of("/a{model...}b", "/Ax/yB").as_deref(), Some("x/y"));
        assert_eq!(of("/ab{model}", "/\u{e4}\u{e4}"), None);
    }

    #[test]
    fn literal_paths_match_only_themselves() {
        assert_eq!(placeholder("/v1/messages", "/v1/messages").as_deref(), Some(""));
        assert_eq!(placeholder("/v1/messages", "/v1/messages/count_tokens"), None);
        assert_eq!(placeholder("/v1/messages", "/v1"), None);
    }

    #[test]
    fn more_literal_text_weighs_more() {
        let weight = |text| Pattern::parse(text).unwrap().weight();
        assert!(weight("/v1/models/{model}:generateContent") > weight("/v1/models/{model}"));
        assert!(weight("/v1/models/{model}") > weight("/v1/models/{model...}"));
    }

    #[test]
    fn broken_patterns_are_refused() {
        for text in ["v1", "/a}", "/{", "/{a}{b}", "/{a...}/b", "/{}"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
