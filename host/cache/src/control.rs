//! What a request wishes of the cache: the directives of `cache-control` (RFC 9111, 5.2.1).

use std::time::Duration;

/// The directives that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Control {
    /// Kept answers are not used.
    pub no_cache: bool,
    /// The answer is not kept.
    pub no_store: bool,
    /// The oldest answer that is used.
    pub max_age: Option<Duration>,
    /// The request is answered from the cache, or not at all.
    pub only_if_cached: bool,
}

impl Control {
    /// Reads the values of the header. Unknown directives are ignored; an age that is no number counts as 0.
    pub fn read<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut control = Self::default();
        for directive in values.into_iter().flat_map(|value| value.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" => control.no_cache = true,
                "no-store" => control.no_store = true,
                "only-if-cached" => control.only_if_cached = true,
                "max-age" => {
                    let seconds = value.trim().trim_matches('"').parse().unwrap_or_default();
                    let age = Duration::from_secs(seconds);
                    control.max_age = Some(control.max_age.map_or(age, |other| other.min(age)));
                }
                _ => {}
            }
        }
        control
    }

    /// Whether a kept answer of this age may be used.
    pub fn takes(&self, age: Duration) -> bool {
        !self.no_cache && self.max_age.is_none_or(|most| age <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_in_any_spelling() {
        let control = Control::read(["No-Cache, max-age = \"60\"", "private,only-if-cached", "max-age=30"]);
        let max_age = Some(Duration::from_secs(30));
        assert_eq!(control, Control { no_cache: true, no_store: false, max_age, only_if_cached: true });
        assert_eq!(Control::read([]), Control::default());
        assert!(Control::read(["no-store"]).no_store);
    }

    #[test]
    fn an_answer_that_is_too_old_is_not_taken() {
        let control = Control::read(["max-age=10"]);
        assert!(control.takes(Duration::from_secs(10)) && !control.takes(Duration::from_secs(11)));
        assert!(!Control::read(["max-age=soon"]).takes(Duration::from_secs(1)));
        assert!(!Control::read(["no-cache"]).takes(Duration::ZERO));
    }
}
