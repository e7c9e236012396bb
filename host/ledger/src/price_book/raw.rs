//! The JSON of a price file, with members in order, repeated names kept, and amounts as they are written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in order; a name may be repeated.
#[derive(Debug)]
pub(super) struct Members<'a, T>(pub(super) Vec<(Cow<'a, str>, T)>);

impl<T> Default for Members<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A file of prices as it is written, before its rules are checked.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile<'a> {
    #[serde(default, rename = "about")]
    _about: Option<String>,
    #[serde(default, rename = "source")]
    _source: Option<String>,
    #[serde(default, rename = "licence")]
    _licence: Option<String>,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default, borrow)]
    pub(super) tiers: Members<'a, Members<'a, Vec<String>>>,
    #[serde(default, borrow)]
    pub(super) providers: Members<'a, Members<'a, Offers<'a>>>,
    #[serde(default, borrow)]
    pub(super) rules: Vec<RawOffer<'a>>,
}

/// The members of an offer.
pub(super) type RawOffer<'a> = Members<'a, &'a RawValue>;

/// A model's offers: a list, or one alone.
#[derive(Debug)]
pub(super) struct Offers<'a>(pub(super) Vec<RawOffer<'a>>);

/// An amount with its `per`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAmount<'a> {
    #[serde(borrow)]
    pub(super) amount: &'a RawValue,
    #[serde(default)]
    pub(super) per: Option<u64>,
}

/// Conditions.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWhen {
    pub(super) context_over: Option<u64>,
    pub(super) service_tier: Option<String>,
    pub(super) batch: Option<bool>,
    pub(super) cache_minutes: Option<u32>,
    pub(super) region: Option<String>,
    pub(super) variant: Option<String>,
    pub(super) hours: Option<Vec<String>>,
}

/// Reads a name without copying it, where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

fn members<'de, T: Deserialize<'de>, A: MapAccess<'de>>(mut map: A) -> Result<Members<'de, T>, A::Error> {
    let mut members = Vec::new();
    while let Some((Name(name), value)) = map.next_entry()? {
        members.push((name, value));
    }
    Ok(Members(members))
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Members<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for MembersVisitor<T> {
            type Value = Members<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                members(map)
            }
        }
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Offers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OffersVisitor;
        impl<'de> Visitor<'de> for OffersVisitor {
            type Value = Offers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an offer or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(Offers(vec![members(map)?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut offers = Vec::new();
                while let Some(offer) = list.next_element()? {
                    offers.push(offer);
                }
                Ok(Offers(offers))
            }
        }
        deserializer.deserialize_any(OffersVisitor)
    }
}
