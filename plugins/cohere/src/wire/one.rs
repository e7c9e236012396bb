//! A value that some frames wrap in a list.

use weir_sdk::json::RawValue;
use weir_sdk::serde::de::{Deserialize, Deserializer, Error as _};

/// The value, or the first of a list of such values, if there is one.
#[derive(Debug, Clone)]
pub(crate) struct One<T>(pub(crate) Option<T>);

impl<T> Default for One<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        let read = |raw: &'de RawValue| weir_sdk::json::parse::<T>(raw.get()).map_err(D::Error::custom);
        if !raw.get().starts_with('[') {
            return read(raw).map(|one| Self(Some(one)));
        }
        let list = weir_sdk::json::list(raw).unwrap_or_default();
        list.first().map(|first| read(first)).transpose().map(Self)
    }
}
