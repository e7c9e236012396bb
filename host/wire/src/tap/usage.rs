//! Figures of tokens, merged over an answer and taken apart into disjoint buckets; and the numbers of units.
//!
//! A place of the manifest has one figure: every value that is found at any of its pointers is merged into it, in the
//! order in which they come. A bucket is the sum of its places, each without the buckets that it includes. Providers do
//! report totals that are smaller than their parts: the parts are then cut, so that together they are no more than the
//! total. A bucket that no figure names stays unknown.
//!
//! If a bucket is divided as a figure is (audio of the prompt, audio of its cached part), the figure includes the part
//! of its own kind alone. A figure that includes its own bucket is the total of the bucket's other places.
//!
//! A report that lists its parts, of which some place is the sum (`/usage/calls/*/in`), is the account of the whole:
//! its figures replace earlier ones, also greater ones. What the answer's beginning reported may be in the list as one
//! of the parts.
//!
//! The last input counts where a provider corrects it, but none at all in the place of some does only where the same
//! report has tokens of the cache in its place: some providers write 0 in all reports but the first.

use super::TapError;
use crate::peek::{Found, Hit, Scalar, TestError, Wanted};
use weir_types::contract::about::{Bucket, Merge, PointerEquals, UnitPlace, UsagePlace};
use weir_types::contract::types::UnitCount;
use weir_types::tokens::Tokens;

/// The places of a tap's figures.
#[derive(Debug)]
pub(super) struct Places {
    tokens: Vec<Place>,
    /// The numbers of the places, each after those whose buckets it includes.
    order: Vec<usize>,
    units: Vec<UnitPlace>,
}

#[derive(Debug)]
struct Place {
    bucket: Bucket,
    merge: Merge,
    includes: Vec<Included>,
    headers: Vec<String>,
    /// Whether it is a sum over the parts of a report.
    is_of_parts: bool,
}

/// What a figure includes.
#[derive(Debug)]
struct Included {
    bucket: Bucket,
    /// The places of the bucket whose figures count beside the same value as this one. Empty if there are none: the
    /// figure then includes the whole bucket.
    alike: Vec<usize>,
}

impl Included {
    fn of(place: &UsagePlace, bucket: Bucket, all: &[UsagePlace]) -> Self {
        let is_alike = |other: &UsagePlace| other.bucket == bucket && other.beside == place.beside;
        let is_told_apart = place.beside.is_some() && bucket != place.bucket;
        let numbers = all.iter().enumerate().filter(|(_, other)| is_told_apart && is_alike(other));
        Self { bucket, alike: numbers.map(|(number, _)| number).collect() }
    }
}

/// The count that a value is: a number, or a text of digits, as which some write large numbers.
fn figure(value: &Scalar) -> Option<u32> {
    match value {
        Scalar::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(text.parse::<u64>().ok()?.try_into().unwrap_or(u32::MAX))
        }
        value => value.as_count(),
    }
}

/// The figures of one answer: one for each place of tokens, and one for each place of units.
#[derive(Debug)]
pub(super) struct Figures {
    tokens: Vec<Option<u32>>,
    /// Empty as long as there are none, as in most answers.
    units: Vec<Option<f64>>,
    /// Whether the report that is being read has more tokens of the cache than those before it.
    has_more_cached: bool,
    /// The place of an input that this report says to be 0, with what it was before.
    cleared: Option<(usize, u32)>,
}

impl Figures {
    pub(super) fn new(places: &Places) -> Self {
        Self { tokens: vec![None; places.tokens.len()], units: Vec::new(), has_more_cached: false, cleared: None }
    }

    /// Merges a value that was found at a place of tokens; a value that is no count is ignored.
    pub(super) fn add(&mut self, places: &Places, number: usize, value: &Scalar) {
        let (Some(count), Some(figure), Some(place)) =
            (figure(value), self.tokens.get_mut(number), places.tokens.get(number))
        else {
            return;
        };
        let before = figure.unwrap_or(0);
        match place.bucket {
            Bucket::Input if place.merge == Merge::Last && count == 0 && before > 0 => {
                self.cleared = Some((number, before));
            }
            Bucket::CacheRead | Bucket::CacheWrite => self.has_more_cached |= count > before,
            _ => {}
        }
        *figure = Some(match (*figure, place.merge) {
            (None, _) | (_, Merge::Last) => count,
            (Some(before), Merge::Max) => before.max(count),
            (Some(before), Merge::Sum) => before.saturating_add(count),
        });
    }

    /// Ends a report: an input of 0 counts if the report has the tokens elsewhere.
    pub(super) fn end_report(&mut self) {
        let has_more_cached = std::mem::take(&mut self.has_more_cached);
        if let Some((number, before)) = self.cleared.take().filter(|_| !has_more_cached)
            && let Some(figure) = self.tokens.get_mut(number)
        {
            *figure = Some(before);
        }
    }

    /// Forgets what was found at these places, if a report with values there lists its parts.
    pub(super) fn begin_account(&mut self, places: &Places, reported: impl Iterator<Item = usize> + Clone) {
        if !reported.clone().any(|place| places.tokens.get(place).is_some_and(|place| place.is_of_parts)) {
            return;
        }
        for place in reported {
            if let Some(figure) = self.tokens.get_mut(place) {
                *figure = None;
            }
        }
    }

    fn sum(&self, places: &[usize]) -> u32 {
        let told = places.iter().filter_map(|place| self.tokens.get(*place).copied().flatten());
        told.fold(0, u32::saturating_add)
    }

    /// Merges a number of units that was found at a place; one that is no number, or negative, is ignored.
    pub(super) fn add_units(&mut self, places: &Places, place: usize, number: Option<f64>) {
        let Some(number) = number.filter(|number| *number >= 0.0) else { return };
        if self.units.is_empty() {
            self.units = vec![None; places.units.len()];
        }
        let (Some(figure), Some(place)) = (self.units.get_mut(place), places.units.get(place)) else { return };
        *figure = Some(match (*figure, place.merge) {
            (None, _) | (_, Merge::Last) => number,
            (Some(before), Merge::Max) => before.max(number),
            (Some(before), Merge::Sum) => before + number,
        });
    }
}

impl Place {
    /// Whether its figure is the total of its bucket's other places.
    fn is_total(&self) -> bool {
        self.includes.iter().any(|included| included.bucket == self.bucket)
    }
}

impl Places {
    pub(super) fn new(usage: &[UsagePlace], units: &[UnitPlace]) -> Result<Self, TapError> {
        let mut places = Vec::new();
        for place in usage {
            let mut includes: Vec<Included> = Vec::new();
            for bucket in &place.includes {
                if !includes.iter().any(|known| known.bucket == *bucket) {
                    includes.push(Included::of(place, *bucket, usage));
                }
            }
            let headers = place.headers.clone();
            let is_of_parts = place.merge == Merge::Sum && place.pointers.iter().any(|pointer| pointer.contains("/*/"));
            places.push(Place { bucket: place.bucket, merge: place.merge, includes, headers, is_of_parts });
        }
        let buckets = order(&places).ok_or(TapError::Circle)?;
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|number| {
            let place = places.get(*number);
            let bucket = place.map(|place| place.bucket);
            (buckets.iter().position(|known| Some(*known) == bucket), place.is_some_and(Place::is_total))
        });
        Ok(Self { order, tokens: places, units: units.to_vec() })
    }

    /// The headers that hold figures, each with the number of its place.
    pub(super) fn headers(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tokens
            .iter()
            .enumerate()
            .flat_map(|(number, place)| place.headers.iter().map(move |name| (number, name.as_str())))
    }

    /// The tokens in disjoint buckets.
    pub(super) fn tokens(&self, figures: &Figures) -> Tokens {
        let mut tokens = Tokens::default();
        for number in &self.order {
            let (Some(place), Some(Some(figure))) = (self.tokens.get(*number), figures.tokens.get(*number)) else {
                continue;
            };
            let own = place.includes.iter().fold(*figure, |left, included| match included.alike.as_slice() {
                [] => cut(tokens.slot(included.bucket), left),
                alike => left.saturating_sub(figures.sum(alike)),
            });
            let sum = tokens.slot(place.bucket);
            *sum = Some(sum.unwrap_or(0).saturating_add(own));
        }
        tokens
    }

    /// The numbers of units, each unit once.
    pub(super) fn units(&self, figures: &Figures) -> Vec<UnitCount> {
        let mut counts: Vec<UnitCount> = Vec::new();
        for (place, figure) in self.units.iter().zip(&figures.units) {
            let Some(count) = *figure else { continue };
            match counts.iter_mut().find(|known| known.unit == place.unit) {
                Some(known) => known.count += count,
                None => counts.push(UnitCount { unit: place.unit, count }),
            }
        }
        counts
    }
}

/// Cuts a part of a total to the remainder `left`, and returns what remains after it.
fn cut(part: &mut Option<u32>, left: u32) -> u32 {
    let Some(part) = part else { return left };
    *part = (*part).min(left);
    left - *part
}

/// All buckets, each behind the others that it includes. None if some include each other.
fn order(places: &[Place]) -> Option<Vec<Bucket>> {
    let mut done: Vec<Bucket> = Vec::new();
    while done.len() < Bucket::ALL.len() {
        let ready = |bucket: &Bucket| {
            let mut includes = places.iter().filter(|place| place.bucket == *bucket).flat_map(|place| &place.includes);
            !done.contains(bucket) && includes.all(|it| it.bucket == *bucket || done.contains(&it.bucket))
        };
        let next = Bucket::ALL.into_iter().find(ready)?;
        done.push(next);
    }
    Some(done)
}

/// A condition on the neighbour of a figure: both stand in one object.
#[derive(Debug)]
pub(super) struct NeighbourCondition {
    /// The pointers of the object and of the neighbour, by number.
    object: usize,
    neighbour: usize,
    value: Scalar,
}

impl NeighbourCondition {
    /// Compiles the condition for figures at this pointer.
    pub(super) fn compile(figure: &str, condition: &PointerEquals, wanted: &mut Wanted) -> Result<Self, TestError> {
        let object = figure.rsplit_once('/').map_or("", |(object, _)| object);
        let wrong = || TestError::Value { pointer: condition.pointer.clone(), json: condition.json.clone() };
        let value = Scalar::of(&condition.json).ok_or_else(wrong)?;
        Ok(Self { object: wanted.add(object), neighbour: wanted.add(&format!("{object}{}", condition.pointer)), value })
    }

    /// Whether it holds for this figure. Objects of one pointer do not nest, so a value belongs to the last one that
    /// began before it.
    pub(super) fn holds(&self, figure: &Hit, found: &Found) -> bool {
        let starts = || found.live(self.object).map(|object| object.range.start);
        let object_of = |hit: &Hit| starts().filter(|start| *start < hit.range.start).max();
        let object = object_of(figure);
        object.is_some()
            && found.live(self.neighbour).any(|hit| object_of(hit) == object && hit.value.is_same(&self.value))
    }
}
