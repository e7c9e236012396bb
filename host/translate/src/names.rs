//! The field names of a request in its client's spelling.
//!
//! Providers name a lost field by its path in the unified model (`messages[1].content[0]`). A dialect may state how
//! its format spells these paths, in an extension of the request with the host's own format: a list of pairs of a
//! pattern and its replacement. The host removes the extension before another adapter sees the request.

use weir_types::contract::types::{ChatRequest, Error, Loss};

/// The extension's format and key.
const FORMAT: &str = "weir";
const KEY: &str = "names";
/// The most bytes of the list, and the most pairs.
const SIZE: usize = 16 * 1024;
const PAIRS: usize = 256;

/// How a client's format spells the fields of one request, as JSON. It is parsed only when a field is named.
#[derive(Debug, Clone, Default)]
pub struct Names(Option<String>);

impl Names {
    /// Removes the extension from a request and keeps its pairs.
    pub fn take(request: &mut ChatRequest) -> Self {
        let is_names = |one: &_| is_names(one);
        let Some(at) = request.extensions.iter().position(is_names) else { return Self::default() };
        let json = request.extensions.remove(at).json;
        request.extensions.retain(|one| !is_names(one));
        Self(Some(json).filter(|json| json.len() <= SIZE))
    }

    /// Rewrites the fields of losses in the client's spelling.
    pub fn spell(&self, losses: &mut [Loss]) {
        // Most requests lose nothing, and their dialects' pairs are then not parsed.
        if losses.is_empty() {
            return;
        }
        let Some(pairs) = self.pairs() else { return };
        for loss in losses {
            if let Some(spelled) = spelled(&pairs, &loss.field) {
                loss.field = spelled;
            }
        }
    }

    /// Rewrites an error's parameter in the client's spelling.
    pub fn spell_error(&self, error: &mut Error) {
        let Some(param) = &mut error.param else { return };
        if let Some(spelled) = self.pairs().and_then(|pairs| spelled(&pairs, param)) {
            *param = spelled;
        }
    }

    fn pairs(&self) -> Option<Vec<(String, String)>> {
        let pairs: Vec<(String, String)> = serde_json::from_str(self.0.as_deref()?).ok()?;
        (pairs.len() <= PAIRS).then_some(pairs)
    }
}

fn is_names(extension: &weir_types::contract::types::Extension) -> bool {
    extension.format == FORMAT && extension.key == KEY
}

/// The field rewritten by the first pattern that matches its beginning.
fn spelled(pairs: &[(String, String)], field: &str) -> Option<String> {
    pairs.iter().find_map(|(pattern, replacement)| {
        let (numbers, rest) = fits(pattern, field)?;
        Some(fill(replacement, &numbers)? + rest)
    })
}

/// Matches a field's beginning against a pattern in which `#` stands for a number. Returns the numbers and the rest
/// of the field.
fn fits<'f>(pattern: &str, mut field: &'f str) -> Option<(Vec<usize>, &'f str)> {
    let mut numbers = Vec::new();
    for (at, piece) in pattern.split('#').enumerate() {
        if at > 0 {
            let digits = field.bytes().take_while(u8::is_ascii_digit).count();
            numbers.push(field.get(..digits)?.parse().ok()?);
            field = field.get(digits..)?;
        }
        field = field.strip_prefix(piece)?;
    }
    (field.is_empty() || field.starts_with(['.', '['])).then_some((numbers, field))
}

/// Fills a replacement's numbers in: `#0` is the first, `#1` the second, `#0-1` one less than the first.
fn fill(replacement: &str, numbers: &[usize]) -> Option<String> {
    let mut pieces = replacement.split('#');
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let mut rest = piece.chars();
        let number = *numbers.get(rest.next()?.to_digit(10)? as usize)?;
        let behind = rest.as_str();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = match behind.strip_prefix('-') {
            Some(less) if digits(less) > 0 => {
                let (less, behind) = less.split_at(digits(less));
                (number.checked_sub(less.parse().ok()?)?, behind)
            }
            _ => (number, behind),
        };
        out.push_str(&number.to_string());
        out.push_str(behind);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(field: &str) -> String {
        let pairs = [
            ("messages[0].content", "system"),
            ("messages[#].content[#]", "turns[#0-1].parts[#1]"),
            ("messages[#]", "turns[#0-1]"),
            ("stop", "ends"),
        ];
        let pairs = pairs.map(|(pattern, replacement)| (pattern.to_owned(), replacement.to_owned()));
        spelled(&pairs, field).unwrap_or_else(|| field.to_owned())
    }

    #[test]
    fn the_first_matching_pattern_spells_a_field() {
        for (field, expected) in [
            ("messages[0].content[2].hint", "system[2].hint"),
            ("messages[12].content[3].name", "turns[11].parts[3].name"),
            ("messages[1].name", "turns[0].name"),
            ("messages[0].name", "messages[0].name"),
            ("stop", "ends"),
            ("stopped", "stopped"),
            ("messages[]", "messages[]"),
            ("messages[99999999999999999999999]", "messages[99999999999999999999999]"),
        ] {
            assert_eq!(named(field), expected);
        }
    }

    #[test]
    fn no_pattern_or_replacement_breaks_anything() {
        for pattern in ["", "#", "##", "[#", "é#", "messages[#"] {
            for replacement in ["", "#", "#9", "#0-", "#0-99999999999999999999", "#é", "a#0-1b"] {
                let pairs = [(pattern.to_owned(), replacement.to_owned())];
                for field in ["", "0", "12", "messages[1]", "é1", "[7.x"] {
                    spelled(&pairs, field);
                }
            }
        }
    }
}
