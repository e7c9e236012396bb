//! Figures of tokens, merged over an answer and taken apart into disjoint buckets.
//!
//! A place of the manifest has one figure: every value that is found at any of its pointers is merged into it, in the
//! order in which they come. A bucket is the sum of its places, each without the buckets that it includes. Providers do
//! report totals that are smaller than their parts: the parts are then cut, so that together they are no more than the
//! total. A bucket of which nothing was said stays unknown.

use super::TapError;
use crate::peek::Scalar;
use weir_types::contract::about::{Bucket, Merge, UsagePlace};
use weir_types::contract::types::Usage;

/// Tokens in disjoint buckets; none where nothing was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Input that was neither read from nor written to a cache.
    pub input: Option<u32>,
    /// Input read from a cache.
    pub cache_read: Option<u32>,
    /// Input written to a cache.
    pub cache_write: Option<u32>,
    /// Output without reasoning, or all of it where the provider does not tell them apart.
    pub output: Option<u32>,
    /// Reasoning.
    pub reasoning: Option<u32>,
}

impl From<Buckets> for Usage {
    fn from(buckets: Buckets) -> Self {
        let Buckets { input, cache_read, cache_write, output, reasoning } = buckets;
        Self { input, cache_read, cache_write, output, reasoning, extensions: Vec::new() }
    }
}

const ALL: [Bucket; 5] = [Bucket::Input, Bucket::CacheRead, Bucket::CacheWrite, Bucket::Output, Bucket::Reasoning];

/// Where a tap finds figures.
#[derive(Debug)]
pub(super) struct Places {
    places: Vec<Place>,
    /// The buckets, each behind those that it includes.
    order: Vec<Bucket>,
}

#[derive(Debug)]
struct Place {
    bucket: Bucket,
    merge: Merge,
    includes: Vec<Bucket>,
}

/// The figures of one answer, one for each place.
#[derive(Debug)]
pub(super) struct Figures(Vec<Option<u32>>);

impl Figures {
    pub(super) fn new(places: &Places) -> Self {
        Self(vec![None; places.places.len()])
    }

    /// Merges a value that was found at a place; what is no count says nothing.
    pub(super) fn add(&mut self, places: &Places, place: usize, value: &Scalar) {
        let (Some(count), Some(figure), Some(place)) =
            (value.as_count(), self.0.get_mut(place), places.places.get(place))
        else {
            return;
        };
        *figure = Some(match (*figure, place.merge) {
            (None, _) | (_, Merge::Last) => count,
            (Some(before), Merge::Max) => before.max(count),
            (Some(before), Merge::Sum) => before.saturating_add(count),
        });
    }
}

impl Places {
    pub(super) fn new(usage: &[UsagePlace]) -> Result<Self, TapError> {
        let mut places = Vec::new();
        for place in usage {
            let mut includes: Vec<Bucket> = Vec::new();
            for bucket in &place.includes {
                if !includes.contains(bucket) {
                    includes.push(*bucket);
                }
            }
            places.push(Place { bucket: place.bucket, merge: place.merge, includes });
        }
        Ok(Self { order: order(&places).ok_or(TapError::Circle)?, places })
    }

    pub(super) fn buckets(&self, figures: &Figures) -> Buckets {
        let mut buckets = Buckets::default();
        for bucket in &self.order {
            let mut sum: Option<u32> = None;
            for (place, figure) in self.places.iter().zip(&figures.0).filter(|(place, _)| place.bucket == *bucket) {
                let Some(figure) = *figure else { continue };
                let own = place.includes.iter().fold(figure, |left, bucket| cut(slot(&mut buckets, *bucket), left));
                sum = Some(sum.unwrap_or(0).saturating_add(own));
            }
            *slot(&mut buckets, *bucket) = sum;
        }
        buckets
    }
}

/// Cuts a part of a total to what is left of that, and returns what is left beside it.
fn cut(part: &mut Option<u32>, left: u32) -> u32 {
    let Some(part) = part else { return left };
    *part = (*part).min(left);
    left - *part
}

fn slot(buckets: &mut Buckets, bucket: Bucket) -> &mut Option<u32> {
    match bucket {
        Bucket::Input => &mut buckets.input,
        Bucket::CacheRead => &mut buckets.cache_read,
        Bucket::CacheWrite => &mut buckets.cache_write,
        Bucket::Output => &mut buckets.output,
        Bucket::Reasoning => &mut buckets.reasoning,
    }
}

/// All buckets, each behind those that it includes. None if some include each other.
fn order(places: &[Place]) -> Option<Vec<Bucket>> {
    let mut done: Vec<Bucket> = Vec::new();
    while done.len() < ALL.len() {
        let ready = |bucket: &Bucket| {
            let mut includes = places.iter().filter(|place| place.bucket == *bucket).flat_map(|place| &place.includes);
            !done.contains(bucket) && includes.all(|included| done.contains(included))
        };
        let next = ALL.into_iter().find(ready)?;
        done.push(next);
    }
    Some(done)
}
