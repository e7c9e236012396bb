//! The values of the headers by which answers name their target, made once for all of them.

use http::{HeaderMap, HeaderName, HeaderValue};

use weir_translate::dialect::reply::insert;

/// The names of a target as values of headers. A name that is no such value is left out.
#[derive(Debug, Clone, Default)]
pub struct ShownNames(Vec<HeaderValue>);

impl ShownNames {
    /// Prepares these names.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(|name| HeaderValue::from_str(name).ok()).collect())
    }

    /// Sets a header to a name; one that was not prepared is copied.
    pub(crate) fn put(&self, headers: &mut HeaderMap, header: &HeaderName, name: &str) {
        match self.0.iter().find(|known| known.as_bytes() == name.as_bytes()) {
            Some(value) => _ = headers.insert(header, value.clone()),
            None => insert(headers, header, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_set_whether_it_was_prepared_or_not() {
        let (shown, header) = (ShownNames::of(["zeta", "broken\n"]), HeaderName::from_static("x-name"));
        for (name, value) in [("zeta", Some("zeta")), ("another", Some("another")), ("broken\n", None)] {
            let mut headers = HeaderMap::new();
            shown.put(&mut headers, &header, name);
            assert_eq!(headers.get(&header).map(|value| value.to_str().unwrap()), value, "{name:?}");
        }
    }
}
