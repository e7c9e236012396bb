//! Urls that adapters suggest, with placeholders for values that only the operator knows.

/// A text with its `{PLACEHOLDERS}` filled; `None` if one has no value.
pub(super) fn filled<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        let (placeholder, after) = from.split_once('}')?;
        whole.push_str(before);
        whole.push_str(value(placeholder)?);
        rest = after;
    }
    whole.push_str(rest);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once_and_all_or_none() {
        let value = |placeholder: &str| match placeholder {
            "region" => Some("r-1"),
            "option.x" => Some("{region}"),
            _ => None,
        };
        assert_eq!(filled("https://{region}.test/{option.x}", value).as_deref(), Some("https://r-1.test/{region}"));
        assert_eq!(filled("https://plain.test/", value).as_deref(), Some("https://plain.test/"));
        assert_eq!(filled("https://{other}.test/", value), None);
        assert_eq!(filled("https://{region", value), None);
    }
}
