//! Header values with parameters: `form-data; name="x"; filename="y"`.

/// A value and its parameters, with names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters<'a> {
    pub(super) value: &'a str,
    all: Vec<(String, String)>,
}

impl<'a> Parameters<'a> {
    /// Parses a value; `None` if it is malformed, or uses escapes that parsers read differently.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (value, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let mut all = Vec::new();
        while !rest.trim().is_empty() {
            let (name, after) = rest.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte)) {
                return None;
            }
            let (value, after) = Self::value(after, name == "filename")?;
            all.push((name, value));
            rest = after;
        }
        Some(Self { value: value.trim(), all })
    }

    /// Parses the value of a parameter, and returns the text after its semicolon. In the name of a file, a backslash
    /// that escapes nothing is kept, because some clients send whole paths.
    fn value(text: &str, is_lenient: bool) -> Option<(String, &str)> {
        let text = text.trim_start();
        let Some(quoted) = text.strip_prefix('"') else {
            let (value, rest) = text.split_once(';').unwrap_or((text, ""));
            let value = value.trim();
            let is_plain = !value.contains(['"', '\\', ' ', '\t', '=']);
            return (is_plain && !value.is_empty()).then(|| (value.to_owned(), rest));
        };
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    let rest = quoted.get(at + 1..)?.trim_start();
                    return if rest.is_empty() { Some((value, "")) } else { Some((value, rest.strip_prefix(';')?)) };
                }
                '\\' if characters.as_str().starts_with(['"', '\\']) => value.push(characters.next()?.1),
                '\\' if !is_lenient => return None,
                other => value.push(other),
            }
        }
        None
    }

    /// The values of all parameters of these names.
    pub(super) fn of(&self, names: &[&str]) -> Vec<&str> {
        self.all.iter().filter(|(known, _)| names.contains(&known.as_str())).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a parameter is given encoded or in pieces (`name*`, `name*0`: RFC 2231), which some parsers put together
    /// and others leave out.
    pub(super) fn is_split(&self, name: &str) -> bool {
        self.all.iter().any(|(known, _)| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('*')))
    }

    /// A parameter that may occur at most once.
    pub(super) fn only(&self, name: &str) -> Result<Option<&str>, DuplicateParameter> {
        let mut values = self.all.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() { Err(DuplicateParameter) } else { Ok(value) }
    }
}

/// Error: a parameter occurs twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DuplicateParameter;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(&str, Vec<(String, String)>)> {
        Parameters::parse(text).map(|parameters| (parameters.value, parameters.all))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_have_parameters_plain_and_quoted() {
        for (text, value, expected) in [
            (
                " form-data; name=\"a;b\"; FileName=\"C:\\x\\y\"",
                "form-data",
                pairs(&[("name", "a;b"), ("filename", "C:\\x\\y")]),
            ),
            ("form-data;name=model", "form-data", pairs(&[("name", "model")])),
            ("a; b=\"x\\\"y\\\\\" ; c = d;", "a", pairs(&[("b", "x\"y\\"), ("c", "d")])),
            ("a", "a", Vec::new()),
        ] {
            assert_eq!(parsed(text), Some((value, expected)), "{text}");
        }
    }

    #[test]
    fn ambiguous_values_are_none() {
        for text in
            ["a; name=\"mod\\el\"", "a; name=\"x", "a; name", "a; name=", "a; name=\"x\"y", "a; na me=x", "a; name=x y"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
        assert_eq!(Parameters::parse("a; name=x; name=y").unwrap().only("name"), Err(DuplicateParameter));
    }
}
